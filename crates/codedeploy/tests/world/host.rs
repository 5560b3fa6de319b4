//! A host's agent, played in-process over the same trait that real agents reach over HTTP.

use aws::codedeploy_commands::*;
use codedeploy::Service;
use kernel::Caller;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::task::JoinHandle;

/// How a host answers its commands.
#[derive(Clone, Default)]
pub struct Script {
    /// Events that fail.
    pub failing: Vec<&'static str>,
    /// Events that are acknowledged and never reported.
    pub hanging: Vec<&'static str>,
    /// Each completion is reported twice, the second time as a failure.
    pub reporting_twice: bool,
}

impl Script {
    pub fn failing(event: &'static str) -> Self {
        Self { failing: vec![event], ..Self::default() }
    }

    pub fn hanging(event: &'static str) -> Self {
        Self { hanging: vec![event], ..Self::default() }
    }
}

/// A running agent; it ends when dropped.
pub struct Host {
    /// How often each (deployment, event) was executed, in order of the first time.
    pub executed: Arc<Mutex<Vec<(String, String)>>>,
    task: JoinHandle<()>,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Host {
    pub fn start(service: Arc<Service>, caller: Caller, script: Script) -> Self {
        let executed = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&executed);
        let task = tokio::spawn(async move {
            loop {
                let polled =
                    service.poll_host_command(&caller, PollHostCommandInput { host_identifier: caller.arn() }).await;
                if let Some(command) = polled.unwrap().host_command {
                    run(&service, &caller, &script, &log, command).await;
                }
            }
        });
        Self { executed, task }
    }

    /// Ends the agent and waits until nothing of it is left.
    pub async fn end(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// The events executed for a deployment, in order.
    pub fn events(&self, deployment: &str) -> Vec<String> {
        let executed = self.executed.lock().unwrap();
        executed.iter().filter(|(id, _)| id.ends_with(deployment)).map(|(_, event)| event.clone()).collect()
    }

    /// Events that were executed more than once.
    pub fn repeated(&self) -> Vec<(String, String)> {
        let mut counts = BTreeMap::new();
        for executed in self.executed.lock().unwrap().iter() {
            *counts.entry(executed.clone()).or_insert(0) += 1;
        }
        counts.into_iter().filter(|(_, count)| *count > 1).map(|(executed, _)| executed).collect()
    }
}

async fn run(
    service: &Service,
    caller: &Caller,
    script: &Script,
    log: &Mutex<Vec<(String, String)>>,
    command: HostCommandInstance,
) {
    let specification = GetDeploymentSpecificationInput {
        deployment_execution_id: command.deployment_execution_id.clone(),
        host_identifier: caller.arn(),
    };
    let specification = service.get_deployment_specification(caller, specification).await.unwrap();
    assert!(specification.deployment_specification.generic_envelope.payload.starts_with("-----BEGIN PKCS7-----"));
    let acknowledgement = PutHostCommandAcknowledgementInput {
        host_command_identifier: command.host_command_identifier.clone(),
        diagnostics: None,
    };
    let answer = service.put_host_command_acknowledgement(caller, acknowledgement).await.unwrap();
    if answer.command_status != "InProgress" {
        return;
    }
    let event = command.command_name.as_str();
    log.lock().unwrap().push((command.deployment_execution_id.clone(), event.to_owned()));
    if script.hanging.contains(&event) {
        return;
    }
    let failed = script.failing.contains(&event);
    service.put_host_command_complete(caller, completion(&command, failed)).await.unwrap();
    if script.reporting_twice {
        service.put_host_command_complete(caller, completion(&command, true)).await.unwrap();
    }
}

fn completion(command: &HostCommandInstance, failed: bool) -> PutHostCommandCompleteInput {
    let report = if failed {
        serde_json::json!({"error_code": 4, "script_name": "scripts/run.sh", "message": "Script at specified location: scripts/run.sh failed with exit code 3", "log": "[stderr]no"})
    } else {
        serde_json::json!({"error_code": 0, "script_name": "", "message": "Succeeded", "log": ""})
    };
    PutHostCommandCompleteInput {
        host_command_identifier: command.host_command_identifier.clone(),
        command_status: if failed { "Failed" } else { "Succeeded" }.to_owned(),
        diagnostics: Some(Envelope { format: "JSON".to_owned(), payload: report.to_string() }),
    }
}
