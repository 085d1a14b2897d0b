//! How a leader ends a round, and what becomes of its followers and its baton.

use super::*;

/// A leader, two that joined, and two that wait for the next round.
fn crowd(flights: &Arc<Flown>) -> (Leader<Baton, u32, u32>, [Waiting; 2], [Waiting; 2]) {
    let leader = lead(flights);
    leader.open();
    let joined = [follow(flights), follow(flights)];
    leader.close();
    let next = [follow(flights), follow(flights)];
    (leader, joined, next)
}

fn dropped(baton: &Arc<AtomicUsize>) -> usize {
    baton.load(Ordering::Relaxed)
}

#[test]
fn finished_the_next_round_is_led_by_who_waited_for_it_first() {
    let flights = flights();
    let (leader, joined, [first, second]) = crowd(&flights);
    leader.finish(1);
    assert_eq!(joined.map(Waiting::outcome), [1, 1]);
    let (leader, baton) = first.lead();
    assert!(baton.is_none());
    leader.finish(2);
    assert_eq!(second.outcome(), 2);
    assert_eq!(flights.len(), 0);
}

#[test]
fn again_promotes_both_groups_together() {
    let flights = flights();
    let (leader, [first, joined], next) = crowd(&flights);
    leader.again();
    let (leader, baton) = first.lead();
    assert!(baton.is_none());
    let while_open = follow(&flights);
    leader.finish(1);
    assert_eq!(joined.outcome(), 1);
    assert_eq!(next.map(Waiting::outcome), [1, 1]);
    assert_eq!(while_open.outcome(), 1);
    assert_eq!(flights.len(), 0);
}

#[test]
fn a_leader_that_is_dropped_promotes_both_groups_together() {
    let flights = flights();
    let (leader, [first, joined], next) = crowd(&flights);
    drop(leader);
    let (leader, _) = first.lead();
    leader.finish(1);
    assert_eq!(joined.outcome(), 1);
    assert_eq!(next.map(Waiting::outcome), [1, 1]);
    assert_eq!(flights.len(), 0);
}

#[test]
fn a_leader_that_panics_promotes_the_next() {
    let flights = flights();
    let (leader, [first, _joined], _next) = crowd(&flights);
    let body = std::panic::AssertUnwindSafe(move || {
        let _leader = leader;
        panic!("the body's panic");
    });
    assert!(std::panic::catch_unwind(body).is_err());
    first.lead().0.finish(1);
}

#[test]
fn an_outcome_whose_clone_panics_hangs_nobody() {
    struct Bad;
    impl Clone for Bad {
        fn clone(&self) -> Self {
            panic!("the clone's panic")
        }
    }
    let flights: Arc<Flights<(), Bad, u32>> = Arc::new(Flights::new());
    let Joined::Leader(leader) = flights.join(KEY, 0) else { panic!("it is the first") };
    let join = || match flights.join(KEY, 0) {
        Joined::Follower(follower) => follower,
        _ => panic!("it is led"),
    };
    leader.open();
    let joined = [join(), join()];
    leader.close();
    let next = join();
    let finish = std::panic::AssertUnwindSafe(|| leader.finish(Bad));
    assert!(std::panic::catch_unwind(finish).is_err());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        for follower in joined {
            assert!(matches!(follower.await, Told::Again));
        }
        assert!(matches!(next.await, Told::Lead(..)));
    });
    assert_eq!(flights.len(), 0);
}

#[test]
fn released_without_a_baton_the_next_round_begins() {
    let flights = flights();
    let (leader, joined, [first, second]) = crowd(&flights);
    leader.release(None);
    assert!(joined.into_iter().all(Waiting::gets_released));
    first.lead().0.finish(2);
    assert_eq!(second.outcome(), 2);
    assert_eq!(flights.len(), 0);
}

#[test]
fn released_with_a_baton_one_leads_with_it_and_the_next_round_joins_it() {
    let flights = flights();
    let (leader, [first, joined], next) = crowd(&flights);
    let (baton, ended) = baton(&flights);
    leader.release(Some(baton));
    assert!(joined.gets_released());
    let (leader, baton) = first.lead();
    assert!(leader.has_followers());
    let while_open = follow(&flights);
    leader.finish(1);
    assert_eq!(next.map(Waiting::outcome), [1, 1]);
    assert_eq!(while_open.outcome(), 1);
    assert_eq!(dropped(&ended), 0);
    drop(baton.expect("it came with the lead"));
    assert_eq!(flights.len(), 0);
}

#[test]
fn released_with_a_baton_and_nobody_joined_the_next_round_is_led_with_it() {
    let flights = flights();
    let leader = lead(&flights);
    let next = follow(&flights);
    let (baton, ended) = baton(&flights);
    leader.release(Some(baton));
    let (leader, baton) = next.lead();
    assert!(baton.is_some());
    assert_eq!(dropped(&ended), 0);
    drop(leader);
    assert_eq!(flights.len(), 0);
}

#[test]
fn released_with_a_baton_for_nobody_the_baton_is_dropped() {
    let flights = flights();
    let leader = lead(&flights);
    let (baton, ended) = baton(&flights);
    leader.release(Some(baton));
    assert_eq!(dropped(&ended), 1);
    assert_eq!(flights.len(), 0);
}

#[test]
fn a_baton_is_handed_to_one_who_joined_and_all_others_join() {
    let flights = flights();
    let (leader, [first, joined], next) = crowd(&flights);
    let (baton, ended) = baton(&flights);
    assert!(leader.hand_over(baton).is_ok());
    let while_open = follow(&flights);
    let (leader, baton) = first.lead();
    leader.finish(1);
    assert_eq!(joined.outcome(), 1);
    assert_eq!(next.map(Waiting::outcome), [1, 1]);
    assert_eq!(while_open.outcome(), 1);
    assert_eq!(dropped(&ended), 0);
    drop(baton.expect("it came with the lead"));
    assert_eq!(dropped(&ended), 1);
}

#[test]
fn a_baton_is_handed_to_one_who_waits_for_the_next_round_where_nobody_joined() {
    let flights = flights();
    let leader = lead(&flights);
    let next = follow(&flights);
    let (baton, _) = baton(&flights);
    assert!(leader.hand_over(baton).is_ok());
    assert!(next.lead().1.is_some());
}

#[test]
fn a_baton_that_nobody_takes_comes_back_and_the_flight_is_over() {
    let flights = flights();
    let leader = lead(&flights);
    leader.open();
    drop(follow(&flights));
    let (baton, ended) = baton(&flights);
    let back = leader.hand_over(baton);
    assert!(back.is_err());
    assert_eq!(dropped(&ended), 0);
    assert_eq!(flights.len(), 0);
}

#[test]
fn one_who_goes_away_after_it_was_told_to_lead_passes_lead_and_baton_on() {
    let flights = flights();
    let (leader, [first, second], next) = crowd(&flights);
    let (baton, ended) = baton(&flights);
    assert!(leader.hand_over(baton).is_ok());
    drop(first);
    let (leader, baton) = second.lead();
    assert!(baton.is_some());
    assert_eq!(dropped(&ended), 0);
    leader.finish(1);
    assert_eq!(next.map(Waiting::outcome), [1, 1]);
    assert_eq!(flights.len(), 0);
}

#[test]
fn the_last_who_goes_away_after_it_was_told_to_lead_drops_the_baton() {
    let flights = flights();
    let leader = lead(&flights);
    let last = follow(&flights);
    let (baton, ended) = baton(&flights);
    assert!(leader.hand_over(baton).is_ok());
    drop(last);
    assert_eq!(dropped(&ended), 1);
    assert_eq!(flights.len(), 0);
}

#[test]
fn sealed_later_arrivals_start_anew_and_all_who_wait_are_told() {
    let flights = flights();
    let (mut leader, joined, next) = crowd(&flights);
    leader.seal();
    assert!(leader.has_followers());
    let other = lead(&flights);
    assert_eq!(flights.len(), 2, "the audience is kept, and another flight has begun");
    // Neither touches the other's flight.
    leader.open();
    let mut others = follow(&flights);
    leader.close();
    leader.finish(1);
    assert_eq!(joined.map(Waiting::outcome), [1, 1]);
    assert_eq!(next.map(Waiting::outcome), [1, 1]);
    assert!(others.is_waiting());
    drop(other);
    drop(others.lead());
    assert_eq!(flights.len(), 0);
}

#[test]
fn a_sealed_leader_that_does_not_finish_tells_all_to_look_again() {
    type End = fn(Leader<Baton, u32, u32>, &Arc<Flown>);
    let ends: [End; 3] = [
        |leader, _| drop(leader),
        |leader, _| leader.again(),
        |leader, flights| assert!(leader.hand_over(baton(flights).0).is_err()),
    ];
    for end in ends {
        let flights = flights();
        let (mut leader, joined, next) = crowd(&flights);
        leader.seal();
        end(leader, &flights);
        assert!(joined.into_iter().all(Waiting::looks_again));
        assert!(next.into_iter().all(Waiting::looks_again));
    }
}

#[test]
fn a_sealed_leader_that_releases_releases_all() {
    for with_baton in [false, true] {
        let flights = flights();
        let (mut leader, joined, next) = crowd(&flights);
        let (baton, ended) = baton(&flights);
        leader.seal();
        leader.release(with_baton.then_some(baton));
        assert!(joined.into_iter().all(Waiting::gets_released));
        assert!(next.into_iter().all(Waiting::gets_released));
        assert_eq!(dropped(&ended), 1);
    }
}

#[test]
fn a_sealed_leader_whose_followers_went_away_has_none() {
    let flights = flights();
    let mut leader = lead(&flights);
    let follower = follow(&flights);
    leader.seal();
    assert!(leader.has_followers());
    drop(follower);
    assert!(!leader.has_followers());
}
