//! The cached functions: every form in which a value is kept, grows old, and is loaded anew. The
//! ttls are short, so that expiry, staleness and refreshing happen all the time.

use cached_runtime::{Error, Fetched, cache_invalidate, cache_result, global};

use crate::database::{Row, load, load_blocking, write};
use crate::history::{Covers, Source};
use crate::{clock, database};

mod later;
mod local;

/// What is read and invalidated, the control included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Function {
    Plain,
    Tagged,
    Stale,
    StaleTagged,
    StaleBorrowed,
    OnError,
    Ahead,
    Early,
    Impatient,
    InProcess,
    Alone,
    Whole,
    Swept,
    Blocking,
    Near,
    Briefly,
    NearTagged,
    NearStale,
    ByReference,
    NearFallible,
    NearBlocking,
    LaterPlain,
    LaterStaleTagged,
    LaterNear,
    Naive,
}

impl Function {
    pub(crate) const ALL: [Self; 25] = [
        Self::Plain,
        Self::Tagged,
        Self::Stale,
        Self::StaleTagged,
        Self::StaleBorrowed,
        Self::OnError,
        Self::Ahead,
        Self::Early,
        Self::Impatient,
        Self::InProcess,
        Self::Alone,
        Self::Whole,
        Self::Swept,
        Self::Blocking,
        Self::Near,
        Self::Briefly,
        Self::NearTagged,
        Self::NearStale,
        Self::ByReference,
        Self::NearFallible,
        Self::NearBlocking,
        Self::LaterPlain,
        Self::LaterStaleTagged,
        Self::LaterNear,
        Self::Naive,
    ];

    /// What a run calls: the functions whose values are in the store alone, or those that keep
    /// them in memory as well; and the control.
    pub(crate) fn called(local: bool) -> Vec<Self> {
        let called = |function: &Self| *function == Self::Naive || function.is_local() == local;
        Self::ALL.into_iter().filter(called).collect()
    }

    fn is_local(self) -> bool {
        matches!(
            self,
            Self::Near
                | Self::Briefly
                | Self::NearTagged
                | Self::NearStale
                | Self::ByReference
                | Self::NearFallible
                | Self::NearBlocking
                | Self::LaterNear
        )
    }

    /// A function of a later version of the program, and the one whose entries it shares.
    const VERSIONS: [[Self; 2]; 3] = [
        [Self::LaterPlain, Self::Plain],
        [Self::LaterStaleTagged, Self::StaleTagged],
        [Self::LaterNear, Self::Near],
    ];

    fn is_later(self) -> bool {
        Self::VERSIONS.iter().any(|[later, _]| *later == self)
    }

    /// All whose entries it shares.
    fn versions(self) -> Vec<Self> {
        let pair = Self::VERSIONS.iter().find(|pair| pair.contains(&self));
        pair.map_or(vec![self], |pair| pair.to_vec())
    }

    /// Those whose entries carry the tag `row:{row}`.
    const TAGGED: [Self; 5] =
        [Self::Tagged, Self::StaleTagged, Self::LaterStaleTagged, Self::Impatient, Self::Blocking];
}

/// Why a body failed.
#[derive(Debug, Clone)]
pub(crate) struct Failure;

impl From<Error> for Failure {
    fn from(_: Error) -> Self {
        Self
    }
}

/// A body that fails now and then, before or after it has read.
async fn load_or_fail(row: u8) -> Result<Row, Failure> {
    if fastrand::u8(..) < 50 {
        return Err(Failure);
    }
    let row = load(row).await;
    if fastrand::u8(..) < 50 { Err(Failure) } else { Ok(row) }
}

#[cache_result(ttl = "200ms", name = "plain")]
async fn plain(row: u8) -> Row {
    load(row).await
}

#[cache_result(ttl = "500ms", tags = ["row:{row}"])]
async fn tagged(row: u8) -> Row {
    load(row).await
}

#[cache_result(ttl = "40ms", stale_while_revalidate = "400ms")]
async fn stale(row: u8) -> Row {
    load(row).await
}

#[cache_result(
    ttl = "40ms",
    stale_while_revalidate = "400ms",
    tags = ["row:{row}"],
    name = "stale_tagged"
)]
async fn stale_tagged(row: u8) -> Row {
    load(row).await
}

/// Its body cannot go on without its caller, so one caller refreshes in its own time.
#[cache_result(ttl = "40ms", stale_while_revalidate = "400ms")]
async fn stale_borrowed(row: &u8) -> Row {
    load(*row).await
}

#[cache_result(ttl = "50ms", stale_if_error = "500ms")]
async fn on_error(row: u8) -> Result<Row, Failure> {
    load_or_fail(row).await
}

#[cache_result(ttl = "100ms", refresh_ahead = 0.3)]
async fn ahead(row: u8) -> Row {
    load(row).await
}

#[cache_result(ttl = "100ms", early_refresh = 2.0, jitter = 0.3)]
async fn early(row: u8) -> Row {
    load(row).await
}

#[cache_result(
    ttl = "30ms",
    stale_if_error = "400ms",
    soft_timeout = "4ms",
    load_timeout = "25ms",
    tags = ["row:{row}"]
)]
async fn impatient(row: u8) -> Result<Row, Failure> {
    load_or_fail(row).await
}

#[cache_result(ttl = "100ms", single_flight = "process")]
async fn in_process(row: u8) -> Row {
    load(row).await
}

#[cache_result(ttl = "100ms", single_flight = "off")]
async fn alone(row: u8) -> Row {
    load(row).await
}

#[cache_result(ttl = "300ms", invalidate_all)]
async fn whole(row: u8) -> Row {
    load(row).await
}

#[cache_result(ttl = "20ms")]
async fn swept(row: u8) -> Row {
    load(row).await
}

#[cache_result(ttl = "100ms", stale_while_revalidate = "200ms", tags = ["row:{row}"])]
fn blocking(row: u8) -> Row {
    load_blocking(row)
}

/// Writes, and tells when the body ended: that is where the promise counts from.
#[cache_invalidate(plain(row), stale(row), in_process(row))]
async fn write_and_invalidate(row: u8) -> (u64, u64) {
    let version = write(row).await;
    (version, clock::now())
}

/// What a call yielded: nothing where the body failed.
pub(crate) type Yielded = Option<(Row, Source)>;

/// Calls a function.
pub(crate) async fn read(function: Function, row: u8) -> Yielded {
    match function {
        later if later.is_later() => later::read(later, row).await,
        Function::Plain => infallible(plain::fetch(row).await),
        Function::Tagged => infallible(tagged::fetch(row).await),
        Function::Stale => infallible(stale::fetch(row).await),
        Function::StaleTagged => infallible(stale_tagged::fetch(row).await),
        Function::StaleBorrowed => infallible(stale_borrowed::fetch(&row).await),
        Function::OnError => fallible(on_error::fetch(row).await),
        Function::Ahead => infallible(ahead::fetch(row).await),
        Function::Early => infallible(early::fetch(row).await),
        Function::Impatient => fallible(impatient::fetch(row).await),
        Function::InProcess => infallible(in_process::fetch(row).await),
        Function::Alone => infallible(alone::fetch(row).await),
        Function::Whole => infallible(whole::fetch(row).await),
        Function::Swept => infallible(swept::fetch(row).await),
        Function::Blocking => infallible(off_the_runtime(move || blocking::fetch(row)).await),
        Function::Naive => unreachable!("the control is read by itself"),
        local => local::read(local, row).await,
    }
}

/// Runs a function's body, and stores its value.
pub(crate) async fn refresh(function: Function, row: u8) -> Yielded {
    let row = match function {
        later if later.is_later() => later::refresh(later, row).await,
        Function::Plain => plain::refresh(row).await,
        Function::Tagged => tagged::refresh(row).await,
        Function::Stale => stale::refresh(row).await,
        Function::StaleTagged => stale_tagged::refresh(row).await,
        Function::StaleBorrowed => stale_borrowed::refresh(&row).await,
        Function::OnError => on_error::refresh(row).await.ok()?,
        Function::Ahead => ahead::refresh(row).await,
        Function::Early => early::refresh(row).await,
        Function::Impatient => impatient::refresh(row).await.ok()?,
        Function::InProcess => in_process::refresh(row).await,
        Function::Alone => alone::refresh(row).await,
        Function::Whole => whole::refresh(row).await,
        Function::Swept => swept::refresh(row).await,
        Function::Blocking => off_the_runtime(move || blocking::refresh(row)).await,
        Function::Naive => unreachable!("the control has no such verb"),
        local => return local::refresh(local, row).await,
    };
    Some((row, Source::Refresh))
}

/// An invalidation as it went: when it was called, whether it is known to have been carried out,
/// and what it covers.
pub(crate) struct Invalidated {
    pub(crate) called: u64,
    pub(crate) ok: bool,
    pub(crate) covers: Covers,
    pub(crate) version: u64,
}

/// Writes the row, then invalidates what a function made of it: by one of the ways there are.
pub(crate) async fn change(function: Function, row: u8) -> Invalidated {
    if function.is_local() {
        return local::change(function, row).await;
    }
    let by_attribute =
        [Function::Plain, Function::LaterPlain, Function::Stale, Function::InProcess];
    if by_attribute.contains(&function) && fastrand::bool() {
        return change_by_attribute(row, &by_attribute).await;
    }
    let version = database::write(row).await;
    let called = clock::now();
    if Function::TAGGED.contains(&function) && fastrand::bool() {
        let ok = global().invalidate_tag(format!("row:{row}")).await.is_ok();
        let covers = Covers::of(&Function::TAGGED, Some(row));
        return Invalidated { called, ok, covers, version };
    }
    let all = matches!(function, Function::Whole | Function::Swept) && fastrand::bool();
    let done = match function {
        Function::Whole if all => whole::invalidate_all().await.map(drop),
        Function::Swept if all => swept::invalidate_all().await.map(drop),
        later if later.is_later() => later::invalidate(later, row).await,
        Function::Plain => plain::invalidate(row).await,
        Function::Tagged => tagged::invalidate(row).await,
        Function::Stale => stale::invalidate(row).await,
        Function::StaleTagged => stale_tagged::invalidate(row).await,
        Function::StaleBorrowed => stale_borrowed::invalidate(&row).await,
        Function::OnError => on_error::invalidate(row).await,
        Function::Ahead => ahead::invalidate(row).await,
        Function::Early => early::invalidate(row).await,
        Function::Impatient => impatient::invalidate(row).await,
        Function::InProcess => in_process::invalidate(row).await,
        Function::Alone => alone::invalidate(row).await,
        Function::Whole => whole::invalidate(row).await,
        Function::Swept => swept::invalidate(row).await,
        Function::Blocking => off_the_runtime(move || blocking::invalidate(row)).await,
        other => unreachable!("{other:?} is invalidated elsewhere"),
    };
    let covers = Covers::of(&function.versions(), (!all).then_some(row));
    Invalidated { called, ok: done.is_ok(), covers, version }
}

/// The attribute returns the writer's own result, and counts what it could not invalidate. Where
/// any error was counted meanwhile, it may have been that.
async fn change_by_attribute(row: u8, covered: &[Function]) -> Invalidated {
    let faults = || {
        let all = [plain::stats(), stale::stats(), in_process::stats()];
        all.iter().flat_map(|stats| stats.errors.values()).sum::<u64>()
    };
    let before = faults();
    let (version, called) = write_and_invalidate(row).await;
    let ok = faults() == before;
    Invalidated { called, ok, covers: Covers::of(covered, Some(row)), version }
}

fn infallible(fetched: Fetched<Row>) -> Yielded {
    Some((fetched.value, source(fetched.source)))
}

fn fallible(fetched: Fetched<Result<Row, Failure>>) -> Yielded {
    Some((fetched.value.ok()?, source(fetched.source)))
}

fn source(source: cached_runtime::Source) -> Source {
    match source {
        cached_runtime::Source::Loaded => Source::Loaded,
        cached_runtime::Source::Shared => Source::Shared,
        cached_runtime::Source::Local => Source::Local,
        cached_runtime::Source::Store => Source::Store,
        cached_runtime::Source::Stale => Source::Stale,
        cached_runtime::Source::Bypass => Source::Bypass,
        other => panic!("{other:?} is new"),
    }
}

async fn off_the_runtime<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(call).await.expect("a call that does not panic")
}
