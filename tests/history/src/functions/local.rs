//! The cached functions that keep values in the process's memory: every form of that. Their ttls
//! are long beside the coherence bound, so that what is not heard of is served, and seen.

use std::sync::Arc;

use cached_runtime::{Fetched, cache_result, global};

use super::{Failure, Function, Invalidated, Yielded, infallible, later, off_the_runtime, source};
use crate::clock;
use crate::database::{Row, load, load_blocking, write};
use crate::history::{Covers, Source};

#[cache_result(ttl = 5, local, name = "near")]
async fn near(row: u8) -> Row {
    load(row).await
}

#[cache_result(ttl = 5, local = "50ms")]
async fn briefly(row: u8) -> Row {
    load(row).await
}

#[cache_result(ttl = 5, local, tags = ["near:{row}"])]
async fn near_tagged(row: u8) -> Row {
    load(row).await
}

#[cache_result(ttl = "300ms", stale_while_revalidate = 5, local)]
async fn near_stale(row: u8) -> Row {
    load(row).await
}

#[cache_result(ttl = 5, local)]
async fn by_reference(row: u8) -> Arc<Row> {
    Arc::new(load(row).await)
}

#[cache_result(ttl = 5, local, tags = ["near:{row}"])]
async fn near_fallible(row: u8) -> Result<Option<Row>, Failure> {
    super::load_or_fail(row).await.map(Some)
}

#[cache_result(ttl = 5, local, tags = ["near:{row}"])]
fn near_blocking(row: u8) -> Row {
    load_blocking(row)
}

/// Those whose entries carry the tag `near:{row}`.
const TAGGED: [Function; 3] =
    [Function::NearTagged, Function::NearFallible, Function::NearBlocking];

/// Calls a function: half of the times as programs do. Then nobody tells where the value came from,
/// and it may have been this thread's own part of the memory, of which `fetch` makes no use.
pub(super) async fn read(function: Function, row: u8) -> Yielded {
    if function.is_later() {
        return later::read(function, row).await;
    }
    if fastrand::bool() {
        let row = call(function, row).await?;
        return Some((row, Source::Untold));
    }
    match function {
        Function::Near => infallible(near::fetch(row).await),
        Function::Briefly => infallible(briefly::fetch(row).await),
        Function::NearTagged => infallible(near_tagged::fetch(row).await),
        Function::NearStale => infallible(near_stale::fetch(row).await),
        Function::ByReference => {
            let Fetched { value, source: from, .. } = by_reference::fetch(row).await;
            Some((*value, source(from)))
        }
        Function::NearFallible => {
            let Fetched { value, source: from, .. } = near_fallible::fetch(row).await;
            Some((value.ok()??, source(from)))
        }
        Function::NearBlocking => {
            infallible(off_the_runtime(move || near_blocking::fetch(row)).await)
        }
        other => unreachable!("{other:?} keeps nothing in memory"),
    }
}

async fn call(function: Function, row: u8) -> Option<Row> {
    Some(match function {
        Function::Near => near(row).await,
        Function::Briefly => briefly(row).await,
        Function::NearTagged => near_tagged(row).await,
        Function::NearStale => near_stale(row).await,
        Function::ByReference => *by_reference(row).await,
        Function::NearFallible => near_fallible(row).await.ok()??,
        Function::NearBlocking => off_the_runtime(move || near_blocking(row)).await,
        other => unreachable!("{other:?} keeps nothing in memory"),
    })
}

/// Runs a function's body, and stores its value.
pub(super) async fn refresh(function: Function, row: u8) -> Yielded {
    let row = match function {
        later if later.is_later() => later::refresh(later, row).await,
        Function::Near => near::refresh(row).await,
        Function::Briefly => briefly::refresh(row).await,
        Function::NearTagged => near_tagged::refresh(row).await,
        Function::NearStale => near_stale::refresh(row).await,
        Function::ByReference => *by_reference::refresh(row).await,
        Function::NearFallible => near_fallible::refresh(row).await.ok()??,
        Function::NearBlocking => off_the_runtime(move || near_blocking::refresh(row)).await,
        other => unreachable!("{other:?} keeps nothing in memory"),
    };
    Some((row, Source::Refresh))
}

/// Writes the row, then invalidates what a function made of it: by one of the ways there are.
pub(super) async fn change(function: Function, row: u8) -> Invalidated {
    let version = write(row).await;
    let called = clock::now();
    if TAGGED.contains(&function) && fastrand::bool() {
        let ok = global().invalidate_tag(format!("near:{row}")).await.is_ok();
        return Invalidated { called, ok, covers: Covers::of(&TAGGED, Some(row)), version };
    }
    // Seldom: it empties the process's whole memory.
    let all = function == Function::Near && fastrand::u8(..8) == 0;
    let done = match function {
        Function::Near if all => near::invalidate_all().await.map(drop),
        later if later.is_later() => later::invalidate(later, row).await,
        Function::Near => near::invalidate(row).await,
        Function::Briefly => briefly::invalidate(row).await,
        Function::NearTagged => near_tagged::invalidate(row).await,
        Function::NearStale => near_stale::invalidate(row).await,
        Function::ByReference => by_reference::invalidate(row).await,
        Function::NearFallible => near_fallible::invalidate(row).await,
        Function::NearBlocking => off_the_runtime(move || near_blocking::invalidate(row)).await,
        other => unreachable!("{other:?} keeps nothing in memory"),
    };
    let covers = Covers::of(&function.versions(), (!all).then_some(row));
    Invalidated { called, ok: done.is_ok(), covers, version }
}
