//! The job that a build's agent gets.

use std::collections::BTreeMap;

use agent::protocol::{Environment, Job, OnFailure as JobOnFailure, Phase, PhaseJob, Shell};

use crate::rules::buildspec::{Buildspec, OnFailure, PhaseName, PhaseSpec, Version};

/// What of the job is not in the buildspec.
pub struct Surroundings {
    /// `project:uuid`.
    pub build: String,
    /// Where the first command starts.
    pub directory: String,
    /// All variables.
    pub environment: BTreeMap<String, String>,
    /// Names to export.
    pub exported_variables: Vec<String>,
    /// Artifact names to evaluate.
    pub expressions: Vec<String>,
    /// What selects the runtimes; it runs before the first command of INSTALL.
    pub runtimes: Vec<String>,
    /// Time left, in milliseconds.
    pub timeout_ms: u64,
}

/// The job. All four phases are in it, for CodeBuild reports also those that have no commands.
#[must_use]
pub fn job(buildspec: &Buildspec, surroundings: Surroundings) -> Job {
    let mut phases = PhaseName::ALL.map(|name| phase(buildspec, name));
    phases[0].commands.splice(..0, surroundings.runtimes);
    Job {
        build: surroundings.build,
        shell: match buildspec.env.shell.as_deref() {
            Some("bash" | "/bin/bash") => Shell::Bash,
            _ => Shell::Sh,
        },
        shell_per_command: buildspec.version == Version::V0_1,
        directory: surroundings.directory,
        environment: Environment(surroundings.environment),
        phases: phases.into(),
        exported_variables: surroundings.exported_variables,
        expressions: surroundings.expressions,
        git_credentials: buildspec.env.git_credential_helper,
        masked: vec![],
        timeout_ms: surroundings.timeout_ms,
    }
}

fn phase(buildspec: &Buildspec, name: PhaseName) -> PhaseJob {
    let phase = match name {
        PhaseName::Install => Phase::Install,
        PhaseName::PreBuild => Phase::PreBuild,
        PhaseName::Build => Phase::Build,
        PhaseName::PostBuild => Phase::PostBuild,
    };
    let Some(spec) = buildspec.phases.iter().find(|spec| spec.name == name) else { return PhaseJob::empty(phase) };
    PhaseJob {
        phase,
        commands: spec.commands.clone(),
        finally: spec.finally.clone(),
        on_failure: on_failure(spec),
        run_as: spec.run_as.clone().or_else(|| buildspec.run_as.clone()),
    }
}

fn on_failure(spec: &PhaseSpec) -> JobOnFailure {
    match spec.on_failure {
        Some(OnFailure::Abort) => JobOnFailure::Abort,
        Some(OnFailure::Continue) => JobOnFailure::Continue,
        Some(OnFailure::Retry { .. }) | None => JobOnFailure::Standard,
    }
}

/// The runtimes that a buildspec asks for.
#[must_use]
pub fn runtime_versions(buildspec: &Buildspec) -> Vec<(String, String)> {
    buildspec.phases.iter().flat_map(|phase| phase.runtime_versions.clone()).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn surroundings() -> Surroundings {
        Surroundings {
            build: "demo:1".into(),
            directory: "/src".into(),
            environment: BTreeMap::new(),
            exported_variables: vec![],
            expressions: vec![],
            runtimes: vec![],
            timeout_ms: 5,
        }
    }

    #[test]
    fn all_phases_are_there() {
        let text = "version: 0.2\nrun-as: joe\nenv: {shell: bash, git-credential-helper: yes}\nphases:\n  build: {commands: [a], finally: [b], on-failure: CONTINUE}\n  post_build: {run-as: ann, commands: [c]}\n";
        let job = job(&Buildspec::parse(text).unwrap(), surroundings());
        assert_eq!(job.phases.iter().map(|phase| phase.phase).collect::<Vec<_>>(), Phase::ALL);
        assert_eq!(job.phases[0], PhaseJob::empty(Phase::Install));
        assert_eq!((job.phases[2].on_failure, job.phases[2].run_as.as_deref()), (JobOnFailure::Continue, Some("joe")));
        assert_eq!((job.phases[3].on_failure, job.phases[3].run_as.as_deref()), (JobOnFailure::Standard, Some("ann")));
        assert_eq!((job.shell, job.shell_per_command, job.git_credentials), (Shell::Bash, false, true));
    }

    #[test]
    fn the_legacy_grammar_has_a_shell_for_each_command() {
        let buildspec = Buildspec::parse("version: 0.1\nphases: {build: {commands: [a]}}").unwrap();
        let job = job(&buildspec, surroundings());
        assert_eq!((job.shell, job.shell_per_command), (Shell::Sh, true));
    }

    #[test]
    fn runtimes_are_selected_before_the_first_command() {
        for (text, expected) in [
            ("install: {runtime-versions: {python: 3.10}, commands: [b]}\n  build: {commands: [c]}", vec!["a", "b"]),
            ("install: {runtime-versions: {python: 3.10}}", vec!["a"]),
            ("build: {commands: [c]}", vec!["a"]),
        ] {
            let buildspec = Buildspec::parse(&format!("version: 0.2\nphases:\n  {text}\n")).unwrap();
            let job = job(&buildspec, Surroundings { runtimes: vec!["a".into()], ..surroundings() });
            assert_eq!(job.phases[0].commands, expected);
        }
        let buildspec =
            Buildspec::parse("version: 0.2\nphases: {install: {runtime-versions: {python: 3.10}}}").unwrap();
        assert_eq!(runtime_versions(&buildspec), [("python".to_owned(), "3.10".to_owned())]);
    }
}
