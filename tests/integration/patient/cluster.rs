//! One cluster for all scenarios: it takes seconds to start. It runs in a process of its own, which
//! ends when this one does, however that ends.

use std::env;
use std::io::{BufRead, BufReader, stdin};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use cached_tests::RedisCluster;

const KEEPER: &str = "CACHED_TESTS_KEEPER";

/// The process; its input is open for as long as this one lives.
struct Kept {
    url: String,
    _keeper: Child,
}

/// The cluster's URL, and a namespace that nobody else uses.
pub(super) fn shared() -> (String, String) {
    static SHARED: OnceLock<Kept> = OnceLock::new();
    static NAMESPACES: AtomicU64 = AtomicU64::new(0);
    let kept = SHARED.get_or_init(|| {
        let mut keeper = Command::new(env::current_exe().unwrap())
            .args(["--exact", "patient::cluster::keeper", "--ignored", "--nocapture"])
            .env(KEEPER, "")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(keeper.stdout.take().unwrap()).lines();
        let mut urls = lines.filter_map(|line| Some(line.unwrap().strip_prefix("> ")?.to_owned()));
        let url = urls.next().expect("the cluster's URL");
        Kept { url, _keeper: keeper }
    });
    let number = NAMESPACES.fetch_add(1, Ordering::Relaxed);
    (kept.url.clone(), format!("scenario-{number}"))
}

#[test]
#[ignore = "the process that keeps the cluster"]
#[allow(clippy::print_stdout, reason = "how it answers")]
fn keeper() {
    if env::var_os(KEEPER).is_none() {
        return;
    }
    let cluster = RedisCluster::start(3, 0);
    println!("\n> {}", cluster.url());
    // To its end.
    for line in stdin().lines() {
        line.unwrap();
    }
}
