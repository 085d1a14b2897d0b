//! One who waits in a flight.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::flights::Flights;
use super::leader::Leader;
use super::nesting::Wait;
use super::sync::oneshot;

/// Waits to be told; on any executor. Dropped, it leaves the flight, and if it was told to lead
/// already, the next in line leads instead.
pub(crate) struct Follower<B, O, M: Copy> {
    flights: Arc<Flights<B, O, M>>,
    key: u128,
    arrival: u64,
    ear: oneshot::Receiver<Told<B, O, M>>,
    told: bool,
    /// Where it waits inside of a leader's body.
    wait: Option<Wait>,
}

/// What a follower is told.
pub(crate) enum Told<B, O, M: Copy> {
    /// The round's outcome.
    Outcome(O),
    /// To lead from here on; the flight is open until it closes it.
    Lead(Leader<B, O, M>, Option<B>),
    /// To run by itself, now.
    Released,
    /// To join anew.
    Again,
}

impl<B, O, M: Copy> Follower<B, O, M> {
    pub(super) fn new(
        flights: Arc<Flights<B, O, M>>,
        key: u128,
        arrival: u64,
        ear: oneshot::Receiver<Told<B, O, M>>,
        wait: Option<Wait>,
    ) -> Self {
        Self { flights, key, arrival, ear, told: false, wait }
    }
}

impl<B, O, M: Copy> Future for Follower<B, O, M> {
    type Output = Told<B, O, M>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Told<B, O, M>> {
        Pin::new(&mut self.ear).poll(context).map(|told| {
            self.told = true;
            self.wait = None;
            // The leader goes without a word only where cloning the outcome panicked.
            told.unwrap_or(Told::Again)
        })
    }
}

impl<B, O, M: Copy> Drop for Follower<B, O, M> {
    fn drop(&mut self) {
        if self.told {
            return;
        }
        self.ear.close();
        match self.ear.try_recv() {
            Ok(Told::Lead(leader, baton)) => drop(leader.pass(baton)),
            Ok(_) => {}
            Err(_) => {
                let voice = self.flights.shard(self.key).leave(self.key, self.arrival);
                drop(voice);
            }
        }
    }
}
