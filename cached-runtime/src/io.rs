//! The one I/O thread of the process: where blocking callers, callers outside tokio, and
//! background work (leases renewed and given up) run their store operations.
//!
//! A connection dies with the runtime that made it, so what must outlive a caller's runtime
//! lives here. The thread starts at first need and stays.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Id};
use tokio::task::JoinHandle;

use crate::fault::Fault;
use crate::store::Failure;

/// The I/O thread's runtime; an error where the operating system gives no thread.
pub(crate) fn handle() -> Result<&'static Handle, Failure> {
    static IO: OnceLock<Option<Handle>> = OnceLock::new();
    IO.get_or_init(start)
        .as_ref()
        .ok_or_else(|| Failure::new(Fault::Off, "the cache's I/O thread could not be started"))
}

fn start() -> Option<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build().ok()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new()
        .name("cached-io".to_owned())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))
        .ok()?;
    Some(handle)
}

/// The caller's runtime, if there is one that store operations can run on: it needs timers and
/// I/O (`enable_all`).
pub(crate) fn here() -> Option<Handle> {
    thread_local! {
        /// The runtime this thread was last in, and whether it is one to use.
        static LAST: Cell<Option<(Id, bool)>> = const { Cell::new(None) };
    }
    let here = Handle::try_current().ok()?;
    let fit = match LAST.get() {
        Some((id, fit)) if id == here.id() => fit,
        _ => {
            let fit = is_fit();
            LAST.set(Some((here.id(), fit)));
            fit
        }
    };
    fit.then_some(here)
}

/// tokio answers this question in no other way than by a panic.
fn is_fit() -> bool {
    std::panic::catch_unwind(|| {
        drop(tokio::time::sleep(Duration::ZERO));
        #[cfg(unix)]
        drop(tokio::net::UnixDatagram::unbound());
    })
    .is_ok()
}

/// A store operation, ready already (the embedded store) or to be run; the one definition that
/// async and blocking callers share.
pub(crate) enum Task<T> {
    Ready(Result<T, Failure>),
    Pending(Pin<Box<dyn Future<Output = Result<T, Failure>> + Send>>),
}

impl<T: Send + 'static> Task<T> {
    pub(crate) fn pending(
        operation: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Self {
        Self::Pending(Box::pin(operation))
    }

    /// Runs it on the caller's tokio runtime, or on the I/O thread where there is none to use.
    pub(crate) async fn wait(self) -> Result<T, Failure> {
        match self {
            Self::Ready(result) => result,
            Self::Pending(operation) if here().is_some() => operation.await,
            pending @ Self::Pending(_) => pending.start().done().await,
        }
    }

    /// Starts it on the I/O thread, where it goes on to its end also if nobody waits for it.
    pub(crate) fn start(self) -> Started<T> {
        match self {
            Self::Ready(result) => Started::Done(result),
            Self::Pending(operation) => match handle() {
                Ok(io) => Started::Running(io.spawn(operation)),
                Err(failure) => Started::Done(Err(failure)),
            },
        }
    }

    /// Runs it on the I/O thread and blocks this thread until it is done: right in any thread,
    /// also in one of a tokio runtime, of which no part is needed meanwhile.
    pub(crate) fn block(self) -> Result<T, Failure> {
        let operation = match self {
            Self::Ready(result) => return result,
            Self::Pending(operation) => operation,
        };
        let (sender, receiver) = mpsc::sync_channel(1);
        handle()?.spawn(async move {
            // A receiver that is gone has given up waiting; nobody wants the result.
            let _ = sender.send(operation.await);
        });
        receiver
            .recv()
            .unwrap_or_else(|_| Err(Failure::new(Fault::Off, "the operation was given up")))
    }
}

/// An operation under way.
pub(crate) enum Started<T> {
    Done(Result<T, Failure>),
    Running(JoinHandle<Result<T, Failure>>),
}

impl<T> Started<T> {
    pub(crate) async fn done(self) -> Result<T, Failure> {
        match self {
            Self::Done(result) => result,
            Self::Running(operation) => operation
                .await
                .unwrap_or_else(|_| Err(Failure::new(Fault::Off, "the operation was given up"))),
        }
    }
}
