//! Against a server of their own, where it is counted who listens.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use redis::{Client, Connection, FromRedisValue};

use super::actor::Step;
use super::*;
use crate::config::Config;
use crate::entry::Fence;
use crate::store::{Asked, Hold, Looked, Spot, Value};
use crate::token;

/// For what comes, however busy the machine is.
const LONG: Duration = Duration::from_secs(10);
const CHANNEL: &str = "shop#w:key";

/// Killed when it is dropped.
struct Server {
    port: u16,
    child: Child,
}

impl Server {
    fn start() -> Self {
        // Another process may take a free port first.
        for _ in 0..20 {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            let mut server = Self { port, child: Self::spawn(port) };
            if server.comes_up() {
                return server;
            }
        }
        panic!("no port stays free");
    }

    fn spawn(port: u16) -> Child {
        let port = port.to_string();
        let program = std::env::var_os("CACHED_TEST_SERVER");
        Command::new(program.unwrap_or_else(|| "redis-server".into()))
            .args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Not where its port is taken.
    fn comes_up(&mut self) -> bool {
        let mut ended = false;
        eventually(|| {
            ended = self.child.try_wait().unwrap().is_some();
            ended || self.try_connect().is_some()
        });
        !ended
    }

    fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn restart(&mut self) {
        self.child = Self::spawn(self.port);
        assert!(self.comes_up());
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn try_connect(&self) -> Option<Connection> {
        Client::open(self.url()).unwrap().get_connection().ok()
    }

    fn ask<T: FromRedisValue>(&self, command: &str) -> T {
        let mut words = command.split(' ');
        let mut cmd = redis::cmd(words.next().unwrap());
        cmd.arg(words.collect::<Vec<_>>());
        cmd.query(&mut self.try_connect().unwrap()).unwrap()
    }

    fn publish(&self) -> u64 {
        self.ask(&format!("PUBLISH {CHANNEL} x"))
    }

    /// Connections that are subscribed to the channel.
    fn subscribed(&self) -> u64 {
        self.ask::<(String, u64)>(&format!("PUBSUB NUMSUB {CHANNEL}")).1
    }

    fn calls(&self, command: &str) -> u64 {
        let stats: String = self.ask("INFO commandstats");
        let line = stats.lines().find(|line| line.starts_with(&format!("cmdstat_{command}:")));
        let calls = line.and_then(|line| line.split(['=', ',']).nth(1));
        calls.map_or(0, |calls| calls.parse().unwrap())
    }

    fn store(&self) -> RedisStore {
        store(&self.url())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn store(url: &str) -> RedisStore {
    let config = Config {
        namespace: "shop".to_owned(),
        lookup_deadline: LONG,
        commit_deadline: LONG,
        invalidate_deadline: LONG,
        ..Config::default()
    };
    match crate::store::Store::open(url, &config) {
        Ok(crate::store::Store::Redis(store)) => store,
        _ => panic!("{url} names one server"),
    }
}

fn eventually(mut reached: impl FnMut() -> bool) {
    let start = Instant::now();
    while !reached() {
        assert!(start.elapsed() < LONG, "it does not come");
        // What is waited for happens in another process or thread.
        std::thread::sleep(Duration::from_millis(5));
    }
}

async fn rings(listening: &mut Listening) {
    tokio::time::timeout(LONG, listening.rung()).await.expect("it does not ring");
}

/// Whether it rang already.
fn rang(listening: &mut Listening) -> bool {
    let ring = std::pin::pin!(listening.rung());
    matches!(ring.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()))
}

const ASKED: Asked<'_> = Asked { key: "key", tags: &[], age: false, large: false };

/// Takes the lease of `key`.
async fn lease(store: &RedisStore) -> Hold {
    let token = token::fresh();
    let sight = store.lookup(ASKED, &token).await;
    assert!(sight.is_ok_and(|sight| sight.looked == Looked::Leased));
    let (key, fence) = ("key".to_owned(), Fence::lease(&token));
    Hold { key, spot: Spot::Entry { tagged: false }, fence, tags: [].into(), large: false }
}

fn value() -> Value {
    Value { bytes: b"V".to_vec(), life: Duration::from_secs(60) }
}

#[tokio::test]
async fn each_end_of_a_lease_rings() {
    let server = Server::start();
    let (here, there) = (server.store(), server.store());
    let mut listening = here.listen("key").await.expect("there is a server");

    let hold = lease(&there).await;
    assert!(!rang(&mut listening), "its beginning does not");
    assert_eq!(there.release(&hold).await.ok(), Some(true));
    rings(&mut listening).await;
    assert_eq!(there.release(&hold).await.ok(), Some(false));
    rings(&mut listening).await;

    assert_eq!(there.commit(&hold, &value()).await.ok(), Some(false));
    rings(&mut listening).await;
    let hold = lease(&there).await;
    assert_eq!(there.commit(&hold, &value()).await.ok(), Some(true));
    rings(&mut listening).await;
    assert!(!rang(&mut listening));
}

#[tokio::test]
async fn a_lease_that_the_lookup_gives_up_by_itself_rings() {
    let server = Server::start();
    let (here, there) = (server.store(), server.store());
    let mut listening = here.listen("key").await.expect("there is a server");
    let token = token::fresh();
    assert!(there.connect().await.is_ok());
    {
        let mut lookup = std::pin::pin!(there.lookup(ASKED, &token));
        // Sent, and then its caller goes away.
        assert!(lookup.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        tokio::task::yield_now().await;
    }
    rings(&mut listening).await;
    assert_eq!(server.ask::<u64>("EXISTS shop:key"), 0);
}

#[tokio::test]
async fn a_message_between_two_calls_is_not_lost() {
    let server = Server::start();
    let store = server.store();
    let mut listening = store.listen("key").await.expect("there is a server");
    let mut other = store.listen("key").await.expect("there is a server");
    assert_eq!(server.publish(), 1);
    rings(&mut other).await;
    assert!(rang(&mut listening));
    assert!(!rang(&mut listening));
    assert!(!rang(&mut other));
}

#[tokio::test]
async fn another_entry_does_not_ring() {
    let server = Server::start();
    let store = server.store();
    let mut listening = store.listen("key").await.expect("there is a server");
    let mut other = store.listen("key2").await.expect("there is a server");
    assert_eq!(server.publish(), 1);
    rings(&mut listening).await;
    assert!(!rang(&mut other));
}

#[tokio::test]
async fn listeners_share_a_subscription_which_ends_with_the_last() {
    let server = Server::start();
    let store = server.store();
    let one = store.listen("key").await.expect("there is a server");
    let mut two = store.listen("key").await.expect("there is a server");
    assert_eq!((server.subscribed(), server.calls("subscribe")), (1, 1));
    drop(one);
    assert_eq!(server.publish(), 1);
    rings(&mut two).await;
    drop(two);
    eventually(|| server.subscribed() == 0);
    assert_eq!((server.calls("subscribe"), server.calls("unsubscribe")), (1, 1));
    eventually(|| store.inner.endpoint.bell.desk.load().state().channels.is_empty());
    // The connection stays for the next.
    drop(store.listen("key").await.expect("there is a server"));
    assert_eq!(server.ask::<String>("CLIENT LIST").matches("resp=3").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_stays_of_listeners_that_come_and_go() {
    let server = Server::start();
    let store = server.store();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                for round in 0..200 {
                    let key = ["key", "key2", "key3"][round % 3];
                    let mut listen = Box::pin(store.listen(key));
                    if round % 4 == 0 {
                        // Goes away before it is confirmed.
                        let _ = listen.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                    } else {
                        drop(listen.await.expect("there is a server"));
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    eventually(|| server.ask::<Vec<String>>("PUBSUB CHANNELS").is_empty());
    eventually(|| store.inner.endpoint.bell.desk.load().state().channels.is_empty());
}

#[tokio::test]
async fn a_lost_connection_rings_once_and_so_does_the_next() {
    let mut server = Server::start();
    let store = server.store();
    let mut listening = store.listen("key").await.expect("there is a server");
    server.stop();
    rings(&mut listening).await;
    // Its attempts to come back are all in vain.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!rang(&mut listening));
    server.restart();
    rings(&mut listening).await;
    assert_eq!(server.publish(), 1);
    rings(&mut listening).await;
    drop(listening);
    eventually(|| server.subscribed() == 0);
}

#[tokio::test]
async fn a_connection_that_the_server_closes_is_made_anew() {
    let server = Server::start();
    let store = server.store();
    let mut listening = store.listen("key").await.expect("there is a server");
    assert_eq!(server.ask::<u64>("CLIENT KILL TYPE pubsub"), 1);
    rings(&mut listening).await;
    eventually(|| server.subscribed() == 1);
}

#[test]
fn who_comes_while_the_last_one_leaves_waits_for_a_new_subscription() {
    let name = || b"shop#w:key".to_vec();
    let mut state = State::default();
    let listeners = |state: &mut State, count| {
        state.channels.entry(name()).or_default().listeners = count;
        state.news.push(name());
    };
    let sound = |state: &State| *state.channels[&name()].sound.borrow();

    listeners(&mut state, 1);
    assert_eq!(state.next_steps(), [Step::Subscribe(name())]);
    state.done(Step::Subscribe(name()), Ok(()));
    assert_eq!((state.next_steps(), sound(&state)), (vec![], Sound::Heard));
    listeners(&mut state, 0);
    assert_eq!(state.next_steps(), [Step::Unsubscribe(name())]);
    // Another comes before the server has answered.
    listeners(&mut state, 1);
    assert_eq!((state.next_steps(), sound(&state)), (vec![], Sound::Unknown));
    state.done(Step::Unsubscribe(name()), Ok(()));
    assert_eq!(state.next_steps(), [Step::Subscribe(name())]);
    assert_eq!(sound(&state), Sound::Unknown);
    // And leaves before it has answered again.
    listeners(&mut state, 0);
    assert_eq!(state.next_steps(), []);
    state.done(Step::Subscribe(name()), Ok(()));
    assert_eq!(state.next_steps(), [Step::Unsubscribe(name())]);
    state.done(Step::Unsubscribe(name()), Ok(()));
    assert_eq!(state.next_steps(), []);
    assert!(state.channels.is_empty());
}

#[tokio::test]
async fn who_comes_while_the_last_one_leaves_is_heard() {
    let server = Server::start();
    let store = server.store();
    for _ in 0..100 {
        let mut listening = store.listen("key").await.expect("there is a server");
        assert_eq!(server.publish(), 1);
        rings(&mut listening).await;
    }
}

#[tokio::test]
async fn with_the_server_down_nobody_listens_and_afterwards_they_do() {
    let mut server = Server::start();
    let store = server.store();
    let mut listening = store.listen("key").await.expect("there is a server");
    server.stop();
    rings(&mut listening).await;
    drop(listening);
    let start = Instant::now();
    assert!(store.listen("key").await.is_none());
    assert!(start.elapsed() < LONG, "it does not wait for the deadline");
    server.restart();
    let start = Instant::now();
    while store.listen("key").await.is_none() {
        assert!(start.elapsed() < LONG, "it does not come back");
        // A refusal comes at once.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    eventually(|| server.subscribed() == 0);
}

#[tokio::test]
async fn where_the_server_forbids_it_nobody_listens_and_values_are_stored_all_the_same() {
    let server = Server::start();
    server.ask::<()>("ACL SETUSER shop on >sesame ~shop:* resetchannels +@all");
    let store = store(&format!("redis://shop:sesame@127.0.0.1:{}", server.port));
    assert!(store.listen("key").await.is_none());
    let hold = lease(&store).await;
    assert_eq!(store.commit(&hold, &value()).await.ok(), Some(true));
    assert_eq!(server.ask::<String>("GET shop:key"), "V");
    server.ask::<()>("ACL SETUSER shop allchannels");
    assert!(store.listen("key").await.is_some());
}

#[test]
fn it_works_outside_of_a_runtime() {
    let server = Server::start();
    let store = server.store();
    let mut listening = block_on(store.listen("key")).expect("there is a server");
    assert_eq!(server.publish(), 1);
    block_on(listening.rung());
    drop(listening);
    eventually(|| server.subscribed() == 0);
}

#[tokio::test]
async fn a_store_that_is_gone_takes_its_connection_with_it() {
    let server = Server::start();
    let store = server.store();
    let listening = store.listen("key").await.expect("there is a server");
    drop(store);
    assert_eq!(server.subscribed(), 1);
    drop(listening);
    eventually(|| !server.ask::<String>("CLIENT LIST").contains("resp=3"));
}

fn block_on<F: Future>(future: F) -> F::Output {
    struct Thread(std::thread::Thread);
    impl Wake for Thread {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Thread(std::thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}
