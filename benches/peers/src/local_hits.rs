//! Hits in the process: a lookup in memory and no more, on one thread and on two.

use cached_tests::RedisServer;
use tokio::runtime::{Builder, Runtime};

use crate::figure::Goal::{self, AtMost};
use crate::figure::OURS;
use crate::figure::{Figure, Unit};
use crate::load::{Load, USERS, fill, hot, on_threads, popular};
use crate::peers::hand::{MokaFuture, MokaSync, Quick, QuickOwned};
use crate::peers::hitbox::Hitbox;
use crate::peers::{Way, cached, cachekit, hitbox, ours};
use crate::rounds::{Contender, alternate};

const QUICK: &str = "quick_cache get";
const QUICK_CLONE: &str = "quick_cache get + clone";
const MOKA_ASYNC: &str = "moka async";
const MOKA_SYNC: &str = "moka sync";
const CACHED: &str = "cached";
const SHARDED: &str = "cached sharded";
/// Calls of one caller in a round, and of one whose way decodes the value at each hit.
const CALLS: u64 = 1_000_000;
const SLOW_CALLS: u64 = 50_000;

pub(crate) fn all() -> Vec<Figure> {
    let all = All::set_up();
    let cases = [
        ("10,000 keys, one thread", 1, popular(), AtMost(1.5)),
        ("one hot key, one thread", 1, hot(), AtMost(1.5)),
        ("one hot key, two threads", 2, hot(), AtMost(1.0)),
    ];
    let figures = cases.map(|(case, callers, ids, bare)| {
        all.measure(case, &Load { callers, calls: callers * CALLS, ids }, bare)
    });
    figures.into_iter().flatten().collect()
}

/// All ways, full of users.
struct All {
    /// Where connections are kept up while other threads call.
    runtime: Runtime,
    quick: Quick,
    quick_clone: QuickOwned,
    moka_async: MokaFuture,
    moka_sync: MokaSync,
    hitbox: Hitbox<hitbox_moka::MokaBackend>,
    kit: cachekit::Kit,
    server: RedisServer,
}

impl All {
    fn set_up() -> Self {
        let server = RedisServer::start();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(ours::install(&server.url()));
        let quick = Quick::filled(USERS);
        let all = Self {
            quick_clone: QuickOwned::of(&quick),
            quick,
            moka_async: runtime.block_on(MokaFuture::filled(USERS)),
            moka_sync: MokaSync::filled(USERS),
            hitbox: hitbox::moka(),
            kit: runtime.block_on(cachekit::Kit::l1(&server.url())),
            runtime,
            server,
        };
        let runtime = &all.runtime;
        fill(runtime, &cached::Shared);
        fill(runtime, &cached::Owned);
        fill(runtime, &cached::ShardedShared);
        fill(runtime, &cached::ShardedOwned);
        fill(runtime, &all.hitbox);
        fill(runtime, &all.kit);
        {
            fill(runtime, &ours::local::Shared);
            fill(runtime, &ours::local::Owned);
        }
        all
    }

    /// In one case, callers that get an `Arc`, and callers that get a value each.
    fn measure(&self, case: &str, load: &Load, bare: Goal) -> Vec<Figure> {
        let slow = &Load { calls: load.callers * SLOW_CALLS, ..load.clone() };
        let shared = alternate(vec![
            self.ours(&ours::local::Shared, load),
            self.contender(QUICK, &self.quick, load),
            self.contender(MOKA_ASYNC, &self.moka_async, load),
            self.contender(MOKA_SYNC, &self.moka_sync, load),
            self.contender(CACHED, &cached::Shared, load),
            self.contender(SHARDED, &cached::ShardedShared, load),
        ]);
        let owned = alternate(vec![
            self.ours(&ours::local::Owned, load),
            self.contender(QUICK_CLONE, &self.quick_clone, load),
            self.contender(CACHED, &cached::Owned, load),
            self.contender(SHARDED, &cached::ShardedOwned, load),
            self.contender("hitbox moka", &self.hitbox, slow),
            self.contender("cachekit L1", &self.kit, slow),
        ]);
        let of_shared = ["Local hit, Arc<User>", case];
        let of_owned = ["Local hit, User", case];
        let fifth = [MOKA_ASYNC, MOKA_SYNC, CACHED, SHARDED].map(|peer| (peer, AtMost(0.2)));
        let goals: Vec<_> = fifth.into_iter().chain([(QUICK, bare)]).collect();
        vec![
            shared.figure(of_shared, Unit::Nanoseconds, &goals),
            shared.figure(of_shared, Unit::Allocations, &[]),
            owned.figure(of_owned, Unit::Nanoseconds, &[(QUICK_CLONE, AtMost(1.3))]),
            owned.figure(of_owned, Unit::Allocations, &[]),
        ]
    }

    fn contender<'a, W: Way>(
        &'a self,
        name: &'static str,
        way: &'a W,
        load: &'a Load,
    ) -> Contender<'a> {
        Contender::new(name, || on_threads(way, load))
    }

    /// With a look at the server: what goes there is no local hit.
    fn ours<'a, W: Way>(&'a self, way: &'a W, load: &'a Load) -> Contender<'a> {
        Contender::new(OURS, || {
            self.server.reset_stats();
            let sample = on_threads(way, load);
            let commands = self.server.command_calls();
            let sent: u64 = commands.values().sum();
            assert!(sent < load.calls / 1000, "these were no local hits: {commands:?}");
            sample
        })
    }
}
