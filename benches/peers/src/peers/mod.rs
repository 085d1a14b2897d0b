//! The peers, each set up as its documentation recommends, behind one trait.

pub(crate) mod cached;
pub(crate) mod cachekit;
pub(crate) mod hand;
pub(crate) mod hitbox;
pub(crate) mod ours;

use std::borrow::Borrow;

use crate::user::User;

/// A way to come by a user. Each task has a clone of it.
pub(crate) trait Way: Clone + Send + Sync + 'static {
    type Found: Borrow<User> + Send;

    fn find(&mut self, id: u64) -> impl Future<Output = Self::Found> + Send;
}
