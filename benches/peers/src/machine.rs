//! On what it was measured.

use std::process::Command;

/// What this program was built with.
const LOCK: &str = include_str!("../Cargo.lock");
const PEERS: [&str; 9] = [
    "cached",
    "hitbox",
    "hitbox-fn",
    "hitbox-redis",
    "hitbox-moka",
    "cachekit-rs",
    "redis",
    "moka",
    "quick_cache",
];

/// Lines for the reader of the figures.
pub(crate) fn describe() -> Vec<String> {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let peers = PEERS.map(|peer| format!("{peer} {}", version(peer)));
    vec![
        format!(
            "{}, {cores} cores, kernel {}",
            model.trim_matches([' ', '\t', ':']),
            kernel.trim()
        ),
        said_by("rustc"),
        said_by("redis-server"),
        peers.join(", "),
    ]
}

fn said_by(program: &str) -> String {
    let output = Command::new(program).arg("--version").output().expect(program);
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn version(package: &str) -> &str {
    let name = format!("name = \"{package}\"\nversion = \"");
    let (_, rest) = LOCK.split_once(&name).expect(package);
    rest.split('"').next().expect("a version")
}
