//! A buildspec is what it was before it was written, in whatever style YAML allows: block or flow, any quotes, comments, anchors,
//! Windows' line ends, tabs between tokens.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::rules::yaml::written::{Value, write};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-zA-Z0-9_./$-]{1,12}",
        3 => "[ -~é日\u{1f600}]{1,20}",
        1 => "[a-z#:' \"\\\\\n\t]{1,20}",
        1 => prop::sample::select(vec!["3.10", "007", "0x1F", "1e3", "yes", "No", "true", "2024-01-02", "=", "-", "?", "- a"])
            .prop_map(str::to_owned),
    ]
}

/// What is left of a command that is not empty.
fn command() -> impl Strategy<Value = String> {
    text().prop_filter("not empty", |text| !text.trim().is_empty())
}

fn names() -> impl Strategy<Value = BTreeSet<String>> {
    prop::collection::btree_set("[A-Za-z_][A-Za-z0-9_]{0,8}", 0..4)
}

fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    names().prop_flat_map(|names| names.into_iter().map(|name| (Just(name), text())).collect::<Vec<_>>())
}

fn env() -> impl Strategy<Value = Env> {
    let shell = prop::option::of(prop::sample::select(vec!["bash", "/bin/sh"]).prop_map(str::to_owned));
    (shell, pairs(), pairs(), pairs(), prop::collection::vec(text(), 0..3), any::<bool>()).prop_map(
        |(shell, variables, parameter_store, secrets_manager, exported_variables, git_credential_helper)| Env {
            shell,
            variables,
            parameter_store,
            secrets_manager,
            exported_variables,
            git_credential_helper,
        },
    )
}

fn phase(name: PhaseName) -> impl Strategy<Value = PhaseSpec> {
    let on_failure = prop_oneof![
        Just(OnFailure::Abort),
        Just(OnFailure::Continue),
        (0_u8..=100, "[a-z.*+]{1,8}").prop_map(|(times, pattern)| OnFailure::Retry { times, pattern }),
    ];
    let commands = || prop::collection::vec(command(), 0..4);
    (prop::option::of(text()), prop::option::of(on_failure), pairs(), commands(), commands()).prop_map(
        move |(run_as, on_failure, versions, commands, finally)| PhaseSpec {
            name,
            run_as,
            on_failure,
            runtime_versions: if name == PhaseName::Install { versions } else { vec![] },
            commands,
            finally,
        },
    )
}

fn artifact_set() -> impl Strategy<Value = ArtifactSet> {
    let texts = || prop::collection::vec(text(), 1..3);
    let option = || prop::option::of(text());
    (texts(), option(), option(), texts(), any::<bool>(), any::<bool>(), option()).prop_map(
        |(files, name, base_directory, exclude_paths, discard_paths, enable_symlinks, s3_prefix)| ArtifactSet {
            files,
            name,
            base_directory,
            exclude_paths,
            discard_paths,
            enable_symlinks,
            s3_prefix,
        },
    )
}

fn artifacts() -> impl Strategy<Value = Artifacts> {
    let secondary = prop::collection::btree_map("[a-z]{1,6}", artifact_set(), 0..3);
    (artifact_set(), secondary).prop_map(|(primary, secondary)| Artifacts { primary, secondary })
}

fn buildspec() -> impl Strategy<Value = Buildspec> {
    let version = prop::sample::select(vec![Version::V0_1, Version::V0_2]);
    let phases = prop::sample::subsequence(PhaseName::ALL.to_vec(), 0..5)
        .prop_flat_map(|names| names.into_iter().map(phase).collect::<Vec<_>>());
    (version, prop::option::of(text()), env(), phases, prop::option::of(artifacts())).prop_map(
        |(version, run_as, env, phases, artifacts)| Buildspec {
            version,
            run_as,
            env,
            phases,
            artifacts,
            warnings: vec![],
        },
    )
}

fn entry(key: &str, value: Value) -> (String, Value) {
    (key.to_owned(), value)
}

fn plain(key: &str, text: Option<&String>) -> Option<(String, Value)> {
    text.map(|text| entry(key, Value::Text(text.clone())))
}

fn list(key: &str, texts: &[String]) -> (String, Value) {
    entry(key, Value::List(texts.iter().cloned().map(Value::Text).collect()))
}

fn map(key: &str, pairs: &[(String, String)]) -> (String, Value) {
    let value = |(name, text): &(String, String)| (name.clone(), Value::Text(text.clone()));
    entry(key, Value::Map(pairs.iter().map(value).collect()))
}

fn flag(key: &str, set: bool) -> (String, Value) {
    entry(key, Value::Text(if set { "yes" } else { "no" }.to_owned()))
}

fn of_env(env: &Env) -> Value {
    let mut entries = vec![
        map("variables", &env.variables),
        map("parameter-store", &env.parameter_store),
        map("secrets-manager", &env.secrets_manager),
        list("exported-variables", &env.exported_variables),
        flag("git-credential-helper", env.git_credential_helper),
    ];
    entries.extend(plain("shell", env.shell.as_ref()));
    Value::Map(entries)
}

fn of_phase(phase: &PhaseSpec) -> (String, Value) {
    let on_failure = phase.on_failure.as_ref().map(|on_failure| match on_failure {
        OnFailure::Abort => "ABORT".to_owned(),
        OnFailure::Continue => "Continue".to_owned(),
        OnFailure::Retry { times, pattern } => format!("RETRY-{times}-{pattern}"),
    });
    let mut entries = vec![list("commands", &phase.commands), list("finally", &phase.finally)];
    entries.extend(plain("run-as", phase.run_as.as_ref()));
    entries.extend(plain("on-failure", on_failure.as_ref()));
    if phase.name == PhaseName::Install {
        entries.push(map("runtime-versions", &phase.runtime_versions));
    }
    entry(phase.name.key(), Value::Map(entries))
}

fn of_set(set: &ArtifactSet) -> Vec<(String, Value)> {
    let mut entries = vec![
        list("files", &set.files),
        list("exclude-paths", &set.exclude_paths),
        flag("discard-paths", set.discard_paths),
        flag("enable-symlinks", set.enable_symlinks),
    ];
    entries.extend(plain("name", set.name.as_ref()));
    entries.extend(plain("base-directory", set.base_directory.as_ref()));
    entries.extend(plain("s3-prefix", set.s3_prefix.as_ref()));
    entries
}

fn of_buildspec(buildspec: &Buildspec) -> Value {
    let version = if buildspec.version == Version::V0_1 { "0.1" } else { "0.2" };
    let mut entries = vec![
        entry("version", Value::Text(version.to_owned())),
        entry("env", of_env(&buildspec.env)),
        entry("phases", Value::Map(buildspec.phases.iter().map(of_phase).collect())),
    ];
    entries.extend(plain("run-as", buildspec.run_as.as_ref()));
    entries.extend(buildspec.artifacts.as_ref().map(|artifacts| {
        let mut set = of_set(&artifacts.primary);
        let secondary = artifacts.secondary.iter().map(|(name, set)| (name.clone(), Value::Map(of_set(set))));
        set.push(entry("secondary-artifacts", Value::Map(secondary.collect())));
        entry("artifacts", Value::Map(set))
    }));
    Value::Map(entries)
}

proptest! {
    #[test]
    fn a_buildspec_is_read_as_it_was_meant(buildspec in buildspec(), style in prop::collection::vec(any::<u8>(), 1..200)) {
        let text = write(&of_buildspec(&buildspec), &style);
        let read = Buildspec::parse(&text);
        prop_assert_eq!(read.as_ref(), Ok(&buildspec), "{}", text);
    }

    #[test]
    fn a_damaged_buildspec_is_an_error_with_its_place_or_another_buildspec(
        buildspec in buildspec(), style in prop::collection::vec(any::<u8>(), 1..60), at in any::<prop::sample::Index>(),
        cut in 0_usize..5, put in "[ -~\n\t\r]{0,4}",
    ) {
        let mut letters: Vec<char> = write(&of_buildspec(&buildspec), &style).chars().collect();
        let from = at.index(letters.len());
        let to = (from + cut).min(letters.len());
        letters.splice(from..to, put.chars());
        let text: String = letters.into_iter().collect();
        if let Err(error) = Buildspec::parse(&text) {
            let lines = text.matches(['\n', '\r']).count() as u64 + 1;
            prop_assert!(error.line <= lines && !error.message.is_empty(), "{} in\n{}", error, text);
            prop_assert!(error.line > 0 || error.message.starts_with("Missing required key"), "{} in\n{}", error, text);
        }
    }
}
