//! The functions of a later version of the program, which runs beside the one before, as in each deploy:
//! their values have a field more, and they stand in the entries of those that they will replace.

use cached_runtime::{Error, Fetched, cache_result};
use serde::{Deserialize, Serialize};

use super::{Function, Yielded, source};
use crate::database::{Row, load};
use crate::history::Source;

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Later {
    row: Row,
    #[serde(default)]
    note: Option<u8>,
}

async fn load_later(row: u8) -> Later {
    Later { row: load(row).await, note: None }
}

#[cache_result(ttl = "200ms", name = "plain")]
async fn plain(row: u8) -> Later {
    load_later(row).await
}

#[cache_result(
    ttl = "40ms",
    stale_while_revalidate = "400ms",
    tags = ["row:{row}"],
    name = "stale_tagged"
)]
async fn stale_tagged(row: u8) -> Later {
    load_later(row).await
}

#[cache_result(ttl = 5, local, name = "near")]
async fn near(row: u8) -> Later {
    load_later(row).await
}

pub(super) async fn read(function: Function, row: u8) -> Yielded {
    let Fetched { value, source: from, .. } = match function {
        Function::LaterPlain => plain::fetch(row).await,
        Function::LaterStaleTagged => stale_tagged::fetch(row).await,
        // Half of the times as programs do, see `local`.
        Function::LaterNear if fastrand::bool() => {
            return Some((near(row).await.row, Source::Untold));
        }
        Function::LaterNear => near::fetch(row).await,
        other => unreachable!("{other:?} has no later version"),
    };
    Some((value.row, source(from)))
}

pub(super) async fn refresh(function: Function, row: u8) -> Row {
    let later = match function {
        Function::LaterPlain => plain::refresh(row).await,
        Function::LaterStaleTagged => stale_tagged::refresh(row).await,
        Function::LaterNear => near::refresh(row).await,
        other => unreachable!("{other:?} has no later version"),
    };
    later.row
}

pub(super) async fn invalidate(function: Function, row: u8) -> Result<(), Error> {
    match function {
        Function::LaterPlain => plain::invalidate(row).await,
        Function::LaterStaleTagged => stale_tagged::invalidate(row).await,
        Function::LaterNear => near::invalidate(row).await,
        other => unreachable!("{other:?} has no later version"),
    }
}
