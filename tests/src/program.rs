//! Which server the tests run against: `redis-server`, or the program that `CACHED_TEST_SERVER` names.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use crate::process::lock;

/// What a server may be unable to do, by its age or by how it was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// To speak TLS.
    Tls,
    /// To have its cluster's bus on a port of one's choice (Redis 7.0).
    ClusterPort,
    /// To announce hostnames to a cluster's clients (Redis 7.0).
    Hostnames,
    /// To look up and take a lease in one command, `SET … NX GET` (Redis 7.0). Others are sent a
    /// script, so that the server counts other commands.
    FusedLookup,
    /// To have rules about a subcommand alone, and about reading alone (Redis 7.0).
    FineRules,
    /// To refuse the writes of scripts while it has too few replicas (Redis 7.0).
    RefusedScripts,
}

impl Ability {
    fn directive(self) -> [&'static str; 2] {
        match self {
            Self::Tls => ["tls-port", "1"],
            Self::ClusterPort => ["cluster-port", "1"],
            Self::Hostnames => ["cluster-announce-hostname", "localhost"],
            // What has no directive of its own, by one that came with it.
            Self::FusedLookup | Self::FineRules | Self::RefusedScripts => {
                Self::ClusterPort.directive()
            }
        }
    }
}

/// The program.
pub(crate) fn program() -> OsString {
    std::env::var_os("CACHED_TEST_SERVER").unwrap_or_else(|| "redis-server".into())
}

/// Whether the server can do this. A test that needs it ends where it cannot, and is listed in the file
/// that `CACHED_TEST_SKIPPED` names.
///
/// # Panics
/// Where there is no server at all.
#[must_use]
pub fn server_can(ability: Ability) -> bool {
    let can = knows(ability);
    if !can {
        let thread = std::thread::current();
        let line = format!("{}: {ability:?}\n", thread.name().unwrap_or("a test"));
        if let Some(path) = std::env::var_os("CACHED_TEST_SKIPPED") {
            let file = OpenOptions::new().create(true).append(true).open(path);
            file.and_then(|mut file| file.write_all(line.as_bytes())).expect("a list of tests");
        }
    }
    can
}

/// Asked once of each. The server ends at the first directive that it does not know; one that nobody
/// knows comes last.
pub(crate) fn knows(ability: Ability) -> bool {
    static KNOWN: OnceLock<Mutex<BTreeMap<&'static str, bool>>> = OnceLock::new();
    let [directive, value] = ability.directive();
    let mut known = lock(KNOWN.get_or_init(Mutex::default));
    *known.entry(directive).or_insert_with(|| {
        let mut asked = vec!["--port".to_owned(), "0".to_owned()];
        asked.extend([format!("--{directive}"), value.to_owned()]);
        // Without a certificate it does not listen there.
        if ability != Ability::Tls {
            asked.extend(["--no-such-directive".to_owned(), "x".to_owned()]);
        }
        let said = Command::new(program()).args(asked).output();
        let said = said.unwrap_or_else(|error| panic!("{:?}: {error}", program()));
        let said = [said.stdout, said.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        // A build without TLS may know the setting, and says so when it is about to listen.
        let unable = said.contains("Missing implement of connection type");
        let answered = ["no-such-directive", directive, "tls-"].iter().any(|it| said.contains(it));
        assert!(answered || unable, "{said}");
        !unable && !said.contains(&format!("'{directive}"))
    })
}
