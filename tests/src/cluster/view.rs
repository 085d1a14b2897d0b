//! What one node of a cluster says of all of them: the reply of `CLUSTER NODES`,
//! <https://redis.io/docs/latest/commands/cluster-nodes/>.

#[derive(Debug)]
pub(crate) struct View {
    nodes: Vec<Node>,
    /// The place of the node that was asked.
    own: usize,
}

#[derive(Debug)]
struct Node {
    about: About,
    epoch: u64,
}

/// What all nodes say alike, once word has gone round.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct About {
    id: String,
    address: String,
    /// `master` or `slave`, and `fail` or `fail?` where it is thought dead.
    flags: Vec<String>,
    /// The name of a replica's primary, `-` for a primary.
    primary: String,
    slots: Vec<(u16, u16)>,
}

impl View {
    pub(crate) fn parse(reply: &str) -> Self {
        let (mut nodes, mut own) = (Vec::new(), None);
        for (at, line) in reply.lines().enumerate() {
            let fields: Vec<&str> = line.split(' ').collect();
            let [id, address, flags, primary, _ping, _pong, epoch, _link, slots @ ..] = &fields[..]
            else {
                panic!("no node: {line}");
            };
            if flags.split(',').any(|flag| flag == "myself") {
                own = Some(at);
            }
            let flags = flags.split(',').filter(|flag| *flag != "myself");
            let about = About {
                id: (*id).to_owned(),
                address: (*address).to_owned(),
                flags: flags.map(str::to_owned).collect(),
                primary: (*primary).to_owned(),
                slots: slots.iter().filter_map(|slots| range(slots)).collect(),
            };
            nodes.push(Node { about, epoch: epoch.parse().expect("an epoch") });
        }
        Self { nodes, own: own.expect("the node that was asked") }
    }

    /// In the order of names, so that two views can be compared.
    pub(crate) fn common(&self) -> Vec<&About> {
        let mut common: Vec<&About> = self.nodes.iter().map(|node| &node.about).collect();
        common.sort();
        common
    }

    /// How many nodes it knows, itself included.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The node that was asked is a primary.
    pub(crate) fn is_primary(&self) -> bool {
        self.own().about.primary == "-"
    }

    /// The node that was asked is a replica of the one with this name.
    pub(crate) fn is_replica_of(&self, id: &str) -> bool {
        self.own().about.primary == id
    }

    /// The node that was asked is a primary and serves this slot.
    pub(crate) fn serves(&self, slot: u16) -> bool {
        let mut slots = self.own().about.slots.iter();
        self.is_primary() && slots.any(|(first, last)| (*first..=*last).contains(&slot))
    }

    /// The epoch since which the node that was asked serves what it serves.
    pub(crate) fn epoch(&self) -> u64 {
        self.own().epoch
    }

    /// The first of the slots that the node that was asked serves.
    pub(crate) fn first_slot(&self) -> Option<u16> {
        self.own().about.slots.first().map(|(first, _)| *first)
    }

    fn own(&self) -> &Node {
        &self.nodes[self.own]
    }
}

/// `7`, `0-5460`; a slot on its way to another node, `[7->-…]`, is none.
fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some((first.parse().ok()?, last.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIEW: &str = "\
        aa 127.0.0.1:1@11 myself,master - 0 7 3 connected 0-9 12 [12->-bb]\n\
        bb 127.0.0.1:2@12 master - 0 7 5 connected 20-29 [12-<-aa]\n\
        cc 127.0.0.1:3@13 slave,fail? aa 0 7 3 disconnected\n";

    #[test]
    fn tells_what_the_node_says_of_itself() {
        let view = View::parse(VIEW);
        assert!(view.is_primary() && view.serves(0) && view.serves(9) && view.serves(12));
        assert!(!view.serves(10) && !view.serves(20));
        assert_eq!((view.len(), view.epoch(), view.first_slot()), (3, 3, Some(0)));
    }

    #[test]
    fn two_nodes_agree_where_only_their_place_differs() {
        let view = View::parse(VIEW);
        let lines: Vec<&str> = VIEW.lines().rev().collect();
        let other = lines.join("\n").replace("myself,", "").replace("slave", "myself,slave");
        let replica = View::parse(&other);
        assert!(replica.is_replica_of("aa") && !replica.is_primary() && !replica.serves(0));
        assert!(view.common() == replica.common());
        let doubts = other.replace("fail?", "fail");
        assert!(view.common() != View::parse(&doubts).common());
    }
}
