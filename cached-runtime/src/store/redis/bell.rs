//! Wakes those who wait for what another process is loading: its commit and its release publish
//! on a channel of the entry (see `scripts`), and a channel is subscribed to while somebody here
//! waits for its entry.
//!
//! The bell is a help and no promise: messages can be lost with their connection, and a server
//! may refuse them. Who waits also looks by the clock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use super::RedisStore;
use super::gate::Gate;
use super::origin::Origin;
use crate::io;

mod actor;
#[cfg(test)]
mod tests;

impl RedisStore {
    /// Listens for the end of the lease of `key`. Resolves when the server has confirmed it:
    /// what ended before is not heard, so look once more then. `None` where it cannot be had
    /// within the lookup deadline.
    pub(crate) fn listen(
        &self,
        key: &str,
    ) -> impl Future<Output = Option<Listening>> + Send + use<> {
        let (store, channel) = (self.clone(), self.inner.layout.waiters(key).to_bytes());
        async move {
            let io = io::handle().ok()?;
            let mut listening = Listening::register(store, channel, io)?;
            if *listening.sound.borrow_and_update() == Sound::Heard {
                return Some(listening);
            }
            let deadline = listening.store.inner.lookup_deadline;
            // The caller's thread may have no timers. A caller that goes away leaves a task that
            // ends by the deadline, and with it the listening.
            let confirmed = io
                .spawn(async move { io::timeout(deadline, listening.confirmed()).await.flatten() });
            confirmed.await.ok().flatten()
        }
    }
}

/// Somebody listens, until this is dropped.
pub(crate) struct Listening {
    store: RedisStore,
    desk: Arc<Desk>,
    channel: Vec<u8>,
    sound: watch::Receiver<Sound>,
}

impl Listening {
    /// Resolves when the bell rang since the last time: a lease on the entry ended, or messages
    /// may have been lost, with a connection that broke and again when there is a new one.
    pub(crate) async fn rung(&mut self) {
        // The sender stays as long as anybody listens.
        let _ = self.sound.changed().await;
    }

    /// `None` where the connection is known to be down.
    fn register(store: RedisStore, channel: Vec<u8>, io: &Handle) -> Option<Self> {
        let desk = store.inner.endpoint.bell.desk.load_full();
        let mut state = desk.state();
        if state.resting {
            state.asked = true;
            return None;
        }
        if state.actor.is_none() {
            state.actor = Some(io.spawn(actor::keep(Arc::clone(&desk))).abort_handle());
        }
        let known = state.channels.entry(channel.clone()).or_default();
        if known.listeners == 0 && known.stage == Stage::Off {
            // What those before were told is no answer to this one.
            known.sound.send_replace(Sound::Unknown);
        }
        known.listeners += 1;
        let sound = known.sound.subscribe();
        if known.listeners == 1 {
            state.news.push(channel.clone());
            desk.news.notify_one();
        }
        drop(state);
        Some(Self { store, desk, channel, sound })
    }

    async fn confirmed(mut self) -> Option<Self> {
        let settled = self.sound.wait_for(|sound| *sound != Sound::Unknown).await;
        let heard = settled.is_ok_and(|sound| *sound == Sound::Heard);
        heard.then_some(self)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut state = self.desk.state();
        let Some(known) = state.channels.get_mut(&self.channel) else { return };
        known.listeners -= 1;
        if known.listeners == 0 {
            state.news.push(std::mem::take(&mut self.channel));
            self.desk.news.notify_one();
        }
    }
}

/// The bell of one endpoint, and the actor that hears it, which starts when somebody listens.
pub(super) struct Bell {
    desk: ArcSwap<Desk>,
}

/// What listeners and the actor share.
struct Desk {
    origin: Origin,
    gate: Arc<Gate>,
    state: Mutex<State>,
    /// Something changed that the actor should see to.
    news: Notify,
}

#[derive(Default)]
struct State {
    channels: HashMap<Vec<u8>, Channel>,
    /// Channels that got their first listener, or lost their last.
    news: Vec<Vec<u8>>,
    actor: Option<AbortHandle>,
    /// There is no connection, and none is being made for a moment: who asks is told so at once.
    resting: bool,
    /// Somebody asked meanwhile.
    asked: bool,
}

/// A channel that somebody listens to, or that is not left yet.
#[derive(Default)]
struct Channel {
    listeners: usize,
    stage: Stage,
    /// Each change, and each sending of the same, rings.
    sound: watch::Sender<Sound>,
}

/// What the server was told of a channel. One command at a time is under way.
#[derive(Default, Clone, Copy, PartialEq)]
enum Stage {
    #[default]
    Off,
    Subscribing,
    On,
    Unsubscribing,
}

/// What listeners know.
#[derive(Default, Debug, Clone, Copy, PartialEq)]
enum Sound {
    #[default]
    Unknown,
    /// The server confirmed it.
    Heard,
    /// It cannot be had.
    Mute,
}

impl Bell {
    pub(super) fn new(origin: Origin, gate: Arc<Gate>) -> Self {
        Self { desk: ArcSwap::from_pointee(Desk::new(origin, gate)) }
    }

    /// In a child process, where nobody hears it yet.
    pub(super) fn in_child(&self, origin: Origin, gate: Arc<Gate>) {
        self.desk.store(Arc::new(Desk::new(origin, gate)));
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        if let Some(actor) = self.desk.load().state().actor.take() {
            actor.abort();
        }
    }
}

impl Desk {
    fn new(origin: Origin, gate: Arc<Gate>) -> Self {
        Self { origin, gate, state: Mutex::default(), news: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
