//! The log of one build.

use super::POLL;
use super::event::Printer;
use super::tail::Tail;
use crate::client::{CallError, Patient, part};
use crate::exit::user_error;
use aws::codebuild::MODEL;
use kernel::Timestamp;
use serde_json::{Value, json};

/// Prints a build's log; when following, to its end. `named` is an id, or a project for its newest build.
pub(super) async fn print(
    client: &mut Patient,
    named: &str,
    since: Option<Timestamp>,
    follow: bool,
    out: Printer,
) -> anyhow::Result<()> {
    let id = match named.contains(':') {
        true => named.to_owned(),
        false => newest(client, named, follow).await?,
    };
    let mut tail: Option<Tail> = None;
    loop {
        let build = get(client, &id).await?;
        if tail.is_none() {
            tail = place(&build).map(|(group, stream)| Tail::new(&group, &stream, since.unwrap_or_default()));
        }
        // What is read after the end was seen is all there is.
        if let Some(tail) = &mut tail {
            drain(client, tail, out).await?;
        }
        if build["buildComplete"] == true || !follow {
            eprintln!("build {id} {}", build["buildStatus"].as_str().unwrap_or_default());
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn drain(client: &mut Patient, tail: &mut Tail, out: Printer) -> anyhow::Result<()> {
    loop {
        match tail.next(client).await {
            Ok(Some(events)) => out.print(&events, true)?,
            Ok(None) => return Ok(()),
            // The stream is made with its first line.
            Err(error) if error.code() == Some("ResourceNotFoundException") => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

async fn get(client: &mut Patient, id: &str) -> anyhow::Result<Value> {
    let mut found = client.call(&MODEL, "BatchGetBuilds", &json!({"ids": [id]})).await?;
    match part(&mut found, "/builds/0") {
        Value::Null => {
            Err(user_error(format!("there is no build '{id}'; `aws codebuild list-builds` lists those there are")))
        }
        build => Ok(build),
    }
}

/// The newest build of a project; the first one is waited for when following.
async fn newest(client: &mut Patient, project: &str, wait: bool) -> anyhow::Result<String> {
    let input = json!({"projectName": project, "sortOrder": "DESCENDING"});
    loop {
        let found =
            client.call(&MODEL, "ListBuildsForProject", &input).await.map_err(|error| explain(project, error))?;
        if let Some(id) = found["ids"][0].as_str() {
            return Ok(id.to_owned());
        }
        if !wait {
            return Err(user_error(format!("project '{project}' has no build yet; -f waits for the first")));
        }
        tokio::time::sleep(POLL).await;
    }
}

fn explain(project: &str, error: CallError) -> anyhow::Error {
    match error.code() {
        Some("ResourceNotFoundException") => {
            user_error(format!("there is no project '{project}'; `aws codebuild list-projects` lists those there are"))
        }
        _ => error.into(),
    }
}

/// Where a build logs, once that is known.
fn place(build: &Value) -> Option<(String, String)> {
    let text = |member: &str| build["logs"][member].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    Some((text("groupName")?, text("streamName")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_logs_somewhere_once_it_has_begun() {
        assert_eq!(place(&json!({"logs": {"groupName": "g", "streamName": "s"}})), Some(("g".into(), "s".into())));
        for build in
            [json!({}), json!({"logs": {"groupName": "g"}}), json!({"logs": {"groupName": "g", "streamName": ""}})]
        {
            assert_eq!(place(&build), None);
        }
    }
}
