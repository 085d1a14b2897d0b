//! What the library logs, kept for a test to read.

use std::fmt::{Debug, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tracing::field::{Field, Visit};
use tracing::subscriber::{DefaultGuard, set_default, set_global_default};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

/// The targets that are captured start with this.
const TARGET: &str = "cached";

type Lines = Arc<Mutex<Vec<(Level, String)>>>;

/// The events captured since this was made or last cleared: those whose target
/// starts with `cached`, of every level.
///
/// ```
/// use cached_tests::Logs;
/// use tracing::Level;
///
/// let logs = Logs::capture();
/// tracing::warn!(target: "cached_runtime", attempt = 2, "no connection");
/// assert_eq!(logs.lines(), [(Level::WARN, "no connection attempt=2".to_owned())]);
/// ```
pub struct Logs {
    lines: Lines,
    from: AtomicUsize,
    _guard: Option<DefaultGuard>,
}

impl Logs {
    /// Captures what this thread logs until the value is dropped: with a
    /// current-thread runtime, all that the test's tasks log.
    #[must_use]
    pub fn capture() -> Self {
        let lines = Lines::default();
        let guard = set_default(registry().with(Capture(Arc::clone(&lines))));
        Self { lines, from: AtomicUsize::new(0), _guard: Some(guard) }
    }

    /// Captures what every thread of the process logs, other tests' threads
    /// too, except those inside [`capture`](Self::capture). May be called any
    /// number of times.
    ///
    /// # Panics
    ///
    /// When the process has another global subscriber.
    #[must_use]
    pub fn capture_process() -> Self {
        static LINES: OnceLock<Lines> = OnceLock::new();
        let lines = LINES.get_or_init(|| {
            let lines = Lines::default();
            set_global_default(registry().with(Capture(Arc::clone(&lines))))
                .expect("no other global subscriber");
            lines
        });
        let logs = Self { lines: Arc::clone(lines), from: AtomicUsize::new(0), _guard: None };
        logs.clear();
        logs
    }

    /// Level and text of each event, oldest first. The text is the message and
    /// after it ` name=value` for each field.
    #[must_use]
    pub fn lines(&self) -> Vec<(Level, String)> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines[self.from.load(Ordering::SeqCst)..].to_vec()
    }

    /// Whether an event of this level has `part` in its text.
    #[must_use]
    pub fn contains(&self, level: Level, part: &str) -> bool {
        self.lines().iter().any(|(its, text)| *its == level && text.contains(part))
    }

    /// Forgets what was captured so far.
    pub fn clear(&self) {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        self.from.store(lines.len(), Ordering::SeqCst);
    }
}

struct Capture(Lines);

impl<S: Subscriber> Layer<S> for Capture {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if !event.metadata().target().starts_with(TARGET) {
            return;
        }
        let mut text = Text::default();
        event.record(&mut text);
        let line = format!("{}{}", text.message, text.fields);
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push((*event.metadata().level(), line));
    }
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn captures_this_threads_events_of_the_target() {
        let logs = Logs::capture();
        tracing::info!(target: "cached_runtime::flight", key = "a", n = 3, who = ?Some(1), "led");
        tracing::error!(target: "another", "not this");
        thread::spawn(|| tracing::warn!(target: "cached", "another thread")).join().unwrap();
        let line = "led key=a n=3 who=Some(1)".to_owned();
        assert_eq!(logs.lines(), [(Level::INFO, line)]);
        assert!(logs.contains(Level::INFO, "key=a"));
        assert!(!logs.contains(Level::WARN, "key=a"));
        logs.clear();
        assert!(logs.lines().is_empty());
        drop(logs);
        let later = Logs::capture();
        assert!(later.lines().is_empty());
    }

    #[test]
    fn captures_all_threads_of_the_process() {
        let (one, two) = (Logs::capture_process(), Logs::capture_process());
        thread::spawn(|| tracing::debug!(target: "cached", "from far away")).join().unwrap();
        assert!(one.contains(Level::DEBUG, "from far away"));
        one.clear();
        assert!(!one.contains(Level::DEBUG, "from far away"));
        assert!(two.contains(Level::DEBUG, "from far away"));
    }
}
