//! Hits in Redis: many keys on one thread, and one hot key on two.

use cached_tests::RedisServer;
use tokio::runtime::{Builder, Runtime};

use crate::figure::Goal::{AtLeast, AtMost};
use crate::figure::{Figure, OURS, Unit};
use crate::load::{Load, concurrently, fill, hot, popular};
use crate::peers::{Way, cached, cachekit, hand, hitbox, ours};
use crate::rounds::{Contender, Sample, alternate};

const HAND: &str = "GET by hand";
const CACHED: &str = "cached";
const HITBOX: &str = "hitbox JSON";

pub(crate) fn many_keys() -> Vec<Figure> {
    let server = RedisServer::start();
    let url = server.url();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(ours::install(&url));
    let ours = ours::Ours;
    let hand = runtime.block_on(hand::Redis::connect(&url));
    let cached = cached::Redis::connect(&url);
    // Its two formats would be under the same keys.
    let json = hitbox::redis_json(&format!("{url}/1"));
    let bincode = hitbox::redis_bincode(&format!("{url}/2"));
    let kit = runtime.block_on(cachekit::Kit::redis(&url));
    fill(&runtime, &ours);
    fill(&runtime, &hand);
    fill(&runtime, &cached);
    fill(&runtime, &kit);
    fill(&runtime, &json);
    fill(&runtime, &bincode);
    let ids = popular();

    let mut figures = Vec::new();
    for callers in [1, 16, 64, 256] {
        let calls = if callers == 1 { 2_000 } else { 20_480 };
        let load = &Load { callers, calls, ids: ids.clone() };
        let rounds = alternate(vec![
            contender(&runtime, OURS, &ours, load),
            contender(&runtime, HAND, &hand, load),
            contender(&runtime, CACHED, &cached, load),
            contender(&runtime, HITBOX, &json, load),
            contender(&runtime, "hitbox bincode", &bincode, load),
            contender(&runtime, "cachekit", &kit, load),
        ]);
        let goals = match callers {
            256 => vec![(HAND, AtLeast(1.5)), (CACHED, AtLeast(2.0)), (HITBOX, AtLeast(5.0))],
            64 => vec![(HAND, AtLeast(1.2)), (CACHED, AtLeast(2.0)), (HITBOX, AtLeast(5.0))],
            _ => vec![(HAND, AtLeast(0.95))],
        };
        let case = if callers == 1 { "1 caller" } else { &format!("{callers} callers") };
        let of = ["Redis hit, 10,000 keys, one thread", case];
        let cpu = if callers == 256 { vec![(HAND, AtMost(0.6))] } else { Vec::new() };
        figures.push(rounds.figure(of, Unit::CallsPerSecond, &goals));
        figures.push(rounds.figure(of, Unit::CpuMicroseconds, &cpu));
        figures.push(rounds.figure(of, Unit::Allocations, &[]));
    }
    figures
}

fn contender<'a, W: Way>(
    runtime: &'a Runtime,
    name: &'static str,
    way: &'a W,
    load: &'a Load,
) -> Contender<'a> {
    Contender::new(name, || concurrently(runtime, way, load))
}

pub(crate) fn hot_key() -> Vec<Figure> {
    let server = RedisServer::start();
    let url = server.url();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(ours::install(&url));
    let hand = runtime.block_on(hand::Redis::connect(&url));
    let cached = cached::Redis::connect(&url);
    let load = &Load { callers: 256, calls: 204_800, ids: hot() };

    let counted = |sample: &dyn Fn() -> Sample| {
        server.reset_stats();
        let mut sample = sample();
        sample.commands = server.command_calls().values().sum::<u64>() as f64 / load.calls as f64;
        sample
    };
    let rounds = alternate(vec![
        Contender::new(OURS, || counted(&|| concurrently(&runtime, &ours::Ours, load))),
        Contender::new(HAND, || counted(&|| concurrently(&runtime, &hand, load))),
        Contender::new(CACHED, || counted(&|| concurrently(&runtime, &cached, load))),
    ]);
    let of = ["Redis hit, one hot key, two threads", "256 callers"];
    vec![
        rounds.figure(of, Unit::CallsPerSecond, &[(HAND, AtLeast(3.0))]),
        rounds.figure(of, Unit::CpuMicroseconds, &[]),
        rounds.figure(of, Unit::CommandsPer1000, &[(HAND, AtMost(0.02))]),
    ]
}
