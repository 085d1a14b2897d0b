use super::*;
use std::collections::BTreeSet;
use std::net::TcpStream;

fn connect(port: u16) -> redis::Connection {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
    client.get_connection_with_timeout(Duration::from_secs(1)).unwrap()
}

#[test]
fn shares_the_slots_among_primaries() {
    let cluster = RedisCluster::start(3, 0);
    assert_eq!(cluster.primaries(), [0, 1, 2]);
    assert_eq!([0, 5460, 5461, 16_383].map(|slot| cluster.owner_of(slot)), [0, 0, 1, 2]);
    assert_eq!(cluster.replica_of(0), None);
    assert!(cluster.command_calls().is_empty());
    let names = ["a", "b", "c"];
    let owners: BTreeSet<usize> = names.map(|name| cluster.owner_of(cluster.slot_of(name))).into();
    assert_eq!(owners.len(), 3, "each at another node");
    for name in names {
        assert_eq!(cluster.cmd_at(name, &["SET", name, "1"]), Value::Okay);
    }
    assert_eq!(cluster.command_calls(), BTreeMap::from([("set".to_owned(), 3)]));
    assert_eq!(cluster.keys(), names);
    let ports: Vec<String> =
        cluster.nodes().iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
    assert_eq!(cluster.url(), format!("redis+cluster://{}", ports.join(",")));
}

#[test]
fn migrates_a_slot_with_its_keys_at_once_or_in_parts() {
    let cluster = RedisCluster::start(2, 0);
    let slot = cluster.slot_of("{a}");
    let (from, to) = (cluster.owner_of(slot), 1 - cluster.owner_of(slot));
    let nodes = cluster.nodes();
    let keys: Vec<String> = (0..150).map(|at| format!("{{a}}{at:03}")).collect();
    for key in &keys {
        cluster.cmd_at(key, &["SET", key, "1"]);
    }
    cluster.migrate(slot, to);
    assert_eq!(cluster.owner_of(slot), to);
    assert_eq!((nodes[from].keys(), nodes[to].keys()), (vec![], keys.clone()));
    let moved = nodes[from].try_cmd(&["GET", "{a}000"]).unwrap_err();
    assert!(moved.contains("Moved"), "{moved}");

    cluster.begin_migration(slot, from);
    cluster.move_key("{a}000", from);
    let ask = nodes[to].try_cmd(&["GET", "{a}000"]).unwrap_err();
    assert!(ask.contains("Ask"), "{ask}");
    assert_eq!(nodes[to].text(&["GET", "{a}001"]).as_deref(), Some("1"));
    let mut asking = connect(cluster.port(from));
    redis::cmd("ASKING").exec(&mut asking).unwrap();
    let value: String = redis::cmd("GET").arg("{a}000").query(&mut asking).unwrap();
    assert_eq!((value.as_str(), cluster.owner_of(slot)), ("1", to));
    assert_eq!(cluster.move_keys(slot, from), 149);
    cluster.end_migration(slot, from);
    assert_eq!((cluster.owner_of(slot), nodes[from].keys()), (from, keys));
    let calls = cluster.command_calls();
    assert!(
        ["migrate", "cluster|setslot", "restore-asking"]
            .iter()
            .all(|own| !calls.contains_key(*own))
    );
}

#[test]
fn a_replica_takes_over_when_told_and_when_its_primary_is_halted_or_dead() {
    let cluster = RedisCluster::start(3, 1);
    let slot = cluster.slot_of("a");
    let first = cluster.owner_of(slot);
    let replica = cluster.replica_of(first).unwrap();
    assert_eq!(replica, first + 3);
    cluster.cmd_at("a", &["SET", "a", "1"]);
    cluster.settle();
    assert_eq!(cluster.fail_over(first), replica);
    assert_eq!((cluster.owner_of(slot), cluster.replica_of(replica)), (replica, Some(first)));
    assert!(!cluster.primaries().contains(&first));

    assert_eq!(cluster.fail_over_by_halt(replica), first);
    assert_eq!((cluster.owner_of(slot), cluster.replica_of(first)), (first, None));
    let halted = &cluster.nodes()[replica];
    halted.cont();
    cluster.settle();
    assert_eq!(cluster.replica_of(first), Some(replica));

    assert_eq!(cluster.fail_over_by_death(first), replica);
    assert!(TcpStream::connect(("127.0.0.1", cluster.port(first))).is_err());
    assert_eq!((cluster.replica_of(replica), cluster.keys()), (None, vec!["a".to_owned()]));
    let dead = &cluster.nodes()[first];
    dead.restart();
    cluster.settle();
    assert_eq!(cluster.replica_of(replica), Some(first));
    assert_eq!(dead.keys(), ["a"]);
}

#[test]
fn nodes_may_ask_for_a_password() {
    let password = ["--requirepass", "open", "--masterauth", "open"];
    let cluster = RedisCluster::start_with(2, 1, &password);
    let slot = cluster.slot_of("a");
    let (from, to) = (cluster.owner_of(slot), 1 - cluster.owner_of(slot));
    cluster.cmd_at("a", &["SET", "a", "1"]);
    cluster.migrate(slot, to);
    assert_eq!(cluster.nodes()[to].keys(), ["a"]);
    let refused = redis::cmd("GET").arg("a").exec(&mut connect(cluster.port(from)));
    assert!(refused.unwrap_err().to_string().contains("Authentication"));
}

#[test]
fn leads_clients_through_its_proxies() {
    let cluster = RedisCluster::start_behind_proxies(2);
    let slot = cluster.slot_of("a");
    let (owner, other) = (cluster.owner_of(slot), 1 - cluster.owner_of(slot));
    let told = redis::cmd("GET").arg("a").query::<()>(&mut connect(cluster.port(other)));
    let led = format!("127.0.0.1:{}", cluster.proxy(owner).port());
    assert_eq!(told.unwrap_err().redirect_node(), Some((led.as_str(), slot)));
    assert!(cluster.url().contains(&led));
    assert_ne!(cluster.proxy(owner).port(), cluster.nodes()[owner].port());
    assert_eq!(cluster.proxy(other).connections(), 1);
}
