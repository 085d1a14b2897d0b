//! Writes copies of the machine with one mistake each, which the exploration has to find.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

const MACHINE: &str = "../../cached-runtime/src/flight";
const FILES: [&str; 5] = ["flights", "follower", "leader", "liveness", "nesting"];

/// A mistake: in this file, this text becomes that one.
struct Mistake {
    name: &'static str,
    file: &'static str,
    right: &'static str,
    wrong: &'static str,
}

const MISTAKES: [Mistake; 11] = [
    Mistake {
        name: "ignores_close",
        file: "flights",
        right: "flight.joined_until = arrivals;",
        wrong: "let _ = (flight, arrivals);",
    },
    Mistake {
        name: "takes_late_for_early",
        file: "flights",
        right: "flight.early_until = arrivals;",
        wrong: "flight.early_until = arrivals.max(OPEN);",
    },
    Mistake {
        name: "forgets_the_next_round",
        file: "leader",
        right: "        self.again();",
        wrong: "        self.state = State::Done;",
    },
    Mistake {
        name: "forgets_followers_of_the_dropped",
        file: "leader",
        right: "drop(leader.pass(None));",
        wrong: "std::mem::forget(leader);",
    },
    Mistake {
        name: "gives_the_lead_to_the_departed",
        file: "leader",
        right: "Err(Told::Lead(leader, baton)) => Err((leader, baton)),",
        wrong: "Err(Told::Lead(leader, _)) => Ok(std::mem::forget(leader)),",
    },
    Mistake {
        name: "takes_the_lead_away",
        file: "follower",
        right: "Ok(Told::Lead(leader, baton)) => drop(leader.pass(baton)),",
        wrong: "Ok(Told::Lead(leader, _)) => std::mem::forget(leader),",
    },
    Mistake {
        name: "loses_the_baton",
        file: "leader",
        right: "        let (leader, baton) = undelivered;\n        drop(leader.pass(baton));",
        wrong: "        let (leader, baton) = undelivered;\n        std::mem::forget(baton);\n        \
                drop(leader.pass(None));",
    },
    Mistake {
        name: "takes_anothers_flight_for_its_own",
        file: "flights",
        right: "Some(flight) if flight.serial == serial => Some(flight),",
        wrong: "Some(flight) => Some(flight),",
    },
    Mistake {
        name: "forgets_followers_of_the_stalled",
        file: "flights",
        right: "drop(voice.send(Told::Again));",
        wrong: "std::mem::forget(voice);",
    },
    Mistake {
        name: "does_not_watch_whom_it_promotes",
        file: "flights",
        right: "liveness.note_wake();",
        wrong: "let _ = liveness;",
    },
    Mistake {
        name: "looks_before_it_notes",
        file: "nesting",
        right: "let added = waits().add(&held, awaited);",
        wrong: "let added = !waits().reaches(awaited, &held);\n\
                if added { for held in &held {\n\
                waits().edges.entry(*held).or_default().push(awaited); } }",
    },
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={MACHINE}");
    println!("cargo::rerun-if-changed=build.rs");
    let here = env::current_dir()?;
    let out = env::var("OUT_DIR")?;
    let mut all = String::new();
    for mistake in &MISTAKES {
        writeln!(all, "pub mod {} {{", mistake.name)?;
        for file in FILES {
            let text = fs::read_to_string(Path::new(MACHINE).join(file).with_extension("rs"))?;
            let text = if file == mistake.file { make(mistake, &text)? } else { text };
            // Their documentation is the module's own, which cannot be said inside of it here.
            let text: Vec<_> = text.lines().filter(|line| !line.starts_with("//!")).collect();
            writeln!(all, "pub mod {file} {{\n{}\n}}", text.join("\n"))?;
        }
        for file in ["sync", "scenarios"] {
            let path = here.join(file).with_extension("rs");
            writeln!(all, "#[path = {path:?}] pub mod {file};")?;
        }
        writeln!(all, "}}")?;
    }
    fs::write(Path::new(&out).join("mistaken.rs"), all)?;
    Ok(())
}

fn make(mistake: &Mistake, text: &str) -> Result<String, String> {
    match text.matches(mistake.right).count() {
        1 => Ok(text.replace(mistake.right, mistake.wrong)),
        count => Err(format!("{}: {count} places, and not one, to make it at", mistake.name)),
    }
}
