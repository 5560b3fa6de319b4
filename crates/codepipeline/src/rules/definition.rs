//! A pipeline's structure as the rules see it: AWS's `PipelineDeclaration` with its defaults filled in.

use std::collections::BTreeMap;

use aws::codepipeline::{ActionDeclaration, PipelineDeclaration, StageDeclaration};
use serde::{Deserialize, Serialize};

use super::retry::RetryMode;

/// How executions of one pipeline share its stages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ExecutionMode {
    /// One at a time in a stage; a newer one takes the place of the one that waits.
    #[default]
    Superseded,
    /// One at a time in a stage; all others wait in line.
    Queued,
    /// Each on its own.
    Parallel,
}

impl ExecutionMode {
    /// The word in API shapes.
    #[must_use]
    pub const fn api(self) -> &'static str {
        match self {
            Self::Superseded => "SUPERSEDED",
            Self::Queued => "QUEUED",
            Self::Parallel => "PARALLEL",
        }
    }

    fn parse(text: Option<&str>) -> Self {
        match text {
            Some("QUEUED") => Self::Queued,
            Some("PARALLEL") => Self::Parallel,
            _ => Self::Superseded,
        }
    }
}

/// A pipeline's structure.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Definition {
    /// The pipeline's name.
    pub name: String,
    /// Which version of the pipeline this is, from 1.
    pub version: i32,
    /// The service role's ARN.
    pub role: String,
    /// How executions share the stages.
    pub mode: ExecutionMode,
    /// `V1` or `V2`, if declared.
    pub declared_type: Option<String>,
    /// The bucket of `artifactStore`.
    pub store: Option<String>,
    /// The buckets of `artifactStores` by region.
    pub stores: BTreeMap<String, String>,
    /// The stages in their order.
    pub stages: Vec<Stage>,
    /// The pipeline variables.
    pub variables: Vec<Variable>,
    /// Number of entries in `triggers`.
    pub triggers: usize,
}

/// A pipeline variable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variable {
    /// Its name, referred to as `#{variables.NAME}`.
    pub name: String,
    /// Its value where a start gives none.
    pub default: Option<String>,
}

/// A stage.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stage {
    /// Its name, unique in the pipeline.
    pub name: String,
    /// Its actions in the order of their declaration.
    pub actions: Vec<Action>,
    /// Which conditions it declares that nobody here evaluates: `beforeEntry`, `onSuccess`, …
    pub conditions: Vec<&'static str>,
    /// What it does by itself when it has failed.
    pub on_failure: Option<OnFailure>,
    /// Whether it declares blockers.
    pub has_blockers: bool,
}

/// What a stage does by itself when it has failed: `onFailure` without conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnFailure {
    /// It goes back to the newest execution that passed it.
    RollBack,
    /// It is tried once more.
    Retry(RetryMode),
    /// Another result than the two that are possible here.
    Other(String),
}

impl OnFailure {
    fn read(declaration: &StageDeclaration) -> Option<Self> {
        let declared = declaration.on_failure.as_ref()?;
        let mode = declared.retry_configuration.as_ref().and_then(|retry| retry.retry_mode.as_deref());
        match declared.result.as_deref()? {
            "ROLLBACK" => Some(Self::RollBack),
            "RETRY" => Some(Self::Retry(RetryMode::parse(mode.unwrap_or("FAILED_ACTIONS")))),
            other => Some(Self::Other(other.to_owned())),
        }
    }
}

/// An action.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Action {
    /// Its name, unique in the stage.
    pub name: String,
    /// What does it.
    pub kind: ActionKind,
    /// Actions of equal order run together, lower ones first.
    pub run_order: i32,
    /// The provider's settings, before variables are resolved.
    pub configuration: BTreeMap<String, String>,
    /// Names of the artifacts it reads.
    pub inputs: Vec<String>,
    /// Names of the artifacts it makes.
    pub outputs: Vec<String>,
    /// Where its output variables are found.
    pub namespace: Option<String>,
    /// The region it runs in, if declared.
    pub region: Option<String>,
    /// The role it runs as, if not the pipeline's.
    pub role: Option<String>,
    /// How long it may take, if declared.
    pub timeout_minutes: Option<i32>,
    /// Its shell commands, of Compute actions.
    pub commands: Vec<String>,
    /// Whether an output artifact names files, as only Compute actions may.
    pub names_output_files: bool,
}

/// An action type's identity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionKind {
    /// `Source`, `Build`, `Test`, `Deploy`, `Approval`, `Invoke` or `Compute`.
    pub category: String,
    /// `AWS`, `ThirdParty` or `Custom`.
    pub owner: String,
    /// For example `CodeBuild`.
    pub provider: String,
    /// `1` for all of AWS's.
    pub version: String,
}

impl Definition {
    /// Reads a declaration that the validator has passed.
    #[must_use]
    pub fn read(declaration: &PipelineDeclaration) -> Self {
        let stores = declaration.artifact_stores.clone().unwrap_or_default();
        Self {
            name: declaration.name.clone().unwrap_or_default(),
            version: declaration.version.unwrap_or(1),
            role: declaration.role_arn.clone().unwrap_or_default(),
            mode: ExecutionMode::parse(declaration.execution_mode.as_deref()),
            declared_type: declaration.pipeline_type.clone(),
            store: declaration.artifact_store.as_ref().map(|store| store.location.clone().unwrap_or_default()),
            stores: stores.into_iter().map(|(region, store)| (region, store.location.unwrap_or_default())).collect(),
            stages: declaration.stages.iter().flatten().map(Stage::read).collect(),
            variables: variables(declaration),
            triggers: declaration.triggers.as_ref().map_or(0, Vec::len),
        }
    }

    /// The stage of that name.
    #[must_use]
    pub fn stage(&self, name: &str) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.name == name)
    }

    /// The action of that name in the stage of that name.
    #[must_use]
    pub fn action(&self, stage: &str, name: &str) -> Option<&Action> {
        self.stage(stage)?.actions.iter().find(|action| action.name == name)
    }

    /// The artifact bucket of a region.
    #[must_use]
    pub fn bucket(&self, region: &str) -> Option<&str> {
        self.stores.get(region).or(self.store.as_ref()).map(String::as_str)
    }

    /// All actions with their stage's position and name.
    pub fn actions(&self) -> impl Iterator<Item = (usize, &Stage, &Action)> {
        self.stages
            .iter()
            .enumerate()
            .flat_map(|(index, stage)| stage.actions.iter().map(move |action| (index, stage, action)))
    }

    /// Whether anything here needs a pipeline of type V2.
    #[must_use]
    pub fn needs_v2(&self) -> bool {
        self.mode != ExecutionMode::Superseded
            || !self.variables.is_empty()
            || self.triggers > 0
            || self.stages.iter().any(|stage| !stage.conditions.is_empty() || stage.on_failure.is_some())
    }

    /// The pipeline's type: as declared, else V2 if anything needs it, else V1.
    #[must_use]
    pub fn pipeline_type(&self) -> &str {
        self.declared_type.as_deref().unwrap_or(if self.needs_v2() { "V2" } else { "V1" })
    }
}

fn variables(declaration: &PipelineDeclaration) -> Vec<Variable> {
    let read = |variable: &aws::codepipeline::PipelineVariableDeclaration| Variable {
        name: variable.name.clone().unwrap_or_default(),
        default: variable.default_value.clone(),
    };
    declaration.variables.iter().flatten().map(read).collect()
}

impl Stage {
    fn read(declaration: &StageDeclaration) -> Self {
        let conditions = [
            ("beforeEntry", declaration.before_entry.is_some()),
            ("onSuccess", declaration.on_success.is_some()),
            ("conditions in onFailure", has_failure_conditions(declaration)),
        ];
        Self {
            name: declaration.name.clone().unwrap_or_default(),
            actions: declaration.actions.iter().flatten().map(Action::read).collect(),
            conditions: conditions.into_iter().filter(|(_, declared)| *declared).map(|(name, _)| name).collect(),
            on_failure: OnFailure::read(declaration),
            has_blockers: declaration.blockers.as_ref().is_some_and(|blockers| !blockers.is_empty()),
        }
    }
}

fn has_failure_conditions(declaration: &StageDeclaration) -> bool {
    let conditions = declaration.on_failure.as_ref().and_then(|declared| declared.conditions.as_ref());
    conditions.is_some_and(|conditions| !conditions.is_empty())
}

impl Action {
    fn read(declaration: &ActionDeclaration) -> Self {
        let outputs = declaration.output_artifacts.as_deref().unwrap_or_default();
        Self {
            name: declaration.name.clone().unwrap_or_default(),
            kind: ActionKind::read(declaration),
            run_order: declaration.run_order.unwrap_or(1),
            configuration: declaration.configuration.clone().unwrap_or_default(),
            inputs: declaration.input_artifacts.iter().flatten().filter_map(|input| input.name.clone()).collect(),
            outputs: outputs.iter().filter_map(|output| output.name.clone()).collect(),
            namespace: declaration.namespace.clone(),
            region: declaration.region.clone(),
            role: declaration.role_arn.clone(),
            timeout_minutes: declaration.timeout_in_minutes,
            commands: declaration.commands.clone().unwrap_or_default(),
            names_output_files: outputs.iter().any(|output| output.files.is_some()),
        }
    }

    /// A setting by its key.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.configuration.get(key).map(String::as_str)
    }
}

impl ActionKind {
    fn read(declaration: &ActionDeclaration) -> Self {
        let kind = declaration.action_type_id.clone().unwrap_or_default();
        Self {
            category: kind.category.unwrap_or_default(),
            owner: kind.owner.unwrap_or_default(),
            provider: kind.provider.unwrap_or_default(),
            version: kind.version.unwrap_or_default(),
        }
    }

    /// Whether this is `provider` of AWS in `category`.
    #[must_use]
    pub fn is_aws(&self, category: &str, provider: &str) -> bool {
        self.owner == "AWS" && self.category == category && self.provider == provider
    }
}
