//! What is between the processes and the servers, failing in every way.

use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

use cached_tests::{Proxy, Wire};

use crate::coordinator::wait;
use crate::disturbances::{Disturbances, Least};

pub(super) const LEAST: [Least; 7] = [
    ("cuts", 1),
    ("half-closes", 1),
    ("black holes", 1),
    ("black holes of links", 5),
    ("delays", 1),
    ("delays of links", 1),
    ("delays of all but links", 1),
];

/// What happens to the connections through one proxy.
#[derive(Clone, Copy)]
enum Harm {
    Cut,
    HalfClose,
    BlackHole,
    BlackHoleOfLink,
    Delay,
    DelayOfLink,
    DelayOfRest,
}

impl Harm {
    /// Those are worst of which only the link that tells of changes does not hear.
    const ALL: [Self; 10] = [
        Self::BlackHoleOfLink,
        Self::Cut,
        Self::DelayOfRest,
        Self::BlackHoleOfLink,
        Self::BlackHole,
        Self::DelayOfLink,
        Self::BlackHoleOfLink,
        Self::HalfClose,
        Self::DelayOfRest,
        Self::Delay,
    ];
}

/// Harms the connections through each proxy, on threads of their own. They begin with kinds that are
/// far from each other, so that a short run has all of them.
pub(super) fn disturb_each<'s>(
    scope: &'s Scope<'s, '_>,
    random: &mut fastrand::Rng,
    proxies: impl IntoIterator<Item = &'s Proxy>,
    until: u64,
) -> Vec<ScopedJoinHandle<'s, Disturbances>> {
    let first = random.usize(..Harm::ALL.len());
    let proxies = proxies.into_iter().enumerate();
    let begin = |(at, proxy)| {
        let random = random.fork();
        scope.spawn(move || disturb(random, proxy, (first + 3 * at) % Harm::ALL.len(), until))
    };
    proxies.map(begin).collect()
}

/// Harms the connections through a proxy: all of them, the link that tells of changes alone, or all but
/// that one. Each kind in turn, beginning with this one.
fn disturb(mut random: fastrand::Rng, proxy: &Proxy, first: usize, until: u64) -> Disturbances {
    let mut done = Disturbances::default();
    let mut turns = Harm::ALL.into_iter().cycle().skip(first);
    while wait(until, random.u64(200..1_500)) {
        let delay = Wire::Delay(Duration::from_millis(random.u64(20..400)));
        let Some(harm) = turns.next() else { break };
        let what = match harm {
            Harm::Cut => {
                proxy.cut();
                "cuts"
            }
            Harm::HalfClose => {
                proxy.half_close();
                "half-closes"
            }
            Harm::BlackHole => {
                proxy.set(Wire::BlackHole);
                "black holes"
            }
            Harm::BlackHoleOfLink => {
                // What was last heard may have been old by then.
                if random.bool() {
                    proxy.set_tracking(Wire::Delay(Duration::from_millis(random.u64(50..250))));
                    wait(until, random.u64(300..600));
                }
                proxy.set_tracking(Wire::BlackHole);
                "black holes of links"
            }
            Harm::Delay => {
                proxy.set(delay);
                "delays"
            }
            Harm::DelayOfLink => {
                proxy.set_tracking(delay);
                "delays of links"
            }
            Harm::DelayOfRest => {
                proxy.set_others(delay);
                "delays of all but links"
            }
        };
        done.add(what, 1);
        if !matches!(harm, Harm::Cut | Harm::HalfClose) {
            wait(until, random.u64(200..2_000));
            if matches!(harm, Harm::BlackHole | Harm::BlackHoleOfLink) {
                // No connection goes on without a part of what was sent on it, as no TCP stream does:
                // an answer would be taken for another's, a change never be told.
                proxy.cut();
            }
            proxy.set(Wire::Pass);
        }
    }
    done
}
