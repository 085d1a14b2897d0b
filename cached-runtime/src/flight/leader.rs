//! The one at work in a flight, and the ways it ends a round.

use std::sync::Arc;

use super::flights::{Flights, Map, Voice};
use super::follower::Told;
use super::sync::MutexGuard;

/// Leads a flight. Dropped without another ending (its future was dropped, it panicked), it ends
/// like [`again`](Self::again).
///
/// A flight may be [taken](Flights::take_from_stalled) from a leader that is not polled. Nobody waits
/// for it then, and it goes on as one that is alone.
pub(crate) struct Leader<B, O, M: Copy> {
    flights: Arc<Flights<B, O, M>>,
    key: u128,
    serial: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its flight is in the map.
    Leading,
    /// Nobody joins its flight any more; those who waited then still do.
    Sealed,
    /// Its flight is over or another's: nothing is left to see to.
    Done,
}

impl<B, O, M: Copy> Leader<B, O, M> {
    pub(super) fn new(flights: Arc<Flights<B, O, M>>, key: u128, serial: u64) -> Self {
        Self { flights, key, serial, state: State::Leading }
    }

    fn map(&self) -> MutexGuard<'_, Map<B, O, M>> {
        self.flights.shard(self.key)
    }

    /// It is known by this mark from here on.
    pub(crate) fn mark(&self, mark: M) {
        if self.state != State::Done {
            self.map().mark(self.key, self.serial, mark);
        }
    }

    /// The call that is being polled leads from here on.
    pub(crate) fn led_here(&self) {
        if self.state != State::Done {
            self.map().led_here(self.key, self.serial);
        }
    }

    /// Whoever waits for the next round joins this one, and so does who arrives until
    /// [`close`](Self::close).
    pub(crate) fn open(&self) {
        if self.state == State::Leading {
            self.map().open(self.key, self.serial);
        }
    }

    /// Ends the flight where nobody waits, as is the rule; else it is given back.
    pub(crate) fn alone(mut self) -> Option<Self> {
        if self.state == State::Leading && self.map().end_if_alone(self.key, self.serial) {
            self.state = State::Done;
            return None;
        }
        Some(self)
    }

    /// As [`open`](Self::open), where what the flight is led for begins now. Whoever waits already
    /// came before it, and is told its outcome also by [`finish_early`](Self::finish_early).
    pub(crate) fn begin(&self) {
        if self.state == State::Leading {
            self.map().begin(self.key, self.serial);
        }
    }

    /// Whoever arrives from here on waits for the next round.
    pub(crate) fn close(&self) {
        if self.state == State::Leading {
            self.map().close(self.key, self.serial);
        }
    }

    /// Whether anybody waits for this round's outcome.
    pub(crate) fn has_followers(&self) -> bool {
        self.state != State::Done && self.map().has_joined(self.key, self.serial)
    }

    /// Takes the flight out of the map, so that later arrivals start anew. Everybody who waits
    /// now, for this round or the next, stays this leader's audience; it can no longer lead, so
    /// an ending that would make one of them lead tells all to look again.
    pub(crate) fn seal(&mut self) {
        if self.state == State::Leading {
            self.map().seal(self.key, self.serial);
            self.state = State::Sealed;
        }
    }

    /// Tells `outcome` to those who joined; those who wait for the next round look again, the
    /// first of them as the leader.
    pub(crate) fn finish(mut self, outcome: O)
    where
        O: Clone,
    {
        let mut joined = self.take_joined().into_iter();
        if let Some(last) = joined.next_back() {
            joined.for_each(|voice| tell(voice, Told::Outcome(outcome.clone())));
            tell(last, Told::Outcome(outcome));
        }
        self.again();
    }

    /// Tells `outcome` to those who waited when its making [began](Self::begin); all others look
    /// again, the first of them as the leader. Of a sealed flight that is everybody.
    pub(crate) fn finish_early(self, outcome: O)
    where
        O: Clone,
    {
        if self.state == State::Sealed {
            return self.finish(outcome);
        }
        let early = self.map().take_early(self.key, self.serial);
        early.into_iter().for_each(|voice| tell(voice, Told::Outcome(outcome.clone())));
        let others = self;
        others.again();
    }

    /// Everybody looks again, the first of them as the leader.
    pub(crate) fn again(self) {
        drop(self.pass(None));
    }

    /// Those who joined are released to run by themselves. With a baton, one of those who wait
    /// leads with it at once, one who joined if there is any; those who wait for the next round
    /// have joined the new leader. Without, they look again.
    pub(crate) fn release(self, baton: Option<B>) {
        match baton {
            Some(baton) => self.release_but_one(baton),
            None => {
                let mut leader = self;
                release(leader.take_joined());
                leader.again();
            }
        }
    }

    fn release_but_one(self, baton: B) {
        if self.state != State::Leading {
            return self.release(None);
        }
        let joined = self.map().take_joined_and_open(self.key, self.serial);
        let mut joined = joined.into_iter();
        let mut undelivered = (self, Some(baton));
        for (voice, liveness) in joined.by_ref() {
            let (leader, baton) = undelivered;
            leader.map().led_by(leader.key, leader.serial, liveness);
            match leader.promote(baton, voice) {
                Ok(()) => return release(joined.map(|(voice, _)| voice)),
                Err(back) => undelivered = back,
            }
        }
        let (leader, baton) = undelivered;
        drop(leader.pass(baton));
    }

    /// One of those who wait leads with `baton`, and all others have joined it; the baton comes
    /// back where nobody waits, and the flight is over.
    pub(crate) fn hand_over(self, baton: B) -> Result<(), B> {
        match self.pass(Some(baton)) {
            None => Ok(()),
            Some(baton) => Err(baton),
        }
    }

    /// Takes those who joined the round, or the audience.
    fn take_joined(&mut self) -> Vec<Voice<B, O, M>> {
        if self.state == State::Done {
            return Vec::new();
        }
        let taken = self.map().take_joined(self.key, self.serial);
        if taken.over {
            self.state = State::Done;
        }
        taken.joined
    }

    /// The first who waits leads from here on, with `baton`; a baton that nobody could be given
    /// comes back.
    pub(super) fn pass(mut self, mut baton: Option<B>) -> Option<B> {
        while self.state == State::Leading {
            let first = self.map().take_first(self.key, self.serial);
            let Some(voice) = first else {
                self.state = State::Done;
                break;
            };
            match self.promote(baton, voice) {
                Ok(()) => return None,
                Err(back) => (self, baton) = back,
            }
        }
        baton
    }

    /// Makes one follower the leader, unless it went away.
    fn promote(self, baton: Option<B>, voice: Voice<B, O, M>) -> Result<(), (Self, Option<B>)> {
        match voice.send(Told::Lead(self, baton)) {
            Err(Told::Lead(leader, baton)) => Err((leader, baton)),
            _ => Ok(()),
        }
    }
}

impl<B, O, M: Copy> Drop for Leader<B, O, M> {
    fn drop(&mut self) {
        match self.state {
            State::Leading => {
                self.state = State::Done;
                let leader = Self::new(Arc::clone(&self.flights), self.key, self.serial);
                drop(leader.pass(None));
            }
            State::Sealed => {
                self.take_joined().into_iter().for_each(|voice| tell(voice, Told::Again));
            }
            State::Done => {}
        }
    }
}

fn release<B, O, M: Copy>(joined: impl IntoIterator<Item = Voice<B, O, M>>) {
    joined.into_iter().for_each(|voice| tell(voice, Told::Released));
}

fn tell<B, O, M: Copy>(voice: Voice<B, O, M>, told: Told<B, O, M>) {
    // A follower that went away need not know.
    drop(voice.send(told));
}
