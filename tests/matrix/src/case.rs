//! The faults: how each is made on a real server or on the wire to it, and what it must look like.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use cached_runtime::Fault;
use cached_tests::{Proxy, RedisServer, Wire, eventually_blocking};

const LONG: Duration = Duration::from_secs(10);
/// Between two of what must be done again and again.
const OFTEN: Duration = Duration::from_millis(20);

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// Connections are refused, and those that were open are closed.
    Refused,
    /// The server's process is halted.
    Halted,
    /// The server is killed, and started again with no data.
    Killed,
    /// `OOM`: no memory, and nothing may be evicted.
    Full,
    /// `LOADING`: the server reads its data.
    Loading,
    /// `MISCONF`: a snapshot failed, and writes are refused since.
    Misconf,
    /// `READONLY`: the server became a replica.
    Replica,
    /// `NOAUTH`: a password was set, and connections are closed.
    Password,
    /// `CLIENT PAUSE ALL`.
    PauseAll,
    /// `CLIENT PAUSE WRITE`.
    PauseWrites,
    /// `WRONGTYPE`: somebody else keeps writing lists under the keys.
    WrongType,
    /// Each reply comes later than any deadline of a call.
    Delayed,
    /// Connections are cut in the middle of a reply, one after the other.
    CutReplies,
    /// The server's side ends its half of each connection.
    HalfClosed,
    /// What is sent is swallowed, and nothing is closed.
    BlackHole,
}

/// What a fault must leave of the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaves {
    /// Nothing: no value may come from the store.
    Nothing,
    /// Values that are there are served, and none is stored.
    Reads,
    /// Values are stored and served.
    Both,
    /// It depends on when it strikes.
    Whatever,
}

/// The server and the wire of one row.
pub(crate) struct Place {
    pub(crate) server: RedisServer,
    proxy: Proxy,
    /// The keys of the entries that are called most, in full.
    pub(crate) keys: Vec<String>,
}

impl Place {
    pub(crate) fn new(case: Case, keys: Vec<String>) -> Self {
        let server = match case {
            Case::Loading => RedisServer::start_with(&["--enable-debug-command", "local"]),
            _ => RedisServer::start(),
        };
        let proxy = Proxy::to(server.port());
        Self { server, proxy, keys }
    }

    /// Where the callers' cache connects to.
    pub(crate) fn url(&self, case: Case) -> String {
        match case {
            Case::Refused
            | Case::Delayed
            | Case::CutReplies
            | Case::HalfClosed
            | Case::BlackHole => self.proxy.url(),
            _ => self.server.url(),
        }
    }

    /// A connection that stays, whatever becomes of new ones.
    fn admin(&self) -> redis::Connection {
        redis::Client::open(self.server.unix_url()).unwrap().get_connection().unwrap()
    }
}

impl Case {
    /// All of them, in the table's order.
    pub const ALL: [Self; 15] = [
        Self::Refused,
        Self::Halted,
        Self::Killed,
        Self::Full,
        Self::Loading,
        Self::Misconf,
        Self::Replica,
        Self::Password,
        Self::PauseAll,
        Self::PauseWrites,
        Self::WrongType,
        Self::Delayed,
        Self::CutReplies,
        Self::HalfClosed,
        Self::BlackHole,
    ];

    /// Its name in the table.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Refused => "connection refused",
            Self::Halted => "SIGSTOP",
            Self::Killed => "SIGKILL, restart",
            Self::Full => "OOM",
            Self::Loading => "LOADING",
            Self::Misconf => "MISCONF",
            Self::Replica => "READONLY",
            Self::Password => "NOAUTH",
            Self::PauseAll => "CLIENT PAUSE ALL",
            Self::PauseWrites => "CLIENT PAUSE WRITE",
            Self::WrongType => "WRONGTYPE",
            Self::Delayed => "delay of 300 ms",
            Self::CutReplies => "cut in mid-reply",
            Self::HalfClosed => "half-close",
            Self::BlackHole => "black hole",
        }
    }

    /// What must be counted, or be the health's cause.
    pub(crate) const fn cause(self) -> Fault {
        match self {
            Self::Refused | Self::Killed | Self::CutReplies | Self::HalfClosed => {
                Fault::Unavailable
            }
            Self::Halted | Self::PauseAll | Self::PauseWrites | Self::Delayed | Self::BlackHole => {
                Fault::Timeout
            }
            Self::Full => Fault::OutOfMemory,
            Self::Loading => Fault::Loading,
            Self::Misconf | Self::Replica => Fault::ReadOnly,
            Self::Password => Fault::Auth,
            Self::WrongType => Fault::WrongType,
        }
    }

    /// Whether the store must not be asked any more after a while; `None` where that depends on
    /// when the fault strikes.
    pub(crate) const fn opens(self) -> Option<bool> {
        match self {
            Self::Full | Self::Misconf | Self::WrongType => Some(false),
            Self::CutReplies | Self::HalfClosed => None,
            _ => Some(true),
        }
    }

    pub(crate) const fn leaves(self) -> Leaves {
        match self {
            Self::Full | Self::Misconf => Leaves::Reads,
            Self::WrongType => Leaves::Both,
            Self::CutReplies | Self::HalfClosed => Leaves::Whatever,
            _ => Leaves::Nothing,
        }
    }

    /// Makes the fault, says so, keeps it up for this long, and ends it: returns as soon as it is
    /// over.
    pub(crate) fn strike(self, place: &Place, lasting: Duration, struck: &mut dyn FnMut()) {
        let Place { server, proxy, keys } = place;
        let last = |struck: &mut dyn FnMut()| {
            struck();
            // Callers call meanwhile; there is nothing to wait for.
            sleep(lasting);
        };
        match self {
            Self::Refused => {
                proxy.set(Wire::Refuse);
                proxy.cut();
                last(struck);
                proxy.set(Wire::Pass);
            }
            Self::Halted => {
                server.stop();
                last(struck);
                server.cont();
            }
            Self::Killed => {
                server.kill();
                last(struck);
                server.restart();
            }
            Self::Full => {
                server.cmd(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
                server.cmd(&["CONFIG", "SET", "maxmemory", "1"]);
                last(struck);
                server.cmd(&["CONFIG", "SET", "maxmemory", "0"]);
            }
            Self::Loading => load(place, lasting, struck),
            Self::Misconf => {
                // A directory stands where the snapshot is to be moved to.
                let dump = dump_file(server);
                fs::create_dir(&dump).unwrap();
                server.cmd(&["CONFIG", "SET", "save", "3600 100000000"]);
                snapshot(server, "err");
                last(struck);
                fs::remove_dir(&dump).unwrap();
                snapshot(server, "ok");
            }
            Self::Replica => {
                // Nobody listens there: it keeps its data, and serves it.
                server.cmd(&["REPLICAOF", "127.0.0.1", "1"]);
                last(struck);
                server.cmd(&["REPLICAOF", "NO", "ONE"]);
            }
            Self::Password => {
                let mut admin = place.admin();
                let mut set = |password: &str| {
                    let mut cmd = redis::cmd("CONFIG");
                    cmd.arg("SET").arg("requirepass").arg(password).exec(&mut admin).unwrap();
                };
                set("sesame");
                let mut kill = redis::cmd("CLIENT");
                kill.arg("KILL").arg("TYPE").arg("normal").exec(&mut admin).unwrap();
                last(struck);
                let mut cmd = redis::cmd("CONFIG");
                cmd.arg("SET").arg("requirepass").arg("").exec(&mut admin).unwrap();
            }
            Self::PauseAll => pause(server, "ALL", lasting, struck),
            Self::PauseWrites => pause(server, "WRITE", lasting, struck),
            Self::WrongType => {
                let mut admin = place.admin();
                let mut lists = redis::pipe();
                for key in keys {
                    lists.cmd("DEL").arg(key).cmd("RPUSH").arg(key).arg("foreign");
                }
                struck();
                again_and_again(lasting, || lists.exec(&mut admin).unwrap());
            }
            Self::Delayed => {
                proxy.set(Wire::Delay(Duration::from_millis(300)));
                last(struck);
                proxy.set(Wire::Pass);
            }
            Self::CutReplies => {
                let mut after = [0, 1, 2, 5, 20, 60].into_iter().cycle();
                struck();
                again_and_again(lasting, || {
                    after.next().into_iter().for_each(|bytes| proxy.set(Wire::CutReply(bytes)));
                });
                proxy.set(Wire::Pass);
            }
            Self::HalfClosed => {
                struck();
                again_and_again(lasting, || proxy.half_close());
            }
            Self::BlackHole => {
                proxy.set(Wire::BlackHole);
                last(struck);
                proxy.set(Wire::Pass);
            }
        }
    }
}

fn again_and_again(lasting: Duration, mut strike: impl FnMut()) {
    let start = Instant::now();
    while start.elapsed() < lasting {
        strike();
        // The pace of the fault.
        sleep(OFTEN);
    }
}

/// Ends by itself: to a server that pauses all, nothing can be said.
fn pause(server: &RedisServer, what: &str, lasting: Duration, struck: &mut dyn FnMut()) {
    let millis = lasting.as_millis().to_string();
    let start = Instant::now();
    server.cmd(&["CLIENT", "PAUSE", &millis, what]);
    struck();
    // The server counts its own time.
    sleep(lasting.saturating_sub(start.elapsed()));
}

/// The server saves its data and reads them again, key by key and slowly.
fn load(place: &Place, lasting: Duration, struck: &mut dyn FnMut()) {
    const FILLING: usize = 2_000;
    let mut admin = place.admin();
    let mut filling = redis::pipe();
    for n in 0..FILLING {
        filling.cmd("SET").arg(format!("filling:{n}")).arg("x".repeat(100)).ignore();
    }
    filling.exec(&mut admin).unwrap();
    let keys: u64 = redis::cmd("DBSIZE").query(&mut admin).unwrap();
    let micros = lasting.as_micros() / u128::from(keys);
    // It looks for clients' commands after each so many bytes.
    for (name, value) in [
        ("key-load-delay", micros.to_string()),
        ("loading-process-events-interval-bytes", "1024".to_owned()),
    ] {
        redis::cmd("CONFIG").arg("SET").arg(name).arg(value).exec(&mut admin).unwrap();
    }
    struck();
    redis::cmd("DEBUG").arg("RELOAD").exec(&mut admin).unwrap();
}

fn dump_file(server: &RedisServer) -> std::path::PathBuf {
    let redis::Value::Array(reply) = server.cmd(&["CONFIG", "GET", "dir"]) else {
        panic!("CONFIG GET returned no array")
    };
    let [_, redis::Value::BulkString(dir)] = &reply[..] else { panic!("no directory: {reply:?}") };
    std::path::Path::new(std::str::from_utf8(dir).unwrap()).join("dump.rdb")
}

/// Makes the server save its data until that ends so.
fn snapshot(server: &RedisServer, status: &str) {
    let line = format!("rdb_last_bgsave_status:{status}");
    eventually_blocking(LONG, || {
        // Refused while one is under way.
        let _ = server.try_cmd(&["BGSAVE"]);
        server.text(&["INFO", "persistence"]).is_some_and(|info| info.contains(&line))
    });
}
