//! `landfall gc`: asks the running server to remove what is past its time.

use crate::client::ServerArguments;
use crate::terminal::bytes;
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};
use std::time::Duration;

/// How long a collection may take.
const LONGEST: Duration = Duration::from_secs(600);

/// `landfall gc`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// As JSON: {"dryRun", "kept", "removed": [{"what", "count", "bytes"}]}
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArguments,
}

/// Collects and prints what was removed.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let client = arguments.server.connect()?.within(LONGEST);
    let answer = client.operator("CollectGarbage", json!({"dryRun": arguments.dry_run})).await?;
    if arguments.json {
        println!("{answer}");
        return Ok(());
    }
    println!("{}", table(&answer));
    let kept = &answer["kept"];
    let told = |what: &str| kept[what].as_str().unwrap_or_default().to_owned();
    eprintln!(
        "Kept: executions {}, builds {}, deployments {}, artifacts {}, unused images {}.{}",
        told("executions"),
        told("builds"),
        told("deployments"),
        told("artifacts"),
        told("images"),
        if arguments.dry_run { " Nothing was removed: that was a dry run." } else { "" }
    );
    Ok(())
}

fn table(answer: &Value) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let verb = if answer["dryRun"] == true { "WOULD REMOVE" } else { "REMOVED" };
    table.set_header([verb, "COUNT", "SIZE"]);
    for row in answer["removed"].as_array().into_iter().flatten() {
        let number = |name: &str| row[name].as_u64().unwrap_or_default();
        let size = if number("bytes") == 0 { "-".to_owned() } else { bytes(number("bytes")) };
        table.add_row([row["what"].as_str().unwrap_or_default(), &number("count").to_string(), &size]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_calm() {
        let answer = json!({"dryRun": true, "removed": [
            {"what": "builds", "count": 3, "bytes": 0},
            {"what": "artifacts", "count": 12, "bytes": 2_097_152},
        ]});
        let lines: Vec<String> = table(&answer).to_string().lines().map(|line| line.trim().to_owned()).collect();
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&lines[0]), ["WOULD", "REMOVE", "COUNT", "SIZE"]);
        assert_eq!(words(&lines[1]), ["builds", "3", "-"]);
        assert_eq!(words(&lines[2]), ["artifacts", "12", "2.1", "MB"]);
    }
}
