//! Certificates of one's own, for servers that are reached over TLS.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Error;

/// Whom to trust, and who to be, where a server is reached over TLS: for
/// [`CacheBuilder::tls`](crate::CacheBuilder::tls). Certificates and keys are in PEM. Files are read
/// anew for each connection, so that what is renewed in its place is used from then on.
///
/// ```
/// use cached_runtime::Tls;
///
/// let tls = Tls::new().roots_file("/etc/cache/ca.pem").client_files("app.pem", "app.key");
/// ```
#[derive(Clone, Default)]
#[must_use = "it is for `CacheBuilder::tls`"]
pub struct Tls {
    roots: Option<Pem>,
    client: Option<(Pem, Pem)>,
}

#[derive(Clone)]
enum Pem {
    Text(Arc<[u8]>),
    File(PathBuf),
}

/// What a [`Tls`] holds now.
pub(crate) struct Certificates {
    pub(crate) roots: Option<Vec<u8>>,
    /// Its certificate, with those that signed it, and its key.
    pub(crate) client: Option<(Vec<u8>, Vec<u8>)>,
}

impl Tls {
    /// The system's root certificates, and none of one's own.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts what these root certificates have signed, and not the system's.
    pub fn roots_pem(self, certificates: impl Into<Vec<u8>>) -> Self {
        Self { roots: Some(Pem::text(certificates)), ..self }
    }

    /// As [`roots_pem`](Self::roots_pem), from a file.
    pub fn roots_file(self, path: impl Into<PathBuf>) -> Self {
        Self { roots: Some(Pem::File(path.into())), ..self }
    }

    /// Shows this certificate, with those between it and a root behind it, to servers that ask for
    /// one (mutual TLS).
    pub fn client_pem(self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        Self { client: Some((Pem::text(certificate), Pem::text(key))), ..self }
    }

    /// As [`client_pem`](Self::client_pem), from files.
    pub fn client_files(self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self { client: Some((Pem::File(certificate.into()), Pem::File(key.into()))), ..self }
    }

    /// # Errors
    /// Which file cannot be read, or what holds nothing of the kind.
    pub(crate) fn read(&self) -> Result<Certificates, Error> {
        let roots = match &self.roots {
            Some(roots) => Some(roots.read("root certificate", CERTIFICATE)?),
            None => None,
        };
        let client = match &self.client {
            Some((certificate, key)) => {
                let certificate = certificate.read("client certificate", CERTIFICATE)?;
                Some((certificate, key.read("client key", KEY)?))
            }
            None => None,
        };
        Ok(Certificates { roots, client })
    }
}

const CERTIFICATE: &str = "BEGIN CERTIFICATE-----";
const KEY: &str = "PRIVATE KEY-----";

impl Pem {
    fn text(pem: impl Into<Vec<u8>>) -> Self {
        Self::Text(pem.into().into())
    }

    fn read(&self, what: &str, marker: &str) -> Result<Vec<u8>, Error> {
        let pem = match self {
            Self::Text(pem) => pem.to_vec(),
            Self::File(path) => std::fs::read(path).map_err(|error| {
                Error::config(format!("`tls`: the {what} {} cannot be read: {error}", shown(path)))
            })?,
        };
        if pem.windows(marker.len()).any(|window| window == marker.as_bytes()) {
            return Ok(pem);
        }
        let place = match self {
            Self::Text(_) => "what was given".to_owned(),
            Self::File(path) => shown(path),
        };
        Err(Error::config(format!("`tls`: {place} holds no {what} in PEM (`-----{marker}`)")))
    }
}

fn shown(path: &Path) -> String {
    format!("`{}`", path.display())
}

/// Without what is in it.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |pem: &Pem| match pem {
            Pem::Text(_) => "PEM".to_owned(),
            Pem::File(path) => shown(path),
        };
        f.debug_struct("Tls")
            .field("roots", &self.roots.as_ref().map(of))
            .field("client", &self.client.as_ref().map(|(certificate, _)| of(certificate)))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(tls: &Tls) -> String {
        match tls.read() {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{tls:?} is accepted"),
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_no_key_is_shown() {
        let tls = Tls::new().roots_file("/no/such/ca.pem");
        assert!(refusal(&tls).contains("root certificate `/no/such/ca.pem` cannot be read"));
        let tls = Tls::new().roots_pem("nonsense");
        assert!(refusal(&tls).contains("holds no root certificate in PEM"));
        let tls = Tls::new().client_pem("-----BEGIN CERTIFICATE-----\nx", "topsecret");
        let said = refusal(&tls);
        assert!(
            said.contains("holds no client key in PEM") && !said.contains("topsecret"),
            "{said}"
        );
        assert!(!format!("{tls:?}").contains("topsecret"));
        assert!(Tls::new().read().is_ok_and(|it| it.roots.is_none() && it.client.is_none()));
    }
}
