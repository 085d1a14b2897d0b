//! Pauses and deadlines. They are of real time whatever runtime they are awaited on: all timers are
//! made in the I/O thread's runtime, and belong to its clock, which nobody pauses. A caller's
//! runtime may have no timers, or a clock that stands still or jumps while a real server is waited
//! for (`tokio::time::pause`).
//!
//! The only place that names `tokio::time`.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::time::Sleep;

/// Further away than any deadline: a limit that the clock cannot add up to.
const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);

/// Waits, in any thread and any runtime. Does not wait where there is no I/O thread.
pub(crate) async fn sleep(pause: Duration) {
    sleep_until(after(pause)).await;
}

/// `future`, or `None` where it takes longer than `limit`, counted from this call.
pub(crate) fn timeout<T>(
    limit: impl Into<Option<Duration>>,
    future: impl Future<Output = T>,
) -> impl Future<Output = Option<T>> {
    let due = limit.into().map(after);
    async move {
        let Some(due) = due else { return Some(future.await) };
        let mut future = pin!(future);
        // Makes no timer for what is ready at once.
        let mut pause = pin!(sleep_until(due));
        poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => pause.as_mut().poll(context).map(|()| None),
        })
        .await
    }
}

async fn sleep_until(due: Instant) {
    let Ok(io) = super::handle() else { return };
    if Handle::try_current().is_err_and(|error| error.is_thread_local_destroyed()) {
        // A thread that ends can enter no runtime.
        let _ = io.spawn(async move { tokio::time::sleep_until(due.into()).await }).await;
        return;
    }
    // Goes off also where what it bounds has used up its task's turn.
    tokio::task::coop::unconstrained(made_in(io, due)).await;
}

fn made_in(io: &Handle, due: Instant) -> Sleep {
    let _in = io.enter();
    tokio::time::sleep_until(due.into())
}

fn after(pause: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(pause).unwrap_or_else(|| now + FAR)
}

/// One timer for many deadlines, one after the other.
#[derive(Default)]
pub(crate) struct Alarm {
    set: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Alarm {
    /// Goes off when it is `due`, or earlier where it was set so. Does not touch the timer for a
    /// deadline that is later than the one it is set to.
    pub(crate) fn no_later_than(&mut self, due: Instant) {
        match &mut self.set {
            Some((set, sleep)) => {
                if sleep.is_elapsed() || *set > due {
                    *set = due;
                    sleep.as_mut().reset(due.into());
                }
            }
            None => {
                // Without an I/O thread there is no connection either, whose deadlines these are.
                let Ok(io) = super::handle() else { return };
                self.set = Some((due, Box::pin(made_in(io, due))));
            }
        }
    }

    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.set {
            Some((_, sleep)) => sleep.as_mut().poll(context),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// A timer that is made elsewhere belongs to the caller's clock, if it has one.
    #[test]
    fn nobody_else_makes_timers() {
        fn visit(dir: &Path, found: &mut Vec<String>) {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                let name = path.to_string_lossy().replace('\\', "/");
                let tests = name.contains("/tests") || !name.ends_with(".rs");
                if path.is_dir() {
                    visit(&path, found);
                } else if !tests && fs::read_to_string(&path).unwrap().contains("tokio::time") {
                    found.push(name);
                }
            }
        }
        let (src, mut found) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), Vec::new());
        visit(&src, &mut found);
        assert!(found.len() == 1 && found[0].ends_with("/io/timer.rs"), "{found:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_and_limits_are_of_real_time() {
        const PAUSE: Duration = Duration::from_millis(50);
        let start = Instant::now();
        sleep(PAUSE).await;
        assert!(start.elapsed() >= PAUSE);
        let start = Instant::now();
        assert_eq!(timeout(PAUSE, std::future::pending::<()>()).await, None);
        assert!(start.elapsed() >= PAUSE);
        assert_eq!(timeout(Duration::ZERO, async { 1 }).await, Some(1), "it was ready at once");
        assert_eq!(timeout(None, async { 1 }).await, Some(1));
        assert_eq!(timeout(Duration::MAX, sleep(PAUSE)).await, Some(()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_goes_off_at_the_earliest_time_it_was_set_to_and_can_be_set_again() {
        let mut alarm = Alarm::default();
        for _ in 0..2 {
            let start = Instant::now();
            let early = start + Duration::from_millis(30);
            alarm.no_later_than(start + Duration::from_secs(60));
            alarm.no_later_than(early);
            alarm.no_later_than(start + Duration::from_secs(30));
            poll_fn(|context| alarm.poll(context)).await;
            assert!(Instant::now() >= early && start.elapsed() < Duration::from_secs(30));
        }
    }
}
