//! An authority, and certificates by it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use tempfile::TempDir;

/// Who signs the certificates of servers and clients. Its files end with it.
pub struct Authority {
    dir: TempDir,
    ca: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    made: AtomicUsize,
}

/// Where the files of one server are.
#[derive(Debug, Clone)]
pub(crate) struct Certs {
    /// The authority that signed the server's certificate.
    pub(crate) ca: PathBuf,
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    /// A new one, which nobody trusts yet.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "it writes files")]
    pub fn new() -> Self {
        let dir = TempDir::with_prefix("authority-").expect("a temporary directory");
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        name(&mut authority, "test authority");
        let key = KeyPair::generate().unwrap();
        let cert = authority.self_signed(&key).unwrap();
        let ca = write(dir.path(), "ca.pem", cert.pem());
        Self { dir, ca, issuer: Issuer::new(authority, key), made: AtomicUsize::new(0) }
    }

    /// Its own certificate, in PEM.
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        &self.ca
    }

    /// A client's certificate and its key, in PEM.
    #[must_use]
    pub fn client(&self) -> (PathBuf, PathBuf) {
        let certs = self.issue(&["test client"], ExtendedKeyUsagePurpose::ClientAuth);
        (certs.cert, certs.key)
    }

    /// A certificate for a server of these hosts, that is a client of others of its kind as well.
    pub(crate) fn server(&self, hosts: &[&str]) -> Certs {
        self.issue(hosts, ExtendedKeyUsagePurpose::ServerAuth)
    }

    fn issue(&self, hosts: &[&str], usage: ExtendedKeyUsagePurpose) -> Certs {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let hosts: Vec<String> = hosts
            .iter()
            .filter(|host| !host.contains(' '))
            .map(|host| (*host).to_owned())
            .collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage, ExtendedKeyUsagePurpose::ClientAuth];
        name(&mut params, &format!("test {number}"));
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        let dir = self.dir.path();
        Certs {
            ca: self.ca.clone(),
            cert: write(dir, &format!("{number}.pem"), cert.pem()),
            key: write(dir, &format!("{number}.key"), key.serialize_pem()),
        }
    }
}

impl Certs {
    /// What a server is told by arguments or, without their dashes, by its file.
    pub(crate) fn directives(&self) -> [[String; 2]; 4] {
        let path = |path: &Path| path.display().to_string();
        [
            ["tls-ca-cert-file".to_owned(), path(&self.ca)],
            ["tls-cert-file".to_owned(), path(&self.cert)],
            ["tls-key-file".to_owned(), path(&self.key)],
            ["tls-auth-clients".to_owned(), "no".to_owned()],
        ]
    }

    /// The same as arguments.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let directives = self.directives().into_iter();
        directives.flat_map(|[name, value]| [format!("--{name}"), value]).collect()
    }
}

fn write(dir: &Path, name: &str, pem: String) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, pem).unwrap();
    path
}

fn name(params: &mut CertificateParams, name: &str) {
    params.distinguished_name.push(DnType::CommonName, name);
}
