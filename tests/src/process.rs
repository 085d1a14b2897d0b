//! The process of a server: its port, its directory, its end.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::Value;
use tempfile::TempDir;

use crate::ports::free_port;
use crate::program::program;
use crate::resp;
use crate::wait::poll;

const START: Duration = Duration::from_secs(10);
const PORTS_TRIED: usize = 20;

/// A running `redis-server`, whatever it serves as. Killed, by its own process
/// id, when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    port: u16,
    password: Option<String>,
    args: Vec<String>,
    child: Mutex<Option<Child>>,
    halted: AtomicBool,
    dir: TempDir,
}

impl Process {
    /// Starts `redis-server` with the arguments that `args` has for its
    /// directory and a port, and waits until it answers on [`socket`]; with
    /// another port, when one that it wants is taken.
    ///
    /// # Panics
    ///
    /// When no `redis-server` is installed or it does not answer within 10 s;
    /// the message has the end of its log.
    pub(crate) fn start(
        dir: TempDir,
        password: Option<String>,
        mut args: impl FnMut(&Path, u16) -> Vec<String>,
    ) -> Self {
        let mut process = Self {
            port: 0,
            password,
            args: Vec::new(),
            child: Mutex::new(None),
            halted: AtomicBool::new(false),
            dir,
        };
        for _ in 0..PORTS_TRIED {
            process.port = free_port();
            process.args = args(process.dir.path(), process.port);
            if process.spawn() {
                return process;
            }
        }
        panic!("redis-server found none of {PORTS_TRIED} ports free");
    }

    /// Starts the process anew, as it was.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub(crate) fn restart(&self) {
        self.kill();
        if poll(START, || self.spawn().then_some(())).is_none() {
            panic!("port {} was taken by another process", self.port);
        }
    }

    /// Starts the process and waits until it answers; `false` when another
    /// process has the port.
    fn spawn(&self) -> bool {
        let log = File::create(self.log_file()).expect("a log file");
        let errors = log.try_clone().expect("a log file");
        let mut child = Command::new(program())
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{:?} does not start ({error}); tests/run installs redis-server", program())
            });
        let up = poll(START, || {
            if let Some(status) = child.try_wait().expect("a child to wait for") {
                return Some(Err(status));
            }
            match self.call(&["PING"]) {
                Err(_) => None,
                Ok(Value::ServerError(error)) if error.code() == "LOADING" => None,
                Ok(_) => Some(Ok(())),
            }
        });
        match up {
            Some(Ok(())) => {
                *lock(&self.child) = Some(child);
                self.halted.store(false, Ordering::SeqCst);
                true
            }
            Some(Err(_)) if self.log().contains("in use") => false,
            Some(Err(status)) => panic!("redis-server ended ({status}):\n{}", self.log_tail()),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                let tail = self.log_tail();
                panic!("redis-server does not answer within {START:?}:\n{tail}")
            }
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// It was started, and neither killed nor halted since.
    pub(crate) fn is_running(&self) -> bool {
        lock(&self.child).is_some() && !self.halted.load(Ordering::SeqCst)
    }

    /// Kills the process with SIGKILL and waits until it is gone. Nothing
    /// happens when it already is.
    pub(crate) fn kill(&self) {
        if let Some(mut child) = lock(&self.child).take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Halts the process (SIGSTOP).
    pub(crate) fn stop(&self) {
        self.halted.store(true, Ordering::SeqCst);
        self.signal("-STOP");
    }

    /// Lets a halted process go on (SIGCONT).
    pub(crate) fn cont(&self) {
        self.signal("-CONT");
        self.halted.store(false, Ordering::SeqCst);
    }

    fn signal(&self, signal: &str) {
        let child = lock(&self.child);
        let pid = child.as_ref().expect("a running server").id();
        // The standard library can only kill, and this crate has no unsafe code.
        let status = Command::new("kill").args([signal, &pid.to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill {signal}");
    }

    /// Sends one command, after the password where there is one.
    pub(crate) fn call<A: AsRef<[u8]>>(&self, args: &[A]) -> io::Result<Value> {
        resp::call(&socket(self.dir.path()), self.password(), args)
    }

    /// [`call`](Self::call), with the text of an error reply, or of why there is
    /// none.
    pub(crate) fn try_call<A: AsRef<[u8]>>(&self, args: &[A]) -> Result<Value, String> {
        match self.call(args) {
            Ok(Value::ServerError(error)) => Err(error.to_string()),
            Ok(value) => Ok(value),
            Err(error) => Err(error.to_string()),
        }
    }

    /// What the server has logged since it was last started.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.dir.path().join("redis.log")
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGKILL ends a halted process too.
        self.kill();
    }
}

/// Where a server with this directory listens for the harness.
pub(crate) fn socket(dir: &Path) -> PathBuf {
    dir.join("redis.sock")
}

/// The path as an argument.
pub(crate) fn text(path: &Path) -> String {
    path.to_str().expect("a UTF-8 path").to_owned()
}

/// A test that failed while it held the lock must not hide its own message.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
