//! `refresh`, `uncached` and `fetch` call the function itself, with a note in this thread that
//! says how the next call of it is meant. So the body stays where its author put it.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use crate::fetched::{Fetched, Source};
use crate::function::Site;
use crate::loader::Origin;

/// How a call is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The body runs, nothing else.
    Uncached,
    /// The body runs and its value is stored, fenced.
    Refresh,
    /// As ever, and the call says where its value came from.
    Fetch,
}

/// A note that was taken by the call it is for.
pub(super) enum Taken {
    Uncached,
    Refresh,
    /// To be filled when the call is answered.
    Fetch(Slot),
}

/// Where a call says, once, how it was answered; nowhere, where nobody asks.
#[derive(Clone, Default)]
pub(crate) struct Slot(Option<Arc<OnceLock<Origin>>>);

impl Slot {
    /// Nobody asks.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    fn asked() -> Self {
        Self(Some(Arc::default()))
    }

    /// Whether anybody asks.
    pub(crate) fn is_asked(&self) -> bool {
        self.0.is_some()
    }

    /// The first to say it is believed.
    pub(crate) fn fill(&self, origin: Origin) {
        if let Some(slot) = &self.0 {
            let _ = slot.set(origin);
        }
    }

    /// A call that says nothing ran its body.
    fn fetched<R>(&self, value: R) -> Fetched<R> {
        let filled = self.0.as_ref().and_then(|slot| slot.get().copied());
        let Origin { source, age } = filled.unwrap_or(Origin { source: Source::Loaded, age: None });
        Fetched::new(value, source, age)
    }
}

#[derive(Clone, Copy)]
struct Note {
    site: &'static Site,
    mode: Mode,
}

thread_local! {
    static NOTE: Cell<Option<Note>> = const { Cell::new(None) };
    /// Beside the note of a `fetch`. On its own, so that a call that finds no note touches nothing
    /// that has a destructor.
    static SLOT: Cell<Option<Slot>> = const { Cell::new(None) };
}

/// Takes the note meant for `site`, if there is one.
pub(super) fn take(site: &'static Site) -> Option<Taken> {
    let note = NOTE.get()?;
    if !note.site.is_beside(site) {
        return None;
    }
    NOTE.set(None);
    Some(match note.mode {
        Mode::Uncached => Taken::Uncached,
        Mode::Refresh => Taken::Refresh,
        Mode::Fetch => Taken::Fetch(SLOT.try_with(Cell::take).ok().flatten().unwrap_or_default()),
    })
}

/// Whether there is a note for `site`.
#[inline]
pub(super) fn is_noted(site: &'static Site) -> bool {
    NOTE.get().is_some_and(|note| note.site.is_beside(site))
}

/// A call with its note, which stands while the call is polled and has not taken it.
#[must_use = "a future does nothing unless it is awaited"]
pub struct Forced<F> {
    pending: Option<Note>,
    slot: Option<Slot>,
    call: Pin<Box<F>>,
}

/// Calls a function of `site` in a mode.
pub fn force<F: Future>(site: &'static Site, mode: Mode, call: F) -> Forced<F> {
    Forced { pending: Some(Note { site, mode }), slot: None, call: Box::pin(call) }
}

/// Calls a function of `site`, and says where its value came from.
pub async fn fetch<F: Future>(site: &'static Site, call: F) -> Fetched<F::Output> {
    let slot = Slot::asked();
    let forced = Forced { slot: Some(slot.clone()), ..force(site, Mode::Fetch, call) };
    slot.fetched(forced.await)
}

impl<F: Future> Future for Forced<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Some(note) = self.pending else { return self.call.as_mut().poll(context) };
        let outer = Restore::of(note, self.slot.clone());
        let polled = self.call.as_mut().poll(context);
        // Where the call has not come to its function yet, the note waits for the next poll.
        self.pending = NOTE.take();
        drop(outer);
        polled
    }
}

/// As [`force`], for a sync function.
pub fn force_sync<R>(site: &'static Site, mode: Mode, call: impl FnOnce() -> R) -> R {
    let _outer = Restore::of(Note { site, mode }, None);
    call()
}

/// As [`fetch`], for a sync function.
pub fn fetch_sync<R>(site: &'static Site, call: impl FnOnce() -> R) -> Fetched<R> {
    let slot = Slot::asked();
    let _outer = Restore::of(Note { site, mode: Mode::Fetch }, Some(slot.clone()));
    slot.fetched(call())
}

/// Puts back the note of an outer call, also when the inner one panics.
struct Restore {
    note: Option<Note>,
    /// Where a slot was written over another or none.
    slot: Option<Option<Slot>>,
}

impl Restore {
    /// Writes a note.
    fn of(note: Note, slot: Option<Slot>) -> Self {
        // A note without a slot leaves an outer one's where it is: nobody looks at it meanwhile.
        let slot = slot.and_then(|slot| SLOT.try_with(|outer| outer.replace(Some(slot))).ok());
        Self { note: NOTE.replace(Some(note)), slot }
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        NOTE.set(self.note);
        if let Some(slot) = self.slot.take() {
            let _ = SLOT.try_with(|outer| outer.set(slot));
        }
    }
}
