//! What was acknowledged must be there: a few facts after each restart, all of them at the end.

use serde_json::json;

use super::api::{Api, COMMIT, PIPELINE, Trouble};
use super::ledger::Fact;
use super::plan::{PLANS, Source};

/// Whether a fact can be looked up by itself.
pub(super) fn is_promise(fact: &Fact) -> bool {
    matches!(fact, Fact::Pushed { .. } | Fact::Started { .. } | Fact::RolledBack { .. })
}

/// What the ledger's entries about a promise have in them.
pub(super) fn about(fact: &Fact) -> &str {
    match fact {
        Fact::Pushed { revision, .. } => revision,
        Fact::Started { execution, .. } | Fact::RolledBack { execution, .. } => execution,
        _ => "",
    }
}

/// Looks a fact up; what is wrong if the server does not know it. An answer that is lost says nothing.
pub(super) async fn broken(api: &mut Api, fact: &Fact) -> Option<String> {
    let looked = match fact {
        Fact::Pushed { pipeline, revision, .. } => look_up_revision(api, pipeline, revision).await,
        Fact::Started { pipeline, execution, .. } | Fact::RolledBack { pipeline, execution } => {
            let input = json!({"pipelineName": pipeline, "pipelineExecutionId": execution});
            api.ask(PIPELINE, "GetPipelineExecution", &input).await.map(drop)
        }
        _ => Ok(()),
    };
    match looked {
        Err(Trouble::Refused(refused)) => Some(format!("acknowledged, then lost: {fact:?}: {refused}")),
        Ok(()) | Err(Trouble::Lost(_)) => None,
    }
}

async fn look_up_revision(api: &mut Api, pipeline: &str, revision: &str) -> Result<(), Trouble> {
    let Some(plan) = PLANS.iter().find(|plan| plan.name == pipeline) else { return Ok(()) };
    match plan.source {
        Source::CodeCommit => {
            let input = json!({"repositoryName": plan.inbox(), "commitId": revision});
            api.ask(COMMIT, "GetCommit", &input).await.map(drop)
        }
        Source::S3 => {
            let target = format!("/{}/source.zip?versionId={revision}", plan.inbox());
            api.s3("GET", &target).await.map(drop)
        }
    }
}
