//! What callers do to each other. Each scenario is one execution; it panics where the machine
//! broke a promise, and the scheduler does where nobody can go on.

use std::collections::HashSet;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use shuttle::future::{block_on, spawn, yield_now};
use shuttle::rand::{Rng as _, thread_rng};

use super::flights::{Flights, Joined};
use super::follower::Told;
use super::leader::Leader;
use super::liveness::{Attended, attended, current, tick};
use super::nesting::within;
use super::sync::WAITS;

const KEY: u128 = 7;
/// In the shard of [`KEY`].
const NEIGHBOUR: u128 = 8;

/// What all callers of an execution share. It is no part of what is explored: none of its steps
/// is scheduled.
#[derive(Default)]
struct World {
    flights: Arc<Flights<Baton, u32, u32>>,
    rounds: AtomicU32,
    leaders: AtomicU32,
    batons: Arc<AtomicU32>,
    /// The rounds that were closed for good.
    closed: Mutex<HashSet<u32>>,
}

impl Default for Flights<Baton, u32, u32> {
    fn default() -> Self {
        Self::new()
    }
}

/// Counted while it lives; when it is dropped it uses the map.
struct Baton {
    alive: Arc<AtomicU32>,
    flights: Arc<Flights<Baton, u32, u32>>,
}

impl Drop for Baton {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
        drop(self.flights.join(NEIGHBOUR, 0));
    }
}

#[derive(Clone, Copy, Debug)]
enum Ending {
    /// As a hit does: never opened.
    Served,
    /// As a body does.
    Loaded,
    Again,
    Dropped,
    Panicked,
    Released,
    ReleasedWithBaton,
    HandedOver,
    SealedLoaded,
    SealedDropped,
    SealedReleased,
}

const ENDINGS: [Ending; 11] = [
    Ending::Served,
    Ending::Loaded,
    Ending::Again,
    Ending::Dropped,
    Ending::Panicked,
    Ending::Released,
    Ending::ReleasedWithBaton,
    Ending::HandedOver,
    Ending::SealedLoaded,
    Ending::SealedDropped,
    Ending::SealedReleased,
];

impl World {
    fn new() -> Arc<Self> {
        Arc::default()
    }

    fn baton(&self) -> Baton {
        self.batons.fetch_add(1, Ordering::Relaxed);
        Baton { alive: Arc::clone(&self.batons), flights: Arc::clone(&self.flights) }
    }

    fn closed(&self) -> HashSet<u32> {
        self.closed.lock().unwrap().clone()
    }

    /// Starts a flight, before there is anybody else.
    fn lead(&self) -> Leader<Baton, u32, u32> {
        match self.flights.join(KEY, 0) {
            Joined::Leader(leader) => leader,
            _ => panic!("nobody else is there"),
        }
    }

    /// A call from its beginning to its end; where it does not lead it gives up after `patience`
    /// turns.
    async fn call(&self, ending: Ending, patience: Option<u32>) {
        for _ in 0..20 {
            let closed = self.closed();
            let follower = match self.flights.join(KEY, 0) {
                Joined::Leader(leader) => return self.end(leader, None, ending),
                Joined::Follower(follower) => follower,
                Joined::Cycle => panic!("nothing is nested"),
            };
            match patient(follower, patience).await {
                Some(Told::Outcome(round)) => {
                    assert!(!closed.contains(&round), "late: the round was closed before");
                    return;
                }
                Some(Told::Lead(leader, baton)) => return self.end(leader, baton, ending),
                Some(Told::Released) | None => return,
                Some(Told::Again) => {}
            }
        }
        panic!("it is told to look again, and again");
    }

    fn end(&self, mut leader: Leader<Baton, u32, u32>, baton: Option<Baton>, ending: Ending) {
        let others = self.leaders.fetch_add(1, Ordering::Relaxed);
        assert_eq!(others, 0, "two lead one flight");
        let round = self.rounds.fetch_add(1, Ordering::Relaxed);
        // As before a lookup.
        leader.close();
        if !matches!(ending, Ending::Served) {
            leader.open();
            leader.has_followers();
            leader.close();
        }
        // Where the flight is sealed, all who wait are its audience, and it ends alone.
        let sealed =
            matches!(ending, Ending::SealedLoaded | Ending::SealedDropped | Ending::SealedReleased);
        if !sealed {
            self.closed.lock().unwrap().insert(round);
        }
        self.leaders.fetch_sub(1, Ordering::Relaxed);
        if sealed {
            leader.seal();
            leader.has_followers();
        }
        match ending {
            Ending::Served => {
                drop(baton);
                if let Some(leader) = leader.alone() {
                    leader.finish(round);
                }
            }
            Ending::Loaded | Ending::SealedLoaded => {
                drop(baton);
                leader.finish(round);
            }
            Ending::Again => leader.again(),
            Ending::Dropped | Ending::SealedDropped => drop(leader),
            Ending::Panicked => {
                let body = AssertUnwindSafe(move || {
                    let _leader = leader;
                    resume_unwind(Box::new("the body's panic"))
                });
                assert!(catch_unwind(body).is_err());
            }
            Ending::Released => leader.release(None),
            Ending::ReleasedWithBaton | Ending::SealedReleased => {
                leader.release(Some(baton.unwrap_or_else(|| self.baton())));
            }
            Ending::HandedOver => {
                drop(leader.hand_over(baton.unwrap_or_else(|| self.baton())));
            }
        }
    }

    /// Nothing stays when all are done.
    fn over(&self) {
        assert_eq!(self.flights.len(), 0, "left: flights");
        assert_eq!(self.batons.load(Ordering::Relaxed), 0, "left: batons");
        assert_eq!(WAITS.lock().unwrap().len(), 0, "left: waits");
    }
}

/// `None` where it takes more than `patience` turns: the future is dropped then.
async fn patient<F: Future>(future: F, patience: Option<u32>) -> Option<F::Output> {
    let mut left = patience;
    let mut future = pin!(future);
    poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        match &mut left {
            None => return Poll::Pending,
            Some(0) => return Poll::Ready(None),
            Some(left) => *left -= 1,
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// Any callers with any endings.
pub fn anything() {
    let world = World::new();
    let callers: Vec<_> = (0..thread_rng().gen_range(2..=5))
        .map(|_| {
            let ending = ENDINGS[thread_rng().gen_range(0..ENDINGS.len())];
            let patience = thread_rng().gen_bool(0.4).then(|| thread_rng().gen_range(0..3));
            let world = Arc::clone(&world);
            spawn(async move {
                world.call(ending, patience).await;
                yield_now().await;
                world.call(Ending::Loaded, patience).await;
            })
        })
        .collect();
    join_all(callers);
    world.over();
}

fn join_all(tasks: Vec<shuttle::future::JoinHandle<()>>) {
    block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
}

/// A leader closes its flight and finishes, while another arrives.
pub fn close_against_join() {
    let world = World::new();
    let leader = world.lead();
    leader.open();
    let other = Arc::clone(&world);
    let arriving = spawn(async move { other.call(Ending::Served, None).await });
    leader.close();
    world.closed.lock().unwrap().insert(99);
    leader.finish(99);
    join_all(vec![arriving]);
    world.over();
}

/// A leader begins its work and tells what came of it to those who waited by then, while another
/// arrives.
pub fn early_against_join() {
    let world = World::new();
    let leader = world.lead();
    let Joined::Follower(early) = world.flights.join(KEY, 0) else { panic!("it is led") };
    let other = Arc::clone(&world);
    let arriving = spawn(async move { other.call(Ending::Served, None).await });
    leader.begin();
    world.closed.lock().unwrap().insert(99);
    leader.close();
    leader.finish_early(99);
    block_on(async {
        assert!(matches!(early.await, Told::Outcome(99)), "it came before");
    });
    join_all(vec![arriving]);
    world.over();
}

/// A leader ends while the one who would follow it goes away, and another stays.
fn ending_against_departure(end: fn(&World, Leader<Baton, u32, u32>)) {
    let world = World::new();
    let leader = world.lead();
    leader.open();
    let Joined::Follower(departing) = world.flights.join(KEY, 0) else { panic!("it is led") };
    let Joined::Follower(staying) = world.flights.join(KEY, 0) else { panic!("it is led") };
    let departure = spawn(async move { drop(departing) });
    end(&world, leader);
    block_on(async {
        match staying.await {
            Told::Lead(leader, _baton) => leader.finish(1),
            Told::Released => {}
            Told::Outcome(_) | Told::Again => panic!("nobody said so"),
        }
    });
    join_all(vec![departure]);
    world.over();
}

pub fn drop_against_departure() {
    ending_against_departure(|_, leader| drop(leader));
}

pub fn hand_over_against_departure() {
    ending_against_departure(|world, leader| {
        assert!(leader.hand_over(world.baton()).is_ok(), "one stays");
    });
}

pub fn release_against_departure() {
    ending_against_departure(|world, leader| leader.release(Some(world.baton())));
}

/// The only follower goes away while it is made the leader.
pub fn hand_over_against_the_last_departure() {
    let world = World::new();
    let leader = world.lead();
    let Joined::Follower(departing) = world.flights.join(KEY, 0) else { panic!("it is led") };
    let departure = spawn(async move { drop(departing) });
    drop(leader.hand_over(world.baton()));
    join_all(vec![departure]);
    world.over();
}

pub fn release_against_the_last_departure() {
    let world = World::new();
    let leader = world.lead();
    leader.open();
    let Joined::Follower(departing) = world.flights.join(KEY, 0) else { panic!("it is led") };
    let departure = spawn(async move { drop(departing) });
    leader.release(Some(world.baton()));
    join_all(vec![departure]);
    world.over();
}

/// Of two bodies that want each other's result, one waits, and one is told that it cannot.
pub fn two_bodies_that_want_each_other() {
    let flights: Arc<Flights<(), u32, u32>> = Arc::new(Flights::new());
    let lead = |key| match flights.join(key, 0) {
        Joined::Leader(leader) => leader,
        _ => panic!("nobody else is there"),
    };
    let leaders = [lead(0), lead(1)];
    let tasks = [(0, 1), (1, 0)].map(|(own, wanted)| {
        let flights = Arc::clone(&flights);
        spawn(within(own, async move { flights.join(wanted, 0) }))
    });
    let joined = block_on(async {
        let [one, other] = tasks;
        [one.await.unwrap(), other.await.unwrap()]
    });
    let waiting = joined.iter().filter(|joined| matches!(joined, Joined::Follower(_))).count();
    assert_eq!(waiting, 1);
    drop((leaders, joined));
    assert_eq!(flights.len(), 0, "left: flights");
    assert_eq!(WAITS.lock().unwrap().len(), 0, "left: waits");
}

/// Something that happens in a call, which may be woken after it, and is never polled again.
fn aside<T: Send + 'static>(woken: bool, happens: impl FnOnce() -> T) -> (T, impl Sized) {
    let mut happens = Some(happens);
    let mut call: std::pin::Pin<Box<Attended<_>>> =
        Box::pin(attended(poll_fn(move |_| match happens.take() {
            Some(happens) => Poll::Ready((happens(), current())),
            None => Poll::Pending,
        })));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let Poll::Ready((happened, Some(liveness))) = call.as_mut().poll(&mut context) else {
        panic!("it happens at once, in a call")
    };
    if woken {
        std::task::Waker::from(liveness).wake();
    }
    (happened, call)
}

/// Enough for whoever was woken before.
fn ticks() -> u64 {
    tick();
    tick();
    tick()
}

/// Looks for stalled leaders until all callers are done.
fn watch(flights: &Flights<Baton, u32, u32>, callers: &AtomicU32) {
    while callers.load(Ordering::Relaxed) > 0 {
        let now = ticks();
        flights.take_from_stalled(now, |_, _| {});
        // Tells the scheduler that others have to go on first.
        shuttle::thread::yield_now();
    }
}

/// A leader is set aside while others wait for it, and ends in some way once its flight was taken
/// from it.
pub fn a_leader_that_is_set_aside() {
    let world = World::new();
    let (leader, _call) = aside(true, || world.lead());
    leader.open();
    let count = thread_rng().gen_range(1..=3);
    let callers = Arc::new(AtomicU32::new(count));
    let mut tasks: Vec<_> = (0..count)
        .map(|_| {
            let ending = ENDINGS[thread_rng().gen_range(0..ENDINGS.len())];
            let (world, callers) = (Arc::clone(&world), Arc::clone(&callers));
            spawn(async move {
                world.call(ending, None).await;
                callers.fetch_sub(1, Ordering::Relaxed);
            })
        })
        .collect();
    let (late, end) = (Arc::clone(&world), thread_rng().gen_range(0..6));
    let turns = thread_rng().gen_range(0..16);
    tasks.push(spawn(async move {
        // Whoever joins once its flight was taken from it is not to be told its outcome.
        late.closed.lock().unwrap().insert(77);
        while callers.load(Ordering::Relaxed) == count {
            let now = ticks();
            if late.flights.take_from_stalled(now, |_, _| {}) {
                break;
            }
            // Tells the scheduler that others have to go on first.
            shuttle::thread::yield_now();
        }
        for _ in 0..turns {
            yield_now().await;
        }
        match end {
            0 => leader.finish(77),
            1 => leader.finish_early(77),
            2 => leader.release(Some(late.baton())),
            3 => drop(leader.hand_over(late.baton())),
            4 => leader.again(),
            _ => drop(leader),
        }
    }));
    join_all(tasks);
    world.over();
}

/// A leader whose flight was taken from it ends while the next one does.
pub fn late_end_against_the_next() {
    let world = World::new();
    let (late, _call) = aside(true, || world.lead());
    let Joined::Follower(waiting) = world.flights.join(KEY, 0) else { panic!("it is led") };
    let now = ticks();
    world.flights.take_from_stalled(now, |_, _| {});
    drop(waiting);
    let leader = world.lead();
    leader.open();
    let Joined::Follower(follower) = world.flights.join(KEY, 0) else { panic!("it is led") };
    let ended = spawn(async move { late.finish(77) });
    leader.close();
    leader.finish(1);
    block_on(async {
        let outcome = matches!(follower.await, Told::Outcome(1));
        assert!(outcome, "late: it joined the next leader");
    });
    join_all(vec![ended]);
    world.over();
}

/// A follower is set aside, and told to lead.
pub fn a_follower_that_is_set_aside() {
    let world = World::new();
    let leader = world.lead();
    let (follower, _call) = aside(false, || match world.flights.join(KEY, 0) {
        Joined::Follower(follower) => follower,
        _ => panic!("it is led"),
    });
    let callers = Arc::new(AtomicU32::new(1));
    let (other, done) = (Arc::clone(&world), Arc::clone(&callers));
    let called = spawn(async move {
        other.call(Ending::Loaded, None).await;
        done.fetch_sub(1, Ordering::Relaxed);
    });
    let baton = world.baton();
    let handed_over = spawn(async move { drop(leader.hand_over(baton)) });
    let watching = Arc::clone(&world);
    let watched = spawn(async move { watch(&watching.flights, &callers) });
    join_all(vec![called, handed_over, watched]);
    drop(follower);
    world.over();
}

/// Bodies that want each other's results, in a ring, and don't all wait for long.
pub fn a_ring_of_any() {
    let len = thread_rng().gen_range(2..=4);
    let flights: Arc<Flights<(), u32, u32>> = Arc::new(Flights::new());
    let tasks = (0..len)
        .map(|own| {
            let (flights, wanted) = (Arc::clone(&flights), (own + 1) % len);
            let patience = thread_rng().gen_bool(0.3).then(|| thread_rng().gen_range(0..2));
            spawn(async move { nested(&flights, own, wanted, patience).await })
        })
        .collect();
    join_all(tasks);
    assert_eq!(flights.len(), 0, "left: flights");
    assert_eq!(WAITS.lock().unwrap().len(), 0, "left: waits");
}

async fn nested(
    flights: &Arc<Flights<(), u32, u32>>,
    own: u128,
    wanted: u128,
    patience: Option<u32>,
) {
    let leader = match flights.join(own, 0) {
        Joined::Leader(leader) => leader,
        Joined::Follower(follower) => match follower.await {
            Told::Lead(leader, _) => leader,
            _ => return,
        },
        Joined::Cycle => panic!("it is inside of nothing"),
    };
    leader.open();
    within(own, async {
        match flights.join(wanted, 0) {
            Joined::Leader(leader) => leader.finish(1),
            Joined::Follower(follower) => {
                // Told to lead, it goes away.
                patient(follower, patience).await;
            }
            Joined::Cycle => {}
        }
        assert!(matches!(flights.join(own, 0), Joined::Cycle), "it waits for itself");
    })
    .await;
    leader.close();
    leader.finish(1);
}
