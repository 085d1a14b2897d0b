//! Logging in with credentials that change: whoever gives them is asked before each login, and again
//! before what it gave ends. Connections that are up log in anew, as Redis allows at any time
//! (<https://redis.io/docs/latest/commands/auth/>).

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use redis::{Cmd, ConnectionInfo, RedisConnectionInfo, RedisError};

use super::fault;
use crate::credentials::{Credentials, Provider};
use crate::fault::Fault;
use crate::io;
use crate::policy::backoff;
use crate::store::Failure;

/// Who gives them may ask a server of its own.
const PATIENCE: Duration = Duration::from_secs(10);
/// A server that does not answer a login within this does not log in.
const ANSWER_DEADLINE: Duration = Duration::from_secs(1);
/// Of a renewal that failed, and of the questions whether there are others than those refused.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What all connections of a cache log in by.
pub(super) struct Login {
    provider: Provider,
    /// Held by the one who asks; the others have its answer.
    last: ArcSwap<tokio::sync::Mutex<Last>>,
}

#[derive(Default)]
struct Last {
    /// When it was asked for, and what came of it.
    told: Option<(Instant, Result<Given, Failure>)>,
    /// What was given last.
    given: Option<Given>,
}

/// What was given, and is logged in with.
#[derive(Clone)]
pub(super) struct Given {
    credentials: Credentials,
    /// Tells credentials from those before and after.
    number: u64,
    since: Instant,
}

impl Login {
    pub(super) fn new(provider: Provider) -> Self {
        Self { provider, last: ArcSwap::default() }
    }

    /// Those that hold now. Who asks at the same time has the same answer.
    pub(super) async fn ask(&self) -> Result<Given, Failure> {
        self.ask_unless_asked_for(Duration::ZERO).await
    }

    /// Until there are others than those that were refused; `None` stands for none that were given.
    pub(super) async fn changed(&self, refused: Option<u64>) {
        loop {
            io::sleep(FIRST_PAUSE).await;
            let given = self.ask_unless_asked_for(FIRST_PAUSE).await;
            if given.is_ok_and(|given| Some(given.number) != refused) {
                return;
            }
        }
    }

    /// In a child process: who was asking is not here.
    pub(super) fn in_child(&self) {
        self.last.store(Arc::default());
    }

    async fn ask_unless_asked_for(&self, span: Duration) -> Result<Given, Failure> {
        let wanted = Instant::now();
        let last = self.last.load_full();
        let mut last = last.lock().await;
        if let Some((began, told)) = &last.told
            && *began + span >= wanted
        {
            return told.clone();
        }
        let began = Instant::now();
        let told = match self.provided().await {
            Ok(credentials) => Ok(last.note(credentials, began)),
            Err(failure) => Err(failure),
        };
        last.told = Some((began, told.clone()));
        told
    }

    /// On the I/O thread: what a provider keeps open, as a client of its own, may belong to the
    /// runtime that it was made on.
    async fn provided(&self) -> Result<Credentials, Failure> {
        let failed = |what: String| {
            Failure::new(Fault::Auth, format!("the function that gives credentials {what}"))
        };
        let asking = io::handle()?.spawn(self.provider.clone().ask());
        let abort = asking.abort_handle();
        match io::timeout(PATIENCE, asking).await {
            Some(Ok(Ok(credentials))) => Ok(credentials),
            Some(Ok(Err(error))) => Err(failed(format!("failed: {error}"))),
            Some(Err(_)) => Err(failed("panicked".to_owned())),
            None => {
                abort.abort();
                Err(failed(format!("did not answer within {PATIENCE:?}")))
            }
        }
    }

    /// Logs a connection in anew whenever what it is logged in with is about to end. Never ends.
    pub(super) async fn keep<F>(
        &self,
        given: Given,
        info: &ConnectionInfo,
        log_in: impl Fn(Cmd) -> F,
    ) where
        F: Future<Output = Result<(), RedisError>>,
    {
        let (mut given, mut failures) = (given, 0);
        let mut due = given.due();
        while let Some(then) = due {
            io::sleep(then.saturating_duration_since(Instant::now())).await;
            match self.log_in_anew(info, &log_in).await {
                Ok(new) => {
                    (given, failures) = (new, 0);
                    due = given.due();
                }
                Err(failure) => {
                    if failures == 0 {
                        tracing::warn!(
                            cause = failure.fault.label(),
                            detail = failure.message,
                            server = %info.addr(),
                            "a connection could not log in anew; it is tried again, and used for as \
                             long as the server allows"
                        );
                    }
                    let pause = backoff(failures, FIRST_PAUSE, LONGEST_PAUSE, fastrand::f64());
                    (failures, due) = (failures.saturating_add(1), Some(Instant::now() + pause));
                }
            }
        }
        std::future::pending::<()>().await;
    }

    async fn log_in_anew<F>(
        &self,
        info: &ConnectionInfo,
        log_in: impl Fn(Cmd) -> F,
    ) -> Result<Given, Failure>
    where
        F: Future<Output = Result<(), RedisError>>,
    {
        let given = self.ask().await?;
        let Some(auth) = auth(given.over(info).redis_settings()) else { return Ok(given) };
        match io::timeout(ANSWER_DEADLINE, log_in(auth)).await {
            Some(Ok(())) => Ok(given),
            Some(Err(error)) => Err(fault::failure(&error)),
            None => Err(Failure::new(Fault::Timeout, "no answer to a login")),
        }
    }
}

impl Last {
    fn note(&mut self, credentials: Credentials, since: Instant) -> Given {
        let number = match &self.given {
            Some(last) if is_same(&last.credentials, &credentials) => last.number,
            Some(last) => last.number + 1,
            None => 0,
        };
        let given = Given { credentials, number, since };
        self.given = Some(given.clone());
        given
    }
}

fn is_same(one: &Credentials, other: &Credentials) -> bool {
    (&one.user, &one.password) == (&other.user, &other.password)
}

impl Given {
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// When to log in anew: when three quarters of the time are over, which leaves room for attempts
    /// that fail (the redis crate's `TokenRefreshConfig` has four fifths).
    fn due(&self) -> Option<Instant> {
        let span = self.credentials.valid_for?;
        self.since.checked_add((span / 4 * 3).max(FIRST_PAUSE))
    }

    /// Instead of the login that a URL names.
    pub(super) fn over(&self, info: &ConnectionInfo) -> ConnectionInfo {
        let mut settings = info.redis_settings().clone().set_password(&self.credentials.password);
        if let Some(user) = &self.credentials.user {
            settings = settings.set_username(user);
        }
        info.clone().set_redis_settings(settings)
    }
}

/// The login; `None` where none is needed.
pub(super) fn auth(settings: &RedisConnectionInfo) -> Option<Cmd> {
    let mut auth = Cmd::new();
    auth.arg("AUTH").arg(settings.username()).arg(settings.password()?);
    Some(auth)
}

#[cfg(test)]
mod tests {
    use super::super::url::Servers;
    use super::*;

    fn info(url: &str) -> ConnectionInfo {
        match Servers::parse(url) {
            Ok(Servers::One(info)) => info,
            _ => panic!("{url}"),
        }
    }

    #[test]
    fn what_is_given_stands_for_the_login_of_the_url() {
        let commands = [
            ("redis://host", Credentials::password("new"), "AUTH new"),
            ("redis://app:old@host/2", Credentials::password("new"), "AUTH app new"),
            ("redis://app:old@host", Credentials::new("other", "new"), "AUTH other new"),
        ];
        for (url, credentials, command) in commands {
            let given = Given { credentials, number: 0, since: Instant::now() };
            let there = given.over(&info(url));
            let auth = auth(there.redis_settings()).unwrap();
            let words: Vec<_> = command.split(' ').map(|word| word.as_bytes().to_vec()).collect();
            assert_eq!(auth.get_packed_command(), redis::pack_command(&words), "{url}");
            assert_eq!(there.redis_settings().db(), info(url).redis_settings().db());
        }
    }

    #[test]
    fn credentials_have_a_number_until_they_change() {
        let mut last = Last::default();
        let now = Instant::now();
        let mut number = |user: &str, password: &str, seconds| {
            let span = Duration::from_secs(seconds);
            last.note(Credentials::new(user, password).valid_for(span), now).number
        };
        let first = number("app", "one", 10);
        assert_eq!(number("app", "one", 20), first, "they end later, and are the same");
        assert_ne!(number("app", "two", 20), first);
        assert_ne!(number("app", "one", 20), first, "they were others meanwhile");
    }

    #[test]
    fn they_are_renewed_when_three_quarters_are_over_and_not_all_the_time() {
        let since = Instant::now();
        for (span, due) in [(Some(900), Some(675_000)), (Some(0), Some(500)), (None, None)] {
            let mut credentials = Credentials::password("it");
            credentials.valid_for = span.map(Duration::from_secs);
            let given = Given { credentials, number: 0, since };
            assert_eq!(given.due(), due.map(|due| since + Duration::from_millis(due)));
        }
    }
}
