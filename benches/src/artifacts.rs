//! Large artifacts: through S3 as one object of a gigabyte, and as what a build packs and uploads. Beside the bare costs of
//! the same bytes, and moto's server.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use sigv4::{AmzDate, Credentials, Payload, Request, Signer};
use tempfile::TempDir;

use crate::Options;
use crate::bare::{copy_sync, loopback, random_file, run, sha256, sha256_write_sync};
use crate::reads::role;
use crate::report::{Figure, median};
use testbed::client::{Connection, REGION};
use testbed::process::Server;

const OBJECT: u64 = 1 << 30;
/// What a build makes.
const ARTIFACT: u64 = 256 << 20;
const ROUNDS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(20);
const BUCKET: &str = "benchmark-artifacts";

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let place = TempDir::with_prefix_in("artifacts-bench-", &options.folder)?;
    let mut figures = objects(options, place.path()).await?;
    figures.extend(builds(options, place.path()).await?);
    Ok(figures)
}

/// Times of several rounds, by what was done.
#[derive(Default)]
struct Times {
    hash: Vec<Duration>,
    stored: Vec<Duration>,
    copied: Vec<Duration>,
    looped: Vec<Duration>,
    put: Vec<Duration>,
    got: Vec<Duration>,
    cpu: Vec<Duration>,
}

async fn objects(options: &Options, place: &Path) -> anyhow::Result<Vec<Figure>> {
    let (file, copy) = (place.join("object"), place.join("copy"));
    random_file(&file, OBJECT)?;
    let server = Server::landfall(&options.landfall, &options.folder, &["--engine", "dummy", "--auth", "open"])?;
    server.client.connection().bucket(BUCKET).await?;
    let mut times = Times::default();
    for _ in 0..ROUNDS {
        times.hash.push(sha256(&file)?);
        times.copied.push(copy_sync(&file, &copy)?);
        times.stored.push(sha256_write_sync(&file, &copy)?);
        let before = server.cpu()?;
        times.put.push(put(&server, &file)?);
        times.cpu.push(server.cpu()?.saturating_sub(before));
        times.looped.push(loopback(&file)?);
        times.got.push(get(&server)?);
    }
    drop(server);
    let peer = moto(options, &file).await.inspect_err(|error| eprintln!("moto's S3 is not measured: {error:#}")).ok();
    Ok(rows(times, peer))
}

fn rows(times: Times, peer: Option<(Duration, Duration)>) -> Vec<Figure> {
    let (put, got) = (median(times.put), median(times.got));
    let uploaded = format!("{} ({} of server CPU)", seconds(put), seconds(median(times.cpu)));
    let row = |what: &str, landfall: String, ours: Duration, beside: &str, theirs: Duration| Figure {
        what: what.to_owned(),
        landfall,
        beside: format!("{beside} {}", seconds(theirs)),
        ratio: ours.as_secs_f64() / theirs.as_secs_f64(),
        budget: None,
    };
    let (upload, download) = ("upload of 1 GiB to S3, durable when answered", "download of 1 GiB from S3");
    let mut rows = vec![
        row(upload, uploaded.clone(), put, "SHA-256, write and fsync of the same bytes", median(times.stored)),
        row(upload, uploaded.clone(), put, "SHA-256 alone", median(times.hash)),
        row(upload, uploaded.clone(), put, "a copy of the file and its fsync", median(times.copied)),
        row(download, seconds(got), got, "the same bytes over loopback", median(times.looped)),
    ];
    if let Some((their_put, their_get)) = peer {
        rows.push(row(upload, uploaded, put, "moto, not durable,", their_put));
        rows.push(row(download, seconds(got), got, "moto", their_get));
    }
    rows
}

async fn moto(options: &Options, file: &Path) -> anyhow::Result<(Duration, Duration)> {
    let server = Server::moto(&options.moto, &options.folder)?;
    server.answer().await?;
    server.client.connection().bucket(BUCKET).await?;
    Ok((put(&server, file)?, get(&server)?))
}

/// curl sends the file as it is, so that no client's hashing is in the time.
fn put(server: &Server, file: &Path) -> anyhow::Result<Duration> {
    let url = presigned(server, "PUT")?;
    let begin = Instant::now();
    run(Command::new("curl").args(["--silent", "--show-error", "--fail", "--upload-file"]).arg(file).arg(url))?;
    Ok(begin.elapsed())
}

fn get(server: &Server) -> anyhow::Result<Duration> {
    let url = presigned(server, "GET")?;
    let begin = Instant::now();
    run(Command::new("curl").args(["--silent", "--show-error", "--fail", "--output", "/dev/null"]).arg(url))?;
    Ok(begin.elapsed())
}

/// A URL that any server takes which lets everybody in.
fn presigned(server: &Server, method: &str) -> anyhow::Result<String> {
    let credentials = Credentials { access_key_id: "test", secret_access_key: "test", session_token: None };
    let time = AmzDate::from_epoch_seconds(i64::try_from(testbed::now()?.as_secs())?);
    let (authority, path) = (&server.client.authority, format!("/{BUCKET}/object"));
    let headers = [("host", authority.as_bytes())];
    let signer = Signer { credentials, region: REGION, service: "s3", time };
    let query = signer.presign(&Request::new(method, &path, &headers), 3600, &Payload::Unsigned);
    Ok(format!("http://{authority}{path}?{query}"))
}

/// Builds that leave one large file, from the end of their commands to the artifact in its bucket.
async fn builds(options: &Options, place: &Path) -> anyhow::Result<Vec<Figure>> {
    let arguments = ["--auth", "open", "--engine", "sandbox", "--image-map", "*=host", "--pool", "0"];
    let server = Server::landfall(&options.landfall, &options.folder, &arguments)?;
    let mut connection = server.client.connection();
    connection.bucket(BUCKET).await?;
    let buildspec = json!({
        "version": 0.2,
        "phases": {"build": {"commands": [format!("head -c {ARTIFACT} /dev/urandom > out")]}},
        "artifacts": {"files": ["out"]},
    });
    let project = json!({
        "name": "artifacts", "serviceRole": role(&mut connection, "codebuild").await?,
        "source": {"type": "NO_SOURCE", "buildspec": buildspec.to_string()},
        "artifacts": {"type": "S3", "location": BUCKET, "packaging": "ZIP"},
        "environment": {"type": "LINUX_CONTAINER", "image": "host", "computeType": "BUILD_GENERAL1_SMALL"},
    });
    connection.json("codebuild", "CodeBuild_20161006.CreateProject", &project).await?;
    let (file, zip) = (place.join("out"), place.join("out.zip"));
    random_file(&file, ARTIFACT)?;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(uploaded(&mut connection).await?);
        let begin = Instant::now();
        run(Command::new("zip").args(["--quiet", "--junk-paths"]).arg(&zip).arg(&file))?;
        sha256_write_sync(&zip, &place.join("stored"))?;
        bare.push(begin.elapsed());
        std::fs::remove_file(&zip)?;
    }
    let (ours, bare) = (median(ours), median(bare));
    Ok(vec![Figure {
        what: "a build's artifact of 256 MiB: packed, sent out of the container, stored".to_owned(),
        landfall: seconds(ours),
        beside: format!("`zip`, SHA-256, write and fsync {}", seconds(bare)),
        ratio: ours.as_secs_f64() / bare.as_secs_f64(),
        budget: None,
    }])
}

/// Runs one build; how long its phase UPLOAD_ARTIFACTS took.
async fn uploaded(connection: &mut Connection) -> anyhow::Result<Duration> {
    let input = json!({"projectName": "artifacts"});
    let build = connection.json("codebuild", "CodeBuild_20161006.StartBuild", &input).await?;
    let ids = json!({"ids": [build["build"]["id"]]});
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = connection.json("codebuild", "CodeBuild_20161006.BatchGetBuilds", &ids).await?;
        let build = &found["builds"][0];
        match build["buildStatus"].as_str() {
            Some("SUCCEEDED") => return upload_phase(build).context("no phase UPLOAD_ARTIFACTS"),
            Some("IN_PROGRESS") if Instant::now() < deadline => tokio::time::sleep(LOOK).await,
            status => bail!("the build is {status:?}: {}", build["phases"]),
        }
    }
}

/// From the documented times, since its duration is in whole seconds.
fn upload_phase(build: &Value) -> Option<Duration> {
    let phases = build["phases"].as_array()?;
    let phase = phases.iter().find(|phase| phase["phaseType"] == "UPLOAD_ARTIFACTS")?;
    let time = phase["endTime"].as_f64()? - phase["startTime"].as_f64()?;
    Some(Duration::from_secs_f64(time.max(0.001)))
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upload_is_timed_by_its_phase() {
        let phase = |name: &str, begin: f64, end: f64| json!({"phaseType": name, "startTime": begin, "endTime": end});
        let build = json!({"phases": [phase("BUILD", 1.0, 2.0), phase("UPLOAD_ARTIFACTS", 2.0, 3.5)]});
        assert_eq!(upload_phase(&build), Some(Duration::from_millis(1500)));
        assert_eq!(upload_phase(&json!({"phases": [phase("BUILD", 1.0, 2.0)]})), None);
    }
}
