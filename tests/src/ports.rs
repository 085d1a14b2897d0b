//! Loopback ports, and a listener that really goes away.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

/// Below the ports that Linux (32768 and up) and macOS (49152 and up) give to
/// outgoing connections. From that range a server that is killed and restarted
/// could find its port taken by some client, and a client that keeps
/// reconnecting to a dead loopback port can end up connected to itself.
const FIRST: u16 = 15_000;
const COUNT: u16 = 17_000;

/// Listens on a loopback port that nobody else has.
pub(crate) fn listen() -> TcpListener {
    // A random start keeps test processes that run side by side apart.
    static START: OnceLock<u16> = OnceLock::new();
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = *START.get_or_init(|| (RandomState::new().hash_one(()) % u64::from(COUNT)) as u16);
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let port = FIRST + ((u32::from(start) + u32::from(step)) % u32::from(COUNT)) as u16;
        if let Ok(listener) = listen_on(port) {
            return listener;
        }
    }
    panic!("no free loopback port from {FIRST} on")
}

/// Listens on that very loopback port.
pub(crate) fn listen_on(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    listen().local_addr().unwrap().port()
}

/// Hands each accepted connection to a function; dropping it closes the
/// listener, so that the next connection is refused.
pub(crate) struct Acceptor {
    port: u16,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Acceptor {
    pub(crate) fn spawn(
        listener: TcpListener,
        mut accepted: impl FnMut(TcpStream) + Send + 'static,
    ) -> Self {
        let port = listener.local_addr().unwrap().port();
        let closing = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&closing);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(stream) = stream {
                    let _ = stream.set_nodelay(true);
                    accepted(stream);
                }
            }
        });
        Self { port, closing, thread: Some(thread) }
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        // The thread blocks in `accept`: a connection wakes it.
        let woken = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_listeners_get_two_ports() {
        let (one, two) = (listen(), listen());
        assert_ne!(one.local_addr().unwrap(), two.local_addr().unwrap());
    }

    #[test]
    fn a_dropped_acceptor_refuses() {
        let listener = listen();
        let address = listener.local_addr().unwrap();
        let acceptor = Acceptor::spawn(listener, drop);
        assert!(TcpStream::connect(address).is_ok());
        drop(acceptor);
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
}
