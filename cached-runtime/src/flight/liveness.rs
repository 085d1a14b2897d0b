//! Whether a future is still polled.
//!
//! A leader's future can be set aside while it lives: by `select!`, in a stream that buffers, behind a
//! `pin!`. It is woken then, and nobody polls it, so whoever waits for it would wait for good. Hence
//! each wake-up of a call's future is noted, and one that no poll follows for [`PATIENCE`] ticks makes
//! it stalled. A future that is not woken is not stalled: its body takes as long as it takes.
//!
//! There is no clock in it. A tick is whatever whoever looks after the flights calls one; while
//! nobody waits for anybody there are no ticks, and no future becomes stalled.

use std::cell::Cell;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use pin_project_lite::pin_project;

/// This many ticks begin after a wake-up before its future counts as stalled. The first may begin at
/// once, so that one tick less is certain to have passed.
const PATIENCE: u64 = 3;

/// Begun so far, in this process.
static TICKS: AtomicU64 = AtomicU64::new(0);

/// Begins a tick; its number.
pub(crate) fn tick() -> u64 {
    TICKS.fetch_add(1, Ordering::Relaxed) + 1
}

/// What is known of one future.
#[derive(Default)]
pub(crate) struct Liveness {
    /// It is being polled: however long that takes, it is not stalled.
    polled: AtomicBool,
    /// One more than the tick of the first wake-up since it was last polled; 0 where there was none.
    woken: AtomicU64,
    /// Of the task that polls it.
    task: Mutex<Option<Waker>>,
}

impl Liveness {
    /// Whether no poll followed a wake-up for too long.
    pub(crate) fn is_stalled(&self, now: u64) -> bool {
        let woken = self.woken.load(Ordering::Relaxed);
        woken != 0 && now > woken - 1 + PATIENCE - 1 && !self.polled.load(Ordering::Relaxed)
    }

    /// For how many ticks it has waited for a poll.
    pub(crate) fn overdue(&self, now: u64) -> u64 {
        let woken = self.woken.load(Ordering::Relaxed);
        if woken == 0 || self.polled.load(Ordering::Relaxed) {
            0
        } else {
            now - (woken - 1).min(now)
        }
    }

    /// It was given something to do, and is to be polled.
    pub(super) fn note_wake(&self) {
        let _ = self.woken.compare_exchange(
            0,
            TICKS.load(Ordering::Relaxed) + 1,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }

    fn begin_poll(&self, task: &Waker) {
        self.polled.store(true, Ordering::Relaxed);
        self.woken.store(0, Ordering::Relaxed);
        let mut known = self.task();
        if known.as_ref().is_none_or(|known| !known.will_wake(task)) {
            let before = known.replace(task.clone());
            drop(known);
            // Its owner's code.
            drop(before);
        }
    }

    fn end_poll(&self) {
        // Woken while it was polled, it waits from now on.
        if self.woken.load(Ordering::Relaxed) != 0 {
            self.woken.store(TICKS.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
        self.polled.store(false, Ordering::Relaxed);
    }

    fn task(&self) -> MutexGuard<'_, Option<Waker>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Liveness {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.note_wake();
        let task = self.task().clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}

thread_local! {
    /// Of the innermost call that is being polled on this thread.
    static CURRENT: Cell<Option<Arc<Liveness>>> = const { Cell::new(None) };
}

/// That of the call which is being polled on this thread; `None` outside of any, and in a blocking
/// call, whose thread polls it whenever it is woken.
pub(crate) fn current() -> Option<Arc<Liveness>> {
    let current = CURRENT.try_with(|current| {
        let liveness = current.take();
        current.set(liveness.clone());
        liveness
    });
    current.ok().flatten()
}

pin_project! {
    /// See [`attended`].
    pub(crate) struct Attended<F> {
        liveness: Option<Arc<Liveness>>,
        waker: Waker,
        #[pin]
        call: F,
    }
}

/// A call's future, with a note of whether it is polled when it is woken.
pub(crate) fn attended<F: Future>(call: F) -> Attended<F> {
    let liveness = Arc::<Liveness>::default();
    Attended { waker: Waker::from(Arc::clone(&liveness)), liveness: Some(liveness), call }
}

impl<F: Future> Future for Attended<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _polled = Polled::begin(this.liveness, context.waker());
        this.call.poll(&mut Context::from_waker(this.waker))
    }
}

/// A poll under way; its end also where it panics.
struct Polled<'a> {
    place: &'a mut Option<Arc<Liveness>>,
    outer: Option<Arc<Liveness>>,
}

impl<'a> Polled<'a> {
    fn begin(place: &'a mut Option<Arc<Liveness>>, task: &Waker) -> Self {
        if let Some(liveness) = place {
            liveness.begin_poll(task);
        }
        // A thread that ends keeps none any more.
        let outer = CURRENT.try_with(|current| current.replace(place.take()));
        Self { place, outer: outer.ok().flatten() }
    }
}

impl Drop for Polled<'_> {
    fn drop(&mut self) {
        if let Ok(own) = CURRENT.try_with(|current| current.replace(self.outer.take())) {
            *self.place = own;
        }
        if let Some(liveness) = self.place {
            liveness.end_poll();
        }
    }
}
