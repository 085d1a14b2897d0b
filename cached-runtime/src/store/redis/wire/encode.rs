//! Commands as they stand on the wire: arrays of strings.

use crate::entry;
use crate::store::Asked;
use crate::store::redis::layout::{FullKey, Layout};
use crate::store::redis::scripts::SET_IF_ABSENT;
use crate::token::Token;

/// What of a lookup is the same each time.
pub(in crate::store::redis) struct Encoder {
    /// What follows the lease: `NX GET PX ms`.
    options: Box<[u8]>,
    /// Where the server does not know that: what stands before the key, and behind the lease.
    script: [Box<[u8]>; 2],
}

impl Encoder {
    pub(in crate::store::redis) fn new(lease_millis: u64) -> Self {
        let life = lease_millis.to_string();
        let strings = |strings: &[&str]| {
            let mut out = Vec::new();
            strings.iter().for_each(|it| string(&mut out, it.as_bytes()));
            out
        };
        let mut script = b"*6\r\n".to_vec();
        script.extend(strings(&["EVAL", SET_IF_ABSENT, "1"]));
        Self {
            options: strings(&["NX", "GET", "PX", &life]).into(),
            script: [script.into(), strings(&[&life]).into()],
        }
    }

    /// `SET key lease NX GET PX ms`, or a script that does the same, with `PTTL key` before it and `MGET tag…` behind it where that
    /// is asked.
    pub(super) fn lookup(
        &self,
        out: &mut Vec<u8>,
        layout: &Layout,
        fuses: bool,
        asked: Asked<'_>,
        token: &Token,
    ) {
        let entry = layout.entry(asked.key, !asked.tags.is_empty());
        if asked.age {
            out.extend_from_slice(b"*2\r\n$4\r\nPTTL\r\n");
            key(out, entry);
        }
        let [script, life] = &self.script;
        out.extend_from_slice(if fuses { b"*7\r\n$3\r\nSET\r\n" } else { script });
        key(out, entry);
        string(out, &entry::lease(token));
        out.extend_from_slice(if fuses { &self.options } else { life });
        if !asked.tags.is_empty() {
            header(out, b'*', asked.tags.len() + 1);
            out.extend_from_slice(b"$4\r\nMGET\r\n");
            for tag in asked.tags {
                key(out, layout.tag_of(asked.key, tag));
            }
        }
    }
}

fn key(out: &mut Vec<u8>, key: FullKey<'_>) {
    header(out, b'$', key.len());
    key.write(out);
    out.extend_from_slice(b"\r\n");
}

fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    header(out, b'$', bytes.len());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

fn header(out: &mut Vec<u8>, kind: u8, mut number: usize) {
    // Written from behind; a `usize` has twenty digits at most.
    let mut line = [0; 23];
    let mut at = line.len() - 2;
    line[at..].copy_from_slice(b"\r\n");
    loop {
        at -= 1;
        line[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    line[at - 1] = kind;
    out.extend_from_slice(&line[at - 1..]);
}
