//! What the rules keep to whatever they are given.

use std::collections::BTreeSet;

use aws::codebuild::{EnvironmentVariable, ProjectArtifacts};
use codebuild::rules::artifact_location::artifact_key;
use codebuild::rules::buildspec::{Buildspec, Env};
use codebuild::rules::compute::{Machine, limits, size};
use codebuild::rules::environment::{Provided, environment};
use codebuild::rules::image::{Choice, ImageMap};
use codebuild::rules::source_location::{S3Location, codecommit_repository};
use codebuild::rules::{ids, memory, overrides};
use proptest::prelude::*;

use crate::world::scope;

fn variable((name, value): (String, String)) -> EnvironmentVariable {
    EnvironmentVariable { name: Some(name), value: Some(value), type_: Some("PLAINTEXT".into()) }
}

/// Few names, so that they meet.
fn variables() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec(("[ABC]|CODEBUILD_BUILD_ID|AWS_REGION", "[a-z]{1,3}"), 0..6)
}

const COMPUTE_TYPES: [&str; 6] = [
    "BUILD_GENERAL1_SMALL",
    "BUILD_GENERAL1_MEDIUM",
    "BUILD_GENERAL1_LARGE",
    "BUILD_GENERAL1_XLARGE",
    "BUILD_GENERAL1_2XLARGE",
    "ATTRIBUTE_BASED_COMPUTE",
];

proptest! {
    #[test]
    fn a_projects_variables_win_and_codebuilds_own_are_nobodys_else(spec in variables(), project in variables()) {
        let env = Env { variables: spec.clone(), ..Env::default() };
        let project: Vec<_> = overrides::merge(vec![], &project.into_iter().map(variable).collect::<Vec<_>>());
        let provided = Provided { build_id: "demo:1".into(), region: "us-east-1".into(), ..Provided::default() };
        let all = environment(&env, &project, &provided);
        prop_assert_eq!(&all["CODEBUILD_BUILD_ID"], "demo:1");
        for name in ["A", "B", "C"] {
            let wanted = project.iter().find(|variable| variable.name.as_deref() == Some(name));
            let wanted = wanted.and_then(|variable| variable.value.as_ref()).or_else(|| spec.iter().rfind(|(other, _)| other == name).map(|(_, value)| value));
            prop_assert_eq!(all.get(name), wanted);
        }
    }

    #[test]
    fn merged_variables_have_each_name_once_and_the_override_wins(own in variables(), over in variables()) {
        let own: BTreeSet<(String, String)> = own.into_iter().collect();
        let names = |variables: &[EnvironmentVariable]| -> Vec<String> {
            variables.iter().filter_map(|variable| variable.name.clone()).collect()
        };
        let own: Vec<_> = overrides::merge(vec![], &own.into_iter().map(variable).collect::<Vec<_>>());
        let over: Vec<_> = over.into_iter().map(variable).collect();
        let merged = overrides::merge(own.clone(), &over);
        let found = names(&merged);
        prop_assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), found.len());
        prop_assert_eq!(&found[..own.len()], &names(&own)[..], "those that were there keep their places");
        for name in names(&over) {
            let last = over.iter().rfind(|variable| variable.name.as_ref() == Some(&name));
            prop_assert_eq!(merged.iter().find(|variable| variable.name.as_ref() == Some(&name)), last);
        }
    }

    #[test]
    fn artifacts_lie_below_their_bucket(
        path in "(/|[a-z/]{0,8})", name in "(/|[a-z/]{0,8})", by_build in any::<bool>(), zip in any::<bool>(),
    ) {
        let artifacts = ProjectArtifacts {
            path: Some(path),
            name: Some(name),
            namespace_type: by_build.then(|| "BUILD_ID".to_owned()),
            packaging: zip.then(|| "ZIP".to_owned()),
            ..ProjectArtifacts::default()
        };
        let key = artifact_key(&artifacts, "demo", "0a", None, None);
        prop_assert!(!key.as_str().starts_with('/'));
        prop_assert_eq!(by_build, key.as_str().split('/').any(|part| part == "0a"));
    }

    #[test]
    fn places_in_s3_are_read_back_from_their_arns(bucket in "[a-z0-9.-]{3,20}", key in "[ -~]{0,30}") {
        let place = S3Location { bucket, key };
        prop_assert_eq!(S3Location::parse(&place.arn()), Some(place));
    }

    #[test]
    fn a_repositorys_name_is_legal_or_none(location in ".{0,40}", name in "[A-Za-z0-9_-]{1,100}") {
        if let Some(found) = codecommit_repository(&location) {
            prop_assert!((1..=100).contains(&found.len()) && !found.contains(['/', ':', '@']));
        }
        let url = format!("https://git-codecommit.us-east-1.amazonaws.com/v1/repos/{name}");
        prop_assert_eq!(codecommit_repository(&url), Some(name));
    }

    #[test]
    fn builds_are_found_by_id_and_by_arn(project in "[A-Za-z0-9][A-Za-z0-9_-]{1,20}", text in ".{0,60}") {
        let uuid = "01234567-89ab-4cde-8f01-23456789abcd";
        let id = format!("{project}:{uuid}");
        for text in [id.clone(), format!("arn:aws:codebuild:us-east-1:123456789012:build/{id}")] {
            prop_assert_eq!(ids::parse_build_id(&scope(), &text), Ok((project.as_str(), uuid)));
        }
        if let Ok((project, _)) = ids::parse_build_id(&scope(), &text) {
            prop_assert!(ids::is_project_name(project));
        }
    }

    #[test]
    fn no_build_gets_more_than_the_machine(which in 0..COMPUTE_TYPES.len(), cpus in 1u32..200, gib in 1u64..500) {
        let (name, machine) = (COMPUTE_TYPES[which], Machine { cpus, memory_bytes: gib << 30 });
        let limits = limits(name, machine, None);
        prop_assert!(limits.cpu_millis.is_some_and(|millis| (1_000..=u64::from(cpus) * 1_000).contains(&millis)));
        prop_assert!(limits.memory_bytes.is_some_and(|bytes| bytes <= machine.memory_bytes));
        let full = size(name).is_some_and(|size| size.cpus <= cpus && u64::from(size.memory_gib) <= gib);
        if let (true, Some(size)) = (full, size(name)) {
            prop_assert_eq!(limits.memory_bytes, Some(u64::from(size.memory_gib) << 30));
        }
    }

    #[test]
    fn more_memory_makes_no_machine_shorter_of_it(total in 1u64..1 << 40, some in 0u64..1 << 40, more in 0u64..1 << 40, noise in ".{0,40}") {
        let meminfo = |available: u64| format!("MemTotal: {total} kB\n{noise}\nMemAvailable: {available} kB\n");
        if memory::is_short(&meminfo(some.saturating_add(more)), None) {
            prop_assert!(memory::is_short(&meminfo(some), None));
        }
        prop_assert!(!memory::is_short(&noise, None) || noise.contains("MemTotal"));
        let _ = memory::is_short(&noise, Some(&noise));
    }

    #[test]
    fn an_image_is_mapped_by_the_first_rule_that_matches(image in "[a-z]{1,6}(/[a-z]{1,6})?(:[a-z0-9]{1,4})?", first in "[a-z]", second in "[a-z]") {
        let map = ImageMap::parse(&[format!("{first}*=one"), format!("{second}*=two")]).unwrap();
        let wanted = match image.get(..1) {
            Some(begin) if begin == first => "one",
            Some(begin) if begin == second => "two",
            _ => image.as_str(),
        };
        prop_assert_eq!(map.choose(&image), Choice::Image(wanted));
    }

    #[test]
    fn whatever_is_no_buildspec_is_an_error_and_nothing_worse(text in "[ -~\n\t]{0,120}", keys in "[a-z:{}\\[\\]&*!|>'\" \n-]{0,80}") {
        for text in [text, format!("version: 0.2\n{keys}"), format!("version: 0.2\nphases:\n  build:\n    commands:\n{keys}")] {
            if let Ok(buildspec) = Buildspec::parse(&text) {
                prop_assert!(buildspec.phases.len() <= 4);
            }
        }
    }
}
