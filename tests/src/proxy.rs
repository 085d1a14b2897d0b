//! A TCP proxy that harms what passes through it.
//!
//! Each connection has three threads: one for what the client sends, one that
//! reads the replies and notes when each arrived, one that passes them on. So a
//! delay is the same for each of many pipelined replies.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crate::ports::{Acceptor, listen, listen_on};
use crate::wait::poll;

/// How a [`Proxy`] treats its connections from now on, the open ones too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Passes everything on.
    Pass,
    /// Passes each reply on this long after it arrived.
    Delay(Duration),
    /// Passes on this many more bytes of replies on the connection that gets
    /// the next one, then cuts that connection. Happens once: all others, and
    /// those made later, pass.
    CutReply(usize),
    /// Swallows what either side sends and closes nothing. What was swallowed
    /// stays lost when the wire passes again.
    BlackHole,
    /// Keeps what clients send, in its order, until the wire is set anew: then it
    /// arrives, also where the client has gone meanwhile. Replies pass.
    HoldRequests,
    /// Refuses new connections; those that are open pass.
    Refuse,
    /// Passes on this many bytes a second, of all connections and both ways together, as a link
    /// does that they share.
    Rate(u32),
}

/// A TCP proxy on its own loopback port in front of a server on another. Ends,
/// with all its connections, when dropped.
///
/// ```
/// use cached_tests::{Proxy, RedisServer, Wire};
///
/// let server = RedisServer::start();
/// let proxy = Proxy::to(server.port());
/// proxy.set(Wire::BlackHole);
/// // …what does a client of `proxy.url()` do now?
/// proxy.set(Wire::Pass);
/// ```
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    acceptor: Mutex<Option<Acceptor>>,
}

struct Shared {
    upstream: AtomicU16,
    state: Mutex<State>,
    changed: Condvar,
    accepted: AtomicUsize,
    trips: AtomicUsize,
    links: Mutex<Vec<Weak<Link>>>,
}

struct State {
    wire: Wire,
    /// Of the connections on which `CLIENT TRACKING` was seen.
    tracking: Wire,
    /// Connections with requests that are held.
    holding: usize,
    /// With [`Wire::Rate`]: when the link is free again.
    free: Instant,
    ended: bool,
}

/// The two halves of one proxied connection.
struct Link {
    client: TcpStream,
    server: TcpStream,
    /// The client was told that no more replies come; they are dropped.
    half_closed: AtomicBool,
    /// A reply was passed on since the last request: the next one is a round
    /// trip of its own.
    answered: AtomicBool,
    /// `CLIENT TRACKING` was seen.
    tracking: AtomicBool,
    /// A black hole for good.
    forgotten: AtomicBool,
}

/// A piece of a reply, and when it arrived.
type Chunk = (Instant, Vec<u8>);

impl Proxy {
    /// Starts a proxy to the server on this loopback port, which need not be
    /// up. It passes everything on until [`set`](Self::set).
    #[must_use]
    pub fn to(port: u16) -> Self {
        let listener = listen();
        let own = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            upstream: AtomicU16::new(port),
            state: Mutex::new(State {
                wire: Wire::Pass,
                tracking: Wire::Pass,
                holding: 0,
                free: Instant::now(),
                ended: false,
            }),
            changed: Condvar::new(),
            accepted: AtomicUsize::new(0),
            trips: AtomicUsize::new(0),
            links: Mutex::default(),
        });
        let acceptor = shared.accept(listener);
        Self { port: own, shared, acceptor: Mutex::new(Some(acceptor)) }
    }

    /// Treats the connections so from now on.
    ///
    /// # Panics
    ///
    /// When, after [`Wire::Refuse`], another process has taken the port.
    pub fn set(&self, wire: Wire) {
        self.shared.set(|state| (state.wire, state.tracking) = (wire, wire));
        let mut acceptor = lock(&self.acceptor);
        if wire == Wire::Refuse {
            *acceptor = None;
        } else if acceptor.is_none() {
            let listener = poll(Duration::from_secs(5), || listen_on(self.port).ok());
            *acceptor = Some(self.shared.accept(listener.expect("the port as before")));
        }
    }

    /// Treats so the connections on which a client has asked for `CLIENT TRACKING`,
    /// or will, and the others as before; until [`set`](Self::set).
    ///
    /// # Panics
    ///
    /// On [`Wire::Refuse`]: what a connection will be used for is not known when it
    /// is made.
    pub fn set_tracking(&self, wire: Wire) {
        assert_ne!(wire, Wire::Refuse, "no connection tracks from the beginning");
        self.shared.set(|state| state.tracking = wire);
    }

    /// Treats so the connections on which no client has asked for `CLIENT TRACKING`,
    /// and those that have as before; until [`set`](Self::set).
    ///
    /// # Panics
    ///
    /// As [`set_tracking`](Self::set_tracking).
    pub fn set_others(&self, wire: Wire) {
        assert_ne!(wire, Wire::Refuse, "any connection begins as one of the others");
        self.shared.set(|state| state.wire = wire);
    }

    /// Leads new connections to the server on this loopback port. Those that are open
    /// stay where they are, as when a name is given another address.
    pub fn redirect(&self, port: u16) {
        self.shared.upstream.store(port, Ordering::SeqCst);
    }

    /// Closes all connections, both ways, now. New ones are as before.
    pub fn cut(&self) {
        for link in self.shared.open_links() {
            link.close();
        }
    }

    /// Swallows from now on whatever either side sends on the open connections, and closes none, as
    /// something in between does that has forgotten them. New ones are as before.
    pub fn forget(&self) {
        for link in self.shared.open_links() {
            link.forgotten.store(true, Ordering::SeqCst);
        }
    }

    /// Tells the client of each open connection that no more replies come, as a
    /// server does that closes its sending half. What clients send still
    /// arrives; the replies to it are dropped.
    pub fn half_close(&self) {
        for link in self.shared.open_links() {
            link.half_closed.store(true, Ordering::SeqCst);
            let _ = link.client.shutdown(Shutdown::Write);
        }
    }

    /// `redis://127.0.0.1:PORT` of the proxy.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The proxy's TCP port, for another scheme's URL.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many connections it has accepted so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// How many connections have requests that [`Wire::HoldRequests`] holds.
    #[must_use]
    pub fn holding(&self) -> usize {
        self.shared.state().holding
    }

    /// How many round trips there were so far: how often something was sent by
    /// a client that had got a reply since it last sent. What is sent without
    /// waiting for replies, a pipeline, is one.
    #[must_use]
    pub fn round_trips(&self) -> usize {
        self.shared.trips.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        *lock(&self.acceptor) = None;
        self.shared.state().ended = true;
        self.shared.changed.notify_all();
        self.cut();
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, listener: TcpListener) -> Acceptor {
        let shared = Arc::clone(self);
        Acceptor::spawn(listener, move |client| {
            shared.accepted.fetch_add(1, Ordering::SeqCst);
            shared.connect(client);
        })
    }

    fn connect(self: &Arc<Self>, client: TcpStream) {
        let Ok(server) = self.reach_upstream() else {
            // A dead server in a black hole must not show.
            let shared = Arc::clone(self);
            thread::spawn(move || {
                shared.wait_out_black_hole(None);
                drop(client);
            });
            return;
        };
        let _ = server.set_nodelay(true);
        let (half_closed, answered) = (AtomicBool::new(false), AtomicBool::new(true));
        let (tracking, forgotten) = (AtomicBool::new(false), AtomicBool::new(false));
        let link = Arc::new(Link { client, server, half_closed, answered, tracking, forgotten });
        let mut links = lock(&self.links);
        links.retain(|link| link.strong_count() > 0);
        links.push(Arc::downgrade(&link));
        drop(links);

        let (sender, receiver) = channel();
        self.spawn(&link, Self::pass_requests);
        self.spawn(&link, move |_, link| read_replies(link, &sender));
        self.spawn(&link, move |shared, link| {
            shared.pass_replies(link, &receiver);
        });
    }

    fn reach_upstream(&self) -> io::Result<TcpStream> {
        // A halted server whose backlog is full would hold this up for minutes.
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.upstream.load(Ordering::SeqCst)));
        TcpStream::connect_timeout(&address, Duration::from_secs(1))
    }

    fn spawn(self: &Arc<Self>, link: &Arc<Link>, run: impl FnOnce(&Self, &Link) + Send + 'static) {
        let (shared, link) = (Arc::clone(self), Arc::clone(link));
        thread::spawn(move || run(&shared, &link));
    }

    fn pass_requests(&self, link: &Link) {
        let (mut from, mut to) = (&link.client, &link.server);
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if link.answered.swap(false, Ordering::SeqCst) {
                self.trips.fetch_add(1, Ordering::SeqCst);
            }
            // Before it is passed on, so that nothing of such a connection is treated otherwise.
            if !link.tracks() && asks_for_tracking(&buffer[..length]) {
                link.tracking.store(true, Ordering::SeqCst);
            }
            self.wait_while_held(link);
            self.wait_for_the_link(link, length);
            let swallowed = self.state().of(Some(link)) == Wire::BlackHole;
            if !swallowed && to.write_all(&buffer[..length]).is_err() {
                self.wait_out_black_hole(Some(link));
                return link.close();
            }
        }
        self.wait_out_black_hole(Some(link));
        let _ = link.server.shutdown(Shutdown::Write);
    }

    fn pass_replies(&self, link: &Link, replies: &Receiver<Chunk>) {
        let mut to = &link.client;
        let mut left = None;
        while let Ok((arrived, mut bytes)) = replies.recv() {
            match self.wire_at(link, arrived) {
                Wire::BlackHole => continue,
                Wire::CutReply(after) => left = Some(after),
                Wire::Rate(_) => self.wait_for_the_link(link, bytes.len()),
                Wire::Pass | Wire::Delay(_) | Wire::HoldRequests | Wire::Refuse => {}
            }
            if let Some(left) = &mut left {
                bytes.truncate(*left);
                *left -= bytes.len();
            }
            // Before the client can have read it.
            link.answered.store(true, Ordering::SeqCst);
            let lost = to.write_all(&bytes).is_err() && !link.half_closed.load(Ordering::SeqCst);
            if lost || left == Some(0) {
                return link.close();
            }
        }
        self.wait_out_black_hole(Some(link));
        let _ = link.client.shutdown(Shutdown::Write);
    }

    /// What holds for a reply that arrived then, once any delay is over.
    fn wire_at(&self, link: &Link, arrived: Instant) -> Wire {
        let mut state = self.state();
        while let Wire::Delay(delay) = state.of(Some(link))
            && !state.ended
        {
            let Some(rest) = delay.checked_sub(arrived.elapsed()) else {
                break;
            };
            // Woken early when the wire is set anew.
            let waited = self.changed.wait_timeout(state, rest);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let wire = state.of(Some(link));
        if let Wire::CutReply(_) = wire {
            let State { wire, tracking, .. } = &mut *state;
            for wire in [wire, tracking] {
                if let Wire::CutReply(_) = wire {
                    *wire = Wire::Pass;
                }
            }
        }
        wire
    }

    fn wait_while_held(&self, link: &Link) {
        let mut state = self.state();
        if state.of(Some(link)) != Wire::HoldRequests {
            return;
        }
        state.holding += 1;
        while state.of(Some(link)) == Wire::HoldRequests && !state.ended {
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.holding -= 1;
    }

    /// Takes its turn on a link that all connections share.
    fn wait_for_the_link(&self, link: &Link, bytes: usize) {
        let mut state = self.state();
        let Wire::Rate(rate) = state.of(Some(link)) else { return };
        let takes = Duration::from_secs_f64(bytes as f64 / f64::from(rate));
        let free = state.free.max(Instant::now()) + takes;
        state.free = free;
        drop(state);
        thread::sleep(free.saturating_duration_since(Instant::now()));
    }

    /// A connection that was never made is one of those that don't track.
    fn wait_out_black_hole(&self, link: Option<&Link>) {
        let mut state = self.state();
        while state.of(link) == Wire::BlackHole && !state.ended {
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn set(&self, set: impl FnOnce(&mut State)) {
        set(&mut self.state());
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn open_links(&self) -> Vec<Arc<Link>> {
        lock(&self.links).iter().filter_map(Weak::upgrade).collect()
    }
}

impl State {
    fn of(&self, link: Option<&Link>) -> Wire {
        match link {
            Some(link) if link.forgotten.load(Ordering::SeqCst) => Wire::BlackHole,
            Some(link) if link.tracks() => self.tracking,
            _ => self.wire,
        }
    }
}

/// As clients write it: each word a bulk string. What comes in two pieces is not seen, which no
/// client's first commands do.
fn asks_for_tracking(bytes: &[u8]) -> bool {
    let words = b"\r\n$6\r\nCLIENT\r\n$8\r\nTRACKING\r\n";
    bytes.windows(words.len()).any(|window| window == words)
}

/// Ends, and with it the channel, when the server closes.
fn read_replies(link: &Link, replies: &Sender<Chunk>) {
    let mut from = &link.server;
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let chunk = (Instant::now(), buffer[..length].to_vec());
        if replies.send(chunk).is_err() {
            return;
        }
    }
}

impl Link {
    fn tracks(&self) -> bool {
        self.tracking.load(Ordering::SeqCst)
    }

    fn close(&self) {
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

/// A thread that panicked has left nothing half-done in what is locked here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "proxy_tests.rs"]
mod tests;
