//! Filling an entry: what must be captured before a body starts, and the commit.

use std::time::Duration;

use redis::{Cmd, Pipeline, RedisError, Value as Reply};

use super::layout::FullKey;
use super::scripts::{SET_IF_ABSENT, answer, unexpected};
use super::{CHUNK, Patience, RedisStore, fault};
use crate::entry::{self, Fence};
use crate::fault::Fault;
use crate::size::LARGE;
use crate::store::{Captured, Failure, Hold, Preparation, Prepared, Spot, TAG_MARGIN, Value};
use crate::token::Token;

impl RedisStore {
    /// One pipeline: the entry is seized, and each absent tag gets a version unless it has one by
    /// now. A version that arrives late, after its caller went away, is as good as any other.
    pub(crate) async fn prepare(&self, preparation: &Preparation) -> Result<Prepared, Failure> {
        let Preparation { key, tagged, seize, absent } = preparation;
        let layout = &self.inner.layout;
        let entry = [layout.entry(key, *tagged)];
        let lease_millis = self.inner.lease_millis.to_string();
        let seizure = seize
            .as_ref()
            .map(|(fence, token)| (&fence.prefix[..], exact_len(fence), entry::lease(token)));
        self.within(self.inner.commit_deadline, Patience::None, async |line| {
            let arguments = seizure.as_ref().map(|(prefix, len, lease)| {
                [prefix, len.as_bytes(), &lease[..], lease_millis.as_bytes()]
            });
            let script = &self.inner.scripts.seize;
            let mut pipeline = Pipeline::new();
            if let Some(arguments) = &arguments {
                pipeline.add_command(script.first(&entry, arguments));
            }
            for (tag, version) in absent {
                pipeline.add_command(self.version_of(
                    line.fuses(),
                    layout.tag_of(key, tag),
                    version,
                ));
            }
            let replies = line.send_all(&pipeline).await?;
            let mut replies = replies.into_iter().map(Reply::extract_error);
            let mut missing = || Err(unexpected("a pipeline"));
            let seized = match &arguments {
                None => false,
                Some(arguments) => {
                    match replies.next().unwrap_or_else(&mut missing) {
                        Err(error) if script.was_not_run(&error) => {
                            script.run_by_text(line, &entry, arguments).await
                        }
                        reply => reply.and_then(|reply| answer(&reply)),
                    }
                    .inspect_err(|error| self.noting_commit(*tagged, error))?
                        > 0
                }
            };
            let mut versions = Vec::with_capacity(absent.len());
            let mut overwriting = Pipeline::new();
            for (tag, given) in absent {
                let reply = replies.next().unwrap_or_else(&mut missing);
                versions.push(captured(reply, given)?.unwrap_or_else(|| {
                    overwriting.add_command(self.overwriting(layout.tag_of(key, tag), given));
                    *given
                }));
            }
            if !overwriting.is_empty() {
                // Acknowledged before the body starts, as any version is.
                for reply in line.send_all(&overwriting).await? {
                    reply.extract_error()?;
                }
            }
            Ok(Prepared { seized, versions })
        })
        .await
    }

    /// `SET tag version PX life`, whatever is there. Where somebody has given the tag a version
    /// meanwhile, what is loaded under that one is of no use: a miss.
    fn overwriting(&self, tag: FullKey<'_>, version: &Token) -> Cmd {
        let mut cmd = Cmd::new();
        cmd.arg("SET").arg(tag).arg(&version[..]).arg("PX").arg(self.tag_life(Duration::ZERO));
        cmd
    }

    /// `SET tag version NX GET PX life`: what is there, or now this.
    fn version_of(&self, fuses: bool, tag: FullKey<'_>, version: &Token) -> Cmd {
        let life = self.tag_life(Duration::ZERO);
        let mut cmd = Cmd::new();
        if fuses {
            cmd.arg("SET").arg(tag).arg(&version[..]).arg("NX").arg("GET").arg("PX").arg(life);
        } else {
            cmd.arg("EVAL").arg(SET_IF_ABSENT).arg(1).arg(tag).arg(&version[..]).arg(life);
        }
        cmd
    }

    pub(crate) async fn commit(&self, hold: &Hold, value: &Value) -> Result<bool, Failure> {
        if let Some(bulk) = self.in_bulk(value.is_large()) {
            return Box::pin(bulk.commit(hold, value)).await;
        }
        self.within(self.inner.commit_deadline, Patience::None, async |line| {
            let commit = Commit::new(self, hold, value);
            let (keys, arguments) = commit.parts();
            let stored = self.inner.scripts.commit.run(line, &keys, &arguments).await;
            let stored = stored.inspect_err(|error| self.noting_commit(hold.is_tagged(), error))?;
            self.inner.rights.stored();
            self.inner.endpoint.health.worked();
            Ok(stored > 0)
        })
        .await
    }

    /// One pipeline, of very many several one after the other.
    pub(crate) async fn commits(&self, commits: &[(Hold, Value)]) -> Vec<Result<bool, Failure>> {
        let bytes: usize = commits.iter().map(|(_, value)| value.bytes.len()).sum();
        if let Some(bulk) = self.in_bulk(bytes >= LARGE) {
            return Box::pin(bulk.commits(commits)).await;
        }
        let mut outcomes = Vec::with_capacity(commits.len());
        for chunk in commits.chunks(CHUNK) {
            outcomes.extend(self.commit_together(chunk).await);
            if let Some(Err(failure)) = outcomes.last()
                && failure.fault == Fault::Timeout
            {
                // The rest would take as long.
                let failure = failure.clone();
                outcomes.resize_with(commits.len(), || Err(failure.clone()));
                break;
            }
        }
        outcomes
    }

    /// One pipeline; each commit on its own, so that one that is refused keeps no other back.
    async fn commit_together(&self, commits: &[(Hold, Value)]) -> Vec<Result<bool, Failure>> {
        let sent = self
            .within(self.inner.commit_deadline, Patience::None, async |line| {
                let script = &self.inner.scripts.commit;
                let mut pipeline = Pipeline::with_capacity(commits.len());
                for (hold, value) in commits {
                    let commit = Commit::new(self, hold, value);
                    let (keys, arguments) = commit.parts();
                    pipeline.add_command(script.first(&keys, &arguments));
                }
                let replies = line.send_all(&pipeline).await?;
                let mut replies: Vec<_> = replies.into_iter().map(Reply::extract_error).collect();
                let not_run = |reply: &Result<Reply, RedisError>| {
                    reply.as_ref().is_err_and(|error| script.was_not_run(error))
                };
                let again: Vec<usize> =
                    (0..replies.len()).filter(|&at| not_run(&replies[at])).collect();
                if !again.is_empty() {
                    // The first brings the text, which the server has for the others then.
                    let mut pipeline = Pipeline::with_capacity(again.len());
                    for (hold, value) in again.iter().filter_map(|&at| commits.get(at)) {
                        let commit = Commit::new(self, hold, value);
                        let (keys, arguments) = commit.parts();
                        pipeline.add_command(if pipeline.is_empty() {
                            script.by_text(&keys, &arguments)
                        } else {
                            script.first(&keys, &arguments)
                        });
                    }
                    let answers = line.send_all(&pipeline).await?;
                    for (at, answer) in again.into_iter().zip(answers) {
                        replies[at] = answer.extract_error();
                    }
                }
                let outcome = |reply: Result<Reply, RedisError>| {
                    let stored = reply.and_then(|reply| answer(&reply));
                    stored.map(|stored| stored > 0).map_err(|error| fault::failure(&error))
                };
                for (reply, (hold, _)) in replies.iter().zip(commits) {
                    match reply {
                        Ok(_) => self.inner.rights.stored(),
                        Err(error) => self.noting_commit(hold.is_tagged(), error),
                    }
                }
                Ok(replies.into_iter().map(outcome).collect::<Vec<_>>())
            })
            .await;
        match sent {
            Ok(outcomes) if outcomes.len() == commits.len() => {
                self.inner.endpoint.health.worked();
                outcomes
            }
            Ok(_) => fault::failure(&unexpected("a pipeline")).of_each(commits.len()),
            Err(failure) => failure.of_each(commits.len()),
        }
    }

    pub(crate) async fn put(
        &self,
        key: &str,
        tags: &[Captured],
        value: &Value,
    ) -> Result<(), Failure> {
        if let Some(bulk) = self.in_bulk(value.is_large()) {
            return Box::pin(bulk.put(key, tags, value)).await;
        }
        self.within(self.inner.invalidate_deadline, Patience::Waits, async |line| {
            let (entry, life) =
                (self.inner.layout.entry(key, !tags.is_empty()), millis(value.life));
            if tags.is_empty() {
                let mut cmd = Cmd::new();
                cmd.arg("SET").arg(entry).arg(&value.bytes).arg("PX").arg(life);
                return line.send(&cmd).await.map(|_| ());
            }
            let mut keys = vec![entry];
            keys.extend(tags.iter().map(|captured| self.inner.layout.tag_of(key, &captured.tag)));
            let tag_life = self.tag_life(value.life);
            let arguments = [&value.bytes[..], life.as_bytes(), tag_life.as_bytes()];
            self.inner.scripts.put.run(line, &keys, &arguments).await.map(|_| ())
        })
        .await
    }

    pub(super) fn spot_and_tags<'a>(&'a self, hold: &'a Hold) -> Vec<FullKey<'a>> {
        let layout = &self.inner.layout;
        let spot = match hold.spot {
            Spot::Entry { tagged } => layout.entry(&hold.key, tagged),
            Spot::Beside => layout.beside(&hold.key),
        };
        let tags = hold.tags.iter().map(|captured| layout.tag_of(&hold.key, &captured.tag));
        std::iter::once(spot).chain(tags).collect()
    }

    /// In ms: how long tags live for the sake of a value with this life, and at the least while a
    /// body runs whose lease is renewed.
    pub(super) fn tag_life(&self, life: Duration) -> String {
        let lease = Duration::from_millis(self.inner.lease_millis);
        millis(life.max(lease.saturating_mul(2)).saturating_add(TAG_MARGIN))
    }
}

/// The texts of one commit's numbers, which the command borrows.
struct Commit<'a> {
    keys: Vec<FullKey<'a>>,
    hold: &'a Hold,
    value: &'a Value,
    len: String,
    life: String,
    tag_life: String,
    channel: Vec<u8>,
}

impl<'a> Commit<'a> {
    fn new(store: &'a RedisStore, hold: &'a Hold, value: &'a Value) -> Self {
        Self {
            keys: store.spot_and_tags(hold),
            hold,
            value,
            len: exact_len(&hold.fence),
            life: millis(value.life),
            tag_life: store.tag_life(value.life),
            channel: store.inner.layout.waiters(&hold.key).to_bytes(),
        }
    }

    fn parts(&self) -> (Vec<FullKey<'_>>, Vec<&[u8]>) {
        let mut arguments = vec![
            &self.hold.fence.prefix[..],
            self.len.as_bytes(),
            &self.value.bytes[..],
            self.life.as_bytes(),
            self.tag_life.as_bytes(),
            &self.channel[..],
        ];
        arguments.extend(self.hold.tags.iter().map(|captured| &captured.version[..]));
        (self.keys.clone(), arguments)
    }
}

/// The version that a tag has: what stood there, or else what was given; `None` where what stands
/// there is none.
fn captured(reply: Result<Reply, RedisError>, given: &Token) -> Result<Option<Token>, RedisError> {
    match reply {
        Ok(Reply::Nil) => Ok(Some(*given)),
        Ok(Reply::BulkString(bytes)) => Ok(bytes.as_slice().try_into().ok()),
        Ok(_) => Err(unexpected("SET with GET")),
        Err(error) if fault::is_wrong_type(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn exact_len(fence: &Fence) -> String {
    fence.len.map(|len| len.to_string()).unwrap_or_default()
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}
