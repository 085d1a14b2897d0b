//! What each engine is put through.

use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::time::Instant;

use cached_peers::zipf::zipf;
use fastrand::Rng;

use super::engine::{CAPACITY, Engine, Key, Value};

/// Keys in all. Their values are together about four times what a cache may hold.
const KEYS: usize = 20_000;
/// Keys whose values all fit, for lookups that always hit.
const FEW: usize = 1_000;
/// Size classes: 64 B, 128 B, … 256 KiB, a class drawn half, a third, … as often as the first.
const CLASSES: usize = 13;
const TRACE: usize = 300_000;
/// After how many accesses of the trace the next key becomes the most popular.
const DRIFT: usize = 500;
const HITS: usize = 1_000_000;
const INSERTS: usize = 200_000;
const MIXED: usize = 300_000;
/// Of the mixed operations one in so many is an insert.
const INSERT_EVERY: usize = 20;
const FULL: f64 = CAPACITY as f64;

/// The columns, and after how many digits each figure ends.
pub(crate) const COLUMNS: [(&str, usize); 11] = [
    ("ns/get", 1),
    ("ns/get, 2 threads", 1),
    ("the same, one hot key", 1),
    ("ns/insert", 0),
    ("ns/op 95:5", 0),
    ("ns/op 95:5, 2 threads", 0),
    ("hit ratio", 3),
    ("weight / capacity", 3),
    ("most alive / capacity", 3),
    ("resident MiB", 0),
    ("B/entry beside the value", 0),
];

/// One round of all of it, in the order of the columns.
pub(crate) fn round<E: Engine>() -> [f64; COLUMNS.len()] {
    let keys = keys();
    let mut rng = Rng::with_seed(2);
    let classes = zipf(CLASSES, KEYS, rng.u64(..));
    let sizes: Vec<usize> = classes.iter().map(|class| 64 << class).collect();
    let [ratio, held, most, resident] = trace::<E>(&keys, &sizes);

    let small: E = filled(&keys[..FEW], &sizes.iter().map(|_| Value::new(64)).collect::<Vec<_>>());
    let popular = zipf(FEW, 1 << 16, 3);
    let get = |at: usize| {
        black_box(small.find(&keys[popular[at & 0xffff]].borrowed())).unwrap();
    };
    let hot = |_: usize| {
        black_box(small.find(&keys[0].borrowed())).unwrap();
    };
    let one = time(1, HITS, get);
    let two = time(2, HITS, get);
    let contended = time(2, HITS, hot);

    let values: Vec<Arc<Value>> = sizes.iter().map(|size| Value::new(*size)).collect();
    let full: E = filled(&keys, &values);
    let accesses = zipf(KEYS, 1 << 18, 4);
    let insert = |at: usize| {
        let at = accesses[at & 0x3ffff];
        full.put(keys[at].clone(), values[at].clone());
    };
    let mixed = |at: usize| match at % INSERT_EVERY {
        0 => insert(at),
        _ => drop(black_box(full.find(&keys[accesses[at & 0x3ffff]].borrowed()))),
    };
    let inserts = time(1, INSERTS, insert);
    let (mixed_one, mixed_two) = (time(1, MIXED, mixed), time(2, MIXED, mixed));
    [one, two, contended, inserts, mixed_one, mixed_two, ratio, held, most, resident, own::<E>()]
}

fn keys() -> Vec<Key> {
    let mut rng = Rng::with_seed(1);
    let key = |number: usize| {
        let pad = "x".repeat(rng.usize(0..24));
        Key { function: rng.u32(0..50), text: format!("{number}:tenant-{pad}").into() }
    };
    (0..KEYS).map(key).collect()
}

fn filled<E: Engine>(keys: &[Key], values: &[Arc<Value>]) -> E {
    let engine = E::new();
    for (key, value) in keys.iter().zip(values) {
        engine.put(key.clone(), value.clone());
    }
    engine.settle();
    engine
}

/// Looks up, and inserts what was not there: hit ratio, weight at the end, most bytes of values
/// alive at any time, and resident memory.
fn trace<E: Engine>(keys: &[Key], sizes: &[usize]) -> [f64; 4] {
    let accesses = zipf(KEYS, TRACE, 5);
    let before = resident();
    let engine = E::new();
    let mut hits = 0.0;
    for (at, rank) in accesses.iter().enumerate() {
        let at = (rank + at / DRIFT) % KEYS;
        match engine.find(&keys[at].borrowed()) {
            Some(value) => {
                hits += 1.0;
                drop(value);
            }
            None => engine.put(keys[at].clone(), Value::new(sizes[at])),
        }
    }
    let resident = (resident() - before) / f64::from(1 << 20);
    let most = Value::most_bytes_alive() as f64 / FULL;
    engine.settle();
    [hits / TRACE as f64, engine.weight() as f64 / FULL, most, resident]
}

/// Resident bytes for each of many entries of the smallest size, beyond the value's own.
fn own<E: Engine>() -> f64 {
    const MANY: usize = 200_000;
    let before = resident();
    let engine = E::new();
    for number in 0..MANY {
        engine.put(Key { function: 0, text: number.to_string().into() }, Value::new(64));
    }
    engine.settle();
    let took = resident() - before;
    drop(engine);
    took / MANY as f64 - 64.0
}

fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: f64 = text.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4096.0
}

/// Nanoseconds that an operation takes on each of so many threads.
fn time(threads: usize, times: usize, operation: impl Fn(usize) + Sync) -> f64 {
    let barrier = Barrier::new(threads);
    let on_thread = |thread: usize| {
        // Each thread begins elsewhere in the sequence.
        let from = thread * 7919;
        (from..from + times / 10).for_each(&operation);
        barrier.wait();
        let started = Instant::now();
        (from..from + times).for_each(&operation);
        started.elapsed().as_secs_f64() * 1e9 / times as f64
    };
    let on_thread = &on_thread;
    let all: Vec<f64> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..threads).map(|thread| scope.spawn(move || on_thread(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    all.iter().sum::<f64>() / threads as f64
}
