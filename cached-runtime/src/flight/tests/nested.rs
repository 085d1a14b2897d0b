//! Calls inside of bodies.

use super::super::nesting::{Waits, enter, inside, within};
use super::*;

/// Polls once, inside of the bodies of `held`.
fn join_within(flights: &Arc<Flown>, held: &[u128], key: u128) -> Joined<Baton, u32, u32> {
    let _inside: Vec<_> = held.iter().map(|held| enter(*held)).collect();
    flights.join(key, 0)
}

fn start(flights: &Arc<Flown>, key: u128) -> Leader<Baton, u32, u32> {
    match flights.join(key, 0) {
        Joined::Leader(leader) => leader,
        _ => panic!("there is a leader already"),
    }
}

fn waits(joined: Joined<Baton, u32, u32>) -> Follower<Baton, u32, u32> {
    match joined {
        Joined::Follower(follower) => follower,
        Joined::Leader(_) => panic!("it leads"),
        Joined::Cycle => panic!("a cycle"),
    }
}

#[test]
fn a_body_is_inside_while_it_is_polled_and_only_then() {
    let mut body = Box::pin(within(
        KEY,
        std::future::poll_fn(|_| {
            assert!(inside());
            Poll::<()>::Pending
        }),
    ));
    for _ in 0..2 {
        assert!(!inside());
        assert!(body.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert!(!inside());
}

#[test]
fn a_body_that_panics_is_left() {
    let mut body = Box::pin(within(KEY, async { panic!("the body's panic") }));
    let poll = std::panic::AssertUnwindSafe(|| {
        let _ = body.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    });
    assert!(std::panic::catch_unwind(poll).is_err());
    assert!(!inside());
}

#[test]
fn recursion_is_a_cycle() {
    let flights = flights();
    let _leader = start(&flights, 1);
    assert!(matches!(join_within(&flights, &[1], 1), Joined::Cycle));
    assert!(matches!(join_within(&flights, &[1, 2], 1), Joined::Cycle));
}

#[test]
fn a_nested_call_of_another_key_leads_or_follows_as_any() {
    let flights = flights();
    let _outer = start(&flights, 1);
    let Joined::Leader(inner) = join_within(&flights, &[1], 2) else { panic!("it is free") };
    inner.open();
    let mut follower = Box::pin(waits(join_within(&flights, &[1], 2)));
    inner.finish(5);
    let told = follower.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(told, Poll::Ready(Told::Outcome(5))));
}

#[test]
fn two_bodies_that_wait_for_each_other_are_a_cycle() {
    let flights = flights();
    // Keys of this test alone: who waits for whom is noted for the whole process.
    let (a, b, c) = (101, 102, 103);
    let _leaders = [start(&flights, a), start(&flights, b), start(&flights, c)];
    let a_waits = waits(join_within(&flights, &[a], b));
    let _b_waits = waits(join_within(&flights, &[b], c));
    assert!(matches!(join_within(&flights, &[c], a), Joined::Cycle));
    // Also one further in.
    assert!(matches!(join_within(&flights, &[c, 104], a), Joined::Cycle));
    drop(a_waits);
    drop(waits(join_within(&flights, &[c], a)));
}

#[test]
fn one_who_was_told_waits_no_more() {
    let flights = flights();
    let (a, b) = (201, 202);
    let (_a, leader_b) = (start(&flights, a), start(&flights, b));
    leader_b.open();
    let mut a_waits = Box::pin(waits(join_within(&flights, &[a], b)));
    assert!(matches!(join_within(&flights, &[b], a), Joined::Cycle));
    leader_b.finish(1);
    assert!(a_waits.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    let _b = start(&flights, b);
    drop(waits(join_within(&flights, &[b], a)));
}

#[test]
fn who_waits_for_whom_is_forgotten() {
    let mut waits = Waits::new();
    assert!(waits.add(&[1, 2], 3));
    assert!(waits.add(&[2], 3));
    assert!(waits.add(&[2], 4));
    assert!(!waits.add(&[3], 1));
    waits.remove(&[1, 2], 3);
    assert!(!waits.add(&[3], 2), "it is still waited for by another call");
    assert!(waits.add(&[3], 1));
    waits.remove(&[2], 3);
    assert!(waits.add(&[3], 2));
    waits.remove(&[3], 1);
    waits.remove(&[3], 2);
    waits.remove(&[2], 4);
    assert_eq!(waits.len(), 0);
}
