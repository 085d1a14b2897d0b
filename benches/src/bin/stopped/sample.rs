//! What the server says of its memory, and of the link of the process.

use std::fmt;

use cached_tests::RedisServer;

/// What the server may hold back for a client that subscribes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    /// In bytes; none where it is 0.
    pub(crate) hard: u64,
    soft: u64,
    seconds: u64,
}

impl Limit {
    pub(crate) fn of(server: &RedisServer) -> Self {
        let redis::Value::Array(parts) =
            server.cmd(&["CONFIG", "GET", "client-output-buffer-limit"])
        else {
            panic!("no configuration")
        };
        let Some(redis::Value::BulkString(text)) = parts.get(1) else { panic!("{parts:?}") };
        let text = String::from_utf8_lossy(text);
        let (_, pubsub) = text.split_once("pubsub ").expect("a class of its own");
        let numbers: Vec<u64> = pubsub.split(' ').map(|number| number.parse().unwrap()).collect();
        Self { hard: numbers[0], soft: numbers[1], seconds: numbers[2] }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hard, soft, seconds } = *self;
        if hard == 0 {
            return f.write_str("none");
        }
        write!(f, "{:.0} MiB, or {:.0} MiB for {seconds} s", mib(hard), mib(soft))
    }
}

/// One look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// The link, where there is one.
    pub(crate) link: Option<Link>,
    /// All of the server's memory, and what it holds for its clients.
    pub(crate) used: u64,
    pub(crate) clients: u64,
}

/// What the server holds back for the link, and all the memory it has for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    pub(crate) held_back: u64,
    pub(crate) total: u64,
}

impl Sample {
    pub(crate) fn take(server: &RedisServer) -> Self {
        let list = server.text(&["CLIENT", "LIST"]).unwrap();
        let mut links = list.lines().filter(|line| field(line, ' ', "flags=").contains('t'));
        let link = links.next().map(|line| Link {
            held_back: field(line, ' ', "omem=").parse().unwrap(),
            total: field(line, ' ', "tot-mem=").parse().unwrap(),
        });
        assert!(links.next().is_none(), "one process has one link");
        let memory = server.text(&["INFO", "memory"]).unwrap();
        let number = |name| field(&memory, '\n', name).trim().parse().unwrap();
        Self { link, used: number("used_memory:"), clients: number("mem_clients_normal:") }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.link {
            Some(link) => write!(f, "{:.1} MiB held back for the link", mib(link.held_back))?,
            None => f.write_str("no link")?,
        }
        let (used, clients) = (mib(self.used), mib(self.clients));
        write!(f, ", {used:.1} MiB in use, {clients:.1} MiB of it for clients")
    }
}

fn field<'a>(text: &'a str, separator: char, name: &str) -> &'a str {
    text.split(separator).find_map(|part| part.strip_prefix(name)).expect("a field")
}

pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
