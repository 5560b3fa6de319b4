//! `landfall backup DIR`: a consistent copy of the data folder, beside a running server or without one.
//!
//! First the sign that a backup runs, from when on nothing that is removed is lost; then a snapshot of the store at one
//! moment; then everything that it refers to (`layout`). So the copy is of that moment, and what came later beside it
//! is as after a crash at that moment: the server compares and goes on.
//!
//! A later backup into the same folder copies only what is new. The manifest is replaced last: whatever dies on the way,
//! the backup before is whole.

use super::contents::{Contents, Counted, told};
use super::manifest::{self, Header, Manifest};
use super::pool::{self, Pool};
use super::screen::Screen;
use super::{layout, verify};
use crate::exit::user_error;
use crate::terminal::bytes;
use anyhow::Context as _;
use clap::Args;
use kernel::removal::{BackupRuns, Removals};
use kernel::store::{DATABASE, FORMAT, Snapshot, snapshot};
use kernel::{Clock as _, SystemClock, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The file in a backup's folder that a running backup or restore locks.
const LOCK: &str = "lock";

/// How long a backup waits for removals and repacking in progress.
const PATIENCE: Duration = Duration::from_secs(600);

/// `landfall backup`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder of the backup; one that holds a backup already gets only what is new
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The data folder; default: LANDFALL_DATA_DIR, the configuration file's, else landfall-data
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Make none, but check the one that is there: every content against its SHA-256, the database, what it needs
    #[arg(long, conflicts_with = "data_dir")]
    verify: bool,
    /// The summary as JSON
    #[arg(long)]
    json: bool,
}

/// Makes or checks a backup.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    tokio::task::spawn_blocking(move || if arguments.verify { check(&arguments) } else { make(&arguments) }).await?
}

fn make(arguments: &Arguments) -> anyhow::Result<()> {
    let begun = Instant::now();
    let data_dir = crate::config::data_dir_or(arguments.data_dir.as_deref())?;
    let data_dir = data_folder(&data_dir)?;
    let dir = backup_folder(&arguments.dir, &data_dir)?;
    let _lock = lock(&dir)?;
    let before = Manifest::read(&dir)?;
    let screen = Screen::new();
    let backup = Backup { data_dir: &data_dir, dir: &dir, screen: &screen };
    let done = backup.make(before)?;
    drop(screen);
    report(arguments, &dir, &done, begun.elapsed())
}

/// A backup being made.
struct Backup<'b> {
    data_dir: &'b Path,
    dir: &'b Path,
    screen: &'b Screen,
}

/// What was made.
struct Done {
    manifest: Manifest,
    copied: Counted,
}

impl Backup<'_> {
    fn make(&self, before: Option<Manifest>) -> anyhow::Result<Done> {
        let pool = Pool::open(self.dir).map_err(|error| told(self.dir, &error))?;
        let _nothing_is_lost = self.begin()?;
        let time = SystemClock.now();
        let mut contents = Contents::new(self.data_dir, &pool, self.screen, before);
        self.screen.doing("taking a snapshot of the store");
        let folder_format = self.copy_store(&pool, &mut contents)?;
        kernel::crash_point!("backup_after_snapshot");
        layout::walk(self.data_dir, &mut |found| contents.add(found))?;
        self.screen.doing("waiting for the disk");
        sync(self.dir)?;
        let header = self.header(time, folder_format, contents.total);
        let manifest = Manifest { header, entries: contents.entries };
        verify::verify(self.dir, &manifest, Some(&contents.fresh), self.screen)?;
        kernel::crash_point!("backup_before_manifest");
        manifest.write(self.dir).map_err(|error| told(&self.dir.join(manifest::FILE), &error))?;
        kernel::crash_point!("backup_after_manifest");
        let wanted: BTreeSet<&str> =
            manifest.entries.iter().filter_map(|entry| Some(&*entry.content.as_ref()?.sha256)).collect();
        pool.prune(&wanted).map_err(|error| told(self.dir, &error))?;
        Ok(Done { manifest, copied: contents.copied })
    }

    /// From here on nothing that is removed is lost.
    fn begin(&self) -> anyhow::Result<BackupRuns> {
        let removals = Removals::in_folder(self.data_dir);
        let deadline = Instant::now() + PATIENCE;
        self.screen.doing("waiting for the server to finish a removal or a repacking");
        loop {
            if let Some(running) = removals.begin_backup().map_err(|error| told(self.data_dir, &error))? {
                return Ok(running);
            }
            if Instant::now() > deadline {
                let data_dir = self.data_dir.display();
                return Err(user_error(format!("another backup of {data_dir} runs; try again when it has ended")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Copies the database as it is at this moment; gives the data folder's format.
    fn copy_store(&self, pool: &Pool, contents: &mut Contents<'_>) -> anyhow::Result<i64> {
        let copy = pool.temporary();
        let failed =
            |error: kernel::StoreError| user_error(format!("{}: {error}", self.data_dir.join(DATABASE).display()));
        snapshot(self.data_dir, &copy).map_err(failed)?;
        let format = Snapshot::open(&copy).and_then(|snapshot| snapshot.format()).map_err(failed)?;
        if format > FORMAT {
            return Err(user_error(format!(
                "the data folder has format {format}, this landfall knows formats up to {FORMAT}; use a newer release"
            )));
        }
        contents.take(&copy, Path::new(DATABASE)).map_err(|error| told(&copy, &error))?;
        Ok(format)
    }

    fn header(&self, time: Timestamp, folder_format: i64, total: Counted) -> Header {
        Header {
            landfall_backup: manifest::FORMAT,
            landfall: env!("CARGO_PKG_VERSION").to_owned(),
            time: time.iso8601(),
            millis: time.millis(),
            folder_format,
            files: total.files,
            bytes: total.bytes,
            sha256: String::new(),
        }
    }
}

/// The data folder to copy.
fn data_folder(path: &Path) -> anyhow::Result<PathBuf> {
    if !path.join(DATABASE).is_file() {
        return Err(user_error(format!(
            "{} is no data folder of Landfall: there is no {DATABASE} in it; name the right one with --data-dir",
            path.display()
        )));
    }
    path.canonicalize().map_err(|error| told(path, &error))
}

/// The folder to copy into: new, empty, or with a backup in it; neither in the data folder nor around it.
fn backup_folder(path: &Path, data_dir: &Path) -> anyhow::Result<PathBuf> {
    pool::make_private(path).map_err(|error| told(path, &error))?;
    let dir = path.canonicalize().map_err(|error| told(path, &error))?;
    if dir.starts_with(data_dir) || data_dir.starts_with(&dir) {
        return Err(user_error(format!(
            "a backup must not lie in the data folder nor around it, as {} does with {}; name a folder elsewhere",
            dir.display(),
            data_dir.display()
        )));
    }
    let manifest = format!("{}.new", manifest::FILE);
    let ours = [&pool::FOLDERS[..], &[LOCK, manifest::FILE, &manifest]].concat();
    for entry in fs::read_dir(&dir).map_err(|error| told(&dir, &error))? {
        let name = entry.map_err(|error| told(&dir, &error))?.file_name();
        if !ours.iter().any(|ours| name == *ours) {
            return Err(user_error(format!(
                "{} holds something else than a backup ({}); name a new folder",
                dir.display(),
                name.to_string_lossy()
            )));
        }
    }
    Ok(dir)
}

/// Keeps other backups and restores away from this folder.
pub(super) fn lock(dir: &Path) -> anyhow::Result<File> {
    let path = dir.join(LOCK);
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(|error| told(&path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(user_error(format!("another backup or restore uses {}; try again when it has ended", dir.display())))
        }
        Err(TryLockError::Error(error)) => Err(told(&path, &error)),
    }
}

/// Waits until everything on the file system of `dir` is on disk.
pub(super) fn sync(dir: &Path) -> anyhow::Result<()> {
    let folder = File::open(dir).map_err(|error| told(dir, &error))?;
    nix::unistd::syncfs(&folder).with_context(|| format!("syncing {}", dir.display()))
}

/// Checks the backup that is there.
fn check(arguments: &Arguments) -> anyhow::Result<()> {
    let dir = &arguments.dir;
    let manifest = existing(dir)?;
    let _lock = lock(dir)?;
    let screen = Screen::new();
    verify::verify(dir, &manifest, None, &screen)?;
    drop(screen);
    let header = &manifest.header;
    if arguments.json {
        println!("{}", summary(dir, header));
    } else {
        let (files, size) = (header.files, bytes(header.bytes));
        println!("The backup of {} is whole: {files} files, {size}, by Landfall {}.", header.time, header.landfall);
    }
    Ok(())
}

/// The manifest of a backup that must be there.
pub(super) fn existing(dir: &Path) -> anyhow::Result<Manifest> {
    Manifest::read(dir)?
        .ok_or_else(|| user_error(format!("there is no backup in {}: it has no {}", dir.display(), manifest::FILE)))
}

/// What a backup holds, for programs.
pub(super) fn summary(dir: &Path, header: &Header) -> Value {
    json!({
        "backup": dir,
        "landfall": header.landfall,
        "time": header.time,
        "folderFormat": header.folder_format,
        "files": header.files,
        "bytes": header.bytes,
        "verified": true,
    })
}

fn report(arguments: &Arguments, dir: &Path, done: &Done, took: Duration) -> anyhow::Result<()> {
    let header = &done.manifest.header;
    if arguments.json {
        let mut summary = summary(dir, header);
        summary["copiedFiles"] = done.copied.files.into();
        summary["copiedBytes"] = done.copied.bytes.into();
        summary["seconds"] = json!(took.as_secs_f64());
        println!("{summary}");
    } else {
        println!("Backup of {} in {}", header.time, dir.display());
        println!("  {} files, {}; verified", header.files, bytes(header.bytes));
        println!("  new since the backup before: {} files, {}", done.copied.files, bytes(done.copied.bytes));
    }
    eprintln!(
        "In it are the master key and, if the data folder has it, the root key: whoever reads the backup reads every \
         secret. Keep it as safe as the server."
    );
    Ok(())
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_backup_goes_into_a_folder_of_its_own() {
        let home = tempfile::tempdir().expect("a folder");
        let home = home.path().canonicalize().expect("its path");
        let data = home.join("data");
        fs::create_dir_all(data.join("blobs")).expect("folders");
        for (path, part) in [
            (data.clone(), "must not lie in"),
            (data.join("blobs"), "must not lie in"),
            (home.clone(), "nor around it"),
        ] {
            let error = backup_folder(&path, &data).expect_err(part).to_string();
            assert!(error.contains(part), "{error}");
        }
        let other = home.join("other");
        assert_eq!(backup_folder(&other, &data).expect("a new folder"), other);
        fs::create_dir(other.join("content")).expect("of a backup that was killed");
        assert!(backup_folder(&other, &data).is_ok());
        fs::write(other.join("letter.txt"), "").expect("somebody's file");
        assert!(backup_folder(&other, &data).expect_err("not ours").to_string().contains("letter.txt"));
    }

    #[test]
    fn a_folder_without_a_database_is_no_data_folder() {
        let home = tempfile::tempdir().expect("a folder");
        let error = data_folder(home.path()).expect_err("no data folder").to_string();
        assert!(error.contains("--data-dir"), "{error}");
    }
}
