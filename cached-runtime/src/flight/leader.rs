//! The one at work in a flight, and the ways it ends a round.

use std::sync::Arc;

use super::flights::{Flights, Voice};
use super::follower::Told;

/// Leads a flight. Dropped without another ending (its future was dropped, it panicked), it ends
/// like [`again`](Self::again).
pub(crate) struct Leader<B, O> {
    flights: Arc<Flights<B, O>>,
    key: u128,
    state: State<B, O>,
}

enum State<B, O> {
    /// Its flight is in the map.
    Leading,
    /// Its flight is out of the map; those who waited then are here.
    Sealed(Vec<Voice<B, O>>),
    /// Its flight is over or another's: nothing is left to see to.
    Done,
}

impl<B, O> Leader<B, O> {
    pub(super) fn new(flights: Arc<Flights<B, O>>, key: u128) -> Self {
        Self { flights, key, state: State::Leading }
    }

    /// Whoever waits for the next round joins this one, and so does who arrives until
    /// [`close`](Self::close).
    pub(crate) fn open(&self) {
        if let State::Leading = self.state {
            self.flights.shard(self.key).open(self.key);
        }
    }

    /// Ends the flight where nobody waits, as is the rule; else it is given back.
    pub(crate) fn alone(mut self) -> Option<Self> {
        if let State::Leading = self.state
            && self.flights.shard(self.key).end_if_alone(self.key)
        {
            self.state = State::Done;
            return None;
        }
        Some(self)
    }

    /// As [`open`](Self::open), where what the flight is led for begins now. Whoever waits already
    /// came before it, and is told its outcome also by [`finish_early`](Self::finish_early).
    pub(crate) fn begin(&self) {
        if let State::Leading = self.state {
            self.flights.shard(self.key).begin(self.key);
        }
    }

    /// Whoever arrives from here on waits for the next round.
    pub(crate) fn close(&self) {
        if let State::Leading = self.state {
            self.flights.shard(self.key).close(self.key);
        }
    }

    /// Whether anybody waits for this round's outcome.
    pub(crate) fn has_followers(&self) -> bool {
        match &self.state {
            State::Leading => self.flights.shard(self.key).has_joined(self.key),
            State::Sealed(audience) => audience.iter().any(|voice| !voice.is_closed()),
            State::Done => false,
        }
    }

    /// Takes the flight out of the map, so that later arrivals start anew. Everybody who waits
    /// now, for this round or the next, stays this leader's audience; it can no longer lead, so
    /// an ending that would make one of them lead tells all to look again.
    pub(crate) fn seal(&mut self) {
        if let State::Leading = self.state {
            let audience = self.flights.shard(self.key).take_all(self.key);
            self.state = State::Sealed(audience);
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
        if let State::Sealed(_) = self.state {
            return self.finish(outcome);
        }
        let early = self.flights.shard(self.key).take_early(self.key);
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
        if !matches!(self.state, State::Leading) {
            return self.release(None);
        }
        let joined = self.flights.shard(self.key).take_joined_and_open(self.key);
        let mut joined = joined.into_iter();
        let mut undelivered = (self, Some(baton));
        for voice in joined.by_ref() {
            let (leader, baton) = undelivered;
            match leader.promote(baton, voice) {
                Ok(()) => return release(joined),
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
    fn take_joined(&mut self) -> Vec<Voice<B, O>> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Leading => {
                let taken = self.flights.shard(self.key).take_joined(self.key);
                if !taken.over {
                    self.state = State::Leading;
                }
                taken.joined
            }
            State::Sealed(audience) => audience,
            State::Done => Vec::new(),
        }
    }

    /// The first who waits leads from here on, with `baton`; a baton that nobody could be given
    /// comes back.
    pub(super) fn pass(mut self, mut baton: Option<B>) -> Option<B> {
        while let State::Leading = self.state {
            let first = self.flights.shard(self.key).take_first(self.key);
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
    fn promote(self, baton: Option<B>, voice: Voice<B, O>) -> Result<(), (Self, Option<B>)> {
        match voice.send(Told::Lead(self, baton)) {
            Err(Told::Lead(leader, baton)) => Err((leader, baton)),
            _ => Ok(()),
        }
    }
}

impl<B, O> Drop for Leader<B, O> {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Leading => {
                let leader = Self::new(Arc::clone(&self.flights), self.key);
                drop(leader.pass(None));
            }
            State::Sealed(audience) => {
                audience.into_iter().for_each(|voice| tell(voice, Told::Again));
            }
            State::Done => {}
        }
    }
}

fn release<B, O>(joined: impl IntoIterator<Item = Voice<B, O>>) {
    joined.into_iter().for_each(|voice| tell(voice, Told::Released));
}

fn tell<B, O>(voice: Voice<B, O>, told: Told<B, O>) {
    // A follower that went away need not know.
    drop(voice.send(told));
}
