//! A real primary with its replica, and real Sentinels that watch them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use redis::{FromRedisValue, Value};
use tempfile::TempDir;

use crate::RedisServer;
use crate::certs::{Authority, Certs};
use crate::process::{Process, socket, text};
use crate::wait::poll;

/// What the Sentinels call the primary.
const NAME: &str = "mymaster";
/// How long the Sentinels and the servers get to agree on something. A Sentinel that had no turn for two
/// seconds does nothing for thirty (TILT).
const PATIENCE: Duration = Duration::from_secs(60);

/// A primary, its replica, and Sentinels that have the replica take over when the
/// primary is gone for half a second; all end when it is dropped.
///
/// The servers' counts of calls and of clients have what the Sentinels and the
/// replica send in them.
///
/// ```
/// let watched = cached_tests::Watched::start(3);
/// watched.primary().cmd(&["SET", "greeting", "hello"]);
/// watched.settle();
/// let before = watched.primary().port();
/// watched.fail_over();
/// assert_ne!(watched.primary().port(), before);
/// assert_eq!(watched.primary().text(&["GET", "greeting"]).as_deref(), Some("hello"));
/// ```
pub struct Watched {
    servers: [RedisServer; 2],
    sentinels: Vec<Sentinel>,
}

/// One of the Sentinels of a [`Watched`] primary.
pub struct Sentinel {
    process: Process,
}

impl Watched {
    /// Starts a primary, a replica and so many Sentinels, and waits until they
    /// all know each other.
    ///
    /// # Panics
    ///
    /// As [`RedisServer::start`], and when they don't within 30 s.
    #[must_use]
    pub fn start(sentinels: usize) -> Self {
        Self::launch(sentinels, None, None, None)
    }

    /// [`start`](Self::start), all of which speak TLS alone, with certificates by this authority for
    /// these hosts.
    #[must_use]
    pub fn start_tls(sentinels: usize, authority: &Authority, hosts: &[&str]) -> Self {
        Self::launch(sentinels, None, None, Some((authority, hosts)))
    }

    /// [`start`](Self::start), with a password that primary and replica ask for,
    /// and one that the Sentinels do. The harness's commands log in by
    /// themselves; [`url`](Self::url) has neither.
    #[must_use]
    pub fn start_with_passwords(sentinels: usize, servers: &str, of_sentinels: &str) -> Self {
        Self::launch(sentinels, Some(servers), Some(of_sentinels), None)
    }

    fn launch(
        count: usize,
        servers: Option<&str>,
        of_sentinels: Option<&str>,
        tls: Option<(&Authority, &[&str])>,
    ) -> Self {
        let mut args = vec!["--repl-diskless-sync-delay", "0"];
        if let Some(password) = servers {
            args.extend(["--requirepass", password, "--masterauth", password]);
        }
        if tls.is_some() {
            args.extend(["--tls-replication", "yes"]);
        }
        let start = |args: &[&str]| match tls {
            Some((authority, hosts)) => RedisServer::start_tls_by(authority, hosts, args),
            None => RedisServer::start_with(args),
        };
        let primary = start(&args);
        let port = primary.port().to_string();
        let replica = start(&[&args[..], &["--replicaof", "127.0.0.1", &port]].concat());
        let mut watched = Self { servers: [primary, replica], sentinels: Vec::new() };
        // A Sentinel hears of the replica from the primary, and asks again late.
        watched.wait_for("the replica has no link", || watched.is_replicated(0));
        let mut config = vec![
            format!("sentinel monitor {NAME} 127.0.0.1 {port} {}", count / 2 + 1),
            format!("sentinel down-after-milliseconds {NAME} 500"),
            format!("sentinel failover-timeout {NAME} 3000"),
        ];
        config.extend(servers.map(|password| format!("sentinel auth-pass {NAME} {password}")));
        let certs = tls.map(|(authority, hosts)| authority.server(hosts));
        let sentinel = |_| Sentinel::start(&config, of_sentinels, certs.as_ref());
        watched.sentinels = (0..count).map(sentinel).collect();
        watched.settle();
        watched.servers.iter().for_each(RedisServer::reset_stats);
        watched
    }

    /// `redis+sentinel://127.0.0.1:PORT,127.0.0.1:PORT…/mymaster` of all
    /// Sentinels.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis+sentinel://{}/{NAME}", self.addresses())
    }

    /// The part of [`url`](Self::url) with the Sentinels' addresses.
    #[must_use]
    pub fn addresses(&self) -> String {
        let addresses: Vec<String> =
            self.sentinels.iter().map(|one| format!("127.0.0.1:{}", one.port())).collect();
        addresses.join(",")
    }

    /// The server that the Sentinels name as the primary now.
    ///
    /// # Panics
    ///
    /// When no Sentinel is running.
    #[must_use]
    pub fn primary(&self) -> &RedisServer {
        &self.servers[self.primary_at()]
    }

    /// The other of the two servers, whatever it is.
    #[must_use]
    pub fn replica(&self) -> &RedisServer {
        &self.servers[1 - self.primary_at()]
    }

    /// All Sentinels.
    #[must_use]
    pub fn sentinels(&self) -> &[Sentinel] {
        &self.sentinels
    }

    /// Has the Sentinels make the replica the primary, both being well, and
    /// waits until all of them name it and the old one follows it. Returns it.
    ///
    /// # Panics
    ///
    /// When they don't within 30 s.
    pub fn fail_over(&self) -> &RedisServer {
        self.replace(|_| {
            let sentinel = self.running().next().expect("a running sentinel");
            let asked = || sentinel.try_cmd(&["SENTINEL", "FAILOVER", NAME]).ok();
            // It refuses while the one before is not quite over.
            assert!(poll(PATIENCE, asked).is_some(), "no sentinel begins a failover");
        })
    }

    /// Kills the primary, and waits until all running Sentinels name the other
    /// server. Returns it. The dead one can be [restarted](RedisServer::restart),
    /// and [becomes a replica](Self::settle).
    ///
    /// # Panics
    ///
    /// When they don't within 30 s: no majority of the Sentinels is running.
    pub fn fail_over_by_death(&self) -> &RedisServer {
        self.replace(RedisServer::kill)
    }

    /// [`fail_over_by_death`](Self::fail_over_by_death) of a primary that is
    /// halted instead: when it [goes on](RedisServer::cont) it takes itself for
    /// the primary, until a Sentinel corrects it.
    ///
    /// # Panics
    ///
    /// As it.
    pub fn fail_over_by_halt(&self) -> &RedisServer {
        self.replace(RedisServer::stop)
    }

    fn replace(&self, begin: impl FnOnce(&RedisServer)) -> &RedisServer {
        let before = self.primary_at();
        begin(&self.servers[before]);
        let after = 1 - before;
        self.wait_for("no failover", || self.agree_on() == Some(after));
        self.settle();
        &self.servers[after]
    }

    /// Waits until all running Sentinels know each other and name the same
    /// primary, it takes itself for it, and the other server, when it is
    /// running, is its replica and has all that was written before this call.
    ///
    /// What was not replicated is lost in a failover, also in one that a Sentinel
    /// was asked for.
    ///
    /// # Panics
    ///
    /// When that is not so within 30 s.
    pub fn settle(&self) {
        self.wait_for("not settled", || {
            self.agree_on().is_some_and(|primary| {
                let others = (self.sentinels.len() - 1).to_string();
                let knows_all = |one: &Sentinel| {
                    let said = one.says();
                    said["num-other-sentinels"] == others && said["num-slaves"] == "1"
                };
                self.is_replicated(primary)
                    && self.running().all(knows_all)
                    && self.running().all(|one| self.is_quiet(one))
            })
        });
    }

    /// This one is a primary, and the other one, when it runs, has its data.
    fn is_replicated(&self, primary: usize) -> bool {
        let [primary, replica] = [&self.servers[primary], &self.servers[1 - primary]];
        primary.is_primary() && (!replica.is_running() || replica.replicates(primary))
    }

    /// This one has no failover under way, and sees the servers as they are.
    fn is_quiet(&self, one: &Sentinel) -> bool {
        let up = self.servers.iter().filter(|server| server.is_running()).count();
        let replicas = one.cmd(&["SENTINEL", "REPLICAS", NAME]);
        let replicas = Vec::<BTreeMap<String, String>>::from_redis_value(replicas);
        let replicas = replicas.expect("a list of replicas");
        one.says()["flags"] == "master"
            && replicas.iter().all(|replica| {
                up == 1 || replica["flags"] == "slave" && replica["master-link-status"] == "ok"
            })
    }

    fn wait_for(&self, what: &str, check: impl Fn() -> bool) {
        if poll(PATIENCE, || check().then_some(())).is_none() {
            let says: Vec<_> = self.running().map(Sentinel::says).collect();
            panic!("{what} within {PATIENCE:?}: {says:#?}");
        }
    }

    /// What all running Sentinels name as the primary.
    fn agree_on(&self) -> Option<usize> {
        let mut named = self.running().map(|one| one.says()["port"].clone());
        let first = named.next()?;
        named.all(|other| other == first).then(|| self.with_port(&first))
    }

    fn primary_at(&self) -> usize {
        // One that has not heard of a failover has an older epoch.
        let epoch = |said: &BTreeMap<String, String>| said["config-epoch"].parse::<u64>().ok();
        let newest = self.running().map(Sentinel::says).max_by_key(epoch);
        self.with_port(&newest.expect("a running sentinel")["port"])
    }

    fn with_port(&self, port: &str) -> usize {
        let mut servers = self.servers.iter();
        servers.position(|one| one.port().to_string() == *port).expect("one of the servers")
    }

    fn running(&self) -> impl Iterator<Item = &Sentinel> {
        self.sentinels.iter().filter(|one| one.is_running())
    }
}

impl Sentinel {
    fn start(config: &[String], password: Option<&str>, certs: Option<&Certs>) -> Self {
        let dir = TempDir::with_prefix("sentinel-").expect("a temporary directory");
        let process = Process::start(dir, password.map(str::to_owned), |dir, port| {
            let file = write_config(dir, port, config, password, certs);
            vec![file, "--sentinel".to_owned()]
        });
        let sentinel = Self { process };
        sentinel.hurry();
        sentinel
    }

    /// Its TCP port, the same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.process.port()
    }

    /// It was started, and neither killed nor halted since.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.process.is_running()
    }

    /// Kills the process with SIGKILL and waits until it is gone.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Kills the process if it lives, and starts it on the same port with what it
    /// had noted of the servers and of other Sentinels.
    ///
    /// # Panics
    ///
    /// As [`RedisServer::start`].
    pub fn restart(&self) {
        self.process.restart();
        self.hurry();
    }

    /// Halts the process (SIGSTOP): its connections stay open and unanswered.
    pub fn stop(&self) {
        self.process.stop();
    }

    /// Lets a halted process go on (SIGCONT).
    pub fn cont(&self) {
        self.process.cont();
    }

    /// Sends one command and returns its reply.
    ///
    /// # Panics
    ///
    /// On an error reply, and when there is none within 30 s.
    pub fn cmd<A: AsRef<[u8]>>(&self, args: &[A]) -> Value {
        self.try_cmd(args).unwrap_or_else(|error| panic!("sentinel: {error}"))
    }

    /// [`cmd`](Self::cmd) that gives back the text of an error instead.
    ///
    /// # Errors
    ///
    /// An error reply, or no reply within 30 s.
    pub fn try_cmd<A: AsRef<[u8]>>(&self, args: &[A]) -> Result<Value, String> {
        self.process.try_call(args)
    }

    /// What it has to say of the primary.
    fn says(&self) -> BTreeMap<String, String> {
        let said = BTreeMap::from_redis_value(self.cmd(&["SENTINEL", "MASTER", NAME]));
        said.expect("a map of texts")
    }

    /// Has it look for news and tell them more often than every 10 s and 2 s, and
    /// so correct a server that missed a failover sooner. Without effect before
    /// Redis 7.
    fn hurry(&self) {
        let periods = ["INFO-PERIOD", "200", "PUBLISH-PERIOD", "200"];
        let _ = self.try_cmd(&[&["SENTINEL", "DEBUG"], &periods[..]].concat());
    }
}

/// A Sentinel takes its settings from a file alone, to which it adds what it
/// learns.
fn write_config(
    dir: &Path,
    port: u16,
    more: &[String],
    password: Option<&str>,
    certs: Option<&Certs>,
) -> String {
    let plain = if certs.is_some() { 0 } else { port };
    let mut config = vec![
        "bind 127.0.0.1".to_owned(),
        format!("port {plain}"),
        format!("dir {}", text(dir)),
        format!("unixsocket {}", text(&socket(dir))),
    ];
    if let Some(certs) = certs {
        config.extend([format!("tls-port {port}"), "tls-replication yes".to_owned()]);
        config.extend(certs.directives().map(|directive| directive.join(" ")));
    }
    config.extend(password.map(|password| format!("requirepass {password}")));
    config.extend_from_slice(more);
    let file = dir.join("sentinel.conf");
    fs::write(&file, config.join("\n") + "\n").expect("a file of settings");
    text(&file)
}

#[cfg(test)]
#[path = "sentinel_tests.rs"]
mod tests;
