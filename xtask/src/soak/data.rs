//! The data folder after the server's end: database, contents, repositories.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use super::invariants::Violation;

/// Whatever is damaged.
pub(super) fn check(landfall: &Path, data: &Path, folder: &Path) -> anyhow::Result<Vec<Violation>> {
    let mut wrong = Vec::new();
    database(data, &mut wrong)?;
    backup(landfall, data, folder, &mut wrong)?;
    repositories(data, &mut wrong)?;
    Ok(wrong)
}

fn open(data: &Path) -> anyhow::Result<Connection> {
    let file = data.join("landfall.db");
    Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_ONLY).with_context(|| file.display().to_string())
}

/// SQLite's own check, and nothing that is due is held by anybody.
fn database(data: &Path, wrong: &mut Vec<Violation>) -> anyhow::Result<()> {
    let database = open(data)?;
    let whole: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    if whole != "ok" {
        wrong.push(Violation::new("integrity_check", "", whole));
    }
    let text = "SELECT kind || ' ' || key || ' of ' || lease_owner FROM documents WHERE lease_owner IS NOT NULL AND due IS NOT NULL";
    let mut leases = database.prepare(text)?;
    for lease in leases.query_map([], |row| row.get::<_, String>(0))? {
        wrong.push(Violation::new("leases", "", format!("a lease is left: {}", lease?)));
    }
    Ok(())
}

/// A backup reads every content against its digest, and all that the database refers to.
fn backup(landfall: &Path, data: &Path, folder: &Path, wrong: &mut Vec<Violation>) -> anyhow::Result<()> {
    let backup = folder.join("backup");
    for arguments in [vec!["--data-dir".as_ref(), data.as_os_str()], vec!["--verify".as_ref()]] {
        let output = Command::new(landfall).arg("backup").arg(&backup).args(arguments).output()?;
        if !output.status.success() {
            wrong.push(Violation::new("contents", "", String::from_utf8_lossy(&output.stderr)));
        }
    }
    Ok(std::fs::remove_dir_all(backup)?)
}

fn repositories(data: &Path, wrong: &mut Vec<Violation>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(data.join("git"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "git") {
            let output = Command::new("git").arg("-C").arg(&path).args(["fsck", "--full", "--strict"]).output()?;
            if !output.status.success() {
                let text = format!("{}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
                wrong.push(Violation::new("git fsck", "", text));
            }
        }
    }
    Ok(())
}

/// The container of each build: a prepared one that it has claimed, or its own.
pub(super) fn containers(data: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let database = open(data)?;
    let mut builds = database.prepare("SELECT body FROM documents WHERE kind = 'codebuild.build'")?;
    let mut containers = BTreeMap::new();
    for body in builds.query_map([], |row| row.get::<_, String>(0))? {
        let build: Value = serde_json::from_str(&body?)?;
        let id = build["id"].as_str().context("a build without an id")?.to_owned();
        let container = build["claimed"].as_str().map_or_else(|| own(&id), str::to_owned);
        containers.insert(id, container);
    }
    Ok(containers)
}

/// `codebuild::rules::ids::container_id`.
fn own(id: &str) -> String {
    let uuid = id.rsplit(':').next().unwrap_or_default().replace('-', "");
    format!("b-{}", &uuid[uuid.len().saturating_sub(16)..])
}
