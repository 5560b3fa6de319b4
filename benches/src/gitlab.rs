//! The same pipeline without a server: `landfall run --pipeline`, and gitlab-ci-local with its shell executor. Source, and
//! two jobs that say the time.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::Options;
use crate::bare::run;
use crate::reads::action;
use crate::report::median;

const RUNS: usize = 10;
/// Started before it is measured, so that files are in memory.
const WARM_UP: usize = 1;
const BUILDSPEC: &str = "version: 0.2\nphases:\n  build:\n    commands:\n      - date +%s%N\n";
const GITLAB: &str = "stages: [build, test]\nbuild:\n  stage: build\n  script: [date +%s%N]\n\
                      test:\n  stage: test\n  script: [date +%s%N]\n";

/// Medians of whole commands.
pub(crate) struct Commands {
    /// `landfall run --pipeline`.
    pub(crate) ours: Duration,
    /// gitlab-ci-local on copies of the source, as from a checkout; or why there is none.
    pub(crate) theirs: anyhow::Result<Duration>,
}

/// One after the other in turn.
pub(crate) fn measure(options: &Options) -> anyhow::Result<Commands> {
    let place = TempDir::with_prefix_in("run-bench-", &options.folder)?;
    let source = place.path().join("source");
    checkout(&source)?;
    let stage = |action: serde_json::Value| json!({"name": action["name"], "actions": [action]});
    let configuration = json!({"RepositoryName": "benchmark", "BranchName": "main"});
    let pipeline = json!({"pipeline": {"name": "benchmark", "stages": [
        stage(action("Source", "Source", "CodeCommit", configuration)),
        stage(action("Build", "Build", "CodeBuild", json!({"ProjectName": "build"}))),
        stage(action("Test", "Test", "CodeBuild", json!({"ProjectName": "test"}))),
    ]}});
    let definition = place.path().join("pipeline.json");
    std::fs::write(&definition, pipeline.to_string())?;
    let landfall = || {
        let mut command = Command::new(&options.landfall);
        command.args(["run", "--quiet", "--image", "host", "--pipeline"]).arg(&definition).arg(&source);
        command.env("XDG_CACHE_HOME", place.path().join("cache")).current_dir(place.path());
        command
    };
    let gitlab = || {
        let program = options.gitlab.as_deref().unwrap_or(Path::new("gitlab-ci-local"));
        let mut command = Command::new(program);
        command.args(["--shell-executor-no-image", "--shell-isolation"]).current_dir(&source);
        command.env("HOME", place.path());
        command
    };
    let (mut ours, mut theirs) = (Vec::new(), Ok(Vec::new()));
    for _ in 0..WARM_UP + RUNS {
        ours.push(timed(landfall())?);
        theirs = theirs.and_then(|mut times| {
            times.push(timed(gitlab())?);
            Ok(times)
        });
    }
    let middle = |mut times: Vec<Duration>| median(times.split_off(WARM_UP));
    Ok(Commands { ours: middle(ours), theirs: theirs.map(middle) })
}

fn timed(mut command: Command) -> anyhow::Result<Duration> {
    let begin = Instant::now();
    run(&mut command)?;
    Ok(begin.elapsed())
}

/// A repository with one commit and both definitions.
fn checkout(folder: &Path) -> anyhow::Result<()> {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=Benchmark", "-c", "user.email=benchmark@example.org", "-C"]).arg(folder);
        run(command.args(arguments).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1"))
    };
    std::fs::create_dir(folder)?;
    git(&["init", "--quiet", "--initial-branch=main"])?;
    std::fs::write(folder.join("buildspec.yml"), BUILDSPEC)?;
    std::fs::write(folder.join(".gitlab-ci.yml"), GITLAB)?;
    git(&["remote", "add", "origin", "https://example.org/team/benchmark.git"])?;
    git(&["add", "--all"])?;
    git(&["commit", "--quiet", "--message", "all"])?;
    Ok(())
}
