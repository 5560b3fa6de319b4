//! Sources go into a real agent, artifacts come out of it.

use std::io::{Cursor, Read, Write};

use crate::harness::{Agent, phase};
use agent::protocol::{ArchiveFormat, ArtifactRequest, FromAgent, Phase, SourceTarget, ToAgent};
use bytes::Bytes;
use zip::ZipArchive;
use zip::write::{SimpleFileOptions, ZipWriter};

fn zipped(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(vec![]));
    for (name, content) in files {
        zip.start_file(*name, SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn tarred(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(vec![]);
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        builder.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn pieces(target: &SourceTarget, archive: &[u8]) -> Vec<ToAgent> {
    let size = archive.len().div_ceil(3).max(1);
    let count = archive.chunks(size).count();
    let chunks = archive.chunks(size).enumerate();
    chunks
        .map(|(n, chunk)| ToAgent::SourceChunk {
            target: target.clone(),
            offset: (n * size) as u64,
            last: n + 1 == count,
            data: Bytes::copy_from_slice(chunk),
        })
        .collect()
}

/// Sends a source and gives the agent's answer.
async fn unpacked(agent: &mut Agent, index: u32, format: ArchiveFormat, archive: &[u8]) -> Option<String> {
    let path = agent.work().join(index.to_string()).display().to_string();
    for piece in pieces(&SourceTarget { index, path, format }, archive) {
        agent.send(piece).await;
    }
    match agent.next().await {
        FromAgent::SourceUnpacked { index: answered, error } if answered == index => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn sources_of_each_format_are_unpacked() {
    let mut agent = Agent::start().await;
    let files = [("bin/run", "#!/bin/sh\necho ran $0\n"), ("buildspec.yml", "version: 0.2\n")];
    let mut gz = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    gz.write_all(&tarred(&files)).unwrap();
    let archives = [
        (ArchiveFormat::Zip, zipped(&files)),
        (ArchiveFormat::Tar, tarred(&files)),
        (ArchiveFormat::TarGz, gz.finish().unwrap()),
    ];
    for (index, (format, archive)) in (0..).zip(&archives) {
        assert_eq!(unpacked(&mut agent, index, *format, archive).await, None, "{format:?}");
    }
    let path = agent.work().join("1/buildspec.yml").display().to_string();
    agent.send(ToAgent::FileRequest { request: 9, path, limit: 1000 }).await;
    let expected = FromAgent::File { request: 9, error: None, data: "version: 0.2\n".into() };
    assert_eq!(agent.next().await, expected);

    let job = agent.job(vec![phase(Phase::Build, &["0/bin/run", "1/bin/run", "2/bin/run"])]);
    agent.run(job).await;
    assert_eq!(agent.seen.output(), ["ran 0/bin/run", "ran 1/bin/run", "ran 2/bin/run"]);
    agent.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_source_that_was_cut_off_starts_anew() {
    let mut agent = Agent::start().await;
    let archive = zipped(&[("a", "b")]);
    let path = agent.work().display().to_string();
    let target = SourceTarget { index: 0, path, format: ArchiveFormat::Zip };
    agent.send(pieces(&target, &archive).remove(0)).await;
    agent.restart_server().await;
    assert!(agent.connection.2.sources.is_empty());
    assert_eq!(unpacked(&mut agent, 0, ArchiveFormat::Zip, &archive).await, None);
    agent.restart_server().await;
    assert_eq!(agent.connection.2.sources, [0]);
    agent.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn unsafe_and_broken_archives_are_refused_and_the_agent_lives() {
    let mut agent = Agent::start().await;
    for name in ["../evil", "/tmp/landfall-evil", "a/../../evil"] {
        let error = unpacked(&mut agent, 0, ArchiveFormat::Zip, &zipped(&[(name, "x")])).await.unwrap();
        assert!(error.contains(name), "{error}");
    }
    assert!(!agent.folder.path().join("evil").exists());
    for format in [ArchiveFormat::Zip, ArchiveFormat::Tar, ArchiveFormat::TarGz] {
        assert!(unpacked(&mut agent, 0, format, &[b'x'; 4000]).await.is_some(), "{format:?}");
    }
    let job = agent.job(vec![phase(Phase::Build, &["echo alive"])]);
    agent.run(job).await;
    assert_eq!(agent.seen.output(), ["alive"]);
    agent.finish().await;
}

/// Asks for an artifact; its zip, or the error's message.
async fn artifact(agent: &mut Agent, request: ArtifactRequest) -> Result<Vec<u8>, String> {
    let number = request.request;
    agent.send(ToAgent::ArtifactRequest(request)).await;
    let mut zip = vec![];
    loop {
        match agent.next().await {
            FromAgent::ArtifactChunk { request, offset, data } => {
                assert_eq!((request, offset), (number, zip.len() as u64));
                zip.extend_from_slice(&data);
            }
            FromAgent::ArtifactEnd { error: Some(context), .. } => return Err(context.message),
            FromAgent::ArtifactEnd { size, .. } => {
                assert_eq!(size, zip.len() as u64);
                return Ok(zip);
            }
            FromAgent::Report { sequence, .. } => agent.send(ToAgent::Ack { sequence }).await,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn artifacts_come_as_zip() {
    let mut agent = Agent::start().await;
    let job = agent.job(vec![phase(
        Phase::Build,
        &["mkdir -p out/d", "echo one > out/one", "echo two > out/d/two", "echo log > out/x.log"],
    )]);
    agent.run(job).await;
    let request = ArtifactRequest {
        request: 1,
        directory: agent.work().display().to_string(),
        base_directory: Some("out".into()),
        files: vec!["**/*".into()],
        exclude_paths: vec!["*.log".into()],
        discard_paths: false,
        enable_symlinks: false,
    };
    let mut zip = ZipArchive::new(Cursor::new(artifact(&mut agent, request.clone()).await.unwrap())).unwrap();
    let mut text = String::new();
    zip.by_name("d/two").unwrap().read_to_string(&mut text).unwrap();
    assert_eq!((zip.len(), text.as_str()), (2, "two\n"));

    let none = ArtifactRequest { request: 2, files: vec!["*.jar".into()], ..request };
    assert_eq!(artifact(&mut agent, none).await.unwrap_err(), "no matching artifact paths found");
    agent.finish().await;
}
