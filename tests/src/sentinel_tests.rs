use super::*;

fn connect(url: &str) -> redis::RedisResult<redis::Connection> {
    redis::Client::open(url)?.get_connection_with_timeout(Duration::from_secs(1))
}

fn named_by(sentinel: &Sentinel) -> String {
    let mut connection = connect(&format!("redis://127.0.0.1:{}", sentinel.port())).unwrap();
    let ask = redis::cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(NAME).to_owned();
    let (host, port): (String, String) = ask.query(&mut connection).unwrap();
    format!("redis://{host}:{port}")
}

#[test]
fn sentinels_name_the_new_primary_after_a_failover() {
    let watched = Watched::start(3);
    let (first, second) = (watched.primary(), watched.replica());
    assert!(watched.sentinels().iter().all(|one| named_by(one) == first.url()));
    first.cmd(&["SET", "a", "1"]);
    watched.settle();

    assert_eq!(watched.fail_over().port(), second.port());
    // One tells the others; as long as the harness waits, since each may be in TILT.
    let agree = || watched.sentinels().iter().all(|one| named_by(one) == second.url());
    crate::eventually_blocking(Duration::from_secs(60), agree);
    assert_eq!(second.keys(), ["a"]);
    let refused = first.try_cmd(&["SET", "a", "2"]).unwrap_err();
    assert!(refused.to_lowercase().contains("readonly"), "{refused}");
    assert_eq!(watched.fail_over().port(), first.port());
}

#[test]
fn a_majority_of_sentinels_replaces_a_dead_primary() {
    let watched = Watched::start(3);
    let (first, second) = (watched.primary(), watched.replica());
    watched.sentinels()[0].kill();
    assert!(connect(&format!("redis://127.0.0.1:{}", watched.sentinels()[0].port())).is_err());
    assert_eq!(watched.fail_over_by_death().port(), second.port());
    assert_eq!(second.cmd(&["SET", "a", "1"]), Value::Okay);
    first.restart();
    watched.sentinels()[0].restart();
    watched.settle();
    assert_eq!((watched.replica().port(), first.keys()), (first.port(), vec!["a".to_owned()]));
    assert_eq!(named_by(&watched.sentinels()[0]), second.url());
}

#[test]
fn a_halted_primary_is_replaced_and_corrected_when_it_goes_on() {
    let watched = Watched::start(1);
    let (first, second) = (watched.primary(), watched.replica());
    assert_eq!(watched.fail_over_by_halt().port(), second.port());
    first.cont();
    watched.settle();
    assert_eq!(watched.replica().port(), first.port());
    let [one] = watched.sentinels() else { panic!("not one sentinel") };
    assert_eq!(watched.url(), format!("redis+sentinel://127.0.0.1:{}/mymaster", one.port()));
}

#[test]
fn passwords_are_for_clients_not_for_the_harness() {
    let watched = Watched::start_with_passwords(2, "open", "sesame");
    let ask = |url: &str| connect(url).and_then(|mut to| redis::cmd("ROLE").exec(&mut to));
    for (port, password, other) in [
        (watched.primary().port(), "open", "sesame"),
        (watched.sentinels()[0].port(), "sesame", "open"),
    ] {
        assert!(ask(&format!("redis://127.0.0.1:{port}")).is_err());
        assert!(ask(&format!("redis://:{other}@127.0.0.1:{port}")).is_err());
        ask(&format!("redis://:{password}@127.0.0.1:{port}")).unwrap();
    }
    let second = watched.replica().port();
    assert_eq!(watched.fail_over().port(), second);
}
