//! Slots that move, all at once or half-way.
//!
//! In the steps of <https://redis.io/docs/latest/commands/cluster-setslot/>.

use redis::Value;

use super::{RedisCluster, ask, ask_text};
use crate::RedisServer;

impl RedisCluster {
    /// Moves a slot with its keys to another primary, as an operator's tools do,
    /// and waits until all nodes know.
    ///
    /// # Panics
    ///
    /// As [`end_migration`](Self::end_migration).
    pub fn migrate(&self, slot: u16, to: usize) {
        self.begin_migration(slot, to);
        self.move_keys(slot, to);
        self.end_migration(slot, to);
    }

    /// The first part of [`migrate`](Self::migrate): from here on the slot's
    /// owner answers `ASK` for keys of it that it has not.
    pub fn begin_migration(&self, slot: u16, to: usize) {
        let (from, slot) = (self.owner_of(slot), slot.to_string());
        assert_ne!(from, to, "it owns slot {slot} already");
        ask_text(&self.nodes[to], "setslot", &[&slot, "importing", &self.ids[from]]);
        ask_text(&self.nodes[from], "setslot", &[&slot, "migrating", &self.ids[to]]);
    }

    /// The second part: moves the keys that the slot's owner has, and says how
    /// many there were.
    ///
    /// # Panics
    ///
    /// When the other primary has one of them already: a client has made it there.
    pub fn move_keys(&self, slot: u16, to: usize) -> usize {
        self.move_by(slot, to, &[]).unwrap_or_else(|error| panic!("MIGRATE: {error}"))
    }

    /// [`move_keys`](Self::move_keys) that gives back the text of an error instead.
    ///
    /// # Errors
    ///
    /// `BUSYKEY …`, when the other primary has one of them already.
    pub fn try_move_keys(&self, slot: u16, to: usize) -> Result<usize, String> {
        self.move_by(slot, to, &[])
    }

    /// [`move_keys`](Self::move_keys) that overwrites what the other primary has.
    pub fn move_keys_over(&self, slot: u16, to: usize) -> usize {
        self.move_by(slot, to, &[b"REPLACE"]).unwrap_or_else(|error| panic!("MIGRATE: {error}"))
    }

    fn move_by(&self, slot: u16, to: usize, options: &[&[u8]]) -> Result<usize, String> {
        let from = &self.nodes[self.owner_of(slot)];
        let mut moved = 0;
        loop {
            let reply = ask(from, "getkeysinslot", &[&slot.to_string(), "100"]);
            let Ok(Value::Array(keys)) = reply else { panic!("no keys: {reply:?}") };
            let keys = keys.into_iter().map(|key| match key {
                Value::BulkString(key) => key,
                other => panic!("no key: {other:?}"),
            });
            let keys: Vec<Vec<u8>> = keys.collect();
            if keys.is_empty() {
                return Ok(moved);
            }
            moved += keys.len();
            self.send_keys(from, to, &keys, options)?;
        }
    }

    /// Moves one key of a slot that is being migrated. Nothing happens when its
    /// owner has no such key.
    pub fn move_key(&self, key: &str, to: usize) {
        self.send_keys(self.at(key), to, &[key.into()], &[])
            .unwrap_or_else(|error| panic!("MIGRATE: {error}"));
    }

    fn send_keys(
        &self,
        from: &RedisServer,
        to: usize,
        keys: &[Vec<u8>],
        options: &[&[u8]],
    ) -> Result<(), String> {
        let to = &self.nodes[to];
        let port = to.port().to_string();
        let mut args: Vec<&[u8]> =
            vec![b"MIGRATE", b"127.0.0.1", port.as_bytes(), b"", b"0", b"5000"];
        if let Some(password) = to.password() {
            args.extend([b"AUTH", password.as_bytes()]);
        }
        args.extend(options);
        args.push(b"KEYS");
        args.extend(keys.iter().map(Vec::as_slice));
        from.ask("migrate", &args).map(drop)
    }

    /// The last part: the slot is the other primary's, and all nodes know.
    ///
    /// # Panics
    ///
    /// When the owner has keys of it left, and when the nodes don't agree within
    /// 20 s.
    pub fn end_migration(&self, slot: u16, to: usize) {
        let (from, slot) = (self.owner_of(slot), slot.to_string());
        let left = ask_text(&self.nodes[from], "countkeysinslot", &[&slot]);
        assert_eq!(left, "0", "keys of slot {slot} that node {from} still has");
        let others = self.primaries().into_iter().filter(|at| ![from, to].contains(at));
        // The new owner first: else a client is sent there too early, and back.
        for at in [to, from].into_iter().chain(others) {
            ask_text(&self.nodes[at], "setslot", &[&slot, "node", &self.ids[to]]);
        }
        self.settle();
    }
}
