//! A real `redis-server` process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::{fmt, fs};

use redis::Value;
use tempfile::TempDir;

use crate::certs::{Authority, Certs};
use crate::process::{Process, lock, socket, text};
use crate::program::{Ability, knows};

/// A Redis server of its own: free loopback port, unix socket, temporary
/// directory, nothing persisted. Killed, by its own process id, when dropped.
///
/// ```
/// let server = cached_tests::RedisServer::start();
/// server.cmd(&["SET", "greeting", "hello"]);
/// assert_eq!(server.text(&["GET", "greeting"]).as_deref(), Some("hello"));
/// assert_eq!(server.command_calls()["set"], 1);
/// ```
pub struct RedisServer {
    /// Of one that speaks TLS alone.
    ca: Option<PathBuf>,
    authority: Option<Box<Authority>>,
    /// Calls the harness made by itself since the counts were reset.
    own_calls: Mutex<BTreeMap<String, u64>>,
    process: Process,
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
        let args: Vec<String> = args.iter().copied().map(str::to_owned).collect();
        Self::launch(|| args.clone(), None)
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
        let authority = Authority::new();
        let mut server = Self::start_tls_by(&authority, &["localhost", "127.0.0.1"], &[]);
        server.authority = Some(Box::new(authority));
        server
    }

    /// [`start_tls`](Self::start_tls), with a certificate by this authority for these hosts, and
    /// with these arguments after the harness's own.
    #[must_use]
    pub fn start_tls_by(authority: &Authority, hosts: &[&str], args: &[&str]) -> Self {
        let args: Vec<String> = args.iter().copied().map(str::to_owned).collect();
        Self::launch(|| args.clone(), Some(authority.server(hosts)))
    }

    /// [`start_with`](Self::start_with), with arguments that are made anew for
    /// each port tried: a node of a cluster has a second port.
    pub(crate) fn start_by(args: impl FnMut() -> Vec<String>) -> Self {
        Self::launch(args, None)
    }

    fn launch(mut more: impl FnMut() -> Vec<String>, certs: Option<Certs>) -> Self {
        let dir = TempDir::with_prefix("redis-").expect("a temporary directory");
        let given = more();
        let password = given.iter().position(|arg| *arg == "--requirepass");
        let password = password.map(|at| given[at + 1].clone());
        let process = Process::start(dir, password, |dir, port| {
            let mut args = arguments(dir, port, certs.as_ref());
            args.extend(more());
            args
        });
        let ca = certs.map(|certs| certs.ca);
        let server = Self { ca, authority: None, own_calls: Mutex::default(), process };
        server.reset_stats();
        server
    }

    /// `redis://127.0.0.1:PORT`, or `rediss://…` for a TLS server.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.ca.is_some() { "rediss" } else { "redis" };
        format!("{scheme}://127.0.0.1:{}", self.port())
    }

    /// The TCP port, the same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.process.port()
    }

    /// `redis+unix://PATH` of the same server; never TLS.
    #[must_use]
    pub fn unix_url(&self) -> String {
        format!("redis+unix://{}", socket(self.process.dir()).display())
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
        self.process.log()
    }

    /// Kills the process with SIGKILL and waits until it is gone. Nothing
    /// happens when it already is.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// It was started, and neither killed nor halted since.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.process.is_running()
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
        let _ = fs::remove_file(self.process.dir().join("dump.rdb"));
        self.process.restart();
        self.reset_stats();
    }

    /// Halts the process (SIGSTOP): its connections stay open and unanswered.
    pub fn stop(&self) {
        self.process.stop();
    }

    /// Lets a halted process go on (SIGCONT).
    pub fn cont(&self) {
        self.process.cont();
    }

    /// Sends one command and returns its reply. Arguments may be strings or bytes.
    ///
    /// # Panics
    ///
    /// On an error reply, and when there is none within 30 s.
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
    /// An error reply, or no reply within 30 s.
    pub fn try_cmd<A: AsRef<[u8]>>(&self, args: &[A]) -> Result<Value, String> {
        self.count_login(&mut lock(&self.own_calls));
        self.process.try_call(args)
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

    /// How often the command was called that a cached call looks up by, which is also that of other
    /// writes, as [`command_calls`](Self::command_calls) counts.
    #[must_use]
    pub fn lookups(&self) -> u64 {
        let command = if knows(Ability::FusedLookup) { "set" } else { "eval" };
        self.command_calls().get(command).copied().unwrap_or_default()
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
        let reply = self.process.call(&["CONFIG", "RESETSTAT"]);
        assert!(matches!(reply, Ok(Value::Okay)), "{reply:?}");
        // It counts itself, in the zeroed table. Redis 6 has no subcommands there.
        *own = ["config|resetstat", "config"].map(|name| (name.to_owned(), 1)).into();
    }

    /// How many clients are connected, without the harness.
    #[must_use]
    pub fn connected_clients(&self) -> u64 {
        let info = self.info("clients", &mut lock(&self.own_calls));
        let with_harness: u64 = field(&info, "connected_clients")
            .and_then(|count| count.parse().ok())
            .expect("a count of clients");
        with_harness - 1
    }

    /// Sends one command that is in no count of calls, by the name that it has
    /// there, and returns its reply or the text of an error.
    pub(crate) fn ask<A: AsRef<[u8]>>(&self, name: &str, args: &[A]) -> Result<Value, String> {
        let mut own = lock(&self.own_calls);
        self.count_login(&mut own);
        *own.entry(name.to_owned()).or_default() += 1;
        self.process.try_call(args)
    }

    /// It takes itself for a primary.
    pub(crate) fn is_primary(&self) -> bool {
        self.replication().is_some_and(|info| field(&info, "role") == Some("master"))
    }

    /// It is a replica of this primary, and has all that was written there up to now.
    #[must_use]
    pub fn replicates(&self, primary: &Self) -> bool {
        let (Some(written), Some(replica)) = (primary.replication(), self.replication()) else {
            return false;
        };
        let offset = |info, name| field(info, name).and_then(|offset| offset.parse::<u64>().ok());
        field(&replica, "master_port") == Some(&primary.port().to_string())
            && field(&replica, "master_link_status") == Some("up")
            && offset(&replica, "slave_repl_offset") >= offset(&written, "master_repl_offset")
    }

    /// `None` also when a Sentinel, as it does in a failover, closes all of the
    /// server's connections.
    fn replication(&self) -> Option<String> {
        match self.ask("info", &["INFO", "replication"]) {
            Ok(Value::BulkString(text)) => Some(String::from_utf8_lossy(&text).into_owned()),
            _ => None,
        }
    }

    /// What `--requirepass` was given.
    pub(crate) fn password(&self) -> Option<&str> {
        self.process.password()
    }

    fn info(&self, section: &str, own: &mut BTreeMap<String, u64>) -> String {
        self.count_login(own);
        *own.entry("info".to_owned()).or_default() += 1;
        match self.process.call(&["INFO", section]) {
            Ok(Value::BulkString(text)) => String::from_utf8_lossy(&text).into_owned(),
            other => panic!("INFO: {other:?}"),
        }
    }

    fn count_login(&self, own: &mut BTreeMap<String, u64>) {
        if self.process.password().is_some() {
            *own.entry("auth".to_owned()).or_default() += 1;
        }
    }
}

impl fmt::Debug for RedisServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisServer").field("url", &self.url()).finish_non_exhaustive()
    }
}

/// A field of the reply to `INFO`.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

fn arguments(dir: &Path, port: u16, certs: Option<&Certs>) -> Vec<String> {
    let port = port.to_string();
    let (plain, secure) = match certs {
        None => (port.as_str(), None),
        Some(certs) => ("0", Some(certs)),
    };
    let mut args: Vec<String> = ["--bind", "127.0.0.1", "--port", plain, "--save", ""]
        .into_iter()
        .chain(["--appendonly", "no", "--daemonize", "no"])
        .map(str::to_owned)
        .collect();
    args.extend(["--dir".to_owned(), text(dir)]);
    args.extend(["--unixsocket".to_owned(), text(&socket(dir))]);
    if let Some(certs) = secure {
        args.extend(["--tls-port".to_owned(), port.clone()]);
        args.extend(certs.arguments());
    }
    args
}

#[cfg(test)]
#[path = "redis_server_tests.rs"]
mod tests;
