//! What a build downloads, and where each source goes.

use agent::protocol::ArchiveFormat;
use aws::codebuild::ProjectSource;

use crate::model::Build;
use crate::rules::environment::SourceVariables;
use crate::rules::ids;
use crate::rules::source_location::{S3Location, codecommit_repository, git_version};

/// One source of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// 0 for the primary source, then the secondary ones.
    pub index: u32,
    /// The identifier of a secondary source.
    pub identifier: Option<String>,
    /// Its folder in the container.
    pub directory: String,
    /// What it is.
    pub kind: SourceKind,
    /// Its version as the build is told.
    pub version: Option<String>,
    /// Its URL, of a Git source.
    pub url: Option<String>,
}

/// Where a source comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceKind {
    /// Nowhere: an empty folder.
    Nothing,
    /// A zip in S3.
    Archive {
        /// The object.
        object: S3Location,
        /// Its version.
        version: Option<String>,
    },
    /// All objects below a prefix of S3.
    Folder(S3Location),
    /// A CodeCommit repository.
    Repository {
        /// Its name.
        name: String,
        /// Commit, branch or tag; the default branch where absent.
        version: Option<String>,
        /// How many commits; all where absent.
        depth: Option<u32>,
    },
}

impl SourceKind {
    /// How the source travels to the agent.
    #[must_use]
    pub fn format(&self) -> ArchiveFormat {
        match self {
            Self::Archive { .. } => ArchiveFormat::Zip,
            Self::Nothing | Self::Folder(_) | Self::Repository { .. } => ArchiveFormat::Tar,
        }
    }
}

/// The sources of a build, the primary one first.
///
/// # Errors
/// What cannot be downloaded: message of a CLIENT_ERROR.
pub fn sources(build: &Build, region: &str) -> Result<Vec<Source>, String> {
    let plan = &build.plan;
    let primary = source(build, region, 0, &plan.source, plan.source_version.as_deref());
    let secondary = plan.secondary_sources.iter().zip(1..).map(|(settings, index)| {
        let identifier = settings.source_identifier.as_deref();
        let version =
            plan.secondary_source_versions.iter().find(|version| version.source_identifier.as_deref() == identifier);
        source(build, region, index, settings, version.and_then(|version| version.source_version.as_deref()))
    });
    std::iter::once(primary).chain(secondary).collect()
}

fn source(
    build: &Build,
    region: &str,
    index: u32,
    settings: &ProjectSource,
    version: Option<&str>,
) -> Result<Source, String> {
    let location = settings.location.as_deref().unwrap_or_default();
    let base = ids::output_directory(build.uuid());
    let base = if index == 0 { format!("{base}/src") } else { format!("{base}{index}/src") };
    let mut source = Source {
        index,
        identifier: settings.source_identifier.clone().filter(|_| index > 0),
        directory: base,
        kind: SourceKind::Nothing,
        version: version.map(str::to_owned),
        url: None,
    };
    match settings.type_.as_deref().unwrap_or_default() {
        "NO_SOURCE" => {}
        "S3" => source.kind = s3(location, version)?,
        "CODEPIPELINE" => pipeline(build, &mut source)?,
        "CODECOMMIT" => repository(&mut source, location, settings.git_clone_depth, region)?,
        other => return Err(format!("source type {other} is not supported by this version of the server")),
    }
    Ok(source)
}

fn s3(location: &str, version: Option<&str>) -> Result<SourceKind, String> {
    let object = S3Location::parse(location).ok_or_else(|| format!("invalid S3 source location: {location}"))?;
    if object.is_folder() {
        return Ok(SourceKind::Folder(object));
    }
    Ok(SourceKind::Archive { object, version: version.map(str::to_owned) })
}

fn pipeline(build: &Build, source: &mut Source) -> Result<(), String> {
    let inputs = build.pipeline.as_ref().map(|pipeline| pipeline.inputs.as_slice()).unwrap_or_default();
    let missing = || "the pipeline gave no input artifact for this source".to_owned();
    let artifact = inputs.get(source.index as usize).ok_or_else(missing)?;
    let object = S3Location { bucket: artifact.bucket.clone(), key: artifact.key.clone() };
    source.version = Some(object.arn());
    source.kind = SourceKind::Archive { object, version: artifact.version.clone() };
    Ok(())
}

fn repository(source: &mut Source, location: &str, depth: Option<i32>, region: &str) -> Result<(), String> {
    let name =
        codecommit_repository(location).ok_or_else(|| format!("invalid CodeCommit source location: {location}"))?;
    source.directory = format!("{}/git-codecommit.{region}.amazonaws.com/v1/repos/{name}", source.directory);
    source.url = Some(location.to_owned());
    let depth = depth.and_then(|depth| u32::try_from(depth).ok()).filter(|depth| *depth > 0);
    source.kind = SourceKind::Repository { name, version: git_version(source.version.as_deref()), depth };
    Ok(())
}

/// Which source could not be unpacked, and why: message of a CLIENT_ERROR.
#[must_use]
pub fn unpack_error(sources: &[Source], index: u32, error: &str) -> String {
    let what = match sources.iter().find(|source| source.index == index).map(|source| &source.kind) {
        Some(SourceKind::Archive { object, .. }) => {
            format!("s3://{}/{} is not a zip archive that", object.bucket, object.key)
        }
        Some(SourceKind::Folder(folder)) => format!("s3://{}/{} is not a folder that", folder.bucket, folder.key),
        Some(SourceKind::Repository { name, .. }) => format!("repository {name} is not one that"),
        Some(SourceKind::Nothing) | None => "the source is not one that".to_owned(),
    };
    format!("{what} can be unpacked: {error}")
}

/// What the build's commands are told of its sources. A pipeline's sources are named by its artifacts.
#[must_use]
pub fn variables(sources: &[Source]) -> Vec<SourceVariables> {
    let variables = |source: &Source| SourceVariables {
        identifier: source.identifier.clone(),
        directory: source.directory.clone(),
        version: source.version.clone(),
        url: source.url.clone(),
    };
    sources.iter().map(variables).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use aws::internal::codebuild::{PipelineArtifact, PipelineContext};

    use super::*;
    use crate::model::build::tests::build;

    fn with(kind: &str, location: &str, version: Option<&str>) -> Build {
        let mut build = build(0);
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        build.plan.source = ProjectSource { type_: some(kind), location: some(location), ..ProjectSource::default() };
        build.plan.source_version = version.map(str::to_owned);
        build
    }

    #[test]
    fn each_type() {
        let object = |bucket: &str, key: &str| S3Location { bucket: bucket.into(), key: key.into() };
        for (kind, location, version, expected) in [
            ("NO_SOURCE", "", None, SourceKind::Nothing),
            (
                "S3",
                "b/k.zip",
                Some("v"),
                SourceKind::Archive { object: object("b", "k.zip"), version: Some("v".into()) },
            ),
            ("S3", "b/dir/", None, SourceKind::Folder(object("b", "dir/"))),
            (
                "CODECOMMIT",
                "https://h/v1/repos/r",
                Some("main"),
                SourceKind::Repository { name: "r".into(), version: Some("main".into()), depth: None },
            ),
        ] {
            assert_eq!(sources(&with(kind, location, version), "us-east-1").unwrap()[0].kind, expected, "{kind}");
        }
        assert!(sources(&with("GITHUB", "https://github.com/o/r", None), "r").unwrap_err().contains("GITHUB"));
        assert!(sources(&with("CODECOMMIT", "https://github.com/o/r", None), "r").unwrap_err().contains("location"));
    }

    #[test]
    fn repositories_lie_below_their_host() {
        let sources = sources(&with("CODECOMMIT", "https://h/v1/repos/r", None), "eu-west-1").unwrap();
        assert!(sources[0].directory.ends_with("/src/git-codecommit.eu-west-1.amazonaws.com/v1/repos/r"));
        assert_eq!(sources[0].url.as_deref(), Some("https://h/v1/repos/r"));
    }

    #[test]
    fn what_cannot_be_unpacked_is_named() {
        let sources = sources(&with("S3", "b/k.zip", None), "r").unwrap();
        let text = unpack_error(&sources, 0, "invalid Zip archive");
        assert_eq!(text, "s3://b/k.zip is not a zip archive that can be unpacked: invalid Zip archive");
    }

    #[test]
    fn a_pipelines_inputs() {
        let mut build = with("CODEPIPELINE", "", None);
        let artifact =
            |name: &str| PipelineArtifact { name: name.into(), bucket: "b".into(), key: name.into(), version: None };
        build.pipeline =
            Some(PipelineContext { inputs: vec![artifact("One"), artifact("Two")], ..PipelineContext::default() });
        let second = ProjectSource {
            type_: Some("CODEPIPELINE".into()),
            source_identifier: Some("Two".into()),
            ..ProjectSource::default()
        };
        build.plan.secondary_sources = vec![second];
        let sources = sources(&build, "us-east-1").unwrap();
        assert_eq!((sources[0].identifier.as_deref(), sources[1].identifier.as_deref()), (None, Some("Two")));
        assert_eq!(sources[1].version.as_deref(), Some("arn:aws:s3:::b/Two"));
        assert_ne!(sources[0].directory, sources[1].directory);
        assert_eq!(variables(&sources)[1].directory, sources[1].directory);
    }
}
