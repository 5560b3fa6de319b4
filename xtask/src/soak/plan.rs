//! The ten pipelines: every mode, both sources, parallel builds, approvals, sites in S3 and releases on hosts.

use serde_json::{Value, json};

/// The account of everything.
pub(super) const ACCOUNT: &str = "000000000000";

/// How a pipeline runs its executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Superseded,
    Queued,
    Parallel,
}

impl Mode {
    fn api(self) -> &'static str {
        match self {
            Self::Superseded => "SUPERSEDED",
            Self::Queued => "QUEUED",
            Self::Parallel => "PARALLEL",
        }
    }
}

/// Where a pipeline's revisions come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    CodeCommit,
    S3,
}

/// A stage behind the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// So many builds beside each other.
    Build(u8),
    Approve,
    /// Deploy/S3 into the pipeline's site.
    Site,
    /// Deploy/CodeDeploy to these hosts.
    Hosts(&'static [usize]),
}

impl Stage {
    /// Its name in the pipeline.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Build(_) => "Build",
            Self::Approve => "Approve",
            Self::Site => "Site",
            Self::Hosts(_) => "Hosts",
        }
    }
}

/// A pipeline with everything that it needs: repository or inbox, project, site, application, all of its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) name: &'static str,
    pub(super) mode: Mode,
    pub(super) source: Source,
    pub(super) stages: &'static [Stage],
    /// `onFailure` of the last stage but approvals.
    pub(super) on_failure: Option<&'static str>,
}

/// How many hosts there are.
pub(super) const HOSTS: usize = 3;

use Mode::{Parallel, Queued, Superseded};
use Source::{CodeCommit, S3};
use Stage::{Approve, Build, Hosts, Site};

const fn plan(name: &'static str, mode: Mode, source: Source, stages: &'static [Stage]) -> Plan {
    Plan { name, mode, source, stages, on_failure: None }
}

/// All of them.
pub(super) const PLANS: [Plan; 10] = [
    plan("release", Superseded, CodeCommit, &[Build(2), Approve, Hosts(&[0, 1])]),
    Plan { on_failure: Some("RETRY"), ..plan("line", Queued, CodeCommit, &[Build(1), Hosts(&[2])]) },
    plan("beside", Parallel, CodeCommit, &[Build(2), Site]),
    plan("inbox", Superseded, S3, &[Build(1), Site]),
    plan("gate", Queued, S3, &[Approve, Site]),
    plan("many", Parallel, S3, &[Approve, Build(1)]),
    plan("site", Superseded, CodeCommit, &[Site, Approve]),
    plan("two", Queued, CodeCommit, &[Build(2), Approve, Site]),
    Plan { on_failure: Some("ROLLBACK"), ..plan("fleet", Superseded, S3, &[Hosts(&[0, 2])]) },
    plan("slow", Queued, CodeCommit, &[Approve, Hosts(&[1])]),
];

impl Plan {
    /// The name of the bucket or repository that revisions are put into.
    pub(super) fn inbox(&self) -> String {
        format!("soak-{}-inbox", self.name)
    }

    /// The bucket that Deploy/S3 writes into.
    pub(super) fn site(&self) -> String {
        format!("soak-{}-site", self.name)
    }

    /// Whether a stage of this kind is in it.
    pub(super) fn has(&self, wanted: impl Fn(&Stage) -> bool) -> bool {
        self.stages.iter().any(wanted)
    }

    /// The hosts that it deploys to.
    pub(super) fn hosts(&self) -> &'static [usize] {
        self.stages.iter().find_map(|stage| if let Hosts(hosts) = stage { Some(*hosts) } else { None }).unwrap_or(&[])
    }

    /// The names of each stage's actions, sources first.
    pub(super) fn actions(&self) -> Vec<(&'static str, Vec<String>)> {
        let mut all = vec![("Source", vec!["Source".to_owned()])];
        all.extend(self.stages.iter().map(|stage| match stage {
            Build(count) => ("Build", (0..*count).map(|number| format!("Build{number}")).collect()),
            other => (other.name(), vec![other.name().to_owned()]),
        }));
        all
    }

    /// `create_pipeline`'s input. `packed`: whether builds really pack what hosts and sites get.
    pub(super) fn declaration(&self, packed: bool) -> Value {
        let mut stages = vec![json!({"name": "Source", "actions": [self.source_action()]})];
        let built = self.has(|stage| matches!(stage, Build(_))) && packed;
        let input = if built { "Build0" } else { "Source" };
        stages.extend(self.stages.iter().map(|stage| self.stage(*stage, input)));
        json!({"pipeline": {
            "name": self.name, "pipelineType": "V2", "executionMode": self.mode.api(),
            "roleArn": role("codepipeline"), "artifactStore": {"type": "S3", "location": "soak-artifacts"},
            "stages": stages,
        }})
    }

    fn source_action(&self) -> Value {
        let (provider, settings) = match self.source {
            CodeCommit => ("CodeCommit", json!({"RepositoryName": self.inbox(), "BranchName": "main"})),
            S3 => ("S3", json!({"S3Bucket": self.inbox(), "S3ObjectKey": "source.zip"})),
        };
        action("Source", "Source", provider, &settings, &[], &["Source"])
    }

    fn stage(&self, stage: Stage, input: &str) -> Value {
        let actions: Vec<Value> = match stage {
            Build(count) => (0..count).map(|number| self.build(number)).collect(),
            Approve => vec![action("Approve", "Approval", "Manual", &json!({}), &[], &[])],
            Site => {
                let settings = json!({"BucketName": self.site(), "Extract": "true"});
                vec![action("Site", "Deploy", "S3", &settings, &[input], &[])]
            }
            Hosts(_) => {
                let settings = json!({"ApplicationName": self.name, "DeploymentGroupName": "hosts"});
                vec![action("Hosts", "Deploy", "CodeDeploy", &settings, &[input], &[])]
            }
        };
        let mut declared = json!({"name": stage.name(), "actions": actions});
        if let (Some("RETRY"), Hosts(_)) = (self.on_failure, stage) {
            declared["onFailure"] = json!({"result": "RETRY", "retryConfiguration": {"retryMode": "FAILED_ACTIONS"}});
        } else if let (Some(result), Hosts(_)) = (self.on_failure, stage) {
            declared["onFailure"] = json!({"result": result});
        }
        declared
    }

    fn build(&self, number: u8) -> Value {
        let name = format!("Build{number}");
        let variables = json!([{"name": "PART", "value": name, "type": "PLAINTEXT"}]).to_string();
        let settings = json!({"ProjectName": self.name, "EnvironmentVariables": variables});
        action(&name, "Build", "CodeBuild", &settings, &["Source"], &[&name])
    }
}

/// The role that a service takes.
pub(super) fn role(service: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/soak-{service}")
}

fn action(name: &str, category: &str, provider: &str, settings: &Value, inputs: &[&str], outputs: &[&str]) -> Value {
    let names = |artifacts: &[&str]| artifacts.iter().map(|name| json!({"name": name})).collect::<Vec<_>>();
    json!({
        "name": name, "runOrder": 1, "configuration": settings,
        "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
        "inputArtifacts": names(inputs), "outputArtifacts": names(outputs),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_in_the_ten() {
        for mode in [Superseded, Queued, Parallel] {
            assert!(PLANS.iter().any(|plan| plan.mode == mode), "{mode:?}");
        }
        for source in [CodeCommit, S3] {
            assert!(PLANS.iter().any(|plan| plan.source == source), "{source:?}");
        }
        assert!(PLANS.iter().any(|plan| plan.has(|stage| *stage == Build(2))));
        let hosts: Vec<usize> = PLANS.iter().flat_map(|plan| plan.hosts().iter().copied()).collect();
        assert!((0..HOSTS).all(|host| hosts.contains(&host)) && hosts.iter().all(|host| *host < HOSTS));
    }

    #[test]
    fn what_is_deployed_is_what_was_built_where_that_is_packed() {
        let input =
            |packed| PLANS[0].declaration(packed)["pipeline"]["stages"][3]["actions"][0]["inputArtifacts"].clone();
        assert_eq!(input(true), json!([{"name": "Build0"}]));
        assert_eq!(input(false), json!([{"name": "Source"}]));
        assert_eq!(PLANS[0].actions()[1], ("Build", vec!["Build0".to_owned(), "Build1".to_owned()]));
    }
}
