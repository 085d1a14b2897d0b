//! One mistake, one diagnostic, as an editor shows it: in the compiler's JSON, where nothing is folded.
//!
//! Each `ui/once/*.rs` is a program with one mistake, and the `.stderr` beside it all that is said of
//! it. `UPDATE_EXPECT=1 cargo test -p cached-tests --test ui` writes these anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use expect_test::expect_file;
use serde::Deserialize;

/// A line of what cargo prints.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    message: Option<Diagnostic>,
    #[serde(default)]
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

#[derive(Deserialize)]
struct Diagnostic {
    level: String,
    spans: Vec<serde::de::IgnoredAny>,
    rendered: String,
}

pub(crate) fn check() {
    let cases = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/ui/once"));
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let names = names(&cases);
    assert!(names.len() > 40, "the cases are in {}", cases.display());
    let said = compile(&project(&cases, workspace, &names));
    let mut wrong = Vec::new();
    for name in &names {
        let diagnostics = said.get(name).map(Vec::as_slice).unwrap_or_default();
        if diagnostics.len() != 1 {
            wrong.push(format!("{name}: {} diagnostics", diagnostics.len()));
        }
        let text = diagnostics.join("\n").replace(&workspace.display().to_string(), "$WORKSPACE");
        expect_file![cases.join(format!("{name}.stderr"))].assert_eq(&settled(&text));
    }
    assert!(wrong.is_empty(), "more or less than one diagnostic a mistake: {wrong:#?}");
}

fn names(cases: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(cases)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

/// A crate with a program for each case, outside the workspace, as its users' are.
fn project(cases: &Path, workspace: &Path, names: &[String]) -> PathBuf {
    let project = Path::new(env!("CARGO_TARGET_TMPDIR")).join("once");
    fs::create_dir_all(&project).unwrap();
    let mut manifest = format!(
        "[package]\nname = \"once\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\ncached-runtime = {{ path = {:?}, features = [\"msgpack\", \"postcard\", \
         \"zstd\", \"tls\"] }}\nserde = {{ version = \"1.0\", features = [\"derive\"] }}\n",
        workspace.join("cached-runtime")
    );
    for name in names {
        let path = cases.join(format!("{name}.rs"));
        manifest.push_str(&format!("\n[[bin]]\nname = {name:?}\npath = {path:?}\n"));
    }
    write_if_other(&project.join("Cargo.toml"), &manifest);
    let lock = fs::read_to_string(workspace.join("Cargo.lock")).unwrap();
    write_if_other(&project.join("Cargo.lock"), &lock);
    project
}

/// Cargo compiles what is newer.
fn write_if_other(path: &Path, text: &str) {
    if fs::read_to_string(path).ok().as_deref() != Some(text) {
        fs::write(path, text).unwrap();
    }
}

/// The errors of each program.
fn compile(project: &Path) -> BTreeMap<String, Vec<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["check", "--bins", "--keep-going", "--offline", "--message-format=json"])
        .current_dir(project)
        // With what the workspace has compiled.
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap())
        // As an editor compiles it. What is said twice is said once without.
        .env("CARGO_INCREMENTAL", "1")
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let mut said: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let line: Line = serde_json::from_str(line).unwrap();
        let (Some(message), Some(target)) = (line.message, line.target) else { continue };
        // How many there were has no place.
        if message.level == "error" && !message.spans.is_empty() {
            said.entry(target.name).or_default().push(message.rendered);
        }
    }
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(!said.is_empty(), "nothing was compiled:\n{log}");
    said
}

/// The text without what changes though nothing that users read does: where in the runtime and in the
/// compiler's own sources something stands, and how wide the margin is for that.
fn settled(text: &str) -> String {
    let mut ours = true;
    let lines = text.lines().map(|line| {
        let line = line.split("/rustc/").next().unwrap_or(line).trim_end();
        let content = line.trim_start();
        let number = content.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        let behind = content[number.len()..].trim_start();
        let in_margin = ["|", "=", "-->", ":::"].iter().any(|mark| behind.starts_with(mark));
        if !in_margin {
            return line.to_owned();
        }
        match behind.strip_prefix("-->").or_else(|| behind.strip_prefix(":::")) {
            Some(place) => {
                ours = place.trim().starts_with("$WORKSPACE/tests");
                let place = if ours { place } else { place.split(':').next().unwrap_or(place) };
                format!("   -->{place}")
            }
            None => format!("{:>2} {behind}", if ours { number } else { "" }),
        }
    });
    let mut text: String = lines.map(|line| line + "\n").collect();
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}
