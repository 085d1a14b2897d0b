use super::*;
use crate::wait::eventually_blocking;
use std::io;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(5);

fn connect(url: &str) -> redis::RedisResult<redis::Connection> {
    redis::Client::open(url)?.get_connection_with_timeout(Duration::from_secs(1))
}

#[test]
fn answers_on_tcp_and_on_its_unix_socket() {
    let server = RedisServer::start();
    for url in [server.url(), server.unix_url()] {
        let mut connection = connect(&url).unwrap();
        let pong: String = redis::cmd("PING").query(&mut connection).unwrap();
        assert_eq!(pong, "PONG");
    }
}

#[test]
fn servers_are_apart_and_take_arguments() {
    let (one, two) = (RedisServer::start(), RedisServer::start_with(&["--maxmemory", "2mb"]));
    assert_ne!(one.port(), two.port());
    one.cmd(&["SET", "a", "1"]);
    assert!(two.keys().is_empty());
    let Value::Array(limit) = two.cmd(&["CONFIG", "GET", "maxmemory"]) else { panic!("no array") };
    assert_eq!(limit[1], Value::BulkString(b"2097152".to_vec()));
}

#[test]
fn a_password_is_for_clients_not_for_the_harness() {
    let server = RedisServer::start_with(&["--requirepass", "secret"]);
    assert!(
        connect(&server.url()).and_then(|mut c| redis::cmd("PING").query::<()>(&mut c)).is_err()
    );
    server.reset_stats();
    server.cmd(&["SET", "a", "1"]);
    assert_eq!(server.command_calls(), BTreeMap::from([("set".to_owned(), 1)]));
}

#[test]
fn replies_as_value_text_number_and_error() {
    let server = RedisServer::start();
    assert_eq!(server.cmd(&["SET", "a", "1"]), Value::Okay);
    assert_eq!(server.text(&["GET", "a"]).as_deref(), Some("1"));
    assert_eq!(server.text(&["GET", "b"]), None);
    assert_eq!(server.int(&["EXISTS", "a", "b"]), 1);
    server.cmd(&[b"SET".as_slice(), b"bytes", &[0, 255]]);
    assert_eq!(server.cmd(&["GET", "bytes"]), Value::BulkString(vec![0, 255]));
    assert_eq!(server.keys(), ["a", "bytes"]);
    let error = server.try_cmd(&["LPUSH", "a", "x"]).unwrap_err();
    assert!(error.contains("WRONGTYPE"), "{error}");
}

#[test]
#[should_panic(expected = "NOSUCH")]
fn an_unknown_command_fails_the_test() {
    RedisServer::start().cmd(&["NOSUCH"]);
}

#[test]
fn counts_calls_but_not_its_own() {
    let server = RedisServer::start();
    assert!(server.command_calls().is_empty());
    server.cmd(&["SET", "a", "1"]);
    server.cmd(&["GET", "a"]);
    server.cmd(&["GET", "a"]);
    for _ in 0..2 {
        let calls = server.command_calls();
        assert_eq!(calls, BTreeMap::from([("get".to_owned(), 2), ("set".to_owned(), 1)]));
    }
    server.reset_stats();
    assert!(server.command_calls().is_empty());
    let _info = server.cmd(&["INFO"]);
    assert_eq!(server.command_calls()["info"], 1);
}

#[test]
fn counts_clients_without_itself() {
    let server = RedisServer::start();
    assert_eq!(server.connected_clients(), 0);
    let connection = connect(&server.url()).unwrap();
    assert_eq!(server.connected_clients(), 1);
    drop(connection);
    eventually_blocking(SOON, || server.connected_clients() == 0);
}

#[test]
fn a_killed_server_refuses_and_a_restarted_one_is_empty() {
    let server = RedisServer::start();
    let url = server.url();
    server.cmd(&["SET", "a", "1"]);
    server.cmd(&["SAVE"]);
    server.kill();
    server.kill();
    let refused = TcpStream::connect(("127.0.0.1", server.port())).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    assert!(server.try_cmd(&["PING"]).is_err());
    server.restart();
    assert_eq!(server.url(), url);
    assert!(connect(&url).is_ok());
    assert!(server.keys().is_empty());
    assert_eq!(server.command_calls()["keys"], 1);
}

#[test]
fn a_halted_server_keeps_connections_and_answers_later() {
    let server = RedisServer::start();
    let mut connection = connect(&server.url()).unwrap();
    connection.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    server.stop();
    let error = redis::cmd("PING").query::<()>(&mut connection).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    server.cont();
    assert!(connect(&server.url()).is_ok());
}

#[test]
fn dropping_ends_even_a_halted_server() {
    let server = RedisServer::start();
    let (port, dir) = (server.port(), server.process.dir().to_owned());
    server.stop();
    drop(server);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    assert!(!dir.exists());
}

#[test]
#[should_panic(expected = "redis-server ended")]
fn a_server_that_cannot_start_shows_its_log() {
    let _server = RedisServer::start_with(&["--no-such-option", "1"]);
}

#[test]
fn tls_alone_on_the_port_with_a_certificate_that_verifies() {
    let server = RedisServer::start_tls();
    let ask = |host: &str, ca: &Path| {
        let output = Command::new("redis-cli")
            .args(["-h", host, "-p", &server.port().to_string()])
            .args(["--tls", "--cacert"])
            .arg(ca)
            .arg("PING")
            .output()
            .expect("redis-cli, which comes with redis-server");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert!(server.url().starts_with("rediss://"));
    assert_eq!(ask("127.0.0.1", server.ca_file()), "PONG");
    let stranger = Authority::new();
    assert_ne!(ask("127.0.0.1", stranger.ca_file()), "PONG");
    assert!(connect(&format!("redis://127.0.0.1:{}", server.port())).is_err());
    assert_eq!(server.text(&["PING"]).as_deref(), Some("PONG"));
}
