//! The closing table.

use super::executions::Execution;
use super::screen::Screen;
use comfy_table::{CellAlignment, Table, presets};
use std::path::Path;
use std::time::Duration;

/// Prints executions, stages, actions, status and seconds.
pub(super) fn print(screen: &Screen, executions: &[Execution], elapsed: Duration) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["execution", "started by", "stage", "action", "status", "seconds"]);
    for execution in executions {
        let total = format!("{:.1}", execution.seconds);
        table.add_row([&execution.title, &execution.trigger, "", "", &execution.status, &total]);
        for action in &execution.actions {
            let seconds = format!("{:.1}", action.seconds);
            table.add_row(["", "", &action.stage, &action.name, &action.status, &seconds]);
        }
    }
    if let Some(column) = table.column_mut(5) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("\n{}\n", table.trim_fmt());
    screen.say(&format!("All of it was checked, in {:.1} s.", elapsed.as_secs_f64()));
}

/// Says where to look next; `data_dir` is that of a server that keeps running.
pub(super) fn next(screen: &Screen, data_dir: Option<&Path>) {
    let Some(data_dir) = data_dir else {
        return screen.say("To look around: landfall demo --keep leaves everything running and says where to look.");
    };
    let this = std::env::current_exe().map_or_else(|_| "landfall".to_owned(), |path| path.display().to_string());
    screen.say("Everything keeps running until Ctrl-C. In another terminal:\n");
    screen.say(&format!("  eval \"$({this} env --data-dir {})\"", data_dir.display()));
    for command in ["status", "pipeline watch hello-service", "logs --build hello-service"] {
        screen.say(&format!("  {this} {command}"));
    }
    for command in [
        "aws codepipeline get-pipeline-state --name hello-service",
        "aws deploy list-deployments --application-name hello-service",
    ] {
        screen.say(&format!("  {command}"));
    }
}
