//! A web API whose handlers call cached functions, under a load that would hurt without them.
//!
//! ```text
//! cargo run -p cached-examples --example axum_api               serves, fires requests, stops
//! cargo run -p cached-examples --example axum_api -- --serve    serves until Ctrl-C
//! REDIS_URL=redis://127.0.0.1:6379 cargo run -p cached-examples --example axum_api
//! ```
//!
//! The handlers know nothing of the cache: they call functions that happen to be cached.

#![allow(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use cached_runtime::{Cache, cache_invalidate, cache_result};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const CONNECTIONS: u64 = 16;
const REQUESTS: u64 = 4_000;
const USERS: u64 = 20;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
}

/// Stands for a database: each query takes 20 ms and is counted.
#[derive(Default)]
struct Database {
    users: Mutex<BTreeMap<u64, String>>,
    queries: AtomicU64,
}

impl Database {
    async fn query<T>(&self, read: impl FnOnce(&mut BTreeMap<u64, String>) -> T) -> T {
        self.queries.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(20)).await;
        read(&mut self.users.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

type Db = Arc<Database>;

#[cache_result(ttl = "1m", skip(db))]
async fn list_products(db: &Database) -> Vec<String> {
    db.query(|_| ["lamp", "chair", "kettle"].map(str::to_owned).to_vec()).await
}

/// `None`, a user that does not exist, is remembered as well, but for a shorter time.
#[cache_result(ttl = "1m", none_ttl = "5s", skip(db))]
async fn find_user(db: &Database, id: u64) -> Option<User> {
    db.query(|users| users.get(&id).map(|name| User { id, name: name.clone() })).await
}

#[cache_invalidate(find_user(id))]
async fn rename_user(db: &Database, id: u64, name: String) -> User {
    db.query(|users| users.insert(id, name.clone())).await;
    User { id, name }
}

fn api(db: Db, cache: Cache) -> Router {
    let one_user = get(|State(db): State<Db>, Path(id): Path<u64>| async move {
        find_user(&db, id).await.map(Json).ok_or(StatusCode::NOT_FOUND)
    })
    .put(|State(db): State<Db>, Path(id): Path<u64>, Json(name): Json<String>| async move {
        Json(rename_user(&db, id, name).await)
    });
    Router::new()
        .route("/api/products", get(async |State(db): State<Db>| Json(list_products(&db).await)))
        .route("/api/users/{id}", one_user)
        .route("/stats", get(async move || format!("{}\n", cache.stats())))
        .with_state(db)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cache = Cache::builder().namespace("example-axum-api").build().await?;
    cache.install()?;
    cache.clear().await?; // what an earlier run may have left in Redis
    let db = Db::default();
    let names = (1..=USERS).map(|id| (id, format!("user {id}"))).collect();
    *db.users.lock().unwrap_or_else(PoisonError::into_inner) = names;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("Values live in {cache:?}");
    for path in ["/api/products", "/api/users/7", "/stats"] {
        println!("  http://{address}{path}");
    }
    let server = axum::serve(listener, api(Arc::clone(&db), cache.clone()));

    if std::env::args().any(|argument| argument == "--serve") {
        println!("A PUT with a JSON string renames a user. Ctrl-C ends the server.");
        let until = async { drop(tokio::signal::ctrl_c().await) };
        return Ok(server.with_graceful_shutdown(until).await?);
    }
    tokio::select! {
        served = async { server.await } => Ok(served?),
        shown = show(address, &db) => shown,
    }
}

/// Fires the requests, then renames a user between two reads.
async fn show(address: SocketAddr, db: &Database) -> anyhow::Result<()> {
    println!("\n{REQUESTS} GET requests over {CONNECTIONS} connections ...");
    let start = Instant::now();
    let clients = (0..CONNECTIONS).map(|client| tokio::spawn(load(address, client)));
    for client in clients.collect::<Vec<_>>() {
        client.await??;
    }
    let (took, runs) = (start.elapsed().as_secs_f64(), db.queries.load(Ordering::Relaxed));
    println!("  answered in {took:.2} s, {:.0} a second", REQUESTS as f64 / took);
    println!("  {runs} ran a body and asked the database: one of {}", REQUESTS / runs.max(1));

    println!("\nA user is renamed between two reads:");
    let mut client = Client::connect(address).await?;
    for (method, body) in [("GET", ""), ("PUT", "\"Ada Lovelace\""), ("GET", "")] {
        let answer = client.request(method, "/api/users/7", body).await?;
        println!("  {method} /api/users/7 {body:<15} -> {answer}");
    }
    println!("\nGET /stats\n{}", client.request("GET", "/stats", "").await?);
    Ok(())
}

/// One client's share of the load: the product list, and every user in turn.
async fn load(address: SocketAddr, client: u64) -> anyhow::Result<()> {
    let mut connection = Client::connect(address).await?;
    for request in 0..REQUESTS / CONNECTIONS {
        let path = match (client + request) % 4 {
            0 => "/api/products".to_owned(),
            _ => format!("/api/users/{}", (client + request) % USERS + 1),
        };
        connection.request("GET", &path, "").await?;
    }
    Ok(())
}

/// As much of HTTP/1.1 as this example needs: one connection, kept alive.
struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends one request; the body of the answer, which must be a success.
    async fn request(&mut self, method: &str, path: &str, body: &str) -> anyhow::Result<String> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;

        let status = self.line().await?;
        anyhow::ensure!(status.starts_with("HTTP/1.1 200"), "{method} {path}: {status}");
        let mut length = 0;
        // The headers end with an empty line.
        while let Some((name, value)) = self.line().await?.split_once(':') {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse()?;
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).await?;
        Ok(String::from_utf8(answer)?)
    }

    async fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line).await?;
        anyhow::ensure!(read > 0, "the server closed the connection");
        Ok(line.trim_end().to_owned())
    }
}
