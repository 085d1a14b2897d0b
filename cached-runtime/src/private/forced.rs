//! `refresh` and `uncached` call the function itself, with a note in this thread that says how
//! the next call of it is meant. So the body stays where its author put it.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::function::Site;

/// How a call is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The body runs, nothing else.
    Uncached,
    /// The body runs and its value is stored, fenced.
    Refresh,
}

#[derive(Clone, Copy)]
struct Note {
    site: &'static Site,
    mode: Mode,
}

thread_local! {
    static NOTE: Cell<Option<Note>> = const { Cell::new(None) };
}

/// Takes the note meant for `site`, if there is one.
pub(super) fn take(site: &'static Site) -> Option<Mode> {
    let note = NOTE.get()?;
    if !std::ptr::eq(note.site, site) {
        return None;
    }
    NOTE.set(None);
    Some(note.mode)
}

/// A call with its note, which stands while the call is polled and has not taken it.
#[must_use = "a future does nothing unless it is awaited"]
pub struct Forced<F> {
    pending: Option<Note>,
    call: Pin<Box<F>>,
}

/// Calls a function of `site` in a mode.
pub fn force<F: Future>(site: &'static Site, mode: Mode, call: F) -> Forced<F> {
    Forced { pending: Some(Note { site, mode }), call: Box::pin(call) }
}

impl<F: Future> Future for Forced<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Some(note) = self.pending else { return self.call.as_mut().poll(context) };
        let outer = Restore(NOTE.replace(Some(note)));
        let polled = self.call.as_mut().poll(context);
        // Where the call has not come to its function yet, the note waits for the next poll.
        self.pending = NOTE.take();
        drop(outer);
        polled
    }
}

/// As [`force`], for a sync function.
pub fn force_sync<R>(site: &'static Site, mode: Mode, call: impl FnOnce() -> R) -> R {
    let _outer = Restore(NOTE.replace(Some(Note { site, mode })));
    call()
}

/// Puts back the note of an outer call, also when the inner one panics.
struct Restore(Option<Note>);

impl Drop for Restore {
    fn drop(&mut self) {
        NOTE.set(self.0);
    }
}
