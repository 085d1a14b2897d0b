//! One row: callers before, under and after a fault.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cached_runtime::{Cache, Fault};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::sleep;

use crate::calls::{Call, Outcome, call_on, call_on_now, called_on, percentile};
use crate::case::{Case, Place};
use crate::control::ByHand;
use crate::row::Row;
use crate::subject::{Subject, key};
use crate::world::{HOT, Kind, World};

/// The first and last moments of a fault, in which a call may still or again be served: what it
/// asked may be answered for as long as a lookup's deadline.
const EDGE: Duration = Duration::from_millis(120);
/// Between looks at something that sends no notice.
const STEP: Duration = Duration::from_millis(10);
/// Between changes of the rows that change.
const CHANGE: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(20);

/// How many callers there are, and how long each phase takes.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Async callers.
    pub callers: u64,
    /// Blocking callers, each on a thread of its own.
    pub blocking: u64,
    /// Before the fault, and once all is well after it.
    pub healthy: Duration,
    /// The fault.
    pub fault: Duration,
    /// The longest wait until all is well again.
    pub recovery: Duration,
}

/// Runs one case with functions cached by the library.
///
/// # Panics
///
/// When all is not well before the fault, or the fault cannot be made.
pub async fn run(case: Case, timing: Timing) -> Row {
    let place = Arc::new(place(case));
    let cache = Cache::connect(&place.url(case)).await.unwrap();
    // Another process, whose way to the server nothing harms but the server.
    let other = Cache::connect(&place.server.url()).await.unwrap();
    let subjects = [Subject::Cached(cache), Subject::Cached(other)];
    observe(case, case.label().to_owned(), place, subjects, timing).await
}

/// Runs one case with a cache written by hand.
///
/// # Panics
///
/// As [`run`].
pub async fn run_control(case: Case, timing: Timing) -> Row {
    let place = Arc::new(place(case));
    let by_hand = ByHand::connect(&place.url(case)).await;
    let other = ByHand::connect(&place.server.url()).await;
    let subjects = [Subject::ByHand(by_hand), Subject::ByHand(other)];
    observe(case, format!("by hand: {}", case.label()), place, subjects, timing).await
}

fn place(case: Case) -> Place {
    Place::new(case, (0..2 * HOT).map(|n| format!("cache:{}", key(n))).collect())
}

async fn observe(
    case: Case,
    label: String,
    place: Arc<Place>,
    subjects: [Subject; 2],
    timing: Timing,
) -> Row {
    let [subject, other] = subjects;
    let kinds = subject.kinds();
    let world = Arc::new(World::new(kinds));
    let callers = callers(&subject, &world, timing);
    let changing = [
        tokio::spawn(change(subject.clone(), Arc::clone(&world), true)),
        tokio::spawn(change(other, Arc::clone(&world), false)),
    ];
    assert!(is_well_within(&world, LONG).await, "{label}, at the beginning: {}", world.unwell());
    sleep(timing.healthy).await;

    let counted = subject.counted(case.cause());
    let over = Arc::new(AtomicBool::new(false));
    let named = tokio::spawn(causes(subject.clone(), Arc::clone(&over)));
    let began = world.now();
    let (site, lasting) = (Arc::clone(&place), timing.fault);
    let clock = Arc::clone(&world);
    let strike = move || {
        let mut moment = None;
        case.strike(&site, lasting, &mut || moment = Some((clock.now(), clock.promises())));
        moment.expect("the moment of the fault")
    };
    let (struck, promises_before) = spawn_blocking(strike).await.unwrap();
    let (ended, promises) = (world.now(), world.promises());
    world.watch_anew(kinds);
    over.store(true, Ordering::SeqCst);
    let counted = subject.counted(case.cause()) - counted;

    is_well_within(&world, timing.recovery).await;
    let (healed, unwell) = (world.well_after(), world.unwell());
    sleep(timing.healthy).await;
    world.stop();
    let (calls, mut errors) = collect(callers).await;
    for changing in changing {
        changing.await.unwrap();
    }
    errors.extend(calls.iter().filter_map(|call| match &call.outcome {
        Outcome::Error(error) => Some(error.clone()),
        _ => None,
    }));
    let wrong = calls.iter().filter_map(|call| match &call.outcome {
        Outcome::Wrong(what) => Some(what.clone()),
        _ => None,
    });
    let wrong = wrong.collect();
    let calls: Vec<Call> =
        calls.into_iter().filter(|call| (began..ended).contains(&call.began)).collect();
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap();
    let midst = struck + nanos(EDGE)..struck + nanos(timing.fault) - nanos(EDGE);
    let hits: Vec<u64> = calls
        .iter()
        .filter(|call| midst.contains(&call.began))
        .filter_map(|call| match call.outcome {
            Outcome::Hit { began } => Some(began),
            _ => None,
        })
        .collect();
    let times = |open: bool| -> Vec<Duration> {
        let calls = calls.iter().filter(|call| call.open || !open);
        calls.map(|call| call.extra).collect()
    };
    Row {
        case,
        label,
        calls: calls.len(),
        hits: hits.len(),
        invalidated: promises - promises_before,
        stored: hits.iter().filter(|body| **body >= midst.start).count(),
        p99: percentile(called_on(times(false)), 99).unwrap_or_default(),
        longest: times(false).into_iter().max().unwrap_or_default(),
        open_calls: times(true).len(),
        open_p99: percentile(called_on(times(true)), 99),
        counted,
        named: named.await.unwrap().into_iter().collect(),
        healed,
        unwell,
        wrong,
        errors,
    }
}

type Callers = Vec<JoinHandle<Vec<Call>>>;

fn callers(subject: &Subject, world: &Arc<World>, timing: Timing) -> Callers {
    let mut callers = Callers::new();
    for caller in 0..timing.callers {
        callers.push(tokio::spawn(call_on(subject.clone(), Arc::clone(world), caller)));
    }
    if subject.kinds().contains(&Kind::Blocking) {
        for caller in 0..timing.blocking {
            let (subject, world) = (subject.clone(), Arc::clone(world));
            callers.push(spawn_blocking(move || call_on_now(&subject, &world, caller)));
        }
    }
    callers
}

/// What the callers noted, and how those ended that did not come to their end.
async fn collect(callers: Callers) -> (Vec<Call>, Vec<String>) {
    let (mut calls, mut errors) = (Vec::new(), Vec::new());
    for caller in callers {
        match tokio::time::timeout(LONG, caller).await {
            Ok(Ok(noted)) => calls.extend(noted),
            Ok(Err(panic)) => errors.push(format!("a caller panicked: {panic}")),
            Err(_) => errors.push(format!("a call did not return within {LONG:?}")),
        }
    }
    (calls, errors)
}

/// Changes every other of the rows that are called often and invalidates it, until the world
/// stops.
async fn change(subject: Subject, world: Arc<World>, here: bool) {
    for n in (0..2 * HOT).step_by(2).cycle() {
        if world.is_stopped() {
            return;
        }
        let generation = world.change(n);
        let (holds_there, holds_everywhere) = subject.invalidate(n).await;
        if holds_everywhere || (here && holds_there) {
            world.promise(n, generation);
        }
        if holds_everywhere {
            world.promised();
        }
        // The pace of the changes.
        sleep(CHANGE).await;
    }
}

/// All causes that the health names until it is over.
async fn causes(subject: Subject, over: Arc<AtomicBool>) -> BTreeSet<Fault> {
    let mut causes = BTreeSet::new();
    while !over.load(Ordering::SeqCst) {
        causes.extend(subject.cause());
        // The health sends no notice.
        sleep(STEP).await;
    }
    causes
}

async fn is_well_within(world: &World, limit: Duration) -> bool {
    let start = Instant::now();
    while world.well_after().is_none() {
        if start.elapsed() >= limit {
            return false;
        }
        // The callers find it out.
        sleep(STEP).await;
    }
    true
}
