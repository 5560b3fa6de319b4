//! The log groups there are.

use crate::client::{Patient, part};
use aws::logs::MODEL;
use comfy_table::{Table, presets};
use kernel::Timestamp;
use serde_json::{Value, json};

/// Prints the groups of the region.
pub(super) async fn print(client: &mut Patient, as_json: bool) -> anyhow::Result<()> {
    let mut groups = Vec::new();
    let mut input = json!({});
    loop {
        let mut page = client.call(&MODEL, "DescribeLogGroups", &input).await?;
        if let Value::Array(more) = part(&mut page, "/logGroups") {
            groups.extend(more);
        }
        match part(&mut page, "/nextToken") {
            Value::String(token) => input["nextToken"] = token.into(),
            _ => break,
        }
    }
    if as_json {
        println!("{}", serde_json::to_string_pretty(&groups.iter().map(group).collect::<Vec<_>>())?);
        return Ok(());
    }
    if groups.is_empty() {
        eprintln!("There is no log group yet. A build of project P makes /aws/codebuild/P.");
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["group", "kept", "made"]);
    table.add_rows(groups.iter().map(row));
    println!("{}", table.trim_fmt());
    Ok(())
}

fn made(group: &Value) -> String {
    Timestamp::from_millis(group["creationTime"].as_i64().unwrap_or_default()).iso8601()
}

fn group(group: &Value) -> Value {
    json!({"group": group["logGroupName"], "retentionInDays": group["retentionInDays"], "madeAt": made(group)})
}

fn row(group: &Value) -> [String; 3] {
    let kept = group["retentionInDays"].as_i64().map_or_else(|| "for ever".to_owned(), |days| format!("{days} days"));
    [group["logGroupName"].as_str().unwrap_or_default().to_owned(), kept, made(group)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_says_how_long_it_keeps() {
        let mut found = json!({"logGroupName": "g", "creationTime": 0});
        assert_eq!(row(&found), ["g", "for ever", "1970-01-01T00:00:00Z"]);
        found["retentionInDays"] = 7.into();
        assert_eq!(row(&found)[1], "7 days");
        assert_eq!(group(&found)["retentionInDays"], 7);
    }
}
