//! A package that is thrown away.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Profile {
    Debug,
    Release,
}

impl Profile {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Release => "release",
        }
    }
}

pub(crate) struct Project {
    dir: PathBuf,
}

impl Project {
    /// Writes the package. `{here}` and `{redis features}` in its dependencies are filled in.
    pub(crate) fn new(parent: &Path, name: &str, dependencies: &[&str], main: &str) -> Self {
        let dir = parent.join(name);
        let dependencies = dependencies
            .join("\n")
            .replace("{here}", HERE)
            .replace("{redis features}", &redis_features());
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
             [dependencies]\n{dependencies}\n"
        );
        fs::create_dir_all(dir.join("src")).unwrap();
        fs::write(dir.join("Cargo.toml"), manifest).unwrap();
        fs::write(dir.join("src/main.rs"), main).unwrap();
        // The same versions for all, and none that would have to be downloaded.
        fs::copy(Path::new(HERE).join("Cargo.lock"), dir.join("Cargo.lock")).unwrap();
        let project = Self { dir };
        // Not part of what is timed: takes from the lock file what the package does not need.
        project.cargo(&["metadata", "--format-version", "1"]);
        project
    }

    pub(crate) fn name(&self) -> &str {
        self.dir.file_name().unwrap().to_str().unwrap()
    }

    pub(crate) fn forget_builds(&self) {
        let target = self.dir.join("target");
        if target.exists() {
            fs::remove_dir_all(target).unwrap();
        }
    }

    pub(crate) fn touch(&self) {
        let main = fs::File::options().append(true).open(self.dir.join("src/main.rs")).unwrap();
        main.set_modified(std::time::SystemTime::now()).unwrap();
    }

    /// Seconds that the build takes.
    pub(crate) fn build(&self, profile: Profile) -> f64 {
        let started = Instant::now();
        match profile {
            Profile::Debug => self.cargo(&["build"]),
            Profile::Release => self.cargo(&["build", "--release"]),
        };
        started.elapsed().as_secs_f64()
    }

    /// How many crates are built in all, this one among them.
    pub(crate) fn crates(&self) -> usize {
        let tree = self.cargo(&["tree", "--prefix", "none", "-e", "normal,build"]);
        let crates = tree.lines().map(|line| line.splitn(3, ' ').take(2).collect::<Vec<_>>());
        crates.collect::<BTreeSet<_>>().len()
    }

    fn cargo(&self, args: &[&str]) -> String {
        let output = Command::new("cargo")
            .args(args)
            .arg("--offline")
            .current_dir(&self.dir)
            .env("CARGO_TARGET_DIR", self.dir.join("target"))
            // Else a file that was only touched is not compiled again.
            .env("CARGO_INCREMENTAL", "0")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

/// The features of the redis crate that the cache asks for, as its manifest lists them.
fn redis_features() -> String {
    let manifest = Path::new(HERE).join("../../cached-runtime/Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    let line = manifest.lines().find(|line| line.starts_with("redis = ")).expect("the dependency");
    line[line.find('[').unwrap()..=line.find(']').unwrap()].to_owned()
}
