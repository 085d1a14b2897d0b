//! Credentials that change: tokens that end, passwords that are rotated. Who gives them is the user's
//! function; when it is asked is the store's affair.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// How to log in to a server, as a function given to
/// [`CacheBuilder::credentials`](crate::CacheBuilder::credentials) tells it.
///
/// ```
/// use cached_runtime::Credentials;
/// use std::time::Duration;
///
/// # let token = String::from("…");
/// let credentials = Credentials::new("app", token).valid_for(Duration::from_secs(900));
/// assert!(!format!("{credentials:?}").contains('…'), "no log shows the password");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub(crate) user: Option<String>,
    pub(crate) password: String,
    pub(crate) valid_for: Option<Duration>,
}

impl Credentials {
    /// A user and its password, or a token in its place.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: Some(user.into()), ..Self::password(password) }
    }

    /// The password alone, of the user that the URL names, or else of the user `default`.
    pub fn password(password: impl Into<String>) -> Self {
        Self { user: None, password: password.into(), valid_for: None }
    }

    /// They end so long after they were asked for. When three quarters of it are over they are asked
    /// for again, and the connections that use them log in anew without being dropped. Default: they
    /// do not end, and are asked for at the next login.
    #[must_use]
    pub fn valid_for(mut self, span: Duration) -> Self {
        self.valid_for = Some(span);
        self
    }
}

/// Without the password.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .field("valid_for", &self.valid_for)
            .finish_non_exhaustive()
    }
}

pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;
pub(crate) type Asking = Pin<Box<dyn Future<Output = Result<Credentials, BoxError>> + Send>>;

/// The user's function.
#[derive(Clone)]
pub(crate) struct Provider(Arc<dyn Fn() -> Asking + Send + Sync>);

impl Provider {
    pub(crate) fn new<P, F, E>(provider: P) -> Self
    where
        P: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<Credentials, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Self(Arc::new(move || {
            let asking = provider();
            Box::pin(async move { asking.await.map_err(Into::into) })
        }))
    }

    pub(crate) async fn ask(self) -> Result<Credentials, BoxError> {
        (self.0)().await
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Provider")
    }
}
