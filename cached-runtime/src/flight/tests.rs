use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use super::flights::{Flights, Joined};
use super::follower::{Follower, Told};
use super::leader::Leader;

mod endings;
mod nested;
mod rounds;
mod stalled;

const KEY: u128 = 7;

type Flown = Flights<Baton, u32, u32>;

/// Notes where it ends up.
struct Baton {
    dropped: Arc<AtomicUsize>,
    /// Locked by nobody while the baton is dropped.
    flights: Arc<Flown>,
}

impl Drop for Baton {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        // Would hang under any lock.
        for key in 0..64 {
            drop(self.flights.join(key << 64, 0));
        }
    }
}

fn flights() -> Arc<Flown> {
    Arc::new(Flights::new())
}

fn baton(flights: &Arc<Flown>) -> (Baton, Arc<AtomicUsize>) {
    let dropped = Arc::<AtomicUsize>::default();
    (Baton { dropped: Arc::clone(&dropped), flights: Arc::clone(flights) }, dropped)
}

fn lead(flights: &Arc<Flown>) -> Leader<Baton, u32, u32> {
    match flights.join(KEY, 0) {
        Joined::Leader(leader) => leader,
        Joined::Follower(_) => panic!("there is a leader already"),
        Joined::Cycle => panic!("a cycle"),
    }
}

fn follow(flights: &Arc<Flown>) -> Waiting {
    match flights.join(KEY, 0) {
        Joined::Leader(_) => panic!("there is no leader"),
        Joined::Follower(follower) => Waiting::new(follower),
        Joined::Cycle => panic!("a cycle"),
    }
}

/// A follower and how often it was woken.
struct Waiting {
    follower: Follower<Baton, u32, u32>,
    woken: Arc<Woken>,
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Waiting {
    fn new(follower: Follower<Baton, u32, u32>) -> Self {
        let mut waiting = Self { follower, woken: Arc::default() };
        assert!(waiting.poll().is_none());
        waiting
    }

    fn poll(&mut self) -> Option<Told<Baton, u32, u32>> {
        let waker = Waker::from(Arc::clone(&self.woken));
        match Pin::new(&mut self.follower).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(told) => Some(told),
            Poll::Pending => None,
        }
    }

    fn is_waiting(&mut self) -> bool {
        self.woken.0.load(Ordering::Relaxed) == 0 && self.poll().is_none()
    }

    fn told(mut self) -> Told<Baton, u32, u32> {
        assert_eq!(self.woken.0.load(Ordering::Relaxed), 1, "it is woken once");
        self.poll().expect("it was woken")
    }

    fn outcome(self) -> u32 {
        match self.told() {
            Told::Outcome(outcome) => outcome,
            _ => panic!("told something else"),
        }
    }

    fn lead(self) -> (Leader<Baton, u32, u32>, Option<Baton>) {
        match self.told() {
            Told::Lead(leader, baton) => (leader, baton),
            _ => panic!("told something else"),
        }
    }

    fn gets_released(self) -> bool {
        matches!(self.told(), Told::Released)
    }

    fn looks_again(self) -> bool {
        matches!(self.told(), Told::Again)
    }
}
