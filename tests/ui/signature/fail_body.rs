// A mistake in a body is reported as in the same function without the attribute, and once.

use cached_runtime::{cache_invalidate, cache_result};

mod without {
    pub async fn mismatch(id: u64) -> String {
        id
    }

    pub fn mismatch_sync(id: u64) -> String {
        id
    }

    pub async fn unknown_name(id: u64) -> u64 {
        idd
    }

    pub async fn no_error_from(text: String) -> Result<u64, std::fmt::Error> {
        Ok(text.parse::<u64>()?)
    }

    pub async fn moved(text: String) -> usize {
        drop(text);
        text.len()
    }

    pub async fn early(id: u64) -> Option<u64> {
        if id == 0 {
            return 0;
        }
        Some(id)
    }

    pub async fn forgotten(id: u64) -> u64 {
        id + 1;
    }
}

mod with {
    use super::*;

    #[cache_result(ttl = 60)]
    pub async fn mismatch(id: u64) -> String {
        id
    }

    #[cache_result(ttl = 60)]
    pub fn mismatch_sync(id: u64) -> String {
        id
    }

    #[cache_result(ttl = 60)]
    pub async fn unknown_name(id: u64) -> u64 {
        idd
    }

    #[cache_result(ttl = 60)]
    pub async fn no_error_from(text: String) -> Result<u64, std::fmt::Error> {
        Ok(text.parse::<u64>()?)
    }

    #[cache_result(ttl = 60)]
    pub async fn moved(text: String) -> usize {
        drop(text);
        text.len()
    }

    #[cache_result(ttl = 60)]
    pub async fn early(id: u64) -> Option<u64> {
        if id == 0 {
            return 0;
        }
        Some(id)
    }

    #[cache_result(ttl = 60)]
    pub async fn forgotten(id: u64) -> u64 {
        id + 1;
    }

    #[cache_invalidate(forgotten(id))]
    pub async fn mismatch_of_a_writer(id: u64) -> String {
        id
    }
}

fn main() {}
