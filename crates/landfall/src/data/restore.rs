//! `landfall restore DIR`: a data folder out of a backup, whole or not at all.

use super::backup::{existing, lock, summary, sync};
use super::contents::{Counted, told};
use super::manifest::{Entry, Manifest};
use super::pool::{self, Pool};
use super::screen::Screen;
use super::verify;
use crate::exit::user_error;
use crate::terminal::bytes;
use clap::Args;
use kernel::store::FORMAT;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// `landfall restore`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder of the backup
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The data folder to make, new or empty; default: LANDFALL_DATA_DIR, the configuration file's, else landfall-data
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The summary as JSON
    #[arg(long)]
    json: bool,
}

/// Restores a backup.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    tokio::task::spawn_blocking(move || restore(&arguments)).await?
}

fn restore(arguments: &Arguments) -> anyhow::Result<()> {
    let target = crate::config::data_dir_or(arguments.data_dir.as_deref())?;
    let manifest = existing(&arguments.dir)?;
    let _lock = lock(&arguments.dir)?;
    let format = manifest.header.folder_format;
    if format > FORMAT {
        return Err(user_error(format!(
            "the backup is of a data folder of format {format}, this landfall knows formats up to {FORMAT}; use a newer release"
        )));
    }
    let place = Place::new(&target)?;
    let screen = Screen::new();
    // The database and what it needs; the contents are verified as they are copied.
    let restored = verify::verify(&arguments.dir, &manifest, Some(&BTreeSet::new()), &screen)
        .and_then(|()| fill(&place.temporary, &Pool::of(&arguments.dir), &manifest, &screen))
        .and_then(|()| sync(&place.temporary))
        .and_then(|()| {
            kernel::crash_point!("restore_before_rename");
            place.finish()
        });
    if restored.is_err() {
        // What is half is of no use; the error is what counts.
        let _ = fs::remove_dir_all(&place.temporary);
    }
    restored?;
    drop(screen);
    report(arguments, &target, &manifest)
}

/// Where the data folder will be, and where it is made.
struct Place {
    target: PathBuf,
    temporary: PathBuf,
}

impl Place {
    /// Refuses a target that has anything in it; clears what a restore left that was killed.
    fn new(target: &Path) -> anyhow::Result<Self> {
        let wrong = |error: io::Error| told(target, &error);
        let is_free = match fs::read_dir(target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            entries => entries.map_err(wrong)?.next().is_none(),
        };
        if !is_free {
            return Err(user_error(format!(
                "{} is not empty: a backup is restored into a new folder; name one with --data-dir, or move this one away",
                target.display()
            )));
        }
        let absolute = std::path::absolute(target).map_err(wrong)?;
        let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
            return Err(user_error(format!("{} cannot be a data folder", target.display())));
        };
        fs::create_dir_all(parent).map_err(wrong)?;
        let temporary = parent.join(format!(".{}.restoring", name.to_string_lossy()));
        match fs::remove_dir_all(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(told(&temporary, &error)),
            _ => {}
        }
        pool::make_private(&temporary).map_err(|error| told(&temporary, &error))?;
        Ok(Self { target: absolute, temporary })
    }

    /// Puts what was made into its place.
    fn finish(&self) -> anyhow::Result<()> {
        let rename = || {
            fs::rename(&self.temporary, &self.target)?;
            self.target.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
        };
        rename().map_err(|error| told(&self.target, &error))
    }
}

/// Makes every folder and file of the manifest in `folder`.
fn fill(folder: &Path, pool: &Pool, manifest: &Manifest, screen: &Screen) -> anyhow::Result<()> {
    let mut done = Counted::default();
    for entry in &manifest.entries {
        let path = place(folder, entry)?;
        match &entry.content {
            None => pool::make_private(&path).map_err(|error| told(&path, &error))?,
            Some(content) => {
                // A file whose folder vanished while the backup was made has it only by its path.
                path.parent().map_or(Ok(()), pool::make_private).map_err(|error| told(&path, &error))?;
                let source = pool.path(&content.sha256);
                let copied = copy(&source, &path, entry.mode).map_err(|error| told(&source, &error))?;
                if copied.sha256 != content.sha256 || copied.size != content.size {
                    return Err(user_error(format!(
                        "the backup is damaged: {} is not what was written, so {} cannot be restored; use another backup",
                        source.display(),
                        entry.name()
                    )));
                }
                (done.files, done.bytes) = (done.files + 1, done.bytes + copied.size);
                screen.progress(done, done);
            }
        }
    }
    // Last, since a folder may be one that nobody may write into.
    for entry in manifest.entries.iter().filter(|entry| entry.content.is_none()) {
        let path = place(folder, entry)?;
        fs::set_permissions(&path, Permissions::from_mode(entry.mode)).map_err(|error| told(&path, &error))?;
    }
    Ok(())
}

fn place(folder: &Path, entry: &Entry) -> anyhow::Result<PathBuf> {
    let inside = entry.path().ok_or_else(|| user_error(format!("'{}' is no path in a data folder", entry.name())))?;
    Ok(folder.join(inside))
}

/// Writes a new file; its mode lets nobody in before it has its own.
fn copy(source: &Path, path: &Path, mode: u32) -> io::Result<pool::Copied> {
    let mut source = File::open(source)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let copied = pool::copy(&mut source, &mut file)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    Ok(copied)
}

fn report(arguments: &Arguments, target: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    let header = &manifest.header;
    if arguments.json {
        let mut summary = summary(&arguments.dir, header);
        summary["dataDir"] = serde_json::to_value(target)?;
        println!("{summary}");
    } else {
        println!("Restored the backup of {} into {}", header.time, target.display());
        println!("  {} files, {}; every SHA-256 is right", header.files, bytes(header.bytes));
    }
    eprintln!(
        "Start it with: landfall serve --data-dir {}\n\
         Do not let the server that was backed up run beside it: both would go on with the same executions.",
        target.display()
    );
    Ok(())
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_a_new_or_empty_folder_is_filled() {
        let home = tempfile::tempdir().expect("a folder");
        let target = home.path().join("deep/data");
        fs::create_dir_all(home.path().join("deep/.data.restoring/left")).expect("left by a killed restore");
        let place = Place::new(&target).expect("a new folder");
        assert!(fs::read_dir(&place.temporary).expect("made").next().is_none());
        fs::create_dir(&target).expect("an empty folder");
        fs::write(place.temporary.join("file"), "").expect("filled");
        place.finish().expect("into an empty folder");
        let error = Place::new(&target).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("is not empty"), "{error}");
    }
}
