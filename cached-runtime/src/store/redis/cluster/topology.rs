//! What a server of a cluster says of the cluster. Pure.

use redis::Value;

use super::super::fault::Address;

/// Which primaries there are, and which slots each has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Topology {
    pub(super) state: State,
    pub(super) ranges: Vec<Range>,
}

/// As far as the server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store::redis) struct State {
    /// It would serve the slots that it has.
    pub(in crate::store::redis) ok: bool,
    /// Goes up with each failover, and with each slot that gets another owner.
    pub(in crate::store::redis) epoch: u64,
}

/// Slots side by side that one primary has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u16,
    pub(super) last: u16,
    pub(super) primary: Address,
}

impl Topology {
    /// From the answers to `CLUSTER INFO` and `CLUSTER SLOTS`.
    pub(super) fn read(info: &Value, slots: &Value) -> Option<Self> {
        let Value::Array(slots) = slots else { return None };
        let ranges = slots.iter().map(range).collect::<Option<_>>()?;
        Some(Self { state: State::read(info)?, ranges })
    }
}

impl State {
    /// From the answer to `CLUSTER INFO`.
    pub(in crate::store::redis) fn read(info: &Value) -> Option<Self> {
        let text = text(info)?;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.strip_prefix(':')).map(str::trim)
        };
        let ok = field("cluster_state")? == "ok";
        Some(Self { ok, epoch: field("cluster_current_epoch")?.parse().ok()? })
    }
}

/// Whether a slot of the server that was asked is on its way to or from another, by its answer to
/// `CLUSTER NODES`: its own line has such slots in brackets.
pub(in crate::store::redis) fn is_moving(nodes: &Value) -> bool {
    let Some(text) = text(nodes) else { return true };
    text.lines().any(|line| line.contains("myself") && line.contains('['))
}

fn range(value: &Value) -> Option<Range> {
    let Value::Array(parts) = value else { return None };
    let [Value::Int(first), Value::Int(last), Value::Array(primary), ..] = &parts[..] else {
        return None;
    };
    let [host, Value::Int(port), ..] = &primary[..] else { return None };
    // Nil or `?` where the server does not know: it is where it was asked.
    let host = text(host).filter(|host| !matches!(*host, "" | "?")).map(str::to_owned);
    Some(Range {
        first: u16::try_from(*first).ok()?,
        last: u16::try_from(*last).ok()?,
        primary: Address { host, port: u16::try_from(*port).ok()? },
    })
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::VerbatimString { text, .. } | Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    const INFO: &str = "cluster_state:ok\r\ncluster_slots_assigned:16384\r\n\
                        cluster_current_epoch:12\r\ncluster_my_epoch:2\r\n";

    #[test]
    fn reads_what_servers_say() {
        let node = |host: Value, port| {
            Value::Array(vec![host, Value::Int(port), bulk("id"), Value::Array(Vec::new())])
        };
        let range = |first, last, nodes: Vec<Value>| {
            Value::Array([vec![Value::Int(first), Value::Int(last)], nodes].concat())
        };
        let slots = Value::Array(vec![
            range(0, 5460, vec![node(bulk("127.0.0.1"), 7000), node(bulk("127.0.0.1"), 7003)]),
            range(5461, 5461, vec![node(Value::Nil, 7001)]),
        ]);
        let topology = Topology::read(&bulk(INFO), &slots).unwrap();
        assert_eq!(topology.state, State { ok: true, epoch: 12 });
        let known = Address { host: Some("127.0.0.1".to_owned()), port: 7000 };
        let here = Address { host: None, port: 7001 };
        let ranges = [(0, 5460, known), (5461, 5461, here)];
        let ranges = ranges.map(|(first, last, primary)| Range { first, last, primary });
        assert_eq!(topology.ranges, ranges);
    }

    #[test]
    fn what_makes_no_sense_is_nothing() {
        let none = Value::Array(Vec::new());
        for (info, slots) in [
            (bulk(INFO), Value::Nil),
            (bulk(INFO), Value::Array(vec![Value::Nil])),
            (bulk(INFO), Value::Array(vec![Value::Array(vec![Value::Int(0), Value::Int(1)])])),
            (bulk(INFO), Value::Array(vec![Value::Array(vec![Value::Int(-1); 3])])),
            (bulk("cluster_state:ok"), none.clone()),
            (Value::Nil, none),
        ] {
            assert_eq!(Topology::read(&info, &slots), None, "{info:?} {slots:?}");
        }
        let down = INFO.replace("state:ok", "state:fail");
        assert_eq!(State::read(&bulk(&down)), Some(State { ok: false, epoch: 12 }));
    }

    #[test]
    fn a_slot_under_way_is_in_brackets() {
        let line =
            |slots: &str| format!("a1 127.0.0.1:1@2 myself,master - 0 0 2 connected {slots}");
        let other = "b2 127.0.0.1:3@4 master - 0 0 1 connected 8192-16383\n";
        assert!(!is_moving(&bulk(&format!("{other}{}\n", line("0-8191")))));
        assert!(is_moving(&bulk(&format!("{other}{}\n", line("0-8191 [7->-b2]")))));
        assert!(is_moving(&bulk(&format!("{}\n{other}", line("0-8191 [9000-<-b2]")))));
        // What cannot be read may be anything.
        assert!(is_moving(&Value::Nil));
    }
}
