//! The examples, as their reader runs them: without a server, and with one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use cached_tests::{RedisServer, eventually_blocking};

/// The built examples, by name. Cargo says where it has put them.
static EXAMPLES: LazyLock<BTreeMap<String, PathBuf>> = LazyLock::new(|| {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let build = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "-p", "cached-examples", "--examples"])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(workspace)
        .stdin(Stdio::null())
        .output()
        .expect("cargo");
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    let messages = build.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    messages
        .map(|line| serde_json::from_slice::<serde_json::Value>(line).unwrap())
        .filter(|message| message["target"]["kind"][0] == "example")
        .filter_map(|message| {
            let path = message["executable"].as_str()?;
            Some((message["target"]["name"].as_str()?.to_owned(), PathBuf::from(path)))
        })
        .collect()
});

/// What the example prints. It must end by itself, and well.
fn run(name: &str, server: Option<&RedisServer>) -> String {
    let mut command = Command::new(&EXAMPLES[name]);
    command.env_remove("CACHE_URL").env_remove("REDIS_URL").env_remove("CACHE_NAMESPACE");
    if let Some(server) = server {
        command.env("CACHE_URL", server.url());
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // What an example prints fits into a pipe's buffer, so none waits for its reader.
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        eventually_blocking(Duration::from_secs(60), || child.try_wait().unwrap().is_some());
    }));
    if ended.is_err() {
        child.kill().unwrap();
    }
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8_lossy(&stderr));
    assert!(ended.is_ok() && status.success(), "{name}: {status}\n{stdout}\n{stderr}");
    assert_eq!(stderr, "", "{name} complains");
    stdout
}

/// Runs the example without a server, and twice with one, as its second run must not stumble
/// over what the first has left; `check` gets each output. Returns the server.
fn run_everywhere(name: &str, check: impl Fn(&str)) -> RedisServer {
    let output = run(name, None);
    assert!(!output.contains("127.0.0.1:") || name == "axum_api", "{output}");
    check(&output);

    let server = RedisServer::start();
    for _ in 0..2 {
        check(&run(name, Some(&server)));
    }
    server
}

/// Values were read (by the acquiring `SET … NX GET`) and stored, under keys like this one.
#[track_caller]
fn used(server: &RedisServer, key: &str) {
    let calls = server.command_calls();
    assert!(calls.contains_key("set") && calls.contains_key("get"), "{calls:?}");
    let keys = server.keys();
    assert!(keys.iter().any(|known| known == key), "{key} is not among {keys:?}");
}

/// The line that begins like this.
#[track_caller]
fn line<'a>(output: &'a str, start: &str) -> &'a str {
    let found = output.lines().find(|line| line.trim_start().starts_with(start));
    found.unwrap_or_else(|| panic!("no line \"{start}\" in\n{output}"))
}

/// The cells of a line of the stats table, the function's name first: calls, hit rate, hits,
/// misses, bypasses, loads.
#[track_caller]
fn row<'a, const N: usize>(output: &'a str, function: &str) -> [&'a str; N] {
    let mut cells = line(output, &format!("{function} ")).split_whitespace().skip(1);
    std::array::from_fn(|_| cells.next().unwrap_or_default())
}

#[test]
fn each_example_is_tested() {
    let names: Vec<_> = EXAMPLES.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "axum_api",
            "batch",
            "blocking",
            "cache_aside",
            "local",
            "quickstart",
            "stale",
            "stampede",
            "testing",
            "users",
        ],
        "a new example wants a test here"
    );
}

#[test]
fn quickstart() {
    let server = run_everywhere("quickstart", |output| {
        assert!(line(output, "first call").contains("from the body"), "{output}");
        assert!(line(output, "second call").contains("from the cache"), "{output}");
        assert!(line(output, "other argument").contains("from the body"), "{output}");
        assert!(line(output, "after that").contains("from the body"), "{output}");
        assert!(line(output, "and again").contains("from the cache"), "{output}");
        let table = row(output, "quickstart.weather");
        assert_eq!(table, ["5", "40.0%", "2", "3", "0", "3"], "{output}");
    });
    used(&server, "cache:quickstart.weather:Lisbon");
}

#[test]
fn users() {
    let server = run_everywhere("users", |output| {
        let answers = |call: &str| -> Vec<&str> {
            let start = format!("{call} ");
            let calls = output.lines().filter(|line| line.trim_start().starts_with(&start));
            calls.filter_map(|line| line.split("<- ").nth(1)?.split(' ').next()).collect()
        };
        assert_eq!(
            answers("get_user(42)"),
            ["SQLite", "cache", "SQLite", "cache", "SQLite"],
            "{output}"
        );
        assert_eq!(
            answers("get_user_orders(42)"),
            ["SQLite", "cache", "cache", "SQLite", "SQLite"],
            "{output}"
        );
        assert_eq!(answers("get_user(7)"), ["SQLite", "cache", "cache"], "{output}");
        assert!(output.contains("removed 2 entries"), "{output}");
        line(output, "13 calls, 7 queries reached SQLite.");
        // Nobody is shown the old name once it has changed.
        let after = output.split("update_user(42").nth(1).unwrap_or_default();
        assert!(after.contains("Grace Hopper") && !after.contains("\"Grace\""), "{output}");
    });
    used(&server, "example-users:users.get_user:42");
}

#[test]
fn cache_aside() {
    let server = run_everywhere("cache_aside", |output| {
        let rates = output.lines().filter(|line| line.contains(" = "));
        let from: Vec<_> = rates.filter_map(|line| line.split("from ").nth(1)).collect();
        let (bank, cache) = ("the bank", "the cache");
        assert_eq!(from, [bank, cache, bank, cache, cache], "{output}");
        line(output, "remove  there was one: true");
        line(output, "The bank was asked 4 times.");
    });
    used(&server, "example-cache-aside:rate:EUR:GBP");
    let ttl = server.int(&["PTTL", "example-cache-aside:rate:EUR:GBP"]);
    assert!((200_000..=300_000).contains(&ttl), "{ttl} ms are not five minutes with jitter");
}

#[test]
fn local() {
    let server = run_everywhere("local", |output| {
        assert!(output.contains("dark in Local"), "{output}");
        line(output, "100,000 more calls");
        assert!(line(output, "after the other's").contains("revision 2"), "{output}");
        assert!(line(output, "in memory").contains("coherent: true"), "{output}");
        assert_eq!(output.matches("(the database is asked").count(), 2, "{output}");
    });
    used(&server, "cache:local.settings:7");
}

#[test]
fn batch() {
    let server = run_everywhere("batch", |output| {
        let queries: Vec<_> = output
            .lines()
            .filter_map(|line| line.strip_prefix("get_user")?.split_once(" <- "))
            .map(|(call, query)| (call.trim_start_matches("s(").trim_start_matches('('), query))
            .collect();
        let expected = [
            ("[1, 2, 3]) found 3", "WHERE id IN [1, 2, 3]"),
            ("[4, 3, 2, 5, 4]) found 4", "WHERE id IN [4, 5]"),
            ("5) found 1", "no query"),
            ("6) found 1", "WHERE id IN [6]"),
            ("[6, 7]) found 2", "WHERE id IN [7]"),
            ("[1, 2, 5, 6]) found 4", "WHERE id IN [2, 6]"),
            ("[42, 1]) found 1", "WHERE id IN [42]"),
            ("42) found 0", "no query"),
        ];
        assert_eq!(queries, expected, "{output}");
    });
    used(&server, "cache:user:1");
}

#[test]
fn blocking() {
    let server = run_everywhere("blocking", |output| {
        assert!(line(output, "8000 calls in").ends_with("0 ran the body"), "{output}");
        line(output, "The body ran 5 times in all.");
        let [calls, _, hits, misses] = row(output, "blocking.count_primes");
        assert_eq!([calls, hits, misses], ["8003", "8000", "3"], "{output}");
    });
    used(&server, "cache:blocking.count_primes:10000");
}

#[test]
fn stale() {
    let server = run_everywhere("stale", |output| {
        let told = |what: &str, said: [&str; 2]| {
            let line = line(output, what);
            assert!(said.iter().all(|said| line.contains(said)), "{line}\n{output}");
        };
        told("at first", ["Ok(100)", "Loaded"]);
        told("within the ttl", ["Ok(100)", "Store"]);
        told("past it, and down", ["Ok(100)", "Stale"]);
        told("up again", ["Ok(102)", "Loaded"]);
        told("invalidated, and down", ["Err(", "Loaded"]);
        told("the first one waits", ["Ok(104)", "Loaded"]);
        told("past the ttl", ["Ok(104)", "Stale"]);
        told("a moment later", ["Ok(105)", "age"]);
    });
    used(&server, "cache:stale.headlines:Times");
}

#[test]
fn stampede() {
    let server = run_everywhere("stampede", |output| {
        let calls: Vec<_> = output.lines().filter(|line| line.contains(", task ")).collect();
        assert_eq!(calls.len(), 20, "{output}");
        let ran = calls.iter().filter(|line| line.contains("ran the body")).count();
        assert_eq!(ran, 1, "{output}");
        let made_by = |line: &str| line.rsplit_once("made by ").unwrap().1.to_owned();
        let first = made_by(calls[0]);
        assert!(calls.iter().all(|line| made_by(line) == first), "{output}");
        assert!(calls.iter().any(|line| line.starts_with(&first)), "{output}");
        line(output, "20 calls took");
    });
    used(&server, "cache:stampede.yearly_report:2024");
    let output = run("stampede", Some(&server));
    line(&output, "4 processes with 5 tasks each");
    line(&run("stampede", None), "4 threads with 5 tasks each");
}

#[test]
fn testing() {
    let server = run_everywhere("testing", |output| {
        assert_eq!(output.lines().filter(|line| line.starts_with("ok  ")).count(), 5, "{output}");
    });
    assert_eq!(server.keys(), [""; 0], "tests have a cache of their own, whatever CACHE_URL says");
}

#[test]
fn axum_api() {
    let server = run_everywhere("axum_api", |output| {
        let [calls, _, hits, misses, bypasses, loads] = row(output, "total")
            .map(|cell: &str| cell.trim_end_matches('%').parse::<f64>().unwrap_or_default());
        assert_eq!(calls, 4002.0, "{output}");
        assert_eq!(hits + misses + bypasses, calls, "{output}");
        assert_eq!(
            loads, 17.0,
            "one body for each thing asked for, and one after the PUT: {output}"
        );
        line(output, "GET /api/users/7                 -> {\"id\":7,\"name\":\"user 7\"}");
        line(output, "GET /api/users/7                 -> {\"id\":7,\"name\":\"Ada Lovelace\"}");
    });
    used(&server, "example-axum-api:axum_api.find_user:7");
}
