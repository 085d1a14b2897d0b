//! Who shares which round's outcome.

use super::*;

#[test]
fn the_first_leads_and_nothing_stays_of_it() {
    let flights = flights();
    let leader = lead(&flights);
    assert_eq!(flights.len(), 1);
    assert!(!leader.has_followers());
    leader.finish(1);
    assert_eq!(flights.len(), 0);
    lead(&flights).finish(2);
    assert_eq!(flights.len(), 0);
}

#[test]
fn flights_of_different_keys_have_nothing_to_do_with_each_other() {
    let flights = flights();
    let _leader = lead(&flights);
    // In the same shard, and in another one.
    for key in [KEY + 1, KEY + (1 << 64)] {
        let Joined::Leader(leader) = flights.join(key, 0) else { panic!("it is another flight") };
        leader.finish(1);
    }
    assert_eq!(flights.len(), 1);
}

#[test]
fn who_arrives_while_it_is_closed_waits_for_the_next_round() {
    let flights = flights();
    let leader = lead(&flights);
    let first = follow(&flights);
    let mut second = follow(&flights);
    assert!(!leader.has_followers());
    leader.finish(1);
    let (leader, baton) = first.lead();
    assert!(baton.is_none());
    assert!(leader.has_followers());
    assert!(second.is_waiting());
    leader.finish(2);
    assert_eq!(second.outcome(), 2);
    assert_eq!(flights.len(), 0);
}

#[test]
fn who_arrived_before_it_was_opened_and_while_it_is_open_shares_the_outcome() {
    let flights = flights();
    let leader = lead(&flights);
    let before = follow(&flights);
    leader.open();
    let during = follow(&flights);
    assert!(leader.has_followers());
    leader.finish(1);
    assert_eq!((before.outcome(), during.outcome()), (1, 1));
    assert_eq!(flights.len(), 0);
}

#[test]
fn who_arrives_after_the_round_was_closed_is_not_told_its_outcome() {
    let flights = flights();
    let leader = lead(&flights);
    leader.open();
    let joined = follow(&flights);
    leader.close();
    let late = follow(&flights);
    leader.close();
    let later = follow(&flights);
    assert!(leader.has_followers());
    leader.finish(1);
    assert_eq!(joined.outcome(), 1);
    let (leader, _) = late.lead();
    leader.finish(2);
    assert_eq!(later.outcome(), 2);
    assert_eq!(flights.len(), 0);
}

#[test]
fn a_flight_that_is_opened_again_takes_all_in() {
    let flights = flights();
    let leader = lead(&flights);
    leader.open();
    let one = follow(&flights);
    leader.close();
    let two = follow(&flights);
    leader.open();
    let three = follow(&flights);
    leader.close();
    leader.finish(1);
    assert_eq!([one.outcome(), two.outcome(), three.outcome()], [1; 3]);
}

#[test]
fn a_promoted_leaders_flight_is_open_until_it_closes_it() {
    let flights = flights();
    let leader = lead(&flights);
    let promoted = follow(&flights);
    drop(leader);
    // Told, but it has not run yet.
    let joined = follow(&flights);
    let (leader, _) = promoted.lead();
    leader.close();
    let late = follow(&flights);
    leader.finish(1);
    assert_eq!(joined.outcome(), 1);
    drop(late.lead());
    assert_eq!(flights.len(), 0);
}

#[test]
fn a_follower_that_goes_away_leaves_nothing_behind() {
    let flights = flights();
    let leader = lead(&flights);
    leader.open();
    for _ in 0..3 {
        drop(follow(&flights));
        assert!(!leader.has_followers());
    }
    leader.close();
    drop(follow(&flights));
    leader.finish(1);
    assert_eq!(flights.len(), 0);
}

#[test]
fn a_follower_that_goes_away_does_not_take_others_with_it() {
    let flights = flights();
    let leader = lead(&flights);
    leader.open();
    let one = follow(&flights);
    let two = follow(&flights);
    drop(one);
    assert!(leader.has_followers());
    leader.finish(1);
    assert_eq!(two.outcome(), 1);
}

#[test]
fn a_map_that_grew_gives_its_memory_back() {
    let flights = flights();
    let leaders: Vec<_> = (0..1000)
        .map(|key| match flights.join(key, 0) {
            Joined::Leader(leader) => leader,
            _ => panic!("each is its own"),
        })
        .collect();
    assert!(flights.shard(0).capacity() >= 1000);
    drop(leaders);
    assert_eq!(flights.len(), 0);
    assert!(flights.shard(0).capacity() < 100);
}

#[test]
fn all_of_it_can_be_sent_to_and_shared_by_threads() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>() {}
    shared::<Flights<Box<dyn Send>, u32, u32>>();
    sent::<Leader<Box<dyn Send>, u32, u32>>();
    sent::<Follower<Box<dyn Send>, u32, u32>>();
    sent::<Told<Box<dyn Send>, u32, u32>>();
}

#[test]
fn threads_that_ask_together_all_come_to_an_end() {
    const THREADS: u32 = 8;
    const CALLS: u32 = 500;
    let flights: Arc<Flights<(), u32, u32>> = Arc::new(Flights::new());
    let shared = Mutex::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(async {
                    for call in 0..CALLS {
                        let leader = match flights.join(u128::from(call / 4), 0) {
                            Joined::Leader(leader) => leader,
                            Joined::Follower(follower) => match follower.await {
                                Told::Lead(leader, _) => leader,
                                _ => continue,
                            },
                            Joined::Cycle => panic!("nothing is nested"),
                        };
                        leader.open();
                        std::thread::yield_now();
                        leader.close();
                        *shared.lock().unwrap() += 1;
                        leader.finish(call);
                    }
                });
            });
        }
    });
    assert_eq!(flights.len(), 0);
    assert!(*shared.lock().unwrap() <= THREADS * CALLS);
}

#[test]
fn who_waited_when_it_began_is_told_early_and_who_came_later_is_not() {
    let flights = flights();
    let leader = lead(&flights);
    let before = follow(&flights);
    leader.begin();
    let during = follow(&flights);
    leader.close();
    let mut after = follow(&flights);
    leader.finish_early(1);
    assert_eq!(before.outcome(), 1);
    let (leader, baton) = during.lead();
    assert!(baton.is_none() && after.is_waiting());
    // What began before this one leads says nothing of those who wait now.
    leader.finish_early(2);
    let (leader, _) = after.lead();
    leader.finish(3);
    assert_eq!(flights.len(), 0);
}

#[test]
fn all_of_a_sealed_flight_came_early() {
    let flights = flights();
    let mut leader = lead(&flights);
    let waiting = follow(&flights);
    leader.seal();
    leader.finish_early(1);
    assert_eq!(waiting.outcome(), 1);
    assert_eq!(flights.len(), 0);
}
