//! A real agent deploys on this host, into a temporary folder.

use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::server::{HOST, Server};

const APPSPEC: &str = "\
version: 0.0
os: linux
files:
  - source: app
    destination: FOLDER/app
permissions:
  - object: FOLDER/app
    mode: 750
    type: [directory]
hooks:
  ApplicationStop:
    - location: hook.sh
  BeforeInstall:
    - location: hook.sh
  AfterInstall:
    - location: hook.sh
  ValidateService:
    - location: hook.sh
      timeout: 20
";

/// Writes down what it was started for.
const HOOK: &str = "#!/bin/sh\necho \"$LIFECYCLE_EVENT $DEPLOYMENT_ID $APPLICATION_NAME $DEPLOYMENT_GROUP_NAME @ID@\" >> FOLDER/hooks\n";

struct Bench {
    folder: tempfile::TempDir,
    server: Server,
    agent: Child,
}

impl Bench {
    async fn start() -> Self {
        let server = Server::start().await;
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "region: us-east-1\niam_user_arn: {HOST}\naws_access_key_id: AKIATEST\naws_secret_access_key: secret\n\
             endpoint: http://{}\nroot_dir: {}\nmax_revisions: 2\n",
            server.address,
            folder.path().join("root").display()
        );
        fs::write(folder.path().join("config.yml"), config).unwrap();
        let agent = start_agent(&folder);
        Self { folder, server, agent }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap_or_default()
    }

    /// Makes a deployment of these files; `FOLDER` and `@ID@` in them are replaced.
    fn deployment(&self, id: &str, files: &[(&str, &str)]) {
        let mut zip = ZipWriter::new(Cursor::new(vec![]));
        for (name, content) in files {
            zip.start_file(*name, SimpleFileOptions::default().unix_permissions(0o644)).unwrap();
            let content = content.replace("FOLDER", &self.folder.path().display().to_string()).replace("@ID@", id);
            zip.write_all(content.as_bytes()).unwrap();
        }
        self.server.put_object(&format!("/bucket/a%20{id}.zip"), zip.finish().unwrap().into_inner());
        self.server.put_specification(id, specification(id, json!({})));
    }

    async fn run_all(&mut self, id: &str) {
        let commands = [
            "ApplicationStop",
            "DownloadBundle",
            "BeforeInstall",
            "Install",
            "AfterInstall",
            "ApplicationStart",
            "ValidateService",
        ];
        for command in commands {
            let diagnostics = self.server.run(id, command).await;
            assert_eq!(
                diagnostics,
                json!({"error_code": 0, "script_name": "", "message": "Succeeded: ", "log": ""}),
                "{command}"
            );
        }
    }

    fn restart_agent(&mut self) {
        self.agent.kill().unwrap();
        self.agent.wait().unwrap();
        self.agent = start_agent(&self.folder);
    }
}

/// A test that fails leaves no agent behind.
impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

fn start_agent(folder: &tempfile::TempDir) -> Child {
    Command::new(env!("CARGO_BIN_EXE_landfall-agent"))
        .args(["host", "--config"])
        .arg(folder.path().join("config.yml"))
        .env("LANDFALL_SOCKETS", folder.path())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

fn specification(id: &str, further: Value) -> Value {
    let mut specification = json!({
        "DeploymentId": format!("arn:aws:codedeploy:us-east-1:000000000000:deployment/{id}"),
        "DeploymentGroupId": "group-id",
        "DeploymentGroupName": "group",
        "ApplicationName": "shop",
        "Revision": {"RevisionType": "S3", "S3Revision": {
            "Bucket": "bucket", "Key": format!("a {id}.zip"), "BundleType": "zip", "ETag": "e1"}},
    });
    for (name, value) in further.as_object().unwrap() {
        specification[name] = value.clone();
    }
    specification
}

#[tokio::test]
async fn two_deployments_after_each_other() {
    let mut bench = Bench::start().await;
    bench.deployment("d-1", &[("appspec.yml", APPSPEC), ("hook.sh", HOOK), ("app/old", "1"), ("app/both", "1")]);
    bench.run_all("d-1").await;
    assert_eq!(
        bench.text("hooks"),
        "BeforeInstall d-1 shop group d-1\nAfterInstall d-1 shop group d-1\nValidateService d-1 shop group d-1\n"
    );
    assert_eq!((bench.text("app/old"), bench.text("app/both")), ("1".into(), "1".into()));
    assert_eq!(fs::metadata(bench.at("app")).unwrap().permissions().mode() & 0o777, 0o750);
    assert!(bench.server.was_noop("d-1", "ApplicationStop") && bench.server.was_noop("d-1", "ApplicationStart"));
    assert!(!bench.server.was_noop("d-1", "Install") && !bench.server.was_noop("d-1", "AfterInstall"));

    fs::remove_file(bench.at("hooks")).unwrap();
    bench.deployment("d-2", &[("appspec.yml", APPSPEC), ("hook.sh", HOOK), ("app/new", "2"), ("app/both", "2")]);
    bench.run_all("d-2").await;
    // The old revision's script takes leave, with the new deployment's id.
    assert!(
        bench.text("hooks").starts_with("ApplicationStop d-2 shop group d-1\nBeforeInstall d-2 shop group d-2\n"),
        "{}",
        bench.text("hooks")
    );
    assert_eq!((bench.text("app/new"), bench.text("app/both")), ("2".into(), "2".into()));
    assert!(!bench.at("app/old").exists());
    assert!(bench.text("root/group-id/d-2/logs/scripts.log").contains("LifecycleEvent - AfterInstall"));
    // The note of the last command goes when the agent has heard that the server knows its end.
    while fs::read_dir(bench.at("root/ongoing-deployment")).unwrap().next().is_some() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn failures_are_told_in_the_stock_agents_words() {
    let mut bench = Bench::start().await;
    let failing = "#!/bin/sh\necho to-out; echo to-err >&2; exit 3\n";
    bench.deployment("d-1", &[("appspec.yml", APPSPEC), ("hook.sh", failing), ("app/file", "x")]);
    bench.server.run("d-1", "DownloadBundle").await;
    let failed = bench.server.run("d-1", "BeforeInstall").await;
    assert_eq!((&failed["error_code"], &failed["script_name"]), (&json!(4), &json!("hook.sh")));
    assert_eq!(failed["message"], "Script at specified location: hook.sh failed with exit code 3");
    for line in ["LifecycleEvent - BeforeInstall", "Script - hook.sh", "[stdout]to-out", "[stderr]to-err"] {
        assert!(failed["log"].as_str().unwrap().contains(line), "{failed}");
    }
    fs::create_dir(bench.at("app")).unwrap();
    fs::write(bench.at("app/file"), "mine").unwrap();
    let failed = bench.server.run("d-1", "Install").await;
    let message = failed["message"].as_str().unwrap();
    assert!(
        message.starts_with("The deployment failed because a specified file already exists at this location: "),
        "{message}"
    );
    let overwrite = json!({"AgentActionOverrides": {"AgentOverrides": {"FileExistsBehavior": "OVERWRITE"}}});
    bench.server.put_specification("d-1", specification("d-1", overwrite));
    assert_eq!(bench.server.run("d-1", "Install").await["error_code"], 0);
    assert_eq!(bench.text("app/file"), "x");
    assert_eq!(bench.server.run("d-1", "Frobnicate").await["message"], "Unsupported command type: Frobnicate");
}

#[tokio::test]
async fn bad_bundles_are_refused_and_the_agent_lives() {
    let mut bench = Bench::start().await;
    type Files<'a> = &'a [(&'a str, &'a str)];
    let table: &[(&str, Files<'_>, &str)] = &[
        ("d-1", &[("appspec.yml", "version: 0.0\nos: linux\nhooks: [1, 2\n")], "line 3"),
        ("d-2", &[("README", "")], "did not find an AppSpec file"),
        ("d-3", &[("appspec.yml", &APPSPEC.replace("linux", "windows"))], "line 2, column 5"),
    ];
    for (id, files, text) in table {
        bench.deployment(id, files);
        assert_eq!(bench.server.run(id, "DownloadBundle").await["error_code"], 0);
        let failed = bench.server.run(id, "Install").await;
        assert_eq!(failed["error_code"], 5);
        assert!(failed["message"].as_str().unwrap().contains(text), "{failed} should say {text}");
    }
    for name in ["../../../evil", "/tmp/landfall-evil-bundle"] {
        bench.deployment("d-4", &[(name, "x")]);
        let failed = bench.server.run("d-4", "DownloadBundle").await;
        assert!(failed["message"].as_str().unwrap().contains(name), "{failed}");
    }
    bench.server.put_specification("d-5", specification("d-5", json!({})));
    let failed = bench.server.run("d-5", "DownloadBundle").await;
    assert!(failed["message"].as_str().unwrap().contains("NoSuchKey"), "{failed}");
    bench.deployment("d-6", &[("appspec.yml", APPSPEC)]);
    let mut other = specification("d-6", json!({}));
    other["Revision"]["S3Revision"]["ETag"] = json!("other");
    bench.server.put_specification("d-6", other);
    let failed = bench.server.run("d-6", "DownloadBundle").await;
    assert!(failed["message"].as_str().unwrap().contains("ETag is e1"), "{failed}");
}

#[tokio::test]
async fn a_command_that_comes_twice_runs_once_and_a_server_that_fails_is_asked_again() {
    let mut bench = Bench::start().await;
    let slow = "#!/bin/sh\necho ran >> FOLDER/hooks; sleep 1\n";
    bench.deployment("d-1", &[("appspec.yml", APPSPEC), ("hook.sh", slow), ("app/file", "x")]);
    bench.server.fail_next(2);
    assert_eq!(bench.server.run("d-1", "DownloadBundle").await["error_code"], 0);
    bench.server.queue("d-1", "BeforeInstall");
    bench.server.queue("d-1", "BeforeInstall");
    bench.server.completed().await;
    assert_eq!(bench.server.run("d-1", "Install").await["error_code"], 0);
    assert_eq!(bench.text("hooks"), "ran\n");
}

#[tokio::test]
async fn what_a_killed_agent_left_is_reported_by_the_next() {
    let mut bench = Bench::start().await;
    let endless = "#!/bin/sh\ntouch FOLDER/started\nexec sleep 20\n";
    bench.deployment("d-1", &[("appspec.yml", APPSPEC), ("hook.sh", endless), ("app/file", "x")]);
    bench.server.run("d-1", "DownloadBundle").await;
    bench.server.queue("d-1", "BeforeInstall");
    while !bench.at("started").exists() {
        tokio::task::yield_now().await;
    }
    bench.restart_agent();
    let (identifier, status, diagnostics) = bench.server.completed().await;
    assert_eq!((identifier.as_str(), status.as_str()), ("d-1/BeforeInstall", "Failed"));
    assert_eq!(diagnostics["error_code"], 7);
    assert_eq!(diagnostics["message"], "Failed: Failing in-progress lifecycle event after an agent restart.");
    assert_eq!(bench.server.run("d-1", "Install").await["error_code"], 0);
}

#[test]
fn a_configuration_that_cannot_be_used_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yml");
    for (text, expected) in [("region: [", "line 1"), ("region: x\n", "iam_user_arn")] {
        fs::write(&file, text).unwrap();
        let output =
            Command::new(env!("CARGO_BIN_EXE_landfall-agent")).args(["host", "--config"]).arg(&file).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(expected), "{said}");
    }
}
