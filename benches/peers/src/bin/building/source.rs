//! What the packages are made of.

const TOKIO: &str = r#"tokio = { version = "1", features = ["macros", "rt-multi-thread"] }"#;
const SERDE: &str = r#"serde = { version = "1", features = ["derive"] }"#;
const JSON: &str = r#"serde_json = "1""#;
const RUNTIME: &str = r#"cached-runtime = { path = "{here}/../../cached-runtime" }"#;
const CLIENT: &str =
    r#"redis = { version = "1.8.1", default-features = false, features = {redis features} }"#;
const MACRO: &str = r#"cached = { version = "4.1.0", features = ["async", "redis_tokio"] }"#;

pub(crate) const OURS: [&str; 3] = [RUNTIME, TOKIO, SERDE];
pub(crate) const REDIS: [&str; 3] = [CLIENT, TOKIO, SERDE];
pub(crate) const HAND: [&str; 4] = [CLIENT, TOKIO, SERDE, JSON];
pub(crate) const CACHED: [&str; 3] = [MACRO, TOKIO, SERDE];

pub(crate) const HELLO_OURS: &str = r#"
use cached_runtime::cache_result;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
}

#[cache_result(ttl = 60)]
async fn find_user(id: u64) -> Result<User, std::io::Error> {
    Ok(User { id, name: "Ada".into() })
}

#[tokio::main]
async fn main() {
    let user = find_user(42).await.unwrap();
    println!("{} {}", user.id, user.name);
}
"#;

pub(crate) const HELLO_REDIS: &str = r#"
use redis::AsyncCommands;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
}

#[tokio::main]
async fn main() {
    let client = redis::Client::open("redis://127.0.0.1/").unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let name: Option<String> = connection.get("user:42").await.unwrap();
    let user = User { id: 42, name: name.unwrap_or_default() };
    println!("{} {}", user.id, user.name);
}
"#;

const USER: &str = r#"
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct User {
    id: u64,
    name: String,
}
"#;

/// A hundred functions, and a program that calls each: what is not called is not compiled.
fn hundred(before: &str, function: impl Fn(usize) -> String) -> String {
    let functions: String = (0..100).map(function).collect();
    let calls: String =
        (0..100).map(|at| format!("    println!(\"{{:?}}\", find_{at}({at}).await);\n")).collect();
    format!("{before}{USER}\n{functions}\n#[tokio::main]\nasync fn main() {{\n{calls}}}\n")
}

pub(crate) fn hundred_ours() -> String {
    hundred("use cached_runtime::cache_result;\n", |at| {
        format!(
            r#"
#[cache_result(ttl = 60)]
async fn find_{at}(id: u64) -> Result<User, String> {{
    Ok(User {{ id, name: "user {at}".into() }})
}}
"#
        )
    })
}

pub(crate) fn hundred_cached() -> String {
    hundred("use cached::macros::concurrent_cached;\n", |at| {
        format!(
            r#"
#[concurrent_cached(redis = true, ttl_secs = 60, map_error = |error| error.to_string())]
async fn find_{at}(id: u64) -> Result<User, String> {{
    Ok(User {{ id, name: "user {at}".into() }})
}}
"#
        )
    })
}

pub(crate) fn hundred_by_hand() -> String {
    let connection = r#"
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use tokio::sync::OnceCell;

static CONNECTION: OnceCell<MultiplexedConnection> = OnceCell::const_new();

async fn connection() -> Result<MultiplexedConnection, redis::RedisError> {
    let connect = || async {
        redis::Client::open("redis://127.0.0.1/")?.get_multiplexed_async_connection().await
    };
    CONNECTION.get_or_try_init(connect).await.cloned()
}
"#;
    hundred(connection, |at| {
        format!(
            r#"
async fn find_{at}(id: u64) -> Result<User, redis::RedisError> {{
    let mut connection = connection().await?;
    let key = format!("find_{at}:{{id}}");
    let found: Option<Vec<u8>> = connection.get(&key).await?;
    if let Some(user) = found.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {{
        return Ok(user);
    }}
    let user = User {{ id, name: "user {at}".into() }};
    let bytes = serde_json::to_vec(&user).unwrap_or_default();
    let () = connection.set_ex(&key, bytes, 60).await?;
    Ok(user)
}}
"#
        )
    })
}
