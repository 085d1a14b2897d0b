//! A process that stands still costs the server no memory, and serves nothing old once it goes on.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write, stdin};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use cached_runtime::{Source, cache_result, scope};
use cached_tests::{RedisServer, eventually};

use super::super::patient::{self, LONG};

const URL: &str = "CACHED_TESTS_STOPPED_URL";
const FILE: &str = "CACHED_TESTS_STOPPED_FILE";
/// How long the process stands still while others write.
const WRITING: Duration = Duration::from_secs(3);
const KEYS: usize = 1_000;

#[cache_result(ttl = 600, local)]
async fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap()
}

/// The other process: tells on each line from where it has what value.
#[tokio::test]
#[ignore = "a process that another test starts"]
#[allow(clippy::print_stdout, reason = "how it answers")]
async fn process() {
    let (Ok(url), Ok(path)) = (env::var(URL), env::var(FILE)) else { return };
    let cache = patient::builder(&url).build().await.unwrap();
    scope(cache, async {
        eventually(LONG, || async { text::fetch(&path).await.source == Source::Local }).await;
        for line in stdin().lines() {
            line.unwrap();
            let local = text::stats().hits_local;
            let value = text(&path).await;
            let memory = text::stats().hits_local > local;
            println!("\n> {} {value}", if memory { "memory" } else { "store" });
        }
    })
    .await;
}

/// Ends with its test.
struct Process {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Process {
    fn start(url: &str, path: &str) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "local::stopped::process", "--ignored", "--nocapture"])
            .envs([(URL, url), (FILE, path)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, orders, answers }
    }

    fn ask(&mut self) -> String {
        self.orders.write_all(b"\n").unwrap();
        loop {
            let mut line = String::new();
            assert!(self.answers.read_line(&mut line).unwrap() > 0, "the process ended");
            if let Some(answer) = line.strip_prefix("> ") {
                return answer.trim_end().to_owned();
            }
        }
    }

    fn signal(&self, signal: &str) {
        // The standard library can only kill, and this crate has no unsafe code.
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the server holds back for each link that tells of changes, in bytes.
fn held_back(server: &RedisServer) -> Vec<usize> {
    let list = server.text(&["CLIENT", "LIST"]).unwrap();
    let field = |line: &str, name: &str| {
        line.split(' ').find_map(|part| part.strip_prefix(name).map(str::to_owned)).unwrap()
    };
    let links = list.lines().filter(|line| field(line, "flags=").contains('t'));
    links.map(|line| field(line, "omem=").parse().unwrap()).collect()
}

#[tokio::test]
async fn a_process_that_stands_still_loses_its_link_and_its_memory() {
    let limit = ["--client-output-buffer-limit", "pubsub", "1mb", "512kb", "2"];
    let server = RedisServer::start_with(&limit);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("value");
    let path = path.to_str().unwrap();
    fs::write(path, "old").unwrap();
    let mut process = Process::start(&server.url(), path);
    assert_eq!(process.ask(), "memory old");
    assert_eq!(held_back(&server).len(), 1);

    process.signal("-STOP");
    fs::write(path, "new").unwrap();
    let key = server.keys().into_iter().find(|key| key.contains("stopped.text")).unwrap();
    assert_eq!(server.int(&["DEL", &key]), 1);
    let mut all = vec!["MSET".to_owned()];
    for n in 0..KEYS {
        all.extend([format!("cache:another.function:{n}"), "x".to_owned()]);
    }
    let (start, mut written, mut most) = (Instant::now(), 0, 0);
    while start.elapsed() < WRITING {
        server.cmd(&all);
        written += KEYS;
        most = held_back(&server).into_iter().fold(most, usize::max);
    }
    let rate = written as f64 / start.elapsed().as_secs_f64();
    assert!(rate >= 100_000.0, "{rate:.0} keys a second are too few to show anything");
    assert!(most > 100_000, "the server had to hold something back: {most}");
    assert!(most < 1_500_000, "{most} bytes are held back for a process that stands still");
    assert!(held_back(&server).is_empty(), "its link is dropped");

    process.signal("-CONT");
    assert_eq!(process.ask(), "store new");
    assert_eq!(process.ask().split_once(' ').unwrap().1, "new");
}
