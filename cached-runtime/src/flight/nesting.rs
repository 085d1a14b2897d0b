//! Which flights a task leads, and who waits for whom, so that a caller that could never be told
//! runs by itself instead of waiting.
//!
//! A body that calls what its own task is loading already would wait for itself; two bodies that
//! call what the other one loads would wait for each other. The first is seen on the stack of
//! what this task leads. The second is seen in the edges "who leads this waits for that", which
//! exist only while a call inside of a body waits.
//!
//! A body that spawns a task and waits for it hides what that task waits for; a cycle through
//! such a task is not seen.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::sync::{LEADING, MutexGuard, WAITS};

/// Runs `body` as what the flight of `key` is led for.
pub(crate) fn within<F: Future>(key: u128, body: F) -> Within<F> {
    Within { key, body }
}

/// Runs `body` as what the flights of all `keys` are led for.
pub(crate) fn within_all<F: Future>(keys: Vec<u128>, body: F) -> WithinAll<F> {
    WithinAll { keys, body }
}

pin_project! {
    /// See [`within_all`].
    pub(crate) struct WithinAll<F> {
        keys: Vec<u128>,
        #[pin]
        body: F,
    }
}

impl<F: Future> Future for WithinAll<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _inside = enter_all(this.keys);
        this.body.poll(context)
    }
}

pin_project! {
    /// See [`within`].
    pub(crate) struct Within<F> {
        key: u128,
        #[pin]
        body: F,
    }
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _inside = enter(*this.key);
        this.body.poll(context)
    }
}

/// This thread is inside of a body of the flight of `key` until the guard is dropped: for bodies
/// that are no futures.
pub(crate) fn enter(key: u128) -> Inside {
    enter_all(&[key])
}

fn enter_all(keys: &[u128]) -> Inside {
    let depth = LEADING.try_with(|leading| {
        let mut leading = leading.borrow_mut();
        leading.extend_from_slice(keys);
        leading.len() - keys.len()
    });
    // A thread that ends keeps nothing any more.
    Inside { depth: depth.unwrap_or_default(), thread: PhantomData }
}

/// See [`enter`].
pub(crate) struct Inside {
    depth: usize,
    /// What it undoes is this thread's.
    thread: PhantomData<*const ()>,
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = LEADING.try_with(|leading| leading.borrow_mut().truncate(self.depth));
    }
}

/// Whether this is run inside of a leader's body, or may be.
pub(crate) fn inside() -> bool {
    LEADING.try_with(|leading| !leading.borrow().is_empty()).unwrap_or(true)
}

/// Whether this is run inside of a body of the flight of `key`.
pub(super) fn leads(key: u128) -> bool {
    LEADING.try_with(|leading| leading.borrow().contains(&key)).unwrap_or_default()
}

/// All flights that this task leads wait for another flight, until this is dropped.
pub(super) struct Wait {
    held: Vec<u128>,
    awaited: u128,
}

impl Wait {
    /// `None` where that would close a cycle.
    pub(super) fn register(awaited: u128) -> Option<Self> {
        let held = LEADING.try_with(|leading| leading.borrow().clone()).unwrap_or_default();
        // Looked at and added under one lock: of two that would close a cycle together, the
        // second sees the first.
        let added = waits().add(&held, awaited);
        added.then(|| Self { held, awaited })
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        waits().remove(&self.held, self.awaited);
    }
}

fn waits() -> MutexGuard<'static, Waits> {
    WAITS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For each flight whose leader waits inside of its body, the flights that it waits for.
pub(super) struct Waits {
    edges: HashMap<u128, Vec<u128>, BuildHasherDefault<DefaultHasher>>,
}

impl Waits {
    pub(super) const fn new() -> Self {
        Self { edges: HashMap::with_hasher(BuildHasherDefault::new()) }
    }

    /// Adds that all of `held` wait for `awaited`, unless that one waits for one of them.
    pub(super) fn add(&mut self, held: &[u128], awaited: u128) -> bool {
        if self.reaches(awaited, held) {
            return false;
        }
        for held in held {
            self.edges.entry(*held).or_default().push(awaited);
        }
        true
    }

    fn reaches(&self, from: u128, held: &[u128]) -> bool {
        let mut seen = vec![from];
        let mut at = 0;
        while let Some(key) = seen.get(at) {
            if held.contains(key) {
                return true;
            }
            for next in self.edges.get(key).into_iter().flatten() {
                if !seen.contains(next) {
                    seen.push(*next);
                }
            }
            at += 1;
        }
        false
    }

    pub(super) fn remove(&mut self, held: &[u128], awaited: u128) {
        for held in held {
            if let Some(all) = self.edges.get_mut(held) {
                if let Some(at) = all.iter().position(|one| *one == awaited) {
                    all.swap_remove(at);
                }
                if all.is_empty() {
                    self.edges.remove(held);
                }
            }
        }
        if self.edges.is_empty() {
            self.edges.shrink_to_fit();
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.edges.len()
    }
}
