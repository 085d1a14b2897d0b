//! A real `redis-server` process.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::Value;
use tempfile::TempDir;

use crate::certs::Certs;
use crate::ports::free_port;
use crate::resp;
use crate::wait::poll;

const START: Duration = Duration::from_secs(10);
const PORTS_TRIED: usize = 20;

/// A Redis server of its own: free loopback port, unix socket, temporary
/// directory, nothing persisted. Killed, by its own process id, when dropped.
///
/// ```
/// let server = cached_tests::RedisServer::start();
/// server.cmd(&["SET", "greeting", "hello"]);
/// assert_eq!(server.text(&["GET", "greeting"]).as_deref(), Some("hello"));
/// assert_eq!(server.command_calls()["set"], 1);
/// ```
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    ca: Option<PathBuf>,
    password: Option<String>,
    args: Vec<String>,
    child: Mutex<Option<Child>>,
    /// Calls the harness made by itself since the counts were reset.
    own_calls: Mutex<BTreeMap<&'static str, u64>>,
    dir: TempDir,
}

impl RedisServer {
    /// Starts a server with Redis's defaults, without persistence.
    ///
    /// # Panics
    ///
    /// When no `redis-server` is installed or it does not answer within 10 s;
    /// the message has the end of its log.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// [`start`](Self::start), with these command-line arguments after the
    /// harness's own: `&["--maxmemory", "2mb"]`. With `--requirepass` the
    /// harness's commands log in by themselves.
    #[must_use]
    pub fn start_with(args: &[&str]) -> Self {
        Self::launch(args, false)
    }

    /// Starts a server that speaks TLS alone on its port, with a certificate
    /// for `127.0.0.1` and `localhost` by the authority in
    /// [`ca_file`](Self::ca_file). It asks no certificate of its clients.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start), and when `redis-server` was built without TLS.
    #[must_use]
    pub fn start_tls() -> Self {
        Self::launch(&[], true)
    }

    fn launch(args: &[&str], tls: bool) -> Self {
        let dir = TempDir::with_prefix("redis-").expect("a temporary directory");
        let certs = tls.then(|| Certs::write(dir.path()));
        let password = args.iter().position(|arg| *arg == "--requirepass");
        let mut server = Self {
            port: 0,
            ca: certs.as_ref().map(|certs| certs.ca.clone()),
            password: password.map(|at| args[at + 1].to_owned()),
            args: Vec::new(),
            child: Mutex::new(None),
            own_calls: Mutex::default(),
            dir,
        };
        for _ in 0..PORTS_TRIED {
            server.port = free_port();
            server.args = server.arguments(certs.as_ref(), args);
            if server.spawn() {
                return server;
            }
        }
        panic!("redis-server found none of {PORTS_TRIED} ports free");
    }

    fn arguments(&self, certs: Option<&Certs>, more: &[&str]) -> Vec<String> {
        let text = |path: &Path| path.to_str().expect("a UTF-8 path").to_owned();
        let port = self.port.to_string();
        let (plain, secure) = match certs {
            None => (port.as_str(), None),
            Some(certs) => ("0", Some(certs)),
        };
        let mut args: Vec<String> = ["--bind", "127.0.0.1", "--port", plain, "--save", ""]
            .into_iter()
            .chain(["--appendonly", "no", "--daemonize", "no"])
            .map(str::to_owned)
            .collect();
        args.extend(["--dir".to_owned(), text(self.dir.path())]);
        args.extend(["--unixsocket".to_owned(), text(&self.socket())]);
        if let Some(certs) = secure {
            args.extend(["--tls-port".to_owned(), port.clone()]);
            args.extend(["--tls-ca-cert-file".to_owned(), text(&certs.ca)]);
            args.extend(["--tls-cert-file".to_owned(), text(&certs.cert)]);
            args.extend(["--tls-key-file".to_owned(), text(&certs.key)]);
            args.extend(["--tls-auth-clients", "no"].map(str::to_owned));
        }
        args.extend(more.iter().copied().map(str::to_owned));
        args
    }

    /// Starts the process and waits until it answers; `false` when another
    /// process has the port.
    fn spawn(&self) -> bool {
        let log = File::create(self.log_file()).expect("a log file");
        let errors = log.try_clone().expect("a log file");
        let mut child = Command::new("redis-server")
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("redis-server does not start ({error}); tests/run installs it")
            });
        let up = poll(START, || {
            if let Some(status) = child.try_wait().expect("a child to wait for") {
                return Some(Err(status));
            }
            match self.call(&["PING"]) {
                Err(_) => None,
                Ok(Value::ServerError(error)) if error.code() == "LOADING" => None,
                Ok(_) => Some(Ok(())),
            }
        });
        match up {
            Some(Ok(())) => {
                *lock(&self.child) = Some(child);
                self.reset_stats();
                true
            }
            Some(Err(_)) if self.log().contains("in use") => false,
            Some(Err(status)) => panic!("redis-server ended ({status}):\n{}", self.log_tail()),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                let tail = self.log_tail();
                panic!("redis-server does not answer within {START:?}:\n{tail}")
            }
        }
    }

    /// `redis://127.0.0.1:PORT`, or `rediss://…` for a TLS server.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.ca.is_some() { "rediss" } else { "redis" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// The TCP port, the same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `redis+unix://PATH` of the same server; never TLS.
    #[must_use]
    pub fn unix_url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// The certificate, in PEM, of the authority a TLS server's clients have
    /// to trust.
    ///
    /// # Panics
    ///
    /// When the server is none of [`start_tls`](Self::start_tls).
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        self.ca.as_deref().expect("a server started with TLS")
    }

    /// What the server has logged since it was last started.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Kills the process with SIGKILL and waits until it is gone. Nothing
    /// happens when it already is.
    pub fn kill(&self) {
        if let Some(mut child) = lock(&self.child).take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Kills the process if it lives, and starts an empty one on the same port
    /// with the same arguments.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn restart(&self) {
        self.kill();
        // A replica, or a test that saves, has written one.
        let _ = fs::remove_file(self.dir.path().join("dump.rdb"));
        if poll(START, || self.spawn().then_some(())).is_none() {
            panic!("port {} was taken by another process", self.port);
        }
    }

    /// Halts the process (SIGSTOP): its connections stay open and unanswered.
    pub fn stop(&self) {
        self.signal("-STOP");
    }

    /// Lets a halted process go on (SIGCONT).
    pub fn cont(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let child = lock(&self.child);
        let pid = child.as_ref().expect("a running server").id();
        // The standard library can only kill, and this crate has no unsafe code.
        let status = Command::new("kill").args([signal, &pid.to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill {signal}");
    }

    /// Sends one command and returns its reply. Arguments may be strings or bytes.
    ///
    /// # Panics
    ///
    /// On an error reply, and when there is none within 5 s.
    pub fn cmd<A: AsRef<[u8]>>(&self, args: &[A]) -> Value {
        self.try_cmd(args).unwrap_or_else(|error| {
            let name = args.first().map(|name| name.as_ref()).unwrap_or_default();
            panic!("{}: {error}", String::from_utf8_lossy(name))
        })
    }

    /// [`cmd`](Self::cmd) that gives back the text of an error instead.
    ///
    /// # Errors
    ///
    /// An error reply, or no reply within 5 s.
    pub fn try_cmd<A: AsRef<[u8]>>(&self, args: &[A]) -> Result<Value, String> {
        self.count_login(&mut lock(&self.own_calls));
        match self.call(args) {
            Ok(Value::ServerError(error)) => Err(error.to_string()),
            Ok(value) => Ok(value),
            Err(error) => Err(error.to_string()),
        }
    }

    /// [`cmd`](Self::cmd) for a reply that is a string or a number; `None` for
    /// nil.
    ///
    /// # Panics
    ///
    /// As [`cmd`](Self::cmd), and on a reply of another type.
    pub fn text<A: AsRef<[u8]>>(&self, args: &[A]) -> Option<String> {
        match self.cmd(args) {
            Value::Nil => None,
            Value::Okay => Some("OK".to_owned()),
            Value::SimpleString(text) => Some(text),
            Value::Int(number) => Some(number.to_string()),
            Value::BulkString(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            other => panic!("no text: {other:?}"),
        }
    }

    /// [`cmd`](Self::cmd) for a reply that is a number: `PTTL`, `EXISTS`, `DEL`.
    ///
    /// # Panics
    ///
    /// As [`cmd`](Self::cmd), and on a reply of another type.
    pub fn int<A: AsRef<[u8]>>(&self, args: &[A]) -> i64 {
        match self.cmd(args) {
            Value::Int(number) => number,
            other => panic!("no number: {other:?}"),
        }
    }

    /// All keys, sorted.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let Value::Array(keys) = self.cmd(&["KEYS", "*"]) else { panic!("KEYS returned no array") };
        let mut keys: Vec<String> = keys
            .into_iter()
            .map(|key| match key {
                Value::BulkString(key) => String::from_utf8_lossy(&key).into_owned(),
                other => panic!("no key: {other:?}"),
            })
            .collect();
        keys.sort();
        keys
    }

    /// How often each command was called since the server was started or
    /// [`reset_stats`](Self::reset_stats): `"get"`, `"evalsha"`,
    /// `"client|setinfo"`. Commands that scripts call count too, and so do
    /// those sent by [`cmd`](Self::cmd) and [`keys`](Self::keys), but not the
    /// harness's own to ask and reset.
    #[must_use]
    pub fn command_calls(&self) -> BTreeMap<String, u64> {
        let mut own = lock(&self.own_calls);
        let info = self.info("commandstats", &mut own);
        let mut calls = BTreeMap::new();
        for line in info.lines() {
            let Some((name, fields)) =
                line.strip_prefix("cmdstat_").and_then(|line| line.split_once(':'))
            else {
                continue;
            };
            let count = fields
                .split(',')
                .find_map(|field| field.strip_prefix("calls="))
                .and_then(|count| count.parse::<u64>().ok())
                .expect("a count of calls");
            // What is being answered right now is not in the server's count yet.
            let own = own.get(name).copied().unwrap_or(0) - u64::from(name == "info");
            if count > own {
                calls.insert(name.to_owned(), count - own);
            }
        }
        calls
    }

    /// Sets all of the server's counts to zero.
    pub fn reset_stats(&self) {
        let mut own = lock(&self.own_calls);
        let reply = self.call(&["CONFIG", "RESETSTAT"]);
        assert!(matches!(reply, Ok(Value::Okay)), "{reply:?}");
        // It counts itself, in the zeroed table. Redis 6 has no subcommands there.
        *own = BTreeMap::from([("config|resetstat", 1), ("config", 1)]);
    }

    /// How many clients are connected, without the harness.
    #[must_use]
    pub fn connected_clients(&self) -> u64 {
        let info = self.info("clients", &mut lock(&self.own_calls));
        let with_harness: u64 = info
            .lines()
            .find_map(|line| line.strip_prefix("connected_clients:"))
            .and_then(|count| count.parse().ok())
            .expect("a count of clients");
        with_harness - 1
    }

    fn info(&self, section: &str, own: &mut BTreeMap<&'static str, u64>) -> String {
        self.count_login(own);
        *own.entry("info").or_default() += 1;
        match self.call(&["INFO", section]) {
            Ok(Value::BulkString(text)) => String::from_utf8_lossy(&text).into_owned(),
            other => panic!("INFO: {other:?}"),
        }
    }

    fn count_login(&self, own: &mut BTreeMap<&'static str, u64>) {
        if self.password.is_some() {
            *own.entry("auth").or_default() += 1;
        }
    }

    fn call<A: AsRef<[u8]>>(&self, args: &[A]) -> io::Result<Value> {
        resp::call(&self.socket(), self.password.as_deref(), args)
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("redis.sock")
    }

    fn log_file(&self) -> PathBuf {
        self.dir.path().join("redis.log")
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // SIGKILL ends a halted process too.
        self.kill();
    }
}

/// A test that failed while it held the lock must not hide its own message.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "redis_server_tests.rs"]
mod tests;
