//! Explores the configurations and the mutants, and prints what came out. `help` tells how.

#![allow(clippy::print_stdout, reason = "a command prints its table")]

use cached_model::config::{self, Config, LARGE, SMALL};
use cached_model::mutants::MUTANTS;
use cached_model::{Mutant, Protocol, run, trace};
use std::process::ExitCode;
use std::thread::available_parallelism;

const HELP: &str = "\
cached-model small            every small configuration, then every mutant
cached-model large            the same with the large configurations: minutes, and gigabytes
cached-model config <name>    one configuration
cached-model mutant <name>    the run in which a mutant breaks the promise, step by step

The model's README has the configurations and the mutants.";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let good = match words[..] {
        ["small"] => configs(SMALL) & mutants(),
        ["large"] => configs(LARGE) & mutants(),
        ["config", name] => config::named(name).is_some_and(|config| configs(&[config])),
        ["mutant", name] => name.parse().is_ok_and(counterexample),
        _ => {
            println!("{HELP}");
            words == ["help"]
        }
    };
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn configs(configs: &[Config]) -> bool {
    println!("{:<18}{:>12}{:>14}{:>7}{:>9}", "configuration", "states", "steps", "depth", "time");
    configs.iter().fold(true, |good, config| explore(*config) & good)
}

fn explore(config: Config) -> bool {
    let threads = available_parallelism().map_or(1, usize::from);
    let end = run::exhaust(Protocol { config, mutant: None }, threads);
    let verdict = match (end.holds, end.missing.is_empty()) {
        (false, _) => "BROKEN".to_owned(),
        (true, true) => "holds".to_owned(),
        (true, false) => format!("holds, but there was never {}", end.missing.join(", nor ")),
    };
    println!(
        "{:<18}{:>12}{:>14}{:>7}{:>8.1}s  {verdict}",
        config.name,
        end.states,
        end.steps,
        end.depth,
        end.time.as_secs_f64()
    );
    end.holds && end.missing.is_empty()
}

fn mutants() -> bool {
    println!();
    MUTANTS.into_iter().fold(true, |good, mutant| {
        let found = run::breaks(mutant);
        let verdict = match &found {
            // The first state is no step.
            Some(run) => format!("fails as it must, in {} steps", run.len().saturating_sub(1)),
            None => "HOLDS, so the model misses something".to_owned(),
        };
        println!("{:<9}{:<52}{verdict}", mutant.name(), mutant.about());
        found.is_some() & good
    })
}

fn counterexample(mutant: Mutant) -> bool {
    println!("{}: {}\n", mutant.name(), mutant.about());
    let (Some(config), Some(run)) = (config::named(mutant.config()), run::breaks(mutant)) else {
        return false;
    };
    trace::lines(&config, &run).iter().for_each(|line| println!("{line}"));
    true
}
