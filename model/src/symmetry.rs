//! When two moments are the same: what a token's number is doesn't matter, only which are
//! equal; nor which of a process's callers is which.
//!
//! `stateright` knows a moment by its hash, so hashing a representative merges the moments that
//! it stands for, while runs keep the names they began with and can be read.

use crate::actions::followers;
use crate::state::{CALLERS, Caller, Late, Phase, Token, World};
use std::cmp::Reverse;
use std::hash::{Hash, Hasher};
use std::num::NonZeroU8;

/// A moment, and the supply of unique numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct State {
    /// What counts.
    pub world: World,
    used: u8,
}

impl State {
    pub(crate) fn new(world: World) -> Self {
        Self { world, used: 0 }
    }

    /// A number that no one has. A run is far shorter than there are numbers.
    pub(crate) fn fresh(&mut self) -> Token {
        let token = Token(NonZeroU8::MIN.saturating_add(self.used));
        self.used = self.used.saturating_add(1);
        token
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        representative(self.world).hash(hasher);
    }
}

/// The same moment with tokens numbered in the order in which they are found, and with callers
/// and late commands sorted by what can be said of them without numbers. Of the orders that are
/// left the one that gives the least.
fn representative(mut world: World) -> World {
    let mut names = Names::default();
    world.redis.each_token(&mut |token| names.give(token));

    let late = world.late.map(|late| Reverse(late.map(|late| shown_late(late, &names))));
    if late[0] > late[1] {
        world.late.swap(0, 1);
    }
    let first = arranged(world, names);
    if late[0] == late[1] && late[0] != Reverse(None) {
        world.late.swap(0, 1);
        return first.min(arranged(world, names));
    }
    first
}

/// The least of the moments that differ from this one in the order of callers.
fn arranged(mut world: World, mut names: Names) -> World {
    for late in world.late.iter_mut().flatten() {
        late.each_token(&mut |token| names.give(token));
    }
    let shown = world.callers.map(|caller| shown(caller, &names));
    let mut order: [usize; CALLERS] = std::array::from_fn(|c| c);
    order.sort_by_key(|c| shown[*c]);

    let mut least: Option<World> = None;
    let loose: [bool; CALLERS] = std::array::from_fn(|c| is_linked(&world, c, &names));
    let tied = |a: usize, b: usize| shown[a] == shown[b] && (loose[a] || loose[b]);
    each_order(&mut order, 0, &tied, &mut |order| {
        let next = sorted(world, order, names);
        least = Some(least.map_or(next, |least| least.min(next)));
    });
    least.unwrap_or(world)
}

/// Visits each order in which tied callers may stand.
fn each_order(
    order: &mut [usize; CALLERS],
    from: usize,
    tied: &impl Fn(usize, usize) -> bool,
    visit: &mut impl FnMut(&[usize; CALLERS]),
) {
    if from == CALLERS {
        return visit(order);
    }
    for other in from..CALLERS {
        if other == from || tied(order[from], order[other]) {
            order.swap(from, other);
            each_order(order, from + 1, tied, visit);
            order.swap(from, other);
        }
    }
}

/// Whether a caller may have to do with another: a number that nothing but callers know, or a
/// flight. Those who look alike and have not are alike.
fn is_linked(world: &World, c: usize, names: &Names) -> bool {
    let mut phase = world.callers[c].phase;
    let mut unnamed = false;
    phase.each_token(&mut |token| unnamed |= names.given(*token).is_none());
    unnamed || matches!(phase, Phase::Joined(..)) || followers(world, c).next().is_some()
}

fn sorted(mut world: World, order: &[usize; CALLERS], mut names: Names) -> World {
    let before = world.callers;
    for (to, from) in order.iter().enumerate() {
        let mut caller = before[*from];
        caller.phase.each_token(&mut |token| names.give(token));
        if let Phase::Joined(_, leader) = &mut caller.phase {
            let place = order.iter().position(|c| *c == usize::from(*leader));
            *leader = place.map_or(*leader, |place| place as u8);
        }
        world.callers[to] = caller;
    }
    world
}

/// A caller without what depends on the order of callers.
fn shown(mut caller: Caller, names: &Names) -> Caller {
    caller.phase.each_token(&mut |token| names.show(token));
    if let Phase::Joined(_, leader) = &mut caller.phase {
        *leader = 0;
    }
    caller
}

fn shown_late(mut late: Late, names: &Names) -> Late {
    late.each_token(&mut |token| names.show(token));
    late
}

/// New numbers for tokens. Those without one yet all look alike.
#[derive(Clone, Copy)]
struct Names {
    given: [Option<NonZeroU8>; 256],
    next: NonZeroU8,
}

impl Default for Names {
    fn default() -> Self {
        Self { given: [None; 256], next: NonZeroU8::MIN }
    }
}

impl Names {
    fn give(&mut self, token: &mut Token) {
        let next = &mut self.next;
        let new = *self.given[usize::from(token.0.get())].get_or_insert_with(|| {
            let name = *next;
            *next = name.saturating_add(1);
            name
        });
        *token = Token(new);
    }

    fn show(&self, token: &mut Token) {
        *token = Token(self.given(*token).unwrap_or(NonZeroU8::MAX));
    }

    fn given(&self, token: Token) -> Option<NonZeroU8> {
        self.given[usize::from(token.0.get())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::{Entry, Fence};
    use crate::state::Flight;
    use crate::{Protocol, config};
    use stateright::Model;

    fn start() -> World {
        let config = config::named("joiners").unwrap();
        Protocol { config, mutant: None }.init_states()[0].world
    }

    fn token(number: u8) -> Token {
        Token(NonZeroU8::new(number).unwrap())
    }

    fn body(lease: u8) -> Phase {
        {
            let fence = Fence::Lease(token(lease));
            Phase::Body(Flight { fence, tag: None, claim: None, kept: None }, 0)
        }
    }

    /// The second caller waits for the first, which runs its body with this lease.
    fn waiting(entry: u8, lease: u8) -> World {
        let mut world = start();
        world.redis.entry = Entry::Lease(token(entry));
        world.callers[0].phase = body(lease);
        world.callers[1].phase = Phase::Joined(0, 0);
        world
    }

    #[test]
    fn numbers_and_places_do_not_count() {
        let mut moved = waiting(9, 9);
        moved.callers.swap(0, 2);
        moved.callers[1].phase = Phase::Joined(0, 2);
        assert_ne!(waiting(3, 3), moved);
        assert_eq!(representative(waiting(3, 3)), representative(moved));
    }

    #[test]
    fn which_tokens_are_equal_counts() {
        assert_ne!(representative(waiting(3, 3)), representative(waiting(3, 4)));
    }

    #[test]
    fn which_of_two_leaders_a_joiner_waits_for_does_not_count_where_they_look_alike() {
        let mut one = waiting(1, 2);
        one.callers[2].phase = body(3);
        let mut other = one;
        other.callers[1].phase = Phase::Joined(0, 2);
        assert_eq!(representative(one), representative(other));

        other.redis.entry = Entry::Lease(token(3));
        assert_ne!(representative(one), representative(other));
    }

    #[test]
    fn processes_count() {
        let mut apart = waiting(3, 3);
        apart.callers[2].process = 1;
        assert_ne!(representative(waiting(3, 3)), representative(apart));
    }
}
