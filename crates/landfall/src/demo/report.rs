//! The closing table.

use super::executions::Execution;
use super::screen::Screen;
use comfy_table::{CellAlignment, Table, presets};
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

/// Says where to look next; `endpoint` is that of a server that keeps running.
pub(super) fn next(screen: &Screen, endpoint: Option<&str>) {
    let Some(endpoint) = endpoint else {
        return screen.say("To look around: landfall demo --keep leaves everything running and says where to look.");
    };
    screen.say("Everything keeps running until Ctrl-C. In another terminal:\n");
    screen.say(&format!("  export AWS_ENDPOINT_URL={endpoint} AWS_DEFAULT_REGION=us-east-1"));
    screen.say("  export AWS_ACCESS_KEY_ID=demo AWS_SECRET_ACCESS_KEY=demo");
    for command in [
        "aws codepipeline get-pipeline-state --name hello-service",
        "aws codebuild list-builds-for-project --project-name hello-service",
        "aws logs filter-log-events --log-group-name /aws/codebuild/hello-service --query 'events[].message' --output text",
        "aws deploy list-deployments --application-name hello-service",
    ] {
        screen.say(&format!("  {command}"));
    }
}
