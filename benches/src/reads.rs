//! The server's CPU for one signed, authorized request: a Get, and a List of 20 items.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::Options;
use crate::report::{Budget, Figure, micros};
use testbed::client::Connection;
use testbed::process::Server;

/// Requests for one figure, of each client.
const REQUESTS: u32 = 2_000;
const MOTO_REQUESTS: u32 = 30;
/// In so many turns.
const TURNS: u32 = 5;
const PIPELINES: usize = 20;
/// How many clients ask: one after the other shows what waking up costs, many show a busy server.
const CLIENTS: [u32; 2] = [16, 1];
const BUDGET: Duration = Duration::from_micros(80);

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let ours = |program| Server::landfall(program, &options.folder, &["--engine", "dummy", "--auth", "enforce"]);
    let server = ours(&options.landfall)?;
    let (peer, name, requests) = match &options.before {
        Some(before) => (ours(before)?, "before", REQUESTS),
        None => (Server::moto(&options.moto, &options.folder)?, "moto", MOTO_REQUESTS),
    };
    for server in [&server, &peer] {
        server.answer().await?;
        prepare(&mut server.client.connection()).await?;
    }
    let mut figures = Vec::new();
    for clients in CLIENTS {
        for (what, operation, input) in
            [("Get", "GetPipeline", json!({"name": "pipeline-07"})), ("List of 20", "ListPipelines", json!({}))]
        {
            let asked = Asked { clients, operation, input };
            let (ours, peer) = asked.each([(&server, REQUESTS), (&peer, requests)]).await?;
            figures.push(Figure {
                what: format!("server CPU for a signed {what} (codepipeline:{operation}), {clients} at once"),
                landfall: micros(ours),
                beside: format!("{name} {}", micros(peer)),
                ratio: ours.as_secs_f64() / peer.as_secs_f64(),
                budget: Budget::new("≤ 80 µs", ours <= BUDGET),
            });
        }
    }
    Ok(figures)
}

/// What so many clients ask at once.
struct Asked {
    clients: u32,
    operation: &'static str,
    input: Value,
}

impl Asked {
    /// Both servers' CPU for one request, when each client sends them so many. They take turns, so that what else the
    /// machine does weighs on both.
    async fn each(&self, servers: [(&Server, u32); 2]) -> anyhow::Result<(Duration, Duration)> {
        let mut spent = [Duration::ZERO; 2];
        for turn in 0..=TURNS {
            for (spent, (server, requests)) in spent.iter_mut().zip(servers) {
                let before = server.cpu()?;
                ask(server, self.clients, requests / TURNS, self.operation, &self.input).await?;
                // The first ones fill caches.
                *spent += if turn == 0 { Duration::ZERO } else { server.cpu()? - before };
            }
        }
        let [ours, peer] = [0, 1].map(|index| spent[index] / (self.clients * (servers[index].1 / TURNS) * TURNS));
        Ok((ours, peer))
    }
}

async fn ask(
    server: &Server,
    clients: u32,
    requests: u32,
    operation: &'static str,
    input: &Value,
) -> anyhow::Result<()> {
    let mut asking = JoinSet::new();
    for _ in 0..clients {
        let (mut connection, input) = (server.client.connection(), input.clone());
        asking.spawn(async move {
            for _ in 0..requests {
                connection.json("codepipeline", &format!("CodePipeline_20150709.{operation}"), &input).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = asking.join_next().await {
        ended??;
    }
    Ok(())
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
