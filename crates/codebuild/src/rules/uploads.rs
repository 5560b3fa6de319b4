//! Which artifacts a build keeps and where each goes.

use aws::codebuild::ProjectArtifacts;

use crate::model::Build;
use crate::rules::artifact_location::{self, ArtifactKey};
use crate::rules::buildspec::{ArtifactSet, Artifacts, Buildspec};

/// One artifact to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The identifier of a secondary artifact, or a pipeline's name of it.
    pub identifier: Option<String>,
    /// Which files.
    pub set: ArtifactSet,
    /// Its bucket.
    pub bucket: String,
    /// Where in the bucket, unless a name that the build evaluates decides.
    place: Place,
}

#[derive(Debug, Clone, PartialEq)]
enum Place {
    Fixed(String),
    Settings(Box<ProjectArtifacts>),
}

impl Planned {
    /// The name that the build's shell is to evaluate.
    #[must_use]
    pub fn expression(&self) -> Option<&str> {
        match &self.place {
            Place::Settings(settings) if settings.override_artifact_name == Some(true) => self.set.name.as_deref(),
            _ => None,
        }
    }

    /// Whether links stay links: where the buildspec asks for it, and in a zip alone, for objects cannot be links.
    #[must_use]
    pub fn keeps_symlinks(&self) -> bool {
        let zip = match &self.place {
            Place::Fixed(_) => true,
            Place::Settings(settings) => settings.packaging.as_deref() == Some("ZIP"),
        };
        zip && self.set.enable_symlinks
    }

    /// Key or prefix, given the evaluated name.
    #[must_use]
    pub fn key(&self, build: &Build, name: Option<&str>) -> ArtifactKey {
        match &self.place {
            Place::Fixed(key) => ArtifactKey::Zip(key.clone()),
            Place::Settings(settings) => artifact_location::artifact_key(
                settings,
                &build.project,
                build.uuid(),
                name,
                self.set.s3_prefix.as_deref(),
            ),
        }
    }
}

/// The artifacts of a build, the primary one first.
///
/// # Errors
/// What the buildspec does not define: message of a CLIENT_ERROR.
pub fn planned(build: &Build, buildspec: &Buildspec) -> Result<Vec<Planned>, String> {
    let artifacts = buildspec.artifacts.as_ref();
    match &build.pipeline {
        Some(pipeline) => {
            let lone = pipeline.outputs.len() == 1;
            pipeline
                .outputs
                .iter()
                .map(|output| {
                    Ok(Planned {
                        identifier: Some(output.name.clone()),
                        set: pipeline_set(artifacts, &output.name, lone)?,
                        bucket: output.bucket.clone(),
                        place: Place::Fixed(output.key.clone()),
                    })
                })
                .collect()
        }
        None => own(build, artifacts),
    }
}

/// A lone output is the buildspec's `artifacts`, unless those are secondary ones that name it; several are always named.
fn pipeline_set(artifacts: Option<&Artifacts>, name: &str, lone: bool) -> Result<ArtifactSet, String> {
    let named = artifacts.and_then(|artifacts| artifacts.secondary.get(name));
    let primary = artifacts.map(|artifacts| &artifacts.primary).filter(|set| lone && !set.files.is_empty());
    named.or(primary).cloned().ok_or_else(|| missing(name, lone))
}

fn missing(name: &str, primary: bool) -> String {
    if primary {
        return "no definition for primary artifacts in buildspec".to_owned();
    }
    format!("no definition for secondary artifact {name} in buildspec")
}

fn own(build: &Build, artifacts: Option<&Artifacts>) -> Result<Vec<Planned>, String> {
    let plan = &build.plan;
    let primary = kept(&plan.artifacts).map(|bucket| {
        let set = artifacts.map(|artifacts| &artifacts.primary).filter(|set| !set.files.is_empty());
        let set = set.cloned().ok_or_else(|| missing("", true))?;
        Ok(planned_own(None, set, bucket, &plan.artifacts))
    });
    let secondary = plan.secondary_artifacts.iter().filter_map(|settings| Some((kept(settings)?, settings))).map(
        |(bucket, settings)| {
            let identifier = settings.artifact_identifier.clone().unwrap_or_default();
            let set = artifacts.and_then(|artifacts| artifacts.secondary.get(&identifier));
            let set = set.cloned().ok_or_else(|| missing(&identifier, false))?;
            Ok(planned_own(Some(identifier), set, bucket, settings))
        },
    );
    primary.into_iter().chain(secondary).collect()
}

fn kept(settings: &ProjectArtifacts) -> Option<&str> {
    artifact_location::bucket(settings).filter(|_| settings.type_.as_deref() == Some("S3"))
}

fn planned_own(identifier: Option<String>, set: ArtifactSet, bucket: &str, settings: &ProjectArtifacts) -> Planned {
    Planned { identifier, set, bucket: bucket.to_owned(), place: Place::Settings(Box::new(settings.clone())) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use aws::internal::codebuild::{PipelineArtifact, PipelineContext};

    use super::*;
    use crate::model::build::tests::build;

    fn buildspec(artifacts: &str) -> Buildspec {
        Buildspec::parse(&format!("version: 0.2\nphases: {{}}\n{artifacts}")).unwrap()
    }

    fn s3(identifier: Option<&str>) -> ProjectArtifacts {
        ProjectArtifacts {
            type_: Some("S3".into()),
            location: Some("b".into()),
            packaging: Some("ZIP".into()),
            name: Some("out.zip".into()),
            artifact_identifier: identifier.map(str::to_owned),
            ..ProjectArtifacts::default()
        }
    }

    const BOTH: &str =
        "artifacts:\n  files: a\n  name: n-$X\n  secondary-artifacts:\n    One: {files: b}\n    Two: {files: c}\n";

    #[test]
    fn a_project_without_artifacts_keeps_nothing() {
        let mut build = build(0);
        build.plan.artifacts.type_ = Some("NO_ARTIFACTS".into());
        assert_eq!(planned(&build, &buildspec(BOTH)), Ok(vec![]));
    }

    #[test]
    fn primary_and_secondary_artifacts() {
        let mut build = build(0);
        build.plan.artifacts = s3(None);
        build.plan.secondary_artifacts = vec![s3(Some("Two"))];
        let planned = planned(&build, &buildspec(BOTH)).unwrap();
        assert_eq!(planned.iter().map(|planned| planned.set.files[0].as_str()).collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(planned[0].key(&build, Some("ignored")), ArtifactKey::Zip("out.zip".into()));
        assert_eq!(planned[0].expression(), None);
    }

    #[test]
    fn links_stay_links_in_a_zip_that_is_to_have_them() {
        let text = BOTH.replace("files: a\n", "files: a\n  enable-symlinks: yes\n");
        for (packaging, text, kept) in [("ZIP", text.as_str(), true), ("NONE", &text, false), ("ZIP", BOTH, false)] {
            let mut build = build(0);
            build.plan.artifacts = ProjectArtifacts { packaging: Some(packaging.into()), ..s3(None) };
            assert_eq!(planned(&build, &buildspec(text)).unwrap()[0].keeps_symlinks(), kept, "{packaging}");
        }
    }

    #[test]
    fn the_buildspecs_name_is_evaluated_where_the_project_says_so() {
        let mut build = build(0);
        build.plan.artifacts = s3(None);
        build.plan.artifacts.override_artifact_name = Some(true);
        let planned = planned(&build, &buildspec(BOTH)).unwrap();
        assert_eq!(planned[0].expression(), Some("n-$X"));
        assert_eq!(planned[0].key(&build, Some("n-1")), ArtifactKey::Zip("n-1".into()));
    }

    #[test]
    fn what_the_buildspec_lacks() {
        let mut build = build(0);
        build.plan.artifacts = s3(None);
        assert_eq!(planned(&build, &buildspec("")).unwrap_err(), "no definition for primary artifacts in buildspec");
        build.plan.secondary_artifacts = vec![s3(Some("Nine"))];
        assert_eq!(
            planned(&build, &buildspec(BOTH)).unwrap_err(),
            "no definition for secondary artifact Nine in buildspec"
        );
    }

    #[test]
    fn a_pipelines_outputs() {
        let output = |name: &str| PipelineArtifact {
            name: name.into(),
            bucket: "store".into(),
            key: format!("p/{name}"),
            version: None,
        };
        let mut build = build(0);
        let mut with = |names: &[&str]| {
            let outputs = names.iter().map(|name| output(name)).collect();
            build.pipeline = Some(PipelineContext { outputs, ..PipelineContext::default() });
            planned(&build, &buildspec(BOTH)).map(|planned| {
                planned
                    .into_iter()
                    .map(|planned| (planned.set.files[0].clone(), planned.key(&build, None).as_str().to_owned()))
                    .collect::<Vec<_>>()
            })
        };
        assert_eq!(with(&[]), Ok(vec![]));
        assert_eq!(with(&["App"]), Ok(vec![("a".into(), "p/App".into())]));
        assert_eq!(with(&["One"]), Ok(vec![("b".into(), "p/One".into())]));
        assert_eq!(with(&["One", "Two"]), Ok(vec![("b".into(), "p/One".into()), ("c".into(), "p/Two".into())]));
        assert_eq!(with(&["One", "App"]).unwrap_err(), "no definition for secondary artifact App in buildspec");
    }
}
