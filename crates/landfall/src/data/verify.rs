//! Checking a backup: every content against its digest, the database, and that it has all that the database needs.

use super::manifest::Manifest;
use super::pool::Pool;
use super::screen::Screen;
use crate::exit::user_error;
use kernel::StoreError;
use kernel::store::{DATABASE, FORMAT, Snapshot};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

/// The most damaged files that an error names.
const NAMED: usize = 20;

/// Checks all of a backup, or of its contents only `fresh` ones.
///
/// # Errors
/// What is damaged or missing, by its name in the data folder.
pub(super) fn verify(
    dir: &Path,
    manifest: &Manifest,
    fresh: Option<&BTreeSet<String>>,
    screen: &Screen,
) -> anyhow::Result<()> {
    screen.doing("verifying what was written");
    let pool = Pool::of(dir);
    let mut wrong = contents(&pool, manifest, fresh);
    let database = manifest.entries.iter().find(|entry| entry.name() == DATABASE);
    match database.and_then(|entry| entry.content.as_ref()) {
        None => wrong.push(format!("{DATABASE}: it is missing")),
        // One that is not what was written is named already.
        Some(_) if wrong.iter().any(|damage| damage.starts_with(DATABASE)) => {}
        Some(content) => {
            let file = pool.path(&content.sha256);
            let unreadable = |error: StoreError| vec![format!("{DATABASE}: {}: {error}", file.display())];
            wrong.extend(store(&file, manifest).unwrap_or_else(unreadable));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let more = wrong.len().saturating_sub(NAMED);
    wrong.truncate(NAMED);
    wrong.extend((more > 0).then(|| format!("and {more} more")));
    Err(user_error(format!(
        "the backup in {} is damaged; restore from another, and make a new one into another folder:\n  {}",
        dir.display(),
        wrong.join("\n  ")
    )))
}

/// What is wrong with the contents.
fn contents(pool: &Pool, manifest: &Manifest, fresh: Option<&BTreeSet<String>>) -> Vec<String> {
    // Several files may have one content: it is read once.
    let mut checked: BTreeMap<&str, Option<String>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for entry in &manifest.entries {
        let Some(content) = &entry.content else { continue };
        if fresh.is_some_and(|fresh| !fresh.contains(&content.sha256)) {
            continue;
        }
        let damage = checked.entry(&content.sha256).or_insert_with(|| damage(pool, &content.sha256, content.size));
        wrong.extend(damage.as_ref().map(|damage| format!("{}: {damage}", entry.name())));
    }
    wrong
}

fn damage(pool: &Pool, sha256: &str, size: u64) -> Option<String> {
    let path = pool.path(sha256);
    match pool.read(sha256) {
        Ok(read) if read.sha256 == sha256 && read.size == size => None,
        Ok(_) => Some(format!("{} is not what was written", path.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(format!("{} is missing", path.display())),
        Err(error) => Some(format!("{}: {error}", path.display())),
    }
}

/// What is wrong with the database: its pages, its format, blobs that it refers to and that are not here.
fn store(file: &Path, manifest: &Manifest) -> Result<Vec<String>, StoreError> {
    let snapshot = Snapshot::open(file)?;
    let mut wrong: Vec<String> = snapshot.damage()?.map(|damage| format!("{DATABASE}: {damage}")).into_iter().collect();
    let format = snapshot.format()?;
    if format > FORMAT || format != manifest.header.folder_format {
        wrong.push(format!("{DATABASE}: it has format {format}, the manifest says {}", manifest.header.folder_format));
    }
    let names: BTreeSet<&str> = manifest.entries.iter().map(super::manifest::Entry::name).collect();
    snapshot.blobs(|service, digest| {
        let (folder, rest) = digest.split_at_checked(2).unwrap_or((digest, ""));
        let name = format!("blobs/{service}/{folder}/{rest}");
        if !names.contains(&*name) {
            wrong.push(format!("{name}: it is missing, and {service} refers to it"));
        }
    })?;
    Ok(wrong)
}
