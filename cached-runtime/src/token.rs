//! Tokens and write ids: 16 bytes that no two sends share.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

/// A lease token or a write id.
pub(crate) type Token = [u8; 16];

/// A token that was never given out before.
///
/// Safety of the protocol rests on uniqueness (a token is used by one send), so it is made by
/// construction: 64 bits that the operating system seeded for this thread, and a counter that
/// starts at another 64 such bits. No system call, no lock.
pub(crate) fn fresh() -> Token {
    thread_local! {
        static STATE: (u64, Cell<u64>) = (os_seeded(1), Cell::new(os_seeded(2)));
    }
    STATE.with(|(high, low)| {
        let next = low.get().wrapping_add(1);
        low.set(next);
        let mut token = [0; 16];
        token[..8].copy_from_slice(&high.to_le_bytes());
        token[8..].copy_from_slice(&next.to_le_bytes());
        token
    })
}

/// `RandomState` takes its SipHash keys from the operating system's source of randomness.
fn os_seeded(salt: u64) -> u64 {
    RandomState::new().hash_one(salt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn tokens_of_several_threads_are_all_different() {
        let threads: Vec<_> = (0..8)
            .map(|_| std::thread::spawn(|| (0..10_000).map(|_| fresh()).collect::<Vec<_>>()))
            .collect();
        let all: HashSet<Token> =
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(all.len(), 80_000);
    }
}
