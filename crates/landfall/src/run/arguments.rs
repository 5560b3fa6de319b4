//! The command line of `landfall run`.

use super::environment::Given;
use crate::exit::user_error;
use crate::serve::{BuildNames, BuildNetwork, Engine};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// `landfall run`.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The folder that is built
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// The buildspec, seen from DIR or from here [default: DIR/buildspec.yml]
    #[arg(long, value_name = "FILE")]
    pub(crate) buildspec: Option<PathBuf>,
    /// The image that it runs on [default: the standard image if it is here, else host]
    #[arg(long, value_name = "REF")]
    pub(crate) image: Option<String>,
    /// A folder that image host sees read-only, with its bin first on PATH: a toolchain in your home
    #[arg(long, value_name = "PATH")]
    pub(crate) share: Vec<PathBuf>,
    /// A variable of the build; NAME alone takes its value from this shell
    #[arg(long, value_name = "NAME=VALUE", value_parser = super::environment::given)]
    pub(crate) env: Vec<Given>,
    /// A file of variables, NAME=VALUE in each line
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Vec<PathBuf>,
    /// Build this commit, branch or tag of DIR's repository, not the files as they are
    #[arg(long, value_name = "VERSION")]
    pub(crate) source_version: Option<String>,
    /// Give the build what .gitignore names, too
    #[arg(long)]
    pub(crate) include_ignored: bool,
    /// Give the build a Docker daemon of its own
    #[arg(long)]
    pub(crate) privileged: bool,
    /// Where the artifacts go
    #[arg(long, value_name = "DIR", default_value = "landfall-out")]
    pub(crate) artifacts: PathBuf,
    /// Stop it after this long, e.g. 90s or 10m [default: 1h; of a pipeline: none]
    #[arg(long, value_name = "TIME", value_parser = timeout)]
    pub(crate) timeout: Option<Duration>,
    /// What runs containers
    #[arg(long, value_enum, default_value_t = Engine::Auto)]
    pub(crate) engine: Engine,
    /// How the build reaches other networks
    #[arg(long, value_enum, default_value_t = BuildNetwork::Auto)]
    pub(crate) build_network: BuildNetwork,
    /// Whether AWS's names lead to the run's own services inside of the build
    #[arg(long, value_enum, default_value_t = BuildNames::On)]
    pub(crate) build_names: BuildNames,
    /// One JSON document on stdout at the end; the log goes to stderr
    #[arg(long)]
    pub(crate) json: bool,
    /// Show no log, unless the build fails
    #[arg(long, short, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Show the log line by line as CodeBuild writes it, and what Landfall itself does
    #[arg(long, short, visible_alias = "debug")]
    pub(crate) verbose: bool,
    #[command(flatten)]
    pub(crate) pipeline: PipelineArguments,
}

/// What `landfall run --pipeline` takes besides.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Pipelines")]
pub(crate) struct PipelineArguments {
    /// Run this pipeline definition on local folders: JSON or YAML as of get-pipeline
    #[arg(long = "pipeline", value_name = "FILE", conflicts_with_all = ["buildspec", "source_version"])]
    pub(crate) file: Option<PathBuf>,
    /// The folder that a source action takes [default: DIR for the first]
    #[arg(long, value_name = "ACTION=DIR", value_parser = pair::<PathBuf>, requires = "file")]
    pub(crate) source: Vec<(String, PathBuf)>,
    /// A build project's definition, as of create-project [default: the source's buildspec.yml]
    #[arg(long, value_name = "NAME=FILE", value_parser = pair::<PathBuf>, requires = "file")]
    pub(crate) project: Vec<(String, PathBuf)>,
    /// Approve this action without asking; `all` for every one
    #[arg(long, value_name = "ACTION", requires = "file")]
    pub(crate) approve: Vec<String>,
    /// Leave this action out
    #[arg(long, value_name = "ACTION", requires = "file")]
    pub(crate) skip: Vec<String>,
    /// A variable of the pipeline
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair::<String>, requires = "file")]
    pub(crate) variable: Vec<(String, String)>,
}

const EXAMPLES: &str = "\
Examples:
  landfall run                                    this folder by its buildspec.yml
  landfall run app --image debian:12 --env STAGE=test --env-file .env
  landfall run --source-version v1.2.0            a tag, whatever lies about here
  landfall run --pipeline pipeline.json --approve all

It exits with 0 when the build succeeded, 1 when it failed, 130 after Ctrl-C.";

impl Arguments {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// A sentence that says what to do instead.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if !self.dir.is_dir() {
            let what = if self.dir.exists() { "is a file" } else { "is not there" };
            return Err(user_error(format!("{} {what}: name the folder that is to be built", self.dir.display())));
        }
        Ok(())
    }
}

/// `NAME=VALUE`, both not empty.
fn pair<T: From<String>>(text: &str) -> Result<(String, T), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.to_owned(), value.to_owned().into())),
        _ => Err("must be NAME=VALUE".to_owned()),
    }
}

fn timeout(text: &str) -> Result<Duration, String> {
    match crate::span::read(text) {
        Some(time) if !time.is_zero() => Ok(time),
        _ => Err("must be a time like 90s, 10m or 2h".to_owned()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn read(line: &[&str]) -> Result<Arguments, String> {
        let line = Line::try_parse_from([&["run"], line].concat());
        line.map(|line| line.arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn everything_has_a_default() {
        let arguments = read(&[]).unwrap();
        assert_eq!((arguments.dir, arguments.artifacts), (PathBuf::from("."), PathBuf::from("landfall-out")));
        assert_eq!(arguments.timeout, None);
    }

    #[test]
    fn what_goes_with_pipelines_goes_with_them_alone() {
        assert!(read(&["--skip", "A"]).unwrap_err().contains("--pipeline"));
        assert!(read(&["--pipeline", "p.json", "--buildspec", "b.yml"]).unwrap_err().contains("cannot be used with"));
        let arguments = read(&["--pipeline", "p.json", "--source", "App=app", "--variable", "A=b=c"]).unwrap();
        assert_eq!(arguments.pipeline.source, [("App".to_owned(), PathBuf::from("app"))]);
        assert_eq!(arguments.pipeline.variable, [("A".to_owned(), "b=c".to_owned())]);
    }

    #[test]
    fn times_have_units_and_pairs_two_halves() {
        assert_eq!(read(&["--timeout", "90s"]).unwrap().timeout, Some(Duration::from_secs(90)));
        for line in [["--timeout", "90"], ["--timeout", "0s"]] {
            assert!(read(&line).unwrap_err().contains("90s, 10m"), "{line:?}");
        }
        assert!(read(&["--pipeline", "p", "--source", "App"]).unwrap_err().contains("NAME=VALUE"));
    }
}
