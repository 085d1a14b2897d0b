//! The one I/O thread of the process: where blocking callers, callers outside tokio, and
//! background work (leases renewed and given up) run their store operations.
//!
//! A connection dies with the runtime that made it, so what must outlive a caller's runtime
//! lives here. The thread starts at first need and stays, one in each process.

use std::cell::Cell;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use tokio::runtime::{Builder, Handle};
use tokio::task::JoinHandle;

use crate::fault::Fault;
use crate::store::Failure;

mod driver;
mod timer;

pub(crate) use self::driver::Driver;
pub(crate) use self::timer::{Alarm, sleep, timeout};

/// The I/O thread's runtime; an error where the operating system gives no thread.
///
/// A child of `fork` has none of its parent's threads. It gets one of its own here, at first need,
/// and whoever lives on it is [told](Forked).
pub(crate) fn handle() -> Result<&'static Io, Failure> {
    static FIRST: OnceLock<Home> = OnceLock::new();
    let mut home = FIRST.get_or_init(Home::start);
    while let Some(next) = home.next.get() {
        home = next;
    }
    // Only the last is this process's: the id of one that ended may be given again.
    if home.process != std::process::id() {
        home = home.next.get_or_init(|| Box::new(Home::start()));
        if !home.told.swap(true, Ordering::AcqRel) {
            forked();
        }
    }
    home.io
        .as_ref()
        .ok_or_else(|| Failure::new(Fault::Off, "the cache's I/O thread could not be started"))
}

/// The I/O thread of a process, and those of its children in them.
struct Home {
    process: u32,
    io: Option<Io>,
    told: AtomicBool,
    next: OnceLock<Box<Home>>,
}

impl Home {
    fn start() -> Self {
        let (told, next) = (AtomicBool::new(false), OnceLock::new());
        Self { process: std::process::id(), io: start(), told, next }
    }
}

/// Has tasks on the I/O thread, or waits for some.
pub(crate) trait Forked: Send + Sync {
    /// This is a child process: those tasks are the parent's, and go on there alone. They are
    /// neither ended nor dropped here, for they share their sockets with the parent.
    fn in_child(self: Arc<Self>);
}

static OWNERS: Mutex<Vec<Weak<dyn Forked>>> = Mutex::new(Vec::new());

/// Tells `owner` when this process turns out to be a child.
pub(crate) fn tell(owner: Weak<dyn Forked>) {
    let mut owners = OWNERS.lock().unwrap_or_else(PoisonError::into_inner);
    owners.retain(|owner| owner.strong_count() > 0);
    owners.push(owner);
}

#[cold]
fn forked() {
    let owners = OWNERS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    owners.iter().filter_map(Weak::upgrade).for_each(Forked::in_child);
}

/// The I/O thread's runtime.
pub(crate) struct Io(Handle);

impl Io {
    /// Runs a future to its end.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        spawn_on(&self.0, future)
    }
}

impl Deref for Io {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.0
    }
}

/// Runs a future to its end, on this runtime. It is boxed: tokio's machinery of tasks, some 200
/// functions, is compiled anew for each type of future, also in the users' crates.
pub(crate) fn spawn_on<T: Send + 'static>(
    runtime: &Handle,
    future: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    let future: Pin<Box<dyn Future<Output = T> + Send>> = Box::pin(future);
    runtime.spawn(future)
}

fn start() -> Option<Io> {
    let runtime = Builder::new_current_thread().enable_all().build().ok()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new()
        .name("cached-io".to_owned())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))
        .ok()?;
    Some(Io(handle))
}

/// The caller's runtime, if there is one that store operations can run on: it makes progress.
pub(crate) fn here() -> Option<Handle> {
    if BLOCKED.get() {
        return None;
    }
    Handle::try_current().ok()
}

thread_local! {
    /// This thread is blocked on a future of ours: no runtime that it may be in makes progress
    /// meanwhile.
    static BLOCKED: Cell<bool> = const { Cell::new(false) };
}

/// Runs a future on this thread, blocking it; what the future asks of the store is done on the I/O
/// thread. Right in any thread, also in one of a tokio runtime, of which no part is needed.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    let _blocked = Blocked::set(true);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        // Returns at once where the waker was faster. A wake-up without reason costs one poll.
        std::thread::park();
    }
}

/// Whether a blocked thread belongs to a tokio runtime, which may have to do without it.
pub(crate) fn blocks_a_runtime() -> bool {
    BLOCKED.get() && Handle::try_current().is_ok()
}

/// Runs what a blocked thread was blocked for: a user's function, which may well use the runtime
/// that it is in.
pub(crate) fn unblocked<T>(run: impl FnOnce() -> T) -> T {
    let _blocked = Blocked::set(false);
    run()
}

/// Puts back what was, also in a panic.
struct Blocked(bool);

impl Blocked {
    fn set(blocked: bool) -> Self {
        Self(BLOCKED.replace(blocked))
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        BLOCKED.set(self.0);
    }
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

    /// Runs it on the caller's tokio runtime, or on the I/O thread where there is none.
    pub(crate) async fn wait(self) -> Result<T, Failure> {
        match self {
            Self::Ready(result) => result,
            Self::Pending(operation) if here().is_some() => {
                // The timers of its deadlines are there.
                handle()?;
                operation.await
            }
            pending @ Self::Pending(_) => pending.start().done().await,
        }
    }

    /// Starts it on the I/O thread, where it goes on to its end also if nobody waits for it.
    pub(crate) fn start(self) -> Started<T> {
        match self {
            Self::Ready(result) => Started::Done(result),
            Self::Pending(operation) => match handle() {
                Ok(io) => Started::Running(io.0.spawn(operation)),
                Err(failure) => Started::Done(Err(failure)),
            },
        }
    }

    /// Runs it on the I/O thread and blocks this thread until it is done.
    pub(crate) fn block(self) -> Result<T, Failure> {
        block_on(self.wait())
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
