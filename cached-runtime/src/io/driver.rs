//! Whether a runtime has an I/O driver, which the sockets of its connections need.
//!
//! tokio tells that in one way only: it panics where there is none. A panic that is caught still
//! reaches the panic hook, and ends a program that is built with `panic = "abort"`. So a runtime is
//! asked once, not once in each of its threads, and not at all where this process's open files show
//! that it can have no driver.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::runtime::Id;

/// So many runtimes are remembered; one that was forgotten is asked again.
const KNOWN: usize = 64;

/// Whether the runtime this is called on, which has this id, has a driver.
#[cold]
pub(super) fn is_there(id: Id) -> bool {
    static ASKED: Mutex<VecDeque<(Id, bool)>> = Mutex::new(VecDeque::new());
    // Held while asking, so that no other thread asks as well.
    let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, there)) = asked.iter().find(|(known, _)| *known == id) {
        return *there;
    }
    let there = !is_excluded() && answer();
    if asked.len() == KNOWN {
        asked.pop_front();
    }
    asked.push_back((id, there));
    there
}

fn answer() -> bool {
    std::panic::catch_unwind(|| {
        #[cfg(unix)]
        drop(tokio::net::UnixDatagram::unbound());
    })
    .is_ok()
}

/// Whether no runtime of this process but the I/O thread's has a driver. A driver is an `epoll`
/// instance, open twice.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_excluded() -> bool {
    const OWN: usize = 2;
    if super::handle().is_err() {
        return false;
    }
    let Ok(open) = std::fs::read_dir("/proc/self/fd") else { return false };
    let is_epoll = |file: &std::fs::DirEntry| {
        let target = std::fs::read_link(file.path());
        target.is_ok_and(|target| target.as_os_str() == "anon_inode:[eventpoll]")
    };
    // Others than runtimes may have some as well, and then it is not known.
    open.flatten().filter(is_epoll).take(OWN + 1).count() <= OWN
}

/// Not known here.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_excluded() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use tokio::runtime::{Builder, Handle};

    use super::*;

    #[test]
    fn a_runtime_with_a_driver_is_told_from_one_without() {
        let runtimes = [
            (Builder::new_current_thread().enable_all().build().unwrap(), true),
            (Builder::new_current_thread().enable_io().build().unwrap(), true),
            (Builder::new_current_thread().enable_time().build().unwrap(), false),
            (Builder::new_current_thread().build().unwrap(), false),
        ];
        for (runtime, expected) in &runtimes {
            for _ in 0..2 {
                let there = runtime.block_on(async { is_there(Handle::current().id()) });
                assert_eq!(there, *expected);
            }
        }
    }
}
