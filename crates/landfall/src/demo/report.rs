//! The closing table.

use super::executions::Execution;
use super::screen::Screen;
use comfy_table::{CellAlignment, Table, presets};
use std::time::Duration;

/// Prints executions, stages, actions, status and seconds, and where to look next.
pub(super) fn print(screen: &Screen, executions: &[Execution], elapsed: Duration, endpoint: &str) {
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
    println!("\n{table}\n");
    screen.say(&format!("All checks passed in {:.1} s.", elapsed.as_secs_f64()));
    screen.say("Look closer with `landfall demo --keep` and, in another terminal:");
    screen.say(&format!("  export AWS_ENDPOINT_URL={endpoint} AWS_ACCESS_KEY_ID=demo AWS_SECRET_ACCESS_KEY=demo AWS_DEFAULT_REGION=us-east-1"));
    for command in [
        "aws codepipeline get-pipeline-state --name hello-service",
        "aws codebuild list-builds-for-project --project-name hello-service",
        "aws logs filter-log-events --log-group-name /aws/codebuild/hello-service --query events[].message --output text",
        "aws deploy list-deployments --application-name hello-service",
    ] {
        screen.say(&format!("  {command}"));
    }
}
