//! `landfall doctor`: what this machine has of what `landfall serve` needs, each finding with the command that mends it.
//!
//! [`probe`] looks, [`facts`] is what was seen, [`rules`] judges it.

mod facts;
mod probe;
mod rules;
mod version;

use crate::exit::Failed;
use clap::Args;
use rules::{Finding, Level};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;

/// `landfall doctor`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The data folder that the server is to have; default: that of the configuration, else landfall-data
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The address that it is to listen on
    #[arg(long, value_name = "ADDRESS", default_value = crate::serve::LISTEN, value_parser = crate::serve::address)]
    listen: SocketAddr,
    /// As JSON: [{"name", "level", "says", "fix"}]
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// Prints the findings; exits 1 when something that is needed is missing.
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = crate::config::data_dir_or(arguments.data_dir.as_deref())?;
    let findings = rules::judge(&probe::machine(&folder, arguments.listen).await);
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&findings.iter().map(json).collect::<Vec<_>>())?);
    } else {
        println!("{}", lines(&findings).join("\n"));
        eprintln!("{}", summary(&findings));
    }
    if findings.iter().any(|finding| finding.level == Level::Fail) {
        return Err(Failed.into());
    }
    Ok(())
}

fn json(finding: &Finding) -> Value {
    json!({"name": finding.name, "level": finding.level.word(), "says": finding.says, "fix": finding.fix})
}

fn lines(findings: &[Finding]) -> Vec<String> {
    let width = findings.iter().map(|finding| finding.name.len()).max().unwrap_or_default();
    let mut lines = Vec::new();
    for finding in findings {
        lines.push(format!("  {} {:width$}  {}", finding.level.mark(), finding.name, finding.says));
        if let Some(fix) = &finding.fix {
            lines.push(format!("    {:width$}  → {fix}", ""));
        }
    }
    lines
}

fn summary(findings: &[Finding]) -> String {
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    match (count(Level::Fail), count(Level::Warn)) {
        (0, 0) => "This machine has all that Landfall needs: start it with `landfall serve`.".to_owned(),
        (0, warnings) => format!("Landfall runs here; {warnings} to think about (!). Start it with `landfall serve`."),
        (failures, warnings) => {
            format!("{failures} to mend first (✗), {warnings} to think about (!). Then ask `landfall doctor` again.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(name: &'static str, level: Level, fix: Option<&str>) -> Finding {
        Finding { name, level, says: "says".to_owned(), fix: fix.map(str::to_owned) }
    }

    #[test]
    fn each_fix_stands_under_its_finding() {
        let findings = [finding("git", Level::Fail, Some("apt-get install git")), finding("kernel", Level::Ok, None)];
        assert_eq!(lines(&findings), ["  ✗ git     says", "            → apt-get install git", "  ✓ kernel  says"]);
        assert_eq!(json(&findings[0])["level"], "fail");
    }

    #[test]
    fn the_last_line_says_what_to_do() {
        for (findings, part) in [
            (vec![finding("a", Level::Ok, None)], "has all"),
            (vec![finding("a", Level::Warn, None)], "1 to think about"),
            (vec![finding("a", Level::Fail, None), finding("b", Level::Warn, None)], "1 to mend first"),
        ] {
            assert!(summary(&findings).contains(part), "{}", summary(&findings));
        }
    }
}
