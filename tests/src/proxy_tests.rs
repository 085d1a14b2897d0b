use super::*;
use crate::RedisServer;
use crate::wait::eventually_blocking;
use std::io::ErrorKind;

const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(5);

fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

fn ping(stream: &mut TcpStream) -> std::io::Result<String> {
    stream.write_all(b"PING\r\n")?;
    read(stream)
}

fn read(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut reply = [0; 64];
    let length = stream.read(&mut reply)?;
    Ok(String::from_utf8_lossy(&reply[..length]).into_owned())
}

fn is_silent(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(SHORT)).unwrap();
    let silent = read(stream)
        .is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
    stream.set_read_timeout(Some(LONG)).unwrap();
    silent
}

#[test]
fn passes() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let client = redis::Client::open(proxy.url()).unwrap();
    let mut connection = client.get_connection().unwrap();
    let long = "x".repeat(1_000_000);
    redis::cmd("SET").arg(&["a", &long]).exec(&mut connection).unwrap();
    let read: String = redis::cmd("GET").arg("a").query(&mut connection).unwrap();
    assert_eq!(read, long);
    assert_eq!(proxy.connections(), 1);
    drop(connection);
    eventually_blocking(LONG, || server.connected_clients() == 0);
}

#[test]
fn delays_replies_until_the_wire_is_set_anew() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let mut stream = connect(&proxy);
    proxy.set(Wire::Delay(SHORT));
    let start = Instant::now();
    assert_eq!(ping(&mut stream).unwrap(), "+PONG\r\n");
    assert!(start.elapsed() >= SHORT);
    // Pipelined replies wait side by side, not one after another.
    let start = Instant::now();
    let mut replies = Vec::new();
    for _ in 0..20 {
        stream.write_all(b"PING\r\n").unwrap();
    }
    while replies.len() < 20 * "+PONG\r\n".len() {
        replies.extend(read(&mut stream).unwrap().bytes());
    }
    assert!(start.elapsed() >= SHORT && start.elapsed() < SHORT * 10);
    proxy.set(Wire::Delay(Duration::from_secs(3600)));
    stream.write_all(b"PING\r\n").unwrap();
    assert!(is_silent(&mut stream));
    proxy.set(Wire::Pass);
    assert_eq!(read(&mut stream).unwrap(), "+PONG\r\n");
}

#[test]
fn cuts_now_and_passes_new_connections() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let mut stream = connect(&proxy);
    ping(&mut stream).unwrap();
    proxy.cut();
    assert_eq!(stream.read(&mut [0; 8]).unwrap_or(0), 0);
    eventually_blocking(LONG, || server.connected_clients() == 0);
    assert_eq!(ping(&mut connect(&proxy)).unwrap(), "+PONG\r\n");
}

#[test]
fn cuts_in_the_middle_of_a_reply_once() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let mut stream = connect(&proxy);
    ping(&mut stream).unwrap();
    proxy.set(Wire::CutReply(3));
    stream.write_all(b"PING\r\n").unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).unwrap();
    assert_eq!(all, "+PO");
    assert_eq!(ping(&mut connect(&proxy)).unwrap(), "+PONG\r\n");
}

#[test]
fn cuts_after_more_bytes_than_one_reply_has() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let mut stream = connect(&proxy);
    proxy.set(Wire::CutReply(10));
    assert_eq!(ping(&mut stream).unwrap(), "+PONG\r\n");
    assert_eq!(ping(&mut stream).unwrap(), "+PO");
    assert_eq!(read(&mut stream).unwrap(), "");
}

#[test]
fn half_closes_replies_but_not_requests() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let mut stream = connect(&proxy);
    ping(&mut stream).unwrap();
    proxy.half_close();
    assert_eq!(read(&mut stream).unwrap(), "");
    for key in ["a", "b"] {
        stream.write_all(format!("SET {key} 1\r\n").as_bytes()).unwrap();
        eventually_blocking(LONG, || server.int(&["EXISTS", key]) == 1);
    }
}

#[test]
fn a_black_hole_swallows_even_the_servers_death() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let mut stream = connect(&proxy);
    ping(&mut stream).unwrap();
    proxy.set(Wire::BlackHole);
    stream.write_all(b"SET a 1\r\n").unwrap();
    assert!(is_silent(&mut stream));
    assert!(server.keys().is_empty());
    server.kill();
    stream.write_all(b"PING\r\n").unwrap();
    assert!(is_silent(&mut stream));
    let mut newcomer = connect(&proxy);
    newcomer.write_all(b"PING\r\n").unwrap();
    assert!(is_silent(&mut newcomer));
    proxy.set(Wire::Pass);
    assert!(matches!(stream.read(&mut [0; 8]), Ok(0) | Err(_)));
    assert!(matches!(newcomer.read(&mut [0; 8]), Ok(0) | Err(_)));
}

#[test]
fn a_black_hole_can_pass_again() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let mut stream = connect(&proxy);
    proxy.set(Wire::BlackHole);
    stream.write_all(b"PING\r\n").unwrap();
    assert!(is_silent(&mut stream));
    proxy.set(Wire::Pass);
    assert_eq!(ping(&mut stream).unwrap(), "+PONG\r\n");
}

#[test]
fn holds_requests_and_delivers_them_later() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let mut stream = connect(&proxy);
    ping(&mut stream).unwrap();
    proxy.set(Wire::HoldRequests);
    stream.write_all(b"APPEND a 1\r\n").unwrap();
    eventually_blocking(LONG, || proxy.holding() == 1);
    stream.write_all(b"APPEND a 2\r\n").unwrap();
    assert!(is_silent(&mut stream));
    assert!(server.keys().is_empty());
    proxy.set(Wire::Pass);
    let mut replies = String::new();
    while replies.len() < ":1\r\n:2\r\n".len() {
        replies += &read(&mut stream).unwrap();
    }
    assert_eq!((replies.as_str(), proxy.holding()), (":1\r\n:2\r\n", 0));
    assert_eq!(server.text(&["GET", "a"]).as_deref(), Some("12"));
}

#[test]
fn delivers_what_it_held_for_a_client_that_has_gone() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let mut stream = connect(&proxy);
    ping(&mut stream).unwrap();
    proxy.set(Wire::HoldRequests);
    for key in ["a", "b"] {
        stream.write_all(format!("SET {key} 1\r\n").as_bytes()).unwrap();
        eventually_blocking(LONG, || proxy.holding() == 1);
    }
    drop(stream);
    assert!(server.keys().is_empty());
    proxy.set(Wire::Pass);
    eventually_blocking(LONG, || server.keys() == ["a", "b"]);
}

#[test]
fn counts_round_trips_and_not_commands() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let mut stream = connect(&proxy);
    for trips in 1..=3 {
        ping(&mut stream).unwrap();
        assert_eq!(proxy.round_trips(), trips);
    }
    stream.write_all(b"PING\r\nPING\r\n").unwrap();
    let mut replies = 0;
    while replies < 2 * "+PONG\r\n".len() {
        replies += read(&mut stream).unwrap().len();
    }
    assert_eq!(proxy.round_trips(), 4, "a pipeline is one");
    ping(&mut connect(&proxy)).unwrap();
    assert_eq!(proxy.round_trips(), 5, "another connection's are counted too");
}

#[test]
fn refuses_new_connections_and_accepts_again() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let mut stream = connect(&proxy);
    ping(&mut stream).unwrap();
    proxy.set(Wire::Refuse);
    let refused = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(ping(&mut stream).unwrap(), "+PONG\r\n");
    proxy.set(Wire::Pass);
    assert_eq!(ping(&mut connect(&proxy)).unwrap(), "+PONG\r\n");
}

#[test]
fn a_server_that_is_down_closes_and_one_that_is_back_answers() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let mut stream = connect(&proxy);
    ping(&mut stream).unwrap();
    server.kill();
    assert!(matches!(stream.read(&mut [0; 8]), Ok(0) | Err(_)));
    assert!(matches!(connect(&proxy).read(&mut [0; 8]), Ok(0) | Err(_)));
    server.restart();
    assert_eq!(ping(&mut connect(&proxy)).unwrap(), "+PONG\r\n");
}

#[test]
fn leads_new_connections_elsewhere_and_leaves_the_open_ones() {
    let (one, two) = (RedisServer::start(), RedisServer::start());
    let proxy = Proxy::to(one.port());
    let mut before = connect(&proxy);
    ping(&mut before).unwrap();
    proxy.redirect(two.port());
    before.write_all(b"SET key one\r\n").unwrap();
    assert_eq!(read(&mut before).unwrap(), "+OK\r\n");
    let mut after = connect(&proxy);
    after.write_all(b"SET key two\r\n").unwrap();
    assert_eq!(read(&mut after).unwrap(), "+OK\r\n");
    for (server, value) in [(&one, "one"), (&two, "two")] {
        assert_eq!(server.text(&["GET", "key"]).as_deref(), Some(value));
    }
}

#[test]
fn treats_connections_that_track_otherwise() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let (mut tracking, mut other) = (connect(&proxy), connect(&proxy));
    let request = b"*4\r\n$6\r\nCLIENT\r\n$8\r\nTRACKING\r\n$2\r\nON\r\n$5\r\nBCAST\r\n";
    tracking.write_all(b"HELLO 3\r\n").unwrap();
    while !read(&mut tracking).unwrap().contains("modules") {}
    tracking.write_all(request).unwrap();
    assert_eq!(read(&mut tracking).unwrap(), "+OK\r\n");
    proxy.set_tracking(Wire::BlackHole);
    assert_eq!(ping(&mut other).unwrap(), "+PONG\r\n");
    tracking.write_all(b"PING\r\n").unwrap();
    assert!(is_silent(&mut tracking));
    // One that begins to track falls into the hole as it does.
    let mut newcomer = connect(&proxy);
    assert_eq!(ping(&mut newcomer).unwrap(), "+PONG\r\n");
    newcomer.write_all(request).unwrap();
    assert!(is_silent(&mut newcomer));
    proxy.set(Wire::Pass);
    assert_eq!(ping(&mut tracking).unwrap(), "+PONG\r\n");
    proxy.set_others(Wire::BlackHole);
    assert_eq!(ping(&mut tracking).unwrap(), "+PONG\r\n");
    other.write_all(b"PING\r\n").unwrap();
    assert!(is_silent(&mut other));
}

#[test]
fn dropping_ends_everything() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let port = proxy.port();
    let mut stream = connect(&proxy);
    ping(&mut stream).unwrap();
    proxy.set(Wire::BlackHole);
    drop(proxy);
    assert_eq!(stream.read(&mut [0; 8]).unwrap_or(0), 0);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    eventually_blocking(LONG, || server.connected_clients() == 0);
}
