//! Fixing what an action will work on before it starts: its settings with all variables resolved, and where its artifacts lie.

use std::collections::BTreeMap;

use kernel::{Large, Page, Scope, Stored};

use crate::actions::Trouble;
use crate::error::Failed;
use crate::model::{ActionExecution, Artifact, Execution, ExecutionInput, Phase};
use crate::rules::artifact_key::{ALPHABET, RANDOM_LENGTH, artifact_key};
use crate::rules::definition::{Action, Definition};
use crate::rules::flow::Ordinal;
use crate::rules::status::ActionStatus;
use crate::rules::timeouts::action_timeout;
use crate::rules::variables::{Escaping, Reference, references, resolve};
use crate::service::Service;

/// The most that all resolved settings of an action may hold, in bytes.
const LARGEST_CONFIGURATION: usize = 100 * 1024;

/// What an action may build upon: the execution's input and the actions before it.
struct Ground {
    execution_id: String,
    input: ExecutionInput,
    /// The execution's successful action executions, oldest first.
    earlier: Vec<Stored<ActionExecution>>,
}

impl Service {
    /// Brings a declared action execution to [`Phase::Prepared`]. Nothing is done outside yet.
    pub(super) async fn prepare(&self, scope: &Scope, action: &mut ActionExecution) -> Result<(), Trouble> {
        let definition = self.definition(scope, &action.pipeline_id, action.pipeline_version).await?;
        let declared = definition.action(&action.stage, &action.action);
        let declared =
            declared.ok_or_else(|| Failed::missing(format!("action {} of {}", action.action, action.pipeline)))?;
        let ground = self.ground(scope, action, &definition).await?;
        let configuration = self.resolve_settings(action, declared, &ground).await?;
        let text = serde_json::to_string(&configuration).map_err(Failed::from)?;
        if text.len() > LARGEST_CONFIGURATION {
            return Err(Trouble::configuration("The resolved configuration of the action is larger than 100 KB"));
        }
        action.resolved_configuration = Some(Large::write(&self.blobs, text).await.map_err(Failed::from)?);
        action.inputs = inputs(&definition, declared, &ground)?;
        action.outputs = self.outputs(scope, &definition, declared)?;
        action.source_revision = source_revision(declared, &ground);
        // Its time begins with its work.
        action.deadline = self.clock.now() + action_timeout(declared);
        action.phase = Phase::Prepared;
        Ok(())
    }

    async fn ground(&self, scope: &Scope, action: &ActionExecution, definition: &Definition) -> Result<Ground, Failed> {
        let key = Execution::key_of(&action.pipeline_id, action.ordinal);
        let execution = self.documents.get::<Execution>(scope, &key).await?;
        let execution = execution.ok_or_else(|| Failed::missing(format!("execution {key}")))?;
        let input = self.execution_input(&execution).await?;
        let mut earlier = match &execution.run.rollback {
            Some(of) => self.before_stage(scope, action, of.target, definition).await?,
            None => Vec::new(),
        };
        earlier.extend(self.succeeded(scope, &action.pipeline_id, action.ordinal).await?);
        Ok(Ground { execution_id: execution.value.id, input, earlier })
    }

    /// What a rollback builds upon: the actions of its target before the stage that it rolls back.
    async fn before_stage(
        &self,
        scope: &Scope,
        action: &ActionExecution,
        target: Ordinal,
        definition: &Definition,
    ) -> Result<Vec<Stored<ActionExecution>>, Failed> {
        let mut before = self.succeeded(scope, &action.pipeline_id, target).await?;
        let stages: Vec<&str> = definition.stages.iter().map(|stage| stage.name.as_str()).collect();
        let stages = stages.split(|name| *name == action.stage).next().unwrap_or_default().to_vec();
        before.retain(|earlier| stages.contains(&earlier.stage.as_str()));
        Ok(before)
    }

    /// The successful action executions of an execution, oldest first.
    pub(super) async fn succeeded(
        &self,
        scope: &Scope,
        pipeline_id: &str,
        ordinal: Ordinal,
    ) -> Result<Vec<Stored<ActionExecution>>, Failed> {
        let mut succeeded = Vec::new();
        let prefix = ActionExecution::prefix(pipeline_id, ordinal);
        let mut after = None;
        loop {
            let page = Page::default().prefix(&prefix).after(after);
            let found = self.documents.list::<ActionExecution>(scope, page).await?;
            after = found.last().map(|last| last.position().to_owned());
            let full = found.len() == Page::MOST;
            succeeded.extend(found.into_iter().filter(|action| action.status == ActionStatus::Succeeded));
            if !full {
                return Ok(succeeded);
            }
        }
    }

    /// What an execution was started with.
    pub(crate) async fn execution_input(&self, execution: &Execution) -> Result<ExecutionInput, Failed> {
        Ok(serde_json::from_str(&execution.input.read(&self.blobs).await?)?)
    }

    async fn resolve_settings(
        &self,
        action: &ActionExecution,
        declared: &Action,
        ground: &Ground,
    ) -> Result<BTreeMap<String, String>, Trouble> {
        let values = self.values(declared, ground).await?;
        let value = |reference: &Reference| values.get(reference).cloned();
        let one = |(key, text): (&String, &String)| {
            let resolved = resolve(text, Escaping::of_setting(key), value).map_err(|unknown| {
                Trouble::configuration(format!(
                    "The variable {unknown} in the configuration of action {} could not be resolved",
                    action.action
                ))
            })?;
            Ok((key.clone(), resolved))
        };
        declared.configuration.iter().map(one).collect()
    }

    /// The values of those variables that the settings refer to.
    async fn values(&self, declared: &Action, ground: &Ground) -> Result<BTreeMap<Reference, String>, Failed> {
        let mut values = BTreeMap::new();
        for reference in declared.configuration.values().flat_map(|text| references(text)) {
            let value = match reference.namespace.as_str() {
                "codepipeline" => Some(ground.execution_id.clone()),
                "variables" => ground.input.variables.get(&reference.key).cloned(),
                namespace => self.output_variable(ground, namespace, &reference.key).await?,
            };
            values.extend(value.map(|value| (reference, value)));
        }
        Ok(values)
    }

    async fn output_variable(&self, ground: &Ground, namespace: &str, key: &str) -> Result<Option<String>, Failed> {
        let named = |action: &&Stored<ActionExecution>| action.namespace.as_deref() == Some(namespace);
        match ground.earlier.iter().rfind(named) {
            Some(action) => Ok(self.output_variables(action).await?.remove(key)),
            None => Ok(None),
        }
    }

    /// An action execution's output variables.
    pub(crate) async fn output_variables(&self, action: &ActionExecution) -> Result<BTreeMap<String, String>, Failed> {
        match &action.variables {
            Some(variables) => Ok(serde_json::from_str(&variables.read(&self.blobs).await?)?),
            None => Ok(BTreeMap::new()),
        }
    }

    fn outputs(&self, scope: &Scope, definition: &Definition, declared: &Action) -> Result<Vec<Artifact>, Trouble> {
        let region = declared.region.as_deref().unwrap_or(&scope.region);
        let bucket = definition.bucket(region);
        let bucket =
            bucket.ok_or_else(|| Trouble::configuration(format!("There is no artifact store for region {region}")))?;
        let one = |name: &String| {
            let random = self.ids.token(ALPHABET, RANDOM_LENGTH);
            Artifact {
                name: name.clone(),
                bucket: bucket.to_owned(),
                key: artifact_key(&definition.name, name, &random),
            }
        };
        Ok(declared.outputs.iter().map(one).collect())
    }
}

fn inputs(definition: &Definition, declared: &Action, ground: &Ground) -> Result<Vec<Artifact>, Trouble> {
    let find = |name: &String| {
        let made = ground.earlier.iter().rev().flat_map(|action| &action.outputs);
        made.into_iter().find(|artifact| artifact.name == *name).cloned().ok_or_else(|| {
            Trouble::configuration(format!(
                "The input artifact {name} was not made by any action of pipeline {}",
                definition.name
            ))
        })
    };
    declared.inputs.iter().map(find).collect()
}

/// The revision of the source that the primary input goes back to, through any number of builds.
fn source_revision(declared: &Action, ground: &Ground) -> Option<String> {
    let primary = declared.configuration.get("PrimarySource").or(declared.inputs.first())?;
    let makes = |action: &&Stored<ActionExecution>| action.outputs.iter().any(|output| output.name == *primary);
    ground.earlier.iter().rfind(makes)?.source_revision.clone()
}
