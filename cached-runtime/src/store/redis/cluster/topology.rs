//! What a server of a cluster says of the cluster. Pure.

use redis::Value;

use super::super::fault::Address;
use super::super::line::text;

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
    /// Goes up with each failover, and with most changes of who has a slot: not where the new owner's
    /// own is the highest already.
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
    /// How well it is known: of two that are asked at a time, one may be cut off.
    pub(super) fn rank(&self) -> (u64, bool, usize) {
        (self.state.epoch, self.state.ok, self.covered())
    }

    /// How many slots have a primary.
    pub(super) fn covered(&self) -> usize {
        self.ranges
            .iter()
            .map(|range| usize::from(range.last.saturating_sub(range.first)) + 1)
            .sum()
    }

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

/// What a server says of itself, by its answer to `CLUSTER NODES`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::store::redis) struct Standing {
    pub(in crate::store::redis) is_primary: bool,
    /// The slots that it has, as it writes them.
    pub(in crate::store::redis) slots: Vec<String>,
    /// How many they are.
    pub(in crate::store::redis) count: usize,
    /// Some are on their way to or from another server: it writes them in brackets.
    pub(in crate::store::redis) moving: bool,
    /// Primaries without slots, of which one may be getting its first.
    pub(in crate::store::redis) spare: Vec<Address>,
}

impl Standing {
    pub(in crate::store::redis) fn read(nodes: &Value) -> Option<Self> {
        let mut standing = None;
        let mut spare = Vec::new();
        for line in text(nodes)?.lines() {
            let mut fields = line.split_ascii_whitespace();
            let (Some(_id), Some(address), Some(flags)) =
                (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let has = |flag: &str| flags.split(',').any(|it| it == flag);
            // Its primary, ping, pong, epoch, link.
            let slots: Vec<_> = fields.skip(5).collect();
            if has("myself") {
                standing = Some(Self::of(has("master"), &slots));
            } else if has("master") && slots.is_empty() && !(has("fail") || has("noaddr")) {
                spare.extend(address_of(address));
            }
        }
        Some(Self { spare, ..standing? })
    }

    fn of(is_primary: bool, slots: &[&str]) -> Self {
        let (moving, slots): (Vec<&str>, Vec<&str>) =
            slots.iter().partition(|slot| slot.starts_with('['));
        let count = slots.iter().map(|slots| {
            let (first, last) = slots.split_once('-').unwrap_or((slots, slots));
            let number = |text: &str| text.parse::<usize>().ok();
            number(first)
                .zip(number(last))
                .map_or(0, |(first, last)| last.saturating_sub(first) + 1)
        });
        let (count, moving) = (count.sum(), !moving.is_empty());
        let slots = slots.into_iter().map(str::to_owned).collect();
        Self { is_primary, slots, count, moving, spare: Vec::new() }
    }
}

/// `host:port@busport[,hostname]`
fn address_of(field: &str) -> Option<Address> {
    let (address, _) = field.split_once('@')?;
    let (host, port) = address.rsplit_once(':')?;
    let host = (!host.is_empty()).then(|| host.to_owned());
    Some(Address { host, port: port.parse().ok().filter(|port| *port != 0)? })
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
    fn a_server_says_where_it_stands() {
        let line =
            |slots: &str| format!("a1 127.0.0.1:1@2 myself,master - 0 0 2 connected {slots}\n");
        let others = "b2 127.0.0.1:3@4,b.local master - 0 0 1 connected 8192-16383\n\
                      c3 10.0.0.9:5@6 slave b2 0 0 1 connected\n\
                      d4 10.0.0.9:7@8 master - 0 0 0 connected\n\
                      e5 10.0.0.9:9@10 master,fail - 0 0 0 disconnected\n";
        let of = |slots: &str| Standing::read(&bulk(&format!("{others}{}", line(slots)))).unwrap();
        let spare = vec![Address { host: Some("10.0.0.9".to_owned()), port: 7 }];
        let slots = vec!["0-8190".to_owned(), "8191".to_owned()];
        let still = Standing { is_primary: true, slots, count: 8192, moving: false, spare };
        assert_eq!(of("0-8190 8191"), still);
        for under_way in ["[7->-b2]", "[9000-<-b2]"] {
            let standing = of(&format!("0-8190 8191 {under_way}"));
            assert_eq!(standing, Standing { moving: true, ..of("0-8190 8191") });
        }
        let none = of("");
        assert!(none.is_primary && none.slots.is_empty() && none.count == 0 && !none.moving);
        assert_eq!(Standing::read(&bulk(others)), None, "none of these is itself");
        assert_eq!(Standing::read(&Value::Nil), None);
    }
}
