//! A server that speaks Redis's protocol only as well as a test wants it to.

use std::io::{BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;

use crate::ports::{Acceptor, listen};
use crate::resp::read_command;

/// What a [`FaultyServer`] does to its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Accepts and reads, and never answers.
    Silent,
    /// Closes each connection, at once or at its next command.
    Close,
    /// Answers each command, a handshake too, with these bytes.
    Garbage(Vec<u8>),
    /// Answers a handshake (`HELLO`, `AUTH`, `SELECT`, `CLIENT SETINFO` and
    /// `CLIENT SETNAME`) as Redis 7 does, and every other command with these
    /// bytes; without any, it falls silent after the handshake.
    HelloThen(Vec<u8>),
    /// Answers a handshake, then closes at the first other command.
    HelloThenClose,
}

impl Fault {
    /// After the handshake, answers with bytes that are not the protocol's.
    #[must_use]
    pub fn noise() -> Self {
        Self::HelloThen(b"\x00\xffHTTP/1.1 400 Bad Request\r\n\r\n".to_vec())
    }

    /// After the handshake, answers every command with an integer: the wrong
    /// type for nearly all of them.
    #[must_use]
    pub fn integers() -> Self {
        Self::HelloThen(b":1\r\n".to_vec())
    }

    /// After the handshake, answers every command with this error, without the
    /// leading `-`: `"LOADING Redis is loading the dataset in memory"`.
    #[must_use]
    pub fn error(line: &str) -> Self {
        Self::HelloThen(format!("-{line}\r\n").into_bytes())
    }
}

/// A TCP server on its own loopback port with a [`Fault`]. Ends when dropped.
pub struct FaultyServer {
    port: u16,
    shared: Arc<Shared>,
    acceptor: Option<Acceptor>,
}

struct Shared {
    fault: Mutex<Fault>,
    commands: Mutex<Vec<Vec<String>>>,
    accepted: AtomicUsize,
    open: Mutex<Vec<Weak<TcpStream>>>,
}

impl FaultyServer {
    /// Starts to listen.
    #[must_use]
    pub fn start(fault: Fault) -> Self {
        let listener = listen();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            fault: Mutex::new(fault),
            commands: Mutex::default(),
            accepted: AtomicUsize::new(0),
            open: Mutex::default(),
        });
        let server = Arc::clone(&shared);
        let acceptor = Acceptor::spawn(listener, move |stream| {
            server.accepted.fetch_add(1, Ordering::SeqCst);
            let stream = Arc::new(stream);
            let mut open = server.open.lock().unwrap();
            open.retain(|stream| stream.strong_count() > 0);
            open.push(Arc::downgrade(&stream));
            let server = Arc::clone(&server);
            thread::spawn(move || server.serve(&stream));
        });
        Self { port, shared, acceptor: Some(acceptor) }
    }

    /// Another fault from now on, for connections that are open too.
    pub fn set(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap() = fault;
    }

    /// `redis://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many connections it has accepted so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Every command received so far, in order, the handshakes' too.
    #[must_use]
    pub fn commands(&self) -> Vec<Vec<String>> {
        self.shared.commands.lock().unwrap().clone()
    }
}

impl Shared {
    fn serve(&self, stream: &TcpStream) {
        let mut requests = BufReader::new(stream);
        if self.fault() != Fault::Close {
            while let Ok(Some(command)) = read_command(&mut requests) {
                self.commands.lock().unwrap().push(command.clone());
                let Some(answer) = answer(self.fault(), &command) else {
                    break;
                };
                let mut replies = stream;
                if replies.write_all(&answer).is_err() {
                    break;
                }
            }
        }
        let _ = stream.shutdown(Shutdown::Both);
    }

    fn fault(&self) -> Fault {
        self.fault.lock().unwrap().clone()
    }
}

/// `None` ends the connection.
fn answer(fault: Fault, command: &[String]) -> Option<Vec<u8>> {
    match fault {
        Fault::Silent => Some(Vec::new()),
        Fault::Close => None,
        Fault::Garbage(bytes) => Some(bytes),
        Fault::HelloThen(bytes) => Some(handshake(command).unwrap_or(bytes)),
        Fault::HelloThenClose => handshake(command),
    }
}

fn handshake(command: &[String]) -> Option<Vec<u8>> {
    let word =
        |at: usize| command.get(at).map(|word| word.to_ascii_uppercase()).unwrap_or_default();
    match (word(0).as_str(), word(1).as_str()) {
        ("HELLO", protocol) => Some(hello(protocol == "3")),
        ("AUTH" | "SELECT", _) | ("CLIENT", "SETINFO" | "SETNAME") => Some(b"+OK\r\n".to_vec()),
        _ => None,
    }
}

fn hello(map: bool) -> Vec<u8> {
    let (head, protocol) = if map { ("%7", 3) } else { ("*14", 2) };
    format!(
        "{head}\r\n+server\r\n+redis\r\n+version\r\n+7.0.15\r\n+proto\r\n:{protocol}\r\n\
         +id\r\n:1\r\n+mode\r\n+standalone\r\n+role\r\n+master\r\n+modules\r\n*0\r\n"
    )
    .into_bytes()
}

impl Drop for FaultyServer {
    fn drop(&mut self) {
        self.acceptor = None;
        for stream in self.shared.open.lock().unwrap().iter() {
            if let Some(stream) = stream.upgrade() {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{ErrorKind, Read};
    use std::time::Duration;

    use redis::{Connection, ErrorKind as Kind, RedisResult, Value};

    const SHORT: Duration = Duration::from_millis(100);
    const LONG: Duration = Duration::from_secs(5);

    fn connect(server: &FaultyServer, timeout: Duration) -> RedisResult<Connection> {
        let url = format!("{}?protocol=resp3", server.url());
        let connection = redis::Client::open(url)?.get_connection_with_timeout(timeout)?;
        connection.set_read_timeout(Some(timeout))?;
        Ok(connection)
    }

    fn ask(server: &FaultyServer, timeout: Duration) -> RedisResult<Value> {
        redis::cmd("GET").arg("key").query(&mut connect(server, timeout).expect("a handshake"))
    }

    fn refused(server: &FaultyServer, timeout: Duration) -> redis::RedisError {
        match connect(server, timeout) {
            Ok(_) => panic!("a handshake that works"),
            Err(error) => error,
        }
    }

    #[test]
    fn silent() {
        let server = FaultyServer::start(Fault::Silent);
        let error = refused(&server, SHORT);
        assert!(error.is_timeout(), "{error}");
        assert_eq!(server.connections(), 1);
        assert_eq!(server.commands()[0][0], "HELLO");
    }

    #[test]
    fn close() {
        let server = FaultyServer::start(Fault::Close);
        let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        assert_eq!(stream.read(&mut [0; 8]).unwrap(), 0);
    }

    #[test]
    fn garbage() {
        let server = FaultyServer::start(Fault::Garbage(b"nonsense\r\n".to_vec()));
        let error = refused(&server, LONG);
        assert!(!error.is_timeout() && !error.is_io_error(), "{error}");
    }

    #[test]
    fn noise_after_a_handshake() {
        let server = FaultyServer::start(Fault::noise());
        let error = ask(&server, LONG).unwrap_err();
        assert_eq!(error.kind(), Kind::Parse, "{error}");
    }

    #[test]
    fn integers_after_a_handshake() {
        let server = FaultyServer::start(Fault::integers());
        assert_eq!(ask(&server, LONG).unwrap(), Value::Int(1));
        assert_eq!(server.commands().last().unwrap(), &["GET", "key"]);
    }

    #[test]
    fn errors_after_a_handshake() {
        for code in ["LOADING", "NOAUTH", "READONLY"] {
            let server = FaultyServer::start(Fault::error(&format!("{code} not now")));
            let error = ask(&server, LONG).unwrap_err();
            assert_eq!(error.code(), Some(code));
        }
    }

    #[test]
    fn silence_after_a_handshake() {
        let server = FaultyServer::start(Fault::HelloThen(Vec::new()));
        let error = ask(&server, SHORT).unwrap_err();
        assert!(error.is_timeout(), "{error}");
    }

    #[test]
    fn closing_after_a_handshake() {
        let server = FaultyServer::start(Fault::HelloThenClose);
        let error = ask(&server, LONG).unwrap_err();
        assert!(error.is_io_error() && !error.is_timeout(), "{error}");
    }

    #[test]
    fn the_older_protocol_gets_its_own_handshake() {
        assert!(hello(false).starts_with(b"*14"));
        let reply = redis::parse_redis_value(&hello(false)).unwrap();
        assert!(matches!(reply, Value::Array(fields) if fields.len() == 14));
    }

    #[test]
    fn a_fault_can_change_on_an_open_connection() {
        let server = FaultyServer::start(Fault::integers());
        let mut connection = connect(&server, LONG).unwrap();
        redis::cmd("PING").query::<Value>(&mut connection).unwrap();
        server.set(Fault::error("LOADING wait"));
        let error = redis::cmd("PING").query::<()>(&mut connection).unwrap_err();
        assert_eq!(error.code(), Some("LOADING"));
    }

    #[test]
    fn dropping_ends_listener_and_connections() {
        let server = FaultyServer::start(Fault::Silent);
        let port = server.port();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        crate::eventually_blocking(LONG, || server.connections() == 1);
        drop(server);
        stream.set_read_timeout(Some(LONG)).unwrap();
        assert_eq!(stream.read(&mut [0; 8]).unwrap(), 0);
        let refused = TcpStream::connect(("127.0.0.1", port)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
}
