//! Which I/O driver a connection registers its socket with: its runtime's own, or the I/O thread's.
//!
//! A runtime may have none (`enable_io` was left out), and tokio tells that in one way only: it panics.
//! A panic that is caught still reaches the panic hook, and ends a program that is built with
//! `panic = "abort"`. So none is asked that may lack one. The I/O thread's driver serves sockets whose tasks
//! run anywhere, at the price of one more thread to be woken for each answer; a runtime's own is used
//! where the process's open files show that each of its runtimes has one.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::panic::catch_unwind;
use std::sync::{Mutex, PoisonError};

use tokio::runtime::{Builder, Handle, Id};

/// So many runtimes are remembered; one that was forgotten is judged again.
const KNOWN: usize = 64;

/// Where sockets are registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Driver {
    /// With the runtime that their tasks run on.
    Own,
    /// With the I/O thread's.
    Lent,
}

impl Driver {
    /// What connections of this runtime are to use.
    #[cold]
    pub(crate) fn of(runtime: &Handle) -> Self {
        static JUDGE: Mutex<Judge> = Mutex::new(Judge { judged: VecDeque::new(), counts: 0 });
        JUDGE.lock().unwrap_or_else(PoisonError::into_inner).judge(runtime)
    }

    /// Makes connections: sockets that `connecting` makes are registered with this driver, and tasks
    /// that it spawns run beside it.
    pub(crate) async fn connect<T>(self, connecting: impl Future<Output = T>) -> T {
        let mut connecting = Box::pin(connecting);
        let io = match self {
            Self::Own => None,
            Self::Lent => super::handle().ok(),
        };
        poll_fn(|context| {
            let _in = io.map(|io| io.enter());
            connecting.as_mut().poll(context)
        })
        .await
    }
}

struct Judge {
    judged: VecDeque<(Id, Driver)>,
    /// How often runtimes were counted, which takes one of its own each time.
    counts: u64,
}

impl Judge {
    fn judge(&mut self, runtime: &Handle) -> Driver {
        let id = runtime.id();
        if let Some((_, driver)) = self.judged.iter().find(|(known, _)| *known == id) {
            return *driver;
        }
        let driver = match self.everyone_has_one() && answers(runtime) {
            true => Driver::Own,
            false => Driver::Lent,
        };
        if self.judged.len() == KNOWN {
            self.judged.pop_front();
        }
        self.judged.push_back((id, driver));
        driver
    }

    /// Whether there are as many drivers as there ever were runtimes. Not known where open files
    /// don't tell, and not relied upon where a panic would end the process.
    fn everyone_has_one(&mut self) -> bool {
        let known = cfg!(panic = "unwind") && super::handle().is_ok();
        known
            && drivers().zip(self.runtimes()).is_some_and(|(drivers, runtimes)| drivers >= runtimes)
    }

    /// No fewer than there ever were runtimes, the I/O thread's among them. tokio numbers them one
    /// after the other (and sets of local tasks with them). It does not promise to, hence `answers`.
    fn runtimes(&mut self) -> Option<u64> {
        let next = Builder::new_current_thread().build().ok()?;
        let number = next.handle().id().to_string().parse::<u64>().ok();
        // Dropping it would panic in a runtime.
        next.shutdown_background();
        self.counts += 1;
        number?.checked_sub(self.counts)
    }
}

/// How many drivers are open, the I/O thread's among them. Each is an `epoll` instance, open twice;
/// others may have some as well, so it is a guess, for [`answers`] to confirm.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn drivers() -> Option<u64> {
    let is_epoll = |file: &std::fs::DirEntry| {
        let target = std::fs::read_link(file.path());
        target.is_ok_and(|target| target.as_os_str() == "anon_inode:[eventpoll]")
    };
    let open = std::fs::read_dir("/proc/self/fd").ok()?;
    u64::try_from(open.flatten().filter(is_epoll).count() / 2).ok()
}

/// Not known here.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn drivers() -> Option<u64> {
    None
}

/// Whether the runtime has a driver indeed. It panics if not, which is why it is asked only where all
/// seem to have one.
fn answers(runtime: &Handle) -> bool {
    let register = || {
        let _in = runtime.enter();
        #[cfg(unix)]
        drop(tokio::net::UnixDatagram::unbound());
    };
    catch_unwind(register).is_ok()
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// The promise is that of `connect`; which driver an ordinary runtime uses is seen in processes
    /// of their own, since this one has runtimes of all kinds.
    #[test]
    fn a_runtime_without_a_driver_connects_by_the_lent_one() {
        let everything = Builder::new_current_thread().enable_all().build().unwrap();
        let listener = everything.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let nothing = Builder::new_current_thread().build().unwrap();
        assert_eq!(Driver::of(nothing.handle()), Driver::Lent);
        let connecting = Driver::Lent.connect(TcpStream::connect(address));
        let stream = nothing.block_on(connecting).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
    }

    #[test]
    fn a_runtime_is_counted_wherever_that_is_asked() {
        let mut judge = Judge { judged: VecDeque::new(), counts: 0 };
        let before = judge.runtimes().unwrap();
        let runtime = Builder::new_current_thread().build().unwrap();
        assert!(runtime.block_on(async { judge.runtimes() }).unwrap() > before);
    }
}
