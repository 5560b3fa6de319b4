//! The import rules of ARCHITECTURE.md, over `cargo metadata`.
#![expect(clippy::expect_used, reason = "tests")]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// The services. None may depend on another.
const SERVICES: &[&str] = &["codebuild", "codecommit", "codedeploy", "codepipeline", "console", "iam", "logs", "s3"];

/// Which crates of ours each crate may depend on.
fn allowed(package: &str) -> BTreeSet<&'static str> {
    let names: &[&'static str] = match package {
        "landfall-agent" => &["sigv4"],
        "sigv4" | "crash-point" => &[],
        "kernel" | "images" => &["crash-point"],
        "testbed" => &["sigv4"],
        "benches" => &["codebuild", "codedeploy", "codepipeline", "engine", "kernel", "sigv4", "testbed"],
        "xtask" => &["testbed"],
        "aws-shape" => &["kernel"],
        "aws-model-catalogue" => &[
            "aws-shape",
            "aws-model-codebuild",
            "aws-model-codecommit",
            "aws-model-codedeploy",
            "aws-model-codepipeline",
            "aws-model-iam",
            "aws-model-logs",
            "aws-model-sts",
        ],
        model if model.starts_with("aws-model-") => &["aws-shape"],
        "aws" => &[
            "aws-model-catalogue",
            "aws-model-codebuild",
            "aws-model-codecommit",
            "aws-model-codedeploy",
            "aws-model-codepipeline",
            "aws-model-iam",
            "aws-model-logs",
            "aws-model-sts",
            "aws-shape",
            "kernel",
        ],
        "engine" => &["crash-point", "images", "landfall-agent"],
        "codebuild" => &["aws", "kernel", "engine", "landfall-agent"],
        "codedeploy" => &["aws", "kernel", "landfall-agent"],
        "iam" | "s3" => &["aws", "kernel", "sigv4"],
        service if SERVICES.contains(&service) => &["aws", "kernel"],
        "landfall" | "fuzz-bodies" => return ours(&metadata()).into_iter().map(leak).collect(),
        _ => &[],
    };
    names.iter().copied().collect()
}

fn leak(name: String) -> &'static str {
    Box::leak(name.into_boxed_str())
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .output()
        .expect("cargo runs");
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}

fn ours(metadata: &Value) -> BTreeSet<String> {
    let packages = metadata["packages"].as_array().expect("packages");
    packages.iter().filter_map(|package| package["name"].as_str()).map(str::to_owned).collect()
}

#[test]
fn crates_depend_only_on_what_the_architecture_allows() {
    let metadata = metadata();
    let ours = ours(&metadata);
    let mut wrong = BTreeMap::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("a name");
        let allowed = allowed(name);
        let depends: BTreeSet<&str> = package["dependencies"]
            .as_array()
            .expect("dependencies")
            .iter()
            // What tests use is their own affair, but for services, which are never mixed.
            .filter(|dependency| {
                dependency["kind"].is_null() || SERVICES.contains(&dependency["name"].as_str().unwrap_or_default())
            })
            .filter_map(|dependency| dependency["name"].as_str())
            .filter(|dependency| ours.contains(*dependency) && *dependency != name)
            .collect();
        let forbidden: Vec<&str> = depends.into_iter().filter(|dependency| !allowed.contains(dependency)).collect();
        if !forbidden.is_empty() {
            wrong.insert(name.to_owned(), forbidden.join(", "));
        }
    }
    assert!(wrong.is_empty(), "ARCHITECTURE.md does not allow these dependencies: {wrong:?}");
}
