//! A run in words, for people.

use crate::actions::{Action, followers};
use crate::redis::Entry;
use crate::state::{Call, Found, Late, Outcome, Phase, Target, Token, Version, World};
use crate::{Config, State};
use std::fmt;

/// A line for each step: its number, what `K` (and `T`) hold after it, and what happened.
pub fn lines(config: &Config, run: &[(State, Option<Action>)]) -> Vec<String> {
    let steps = run.windows(2).enumerate().filter_map(|(i, pair)| {
        let [(before, Some(action)), (after, _)] = pair else { return None };
        Some(line(config, i + 1, *action, &before.world, &after.world))
    });
    let end = run.last().and_then(|(state, _)| state.world.broken).map(|broken| {
        let (returned, floor) = (At(broken.returned), At(broken.floor));
        format!("     broken: {returned} was returned by a call that may not see less than {floor}")
    });
    steps.chain(end).collect()
}

fn line(config: &Config, i: usize, action: Action, before: &World, after: &World) -> String {
    let mut holds = format!("K {:<14}", after.redis.entry.to_string());
    if config.tag {
        holds += &format!("T {:<4}", Maybe(after.redis.tag).to_string());
    }
    format!("{i:>3}  {holds} {}", say(action, before, after))
}

fn say(action: Action, before: &World, after: &World) -> String {
    match action {
        Action::Call(c) => call(c, after),
        Action::Lookup(c) => lookup(c, before, after),
        Action::LookupLate(c) => late(c, "SET K L NX GET", before, after),
        Action::ReadTag(c) => read_tag(c, before, after),
        Action::Seize(c) => format!("{}: compare-and-set of a lease{}", Name(c), won(c, after)),
        Action::SeizeLate(c) => late(c, "compare-and-set of a lease", before, after),
        Action::Capture(c) => {
            format!("{}: SET T NX GET captures {}", Name(c), Maybe(after.redis.tag))
        }
        Action::Start(c) => format!("{}: body starts, at {}", Name(c), At(before.now())),
        Action::Commit(c) => commit(c, after),
        Action::CommitLate(c) => late(c, "body ends; commit", before, after),
        Action::Finish(c) => finish(c, before, after),
        Action::Fail(c) => format!("{}: body fails, releases its lease", Name(c)),
        Action::Join(c, leader) => format!("{}: joins the flight of {}", Name(c), Name(leader)),
        Action::HandOver(c, to) => format!("{}: dropped, {} has its lease now", Name(c), Name(to)),
        Action::Claim(c) => match before.callers[c].phase {
            Phase::Beside(..) => format!("{}: SET K:r NX, to load beside another's", Name(c)),
            _ => format!("{}: SET K:r NX, to refresh", Name(c)),
        },
        Action::Invalidate(target) => format!(
            "writer {}: commits its transaction, calls invalidate of {}",
            after.now(),
            Deleted(target)
        ),
        Action::Delete(i) => format!("writer {}: DEL delivered, invalidate returns Ok", i + 1),
        Action::Deliver(i) => match before.late[i] {
            Some(late) => format!("late delivery: {late}"),
            None => String::new(),
        },
        Action::EvictEntry => "K expires, or is evicted".to_owned(),
        Action::EvictTag => "T expires, or is evicted".to_owned(),
        Action::EvictClaim => "K:r expires".to_owned(),
        Action::OtherCaptures => "a miss of another entry creates T".to_owned(),
    }
}

fn call(c: usize, after: &World) -> String {
    let Phase::Called(Call { floor, started, .. }) = after.callers[c].phase else {
        return String::new();
    };
    let early = started.map(|at| format!("; its body starts at once, at {}", At(at)));
    format!("{}: calls, may not see less than {}{}", Name(c), At(floor), early.unwrap_or_default())
}

fn lookup(c: usize, before: &World, after: &World) -> String {
    let taken = before.redis.entry != after.redis.entry;
    let locked = before.redis.claim != after.redis.claim;
    let found = match before.redis.entry {
        Entry::Absent if taken => "finds nothing, takes the lease".to_owned(),
        Entry::Absent if locked => "finds nothing, takes the lock beside it".to_owned(),
        Entry::Absent => "finds nothing".to_owned(),
        other => format!("finds {other}{}", hit(c, after)),
    };
    format!("{}: lookup {found}", Name(c))
}

fn read_tag(c: usize, before: &World, after: &World) -> String {
    let invalid = match before.callers[c].phase {
        Phase::Found(_, Found::Value(_)) if hit(c, after).is_empty() => ", the value is invalid",
        _ => hit(c, after),
    };
    format!("{}: GET T finds {}{invalid}", Name(c), Maybe(before.redis.tag))
}

fn hit(c: usize, after: &World) -> &'static str {
    let hit = matches!(after.callers[c].phase, Phase::Done(Outcome::Hit) | Phase::Refreshing(..));
    if hit { ", a hit" } else { "" }
}

fn won(c: usize, after: &World) -> &'static str {
    let won = matches!(after.callers[c].phase, Phase::Capturing(..));
    if won { "" } else { " finds something else" }
}

fn late(c: usize, what: &str, before: &World, after: &World) -> String {
    let place = (0..after.late.len()).find(|i| before.late[*i] != after.late[*i]);
    let sent = place.and_then(|i| after.late[i]).map(|late| format!(" ({late})"));
    format!("{}: {what} has no answer, is on its way{}", Name(c), sent.unwrap_or_default())
}

fn commit(c: usize, after: &World) -> String {
    let said = match after.callers[c].phase {
        Phase::Told(verdict, ..) => format!("{verdict:?}").to_lowercase(),
        _ => String::new(),
    };
    format!("{}: body ends; commit is {said}", Name(c))
}

fn finish(c: usize, before: &World, after: &World) -> String {
    let joiners = followers(before, c).map(|f| match after.callers[f].phase {
        Phase::Done(_) => format!(", {} takes it too", Name(f)),
        _ => format!(", {} looks again", Name(f)),
    });
    let Phase::Told(_, version, _) = before.callers[c].phase else { return String::new() };
    format!(
        "{}: returns what its body made at {}{}",
        Name(c),
        At(version),
        joiners.collect::<String>()
    )
}

struct Name(usize);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = char::from(b'A'.saturating_add(self.0 as u8));
        write!(f, "{letter}")
    }
}

struct At(Version);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

struct Maybe(Option<Token>);

impl fmt::Display for Maybe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(token) => write!(f, "{token}"),
            None => f.write_str("–"),
        }
    }
}

struct Deleted(Target);

impl fmt::Display for Deleted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Target::Key => "K",
            Target::Tag => "T",
        })
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("–"),
            Self::Lease(token) => write!(f, "L{token}"),
            Self::Value(value) => {
                write!(f, "V{}", value.id)?;
                for (owner, variant) in value.variants.iter().enumerate() {
                    let Some(variant) = variant else { continue };
                    write!(f, "{} {}", [" of", " and of the later"][owner], At(variant.version))?;
                    variant.tag.map_or(Ok(()), |tag| write!(f, ", T {tag}"))?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lookup(token) => write!(f, "SET K L{token} NX GET"),
            Self::Seize(id, token) => write!(f, "where K is V{id}, SET K L{token}"),
            Self::Release(token) => write!(f, "where K is L{token}, DEL K"),
            Self::Commit(commit) => write!(f, "commit of {}", Entry::Value(commit.value)),
        }
    }
}
