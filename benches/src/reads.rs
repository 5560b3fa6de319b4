//! The server's CPU for one signed, authorized request: a Get, and a List of 20 items.

use std::time::Duration;

use serde_json::{Value, json};

use crate::Options;
use crate::client::Connection;
use crate::process::Server;
use crate::report::{Budget, Figure, micros};

const REQUESTS: u32 = 10_000;
const MOTO_REQUESTS: u32 = 300;
const PIPELINES: usize = 20;
const BUDGET: Duration = Duration::from_micros(80);

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let ours = measured(&Server::landfall(options, &["--engine", "dummy", "--auth", "enforce"])?, REQUESTS).await?;
    let moto = measured(&Server::moto(options)?, MOTO_REQUESTS).await?;
    let figure = |what: &str, ours: Duration, moto: Duration| Figure {
        what: format!("server CPU for a signed {what} (over {REQUESTS} requests)"),
        landfall: micros(ours),
        beside: format!("moto {}", micros(moto)),
        ratio: ours.as_secs_f64() / moto.as_secs_f64(),
        budget: Budget::new("≤ 80 µs", ours <= BUDGET),
    };
    Ok(vec![
        figure("Get (codepipeline:GetPipeline)", ours.0, moto.0),
        figure("List of 20 (codepipeline:ListPipelines)", ours.1, moto.1),
    ])
}

/// CPU for each Get and for each List.
async fn measured(server: &Server, requests: u32) -> anyhow::Result<(Duration, Duration)> {
    server.answer().await?;
    let mut connection = server.client.connection();
    prepare(&mut connection).await?;
    let get = each(server, &mut connection, requests, "GetPipeline", &json!({"name": "pipeline-07"})).await?;
    let list = each(server, &mut connection, requests, "ListPipelines", &json!({})).await?;
    Ok((get, list))
}

async fn each(
    server: &Server,
    connection: &mut Connection,
    requests: u32,
    operation: &str,
    input: &Value,
) -> anyhow::Result<Duration> {
    let target = format!("CodePipeline_20150709.{operation}");
    // The first ones fill caches.
    for _ in 0..requests / 10 {
        connection.json("codepipeline", &target, input).await?;
    }
    let before = server.cpu()?;
    for _ in 0..requests {
        connection.json("codepipeline", &target, input).await?;
    }
    Ok((server.cpu()? - before) / requests)
}

async fn prepare(connection: &mut Connection) -> anyhow::Result<()> {
    let role = role(connection, "codepipeline").await?;
    connection.bucket("benchmark-artifacts").await?;
    for number in 0..PIPELINES {
        let input = json!({"pipeline": {
            "name": format!("pipeline-{number:02}"),
            "roleArn": role,
            "artifactStore": {"type": "S3", "location": "benchmark-artifacts"},
            "stages": [
                {"name": "Source", "actions": [action("Source", "Source", "CodeCommit",
                    json!({"RepositoryName": "none", "BranchName": "main", "PollForSourceChanges": "false"}))]},
                {"name": "Build", "actions": [action("Build", "Build", "CodeBuild", json!({"ProjectName": "none"}))]},
            ],
        }});
        connection.json("codepipeline", "CodePipeline_20150709.CreatePipeline", &input).await?;
    }
    Ok(())
}

/// An action that takes or gives the artifact `Source`.
pub(crate) fn action(name: &str, category: &str, provider: &str, configuration: Value) -> Value {
    let artifact = json!([{"name": "Source"}]);
    let (inputs, outputs) = if category == "Source" { (json!([]), artifact) } else { (artifact, json!([])) };
    json!({
        "name": name,
        "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
        "configuration": configuration,
        "inputArtifacts": inputs,
        "outputArtifacts": outputs,
    })
}

/// Makes a role that the service may assume; answers its ARN, in the account that both servers take by default.
pub(crate) async fn role(connection: &mut Connection, service: &str) -> anyhow::Result<String> {
    let trust = format!(
        "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A\
         %7B%22Service%22%3A%22{service}.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D"
    );
    let fields = format!("RoleName={service}&AssumeRolePolicyDocument={trust}");
    let reply = connection.query("iam", "CreateRole", "2010-05-08", &fields).await?;
    let text = String::from_utf8_lossy(&reply).into_owned();
    let arn = text.split_once("<Arn>").and_then(|(_, rest)| rest.split_once("</Arn>"));
    let (arn, _) = arn.ok_or_else(|| anyhow::anyhow!("CreateRole answered no ARN: {text}"))?;
    Ok(arn.to_owned())
}
