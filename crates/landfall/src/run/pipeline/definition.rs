//! The definition of a pipeline, made ready to run on folders: its sources come out of a bucket of the run's own, what
//! cannot run here is named. Pure, but for the reading of the file.

use super::super::build::ROLE;
use super::document;
use crate::exit::user_error;
use aws::codepipeline::{ActionDeclaration, ActionTypeId, ArtifactStore, PipelineDeclaration};
use std::collections::BTreeSet;
use std::path::Path;

/// Where artifacts are between actions.
pub(super) const STORE: &str = "artifact-store";
/// Where the sources' zips are.
pub(super) const SOURCES: &str = "sources";
/// The largest definition that is read, in bytes.
const LARGEST: u64 = 4 * 1024 * 1024;

/// The user's wishes about a pipeline's actions.
#[derive(Debug, Default)]
pub(super) struct Wishes<'w> {
    /// Actions to leave out.
    pub(super) skip: &'w [String],
    /// Values of pipeline variables.
    pub(super) variables: &'w [(String, String)],
}

/// A pipeline that can run here, and what it needs.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    pub(super) declaration: PipelineDeclaration,
    pub(super) sources: Vec<SourceAction>,
    /// The names of build projects.
    pub(super) projects: BTreeSet<String>,
    /// The buckets that are deployed to.
    pub(super) buckets: BTreeSet<String>,
    /// The manual approvals, `Stage/Action`.
    pub(super) approvals: Vec<String>,
}

/// A source action, before a folder took its place.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct SourceAction {
    pub(super) stage: String,
    pub(super) declared: ActionDeclaration,
}

impl SourceAction {
    /// The action's name.
    pub(super) fn name(&self) -> &str {
        self.declared.name.as_deref().unwrap_or_default()
    }

    /// The key of its zip.
    pub(super) fn key(&self) -> String {
        format!("{}/{}.zip", self.stage, self.name())
    }

    /// Whether builds are to have the history, too.
    pub(super) fn with_history(&self) -> bool {
        self.setting("OutputArtifactFormat") == Some("CODEBUILD_CLONE_REF")
    }

    /// One of its settings.
    pub(super) fn setting(&self, key: &str) -> Option<&str> {
        self.declared.configuration.as_ref()?.get(key).map(String::as_str)
    }
}

/// Reads a definition: JSON or YAML, as `get-pipeline` answers it or as `create-pipeline` takes it.
///
/// # Errors
/// The user's, with the place in the file.
pub(super) fn read(path: &Path) -> anyhow::Result<PipelineDeclaration> {
    let wrong = |what: String| user_error(format!("{}: {what}", path.display()));
    let size = path.metadata().map_err(|error| wrong(error.to_string()))?.len();
    if size > LARGEST {
        return Err(wrong(format!("{size} bytes are more than a pipeline's definition has")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    document::parse(&text).map_err(wrong)
}

/// Makes a pipeline ready.
///
/// # Errors
/// A sentence: what cannot run here and how to leave it out, or a wish about what is not there.
pub(super) fn prepare(declaration: PipelineDeclaration, wishes: &Wishes<'_>) -> Result<Prepared, String> {
    let known: Vec<_> = all(&declaration).map(|(stage, action)| (stage.to_owned(), name(action).to_owned())).collect();
    wishes.skip.iter().try_for_each(|wish| known_action(&known, "--skip", wish))?;
    let mut prepared = Prepared { declaration, ..Prepared::default() };
    prepared.leave_out(wishes.skip);
    prepared.refuse_what_cannot_run()?;
    prepared.check_inputs()?;
    prepared.give_variables(wishes.variables)?;
    prepared.take_over();
    Ok(prepared)
}

/// Refuses a wish about an action that the pipeline does not have.
pub(super) fn known_action(known: &[(String, String)], flag: &str, wish: &str) -> Result<(), String> {
    if known.iter().any(|(stage, action)| means(wish, stage, action)) {
        return Ok(());
    }
    let names: Vec<_> = known.iter().map(|(stage, action)| format!("{stage}/{action}")).collect();
    Err(format!("{flag} {wish}: the pipeline has no such action; it has {}", names.join(", ")))
}

/// Whether a user's word, `Action` or `Stage/Action`, means this one.
pub(super) fn means(word: &str, stage: &str, action: &str) -> bool {
    word == action || word.split_once('/') == Some((stage, action))
}

fn all(declaration: &PipelineDeclaration) -> impl Iterator<Item = (&str, &ActionDeclaration)> {
    declaration.stages.iter().flatten().flat_map(|stage| {
        let name = stage.name.as_deref().unwrap_or_default();
        stage.actions.iter().flatten().map(move |action| (name, action))
    })
}

fn name(action: &ActionDeclaration) -> &str {
    action.name.as_deref().unwrap_or_default()
}

/// `category/provider` of AWS's own and of third parties' action types.
fn kind(action: &ActionDeclaration) -> (&str, &str) {
    let kind = action.action_type_id.as_ref();
    let part = |part: fn(&ActionTypeId) -> Option<&String>| kind.and_then(part).map_or("", String::as_str);
    (part(|kind| kind.category.as_ref()), part(|kind| kind.provider.as_ref()))
}

/// Whether an action of this type can run here.
fn can_run(action: &ActionDeclaration) -> bool {
    matches!(kind(action), ("Source", _) | ("Build" | "Test", "CodeBuild") | ("Deploy", "S3") | ("Approval", "Manual"))
}

impl Prepared {
    fn leave_out(&mut self, skip: &[String]) {
        let stages = self.declaration.stages.get_or_insert_default();
        for stage in stages.iter_mut() {
            let named = stage.name.clone().unwrap_or_default();
            let skipped = |action: &ActionDeclaration| skip.iter().any(|word| means(word, &named, name(action)));
            stage.actions.get_or_insert_default().retain(|action| !skipped(action));
        }
        stages.retain(|stage| stage.actions.as_ref().is_some_and(|actions| !actions.is_empty()));
    }

    fn refuse_what_cannot_run(&self) -> Result<(), String> {
        let cannot: Vec<_> = all(&self.declaration).filter(|(_, action)| !can_run(action)).collect();
        if !cannot.is_empty() {
            let said = cannot.iter().map(|(stage, action)| {
                let (category, provider) = kind(action);
                format!("{stage}/{} ({category} by {provider})", name(action))
            });
            let flags = cannot.iter().map(|(stage, action)| format!("--skip {stage}/{}", name(action)));
            return Err(format!(
                "landfall run has no hosts, stacks or functions to act on: it cannot run {}. Leave it out: {}",
                said.collect::<Vec<_>>().join(", "),
                flags.collect::<Vec<_>>().join(" ")
            ));
        }
        let stages = self.declaration.stages.as_deref().unwrap_or_default();
        if stages.len() < 2 { Err("only the sources are left: there is nothing to run".to_owned()) } else { Ok(()) }
    }

    /// An artifact of an action that was left out cannot be read.
    fn check_inputs(&self) -> Result<(), String> {
        let made: BTreeSet<_> = all(&self.declaration)
            .flat_map(|(_, action)| action.output_artifacts.iter().flatten())
            .filter_map(|artifact| artifact.name.as_deref())
            .collect();
        for (stage, action) in all(&self.declaration) {
            let wanted = action.input_artifacts.iter().flatten().filter_map(|artifact| artifact.name.as_deref());
            if let Some(missing) = wanted.into_iter().find(|wanted| !made.contains(wanted)) {
                return Err(format!(
                    "{stage}/{} reads the artifact {missing}, which no action makes (any more): leave it out, too, with \
                     --skip {stage}/{}",
                    name(action),
                    name(action)
                ));
            }
        }
        Ok(())
    }

    fn give_variables(&mut self, given: &[(String, String)]) -> Result<(), String> {
        let declared = self.declaration.variables.get_or_insert_default();
        for (name, value) in given {
            let variable = declared.iter_mut().find(|variable| variable.name.as_ref() == Some(name));
            let variable = variable.ok_or_else(|| format!("--variable {name}: the pipeline has no such variable"))?;
            variable.default_value = Some(value.clone());
        }
        let without = declared.iter().find(|variable| variable.default_value.as_ref().is_none_or(String::is_empty));
        if let Some(name) = without.and_then(|variable| variable.name.as_deref()) {
            return Err(format!("the pipeline's variable {name} has no value: give it with --variable {name}=VALUE"));
        }
        if declared.is_empty() {
            self.declaration.variables = None;
        }
        Ok(())
    }

    /// Roles, regions and buckets become the run's own, and folders take the sources' place.
    fn take_over(&mut self) {
        let declaration = &mut self.declaration;
        declaration.role_arn = Some(ROLE.to_owned());
        declaration.artifact_stores = None;
        declaration.triggers = None;
        declaration.artifact_store = Some(ArtifactStore {
            type_: Some("S3".to_owned()),
            location: Some(STORE.to_owned()),
            ..ArtifactStore::default()
        });
        for stage in declaration.stages.iter_mut().flatten() {
            let named = stage.name.clone().unwrap_or_default();
            for action in stage.actions.iter_mut().flatten() {
                (action.region, action.role_arn) = (None, None);
                match kind(action) {
                    ("Source", _) => {
                        let source = SourceAction { stage: named.clone(), declared: action.clone() };
                        from_bucket(action, &source.key());
                        self.sources.push(source);
                    }
                    ("Approval", _) => self.approvals.push(format!("{named}/{}", name(action))),
                    ("Deploy", _) => self.buckets.extend(setting(action, "BucketName")),
                    _ => self.projects.extend(setting(action, "ProjectName")),
                }
            }
        }
    }

    /// The actions that read exactly what a source action has made, each with that action and its build project.
    pub(super) fn first_builds(&self) -> Vec<(&SourceAction, String)> {
        let makes = |source: &SourceAction, artifact: &str| {
            let made = source.declared.output_artifacts.iter().flatten();
            made.filter_map(|made| made.name.as_deref()).any(|made| made == artifact)
        };
        all(&self.declaration)
            .filter_map(|(_, action)| {
                let project = setting(action, "ProjectName")?;
                let first = action.input_artifacts.iter().flatten().find_map(|artifact| artifact.name.clone());
                let primary = setting(action, "PrimarySource").or(first)?;
                Some((self.sources.iter().find(|source| makes(source, &primary))?, project))
            })
            .collect()
    }
}

fn setting(action: &ActionDeclaration, key: &str) -> Option<String> {
    action.configuration.as_ref()?.get(key).cloned()
}

/// A source action that takes its zip out of the run's bucket.
fn from_bucket(action: &mut ActionDeclaration, key: &str) {
    action.action_type_id = Some(ActionTypeId {
        category: Some("Source".to_owned()),
        owner: Some("AWS".to_owned()),
        provider: Some("S3".to_owned()),
        version: Some("1".to_owned()),
    });
    let settings = [("S3Bucket", SOURCES), ("S3ObjectKey", key), ("PollForSourceChanges", "false")];
    action.configuration = Some(settings.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(super) mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn action(name: &str, kind: &str, settings: Value, from: &[&str], to: &[&str]) -> Value {
        let (category, provider) = kind.split_once('/').unwrap();
        let artifacts = |names: &[&str]| names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>();
        json!({
            "name": name,
            "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
            "configuration": settings,
            "inputArtifacts": artifacts(from),
            "outputArtifacts": artifacts(to),
            "region": "eu-west-1",
        })
    }

    pub(crate) fn sample() -> Value {
        let source = json!({"RepositoryName": "app", "BranchName": "main"});
        json!({"pipeline": {
            "name": "app",
            "roleArn": "arn:aws:iam::123456789012:role/pipeline",
            "artifactStores": {"eu-west-1": {"type": "S3", "location": "there"}},
            "variables": [{"name": "Stage", "defaultValue": "test"}],
            "stages": [
                {"name": "Source", "actions": [action("App", "Source/CodeCommit", source, &[], &["App"])]},
                {"name": "Build", "actions": [
                    action("Compile", "Build/CodeBuild", json!({"ProjectName": "compile"}), &["App"], &["Bin"]),
                ]},
                {"name": "Release", "actions": [
                    action("Approve", "Approval/Manual", json!({}), &[], &[]),
                    action("Site", "Deploy/S3", json!({"BucketName": "site", "Extract": "true"}), &["Bin"], &[]),
                    action("Hosts", "Deploy/CodeDeploy", json!({"ApplicationName": "a"}), &["Bin"], &[]),
                ]},
            ],
        }})
    }

    fn prepared(skip: &[&str], variables: &[(&str, &str)]) -> Result<Prepared, String> {
        let skip: Vec<_> = skip.iter().map(ToString::to_string).collect();
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        prepare(document::parse(&sample().to_string())?, &Wishes { skip: &skip, variables: &variables })
    }

    #[test]
    fn sources_come_out_of_the_runs_bucket_and_the_rest_is_noted() {
        let prepared = prepared(&["Hosts"], &[]).unwrap();
        assert_eq!(prepared.sources[0].key(), "Source/App.zip");
        assert_eq!(prepared.sources[0].setting("BranchName"), Some("main"));
        assert_eq!(prepared.projects, BTreeSet::from(["compile".to_owned()]));
        assert_eq!(prepared.buckets, BTreeSet::from(["site".to_owned()]));
        assert_eq!(prepared.approvals, ["Release/Approve"]);
        let first = &all(&prepared.declaration).next().unwrap().1;
        assert_eq!(kind(first), ("Source", "S3"));
        assert_eq!((setting(first, "S3Bucket").as_deref(), &first.region), (Some(SOURCES), &None));
        assert_eq!(prepared.first_builds()[0].1, "compile");
    }

    #[test]
    fn what_cannot_run_is_named_with_the_way_around_it() {
        let error = prepared(&[], &[]).unwrap_err();
        assert!(error.contains("Release/Hosts (Deploy by CodeDeploy)"), "{error}");
        assert!(error.ends_with("--skip Release/Hosts"), "{error}");
        let error = prepared(&["Hosts", "Compile"], &[]).unwrap_err();
        assert!(error.contains("Release/Site reads the artifact Bin"), "{error}");
        let error = prepared(&["Nothing"], &[]).unwrap_err();
        assert!(error.contains("Source/App, Build/Compile"), "{error}");
        let error = prepared(&["Compile", "Approve", "Site", "Release/Hosts"], &[]).unwrap_err();
        assert!(error.contains("nothing to run"), "{error}");
    }

    #[test]
    fn variables_have_values_before_it_begins() {
        let prepared = |variables: &[(&str, &str)]| self::prepared(&["Hosts"], variables);
        let value = |prepared: Prepared| prepared.declaration.variables.unwrap()[0].default_value.clone().unwrap();
        assert_eq!(value(prepared(&[]).unwrap()), "test");
        assert_eq!(value(prepared(&[("Stage", "live")]).unwrap()), "live");
        assert!(prepared(&[("Other", "x")]).unwrap_err().contains("no such variable"));
    }
}
