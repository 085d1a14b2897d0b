//! Leaders that are woken and not polled.

use std::sync::{MutexGuard, PoisonError};

use super::super::liveness::{Liveness, attended, current, tick};
use super::*;

/// Ticks are the process's: one test at a time makes them.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Enough ticks for whoever was woken before.
fn ticks() -> u64 {
    tick();
    tick();
    tick()
}

/// Calls that are polled when a test says so.
struct Caller {
    call: Pin<Box<dyn Future<Output = ()>>>,
    liveness: Arc<Liveness>,
}

impl Caller {
    /// Polls for the first time; `begin` is run inside.
    fn new<T: 'static>(begin: impl FnOnce() -> T + 'static) -> (Self, T) {
        let begun = Arc::new(Mutex::new(None));
        let (inside, mut begin) = (Arc::clone(&begun), Some(begin));
        let mut call: Pin<Box<dyn Future<Output = ()>>> =
            Box::pin(attended(std::future::poll_fn(move |context| {
                if let Some(begin) = begin.take() {
                    let value = (begin(), current().unwrap(), context.waker().clone());
                    *inside.lock().unwrap() = Some(value);
                }
                Poll::Pending
            })));
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let (value, liveness, _waker) = begun.lock().unwrap().take().unwrap();
        (Self { call, liveness }, value)
    }

    fn wake(&self) {
        Waker::from(Arc::clone(&self.liveness)).wake();
    }

    fn poll(&mut self) {
        assert!(self.call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }

    fn leading(flights: &Arc<Flown>) -> (Self, Leader<Baton, u32, u32>) {
        let flights = Arc::clone(flights);
        Self::new(move || match flights.join(KEY, 17) {
            Joined::Leader(leader) => leader,
            _ => panic!("there is a leader already"),
        })
    }

    fn following(flights: &Arc<Flown>) -> (Self, Waiting) {
        let flights = Arc::clone(flights);
        Self::new(move || follow(&flights))
    }
}

const NOBODY: [u32; 0] = [];

/// The marks of those who lost their flights.
fn lost(flights: &Flown, now: u64) -> Vec<u32> {
    let mut lost = Vec::new();
    flights.take_from_stalled(now, |mark, _| lost.push(mark));
    lost
}

#[test]
fn only_who_is_woken_and_not_polled_is_stalled() {
    let _alone = alone();
    let (mut caller, ()) = Caller::new(|| ());
    let liveness = Arc::clone(&caller.liveness);
    let stalled = || liveness.is_stalled(ticks());
    assert!(!stalled(), "nobody woke it");
    caller.wake();
    caller.poll();
    assert!(!stalled(), "it was polled");
    caller.wake();
    assert!(!liveness.is_stalled(tick()), "not at once");
    assert!(stalled());
    caller.poll();
    assert!(!stalled(), "it goes on");
}

#[test]
fn who_is_being_polled_is_not_stalled_however_long_that_takes() {
    let _alone = alone();
    let (_caller, (during, liveness)) = Caller::new(|| {
        let liveness = current().unwrap();
        Waker::from(Arc::clone(&liveness)).wake();
        (liveness.is_stalled(ticks()), liveness)
    });
    assert!(!during);
    assert!(!liveness.is_stalled(tick()), "its wake-up counts from the end of the poll");
    assert!(liveness.is_stalled(ticks()));
}

#[test]
fn a_call_inside_of_another_has_a_liveness_of_its_own() {
    let _alone = alone();
    let (_outer, (outer, inner, after)) = Caller::new(|| {
        let outer = current().unwrap();
        let (_caller, inner) = Caller::new(|| current().unwrap());
        (outer, inner, current().unwrap())
    });
    assert!(!Arc::ptr_eq(&outer, &inner) && Arc::ptr_eq(&outer, &after));
    assert!(current().is_none());
}

#[test]
fn those_who_wait_for_a_stalled_leader_join_anew() {
    let _alone = alone();
    let flights = flights();
    let (caller, leader) = Caller::leading(&flights);
    leader.open();
    let joined = follow(&flights);
    leader.close();
    let mut next = follow(&flights);
    assert_eq!(lost(&flights, ticks()), NOBODY, "it was not woken");
    caller.wake();
    assert!(next.is_waiting());
    assert_eq!(lost(&flights, ticks()), [17]);
    assert!(joined.looks_again() && next.looks_again());
    assert_eq!(flights.len(), 0);
    // Whatever the leader does now is nobody's.
    let other = lead(&flights);
    let mut follower = follow(&flights);
    leader.open();
    leader.begin();
    leader.mark(18);
    assert!(!leader.has_followers());
    leader.finish(1);
    assert!(follower.is_waiting());
    other.finish(2);
    assert!(follower.lead().1.is_none());
}

#[test]
fn every_ending_of_a_leader_that_lost_its_flight_leaves_the_next_alone() {
    let _alone = alone();
    type End = fn(Leader<Baton, u32, u32>, Baton);
    let endings: [End; 8] = [
        |leader, _| leader.finish(1),
        |leader, _| leader.finish_early(1),
        |leader, _| leader.again(),
        |leader, _| leader.release(None),
        |leader, baton| leader.release(Some(baton)),
        |leader, baton| assert!(leader.hand_over(baton).is_err(), "nobody waits for it"),
        |leader, _| drop(leader),
        |mut leader, _| leader.seal(),
    ];
    for end in endings {
        let flights = flights();
        let (caller, leader) = Caller::leading(&flights);
        let follower = follow(&flights);
        caller.wake();
        assert_eq!(lost(&flights, ticks()), [17]);
        assert!(follower.looks_again());
        let (other, mut waiting) = (lead(&flights), follow(&flights));
        let (baton, ended) = baton(&flights);
        end(leader, baton);
        assert!(waiting.is_waiting());
        other.finish_early(2);
        drop(waiting.lead());
        assert_eq!((flights.len(), ended.load(Ordering::Relaxed)), (0, 1));
    }
}

#[test]
fn a_sealed_flight_is_taken_as_well() {
    let _alone = alone();
    let flights = flights();
    let (caller, mut leader) = Caller::leading(&flights);
    let audience = follow(&flights);
    leader.seal();
    assert!(leader.has_followers());
    caller.wake();
    assert_eq!(lost(&flights, ticks()), [17]);
    assert!(audience.looks_again());
    assert!(!leader.has_followers());
    leader.finish(1);
    assert_eq!(flights.len(), 0);
}

/// Nobody is kept waiting, so nothing is taken away.
#[test]
fn a_stalled_leader_for_whom_nobody_waits_keeps_its_flight() {
    let _alone = alone();
    let flights = flights();
    let (mut caller, leader) = Caller::leading(&flights);
    caller.wake();
    assert_eq!(lost(&flights, ticks()), NOBODY);
    drop(follow(&flights));
    assert_eq!(lost(&flights, ticks()), NOBODY);
    caller.poll();
    leader.finish(1);
    assert_eq!(flights.len(), 0);
}

#[test]
fn a_follower_that_is_to_lead_and_is_not_polled_loses_the_flight_to_the_next() {
    let _alone = alone();
    let flights = flights();
    let (_caller, leader) = Caller::leading(&flights);
    let (_aside, first) = Caller::following(&flights);
    let second = follow(&flights);
    let (baton, ended) = baton(&flights);
    assert!(leader.hand_over(baton).is_ok());
    assert_eq!(lost(&flights, tick()), NOBODY, "not at once");
    assert_eq!(lost(&flights, ticks()), [17], "known by the mark of the baton that it has");
    assert!(second.looks_again());
    drop(first);
    assert_eq!((flights.len(), ended.load(Ordering::Relaxed)), (0, 1));
}

#[test]
fn a_leader_that_goes_on_elsewhere_is_judged_there() {
    let _alone = alone();
    let flights = flights();
    let (before, leader) = Caller::leading(&flights);
    let mut follower = follow(&flights);
    let (_after, leader) = Caller::new(move || {
        leader.led_here();
        leader
    });
    before.wake();
    assert_eq!(lost(&flights, ticks()), NOBODY);
    assert!(follower.is_waiting());
    leader.finish(1);
    drop(follower.lead());
}
