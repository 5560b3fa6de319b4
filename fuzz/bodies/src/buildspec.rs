//! `codebuild::rules`: buildspecs.
//!
//! Held: what is read is written as YAML and read again the same; phases come in their order; an error says a place that is
//! in the file.

use codebuild::rules::buildspec::{ArtifactSet, Buildspec, OnFailure, PhaseSpec, Version};
use serde_json::{Map, Value, json};

/// The body.
pub fn body(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Buildspec::parse(text) {
        Ok(spec) => again(&spec),
        Err(error) => {
            let lines = text.split(['\n', '\r']).count() as u64;
            assert!(error.line <= lines + 1, "line {} of {lines}", error.line);
            assert!(error.message.len() <= 1_000 + 4 * text.len(), "{}", error.message.len());
        }
    }
}

fn again(spec: &Buildspec) {
    assert!(spec.phases.is_sorted_by(|one, next| one.name < next.name), "each phase once, in order");
    let written = write(spec).to_string();
    let read = Buildspec::parse(&written).unwrap_or_else(|error| panic!("{error} in {written}"));
    let read = Buildspec { warnings: spec.warnings.clone(), ..read };
    assert_eq!(sorted(read), sorted(spec.clone()), "{written}");
}

/// JSON has no order of keys.
fn sorted(mut spec: Buildspec) -> Buildspec {
    spec.env.variables.sort();
    spec.env.parameter_store.sort();
    spec.env.secrets_manager.sort();
    spec.phases.iter_mut().for_each(|phase| phase.runtime_versions.sort());
    spec
}

fn pairs(pairs: &[(String, String)]) -> Value {
    Value::Object(pairs.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect::<Map<_, _>>())
}

fn write(spec: &Buildspec) -> Value {
    let phases = spec.phases.iter().map(|phase| (phase.name.key().to_owned(), write_phase(phase)));
    let env = &spec.env;
    let mut all = json!({
        "version": if spec.version == Version::V0_1 { "0.1" } else { "0.2" },
        "run-as": spec.run_as,
        "env": {
            "shell": env.shell, "exported-variables": env.exported_variables,
            "git-credential-helper": if env.git_credential_helper { "yes" } else { "no" },
            "variables": pairs(&env.variables), "parameter-store": pairs(&env.parameter_store),
            "secrets-manager": pairs(&env.secrets_manager),
        },
        "phases": phases.collect::<Map<_, _>>(),
    });
    if let Some(artifacts) = &spec.artifacts {
        let secondary = artifacts.secondary.iter().map(|(name, set)| (name.clone(), write_set(set)));
        all["artifacts"] = write_set(&artifacts.primary);
        all["artifacts"]["secondary-artifacts"] = secondary.collect::<Map<_, _>>().into();
    }
    all
}

fn write_phase(phase: &PhaseSpec) -> Value {
    let on_failure = phase.on_failure.as_ref().map(|on_failure| match on_failure {
        OnFailure::Abort => "ABORT".to_owned(),
        OnFailure::Continue => "CONTINUE".to_owned(),
        OnFailure::Retry { times, pattern } => format!("RETRY-{times}-{pattern}"),
    });
    json!({
        "run-as": phase.run_as, "on-failure": on_failure, "runtime-versions": pairs(&phase.runtime_versions),
        "commands": phase.commands, "finally": phase.finally,
    })
}

fn write_set(set: &ArtifactSet) -> Value {
    let flag = |on| if on { "yes" } else { "no" };
    json!({
        "files": set.files, "name": set.name, "base-directory": set.base_directory, "exclude-paths": set.exclude_paths,
        "discard-paths": flag(set.discard_paths), "enable-symlinks": flag(set.enable_symlinks), "s3-prefix": set.s3_prefix,
    })
}
