//! What the dummy was asked, for ever and in order: one JSON line for each call.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::{ContainerSpec, EngineError, Exit, Signal};

/// One line of the journal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// When, in milliseconds since the epoch.
    pub time: u64,
    /// The container's id.
    pub id: String,
    /// What was asked, or came to pass.
    pub asked: Asked,
}

/// What the dummy was asked to do, or what came to pass.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// `start` of a container that was not there: it was started.
    Start(Box<ContainerSpec>),
    /// `start` of a container that was there: nothing was started.
    StartedBefore,
    /// `exec` of this command.
    Exec(Vec<String>),
    /// `signal`.
    Signal(Signal),
    /// `remove`.
    Remove,
    /// The agent that is played in it was given the job of this build. As play begins anew with each engine, so may
    /// the same job.
    Job(String),
    /// The container ended.
    Ended(Exit),
}

/// The journal's file, open for appending.
pub(super) struct Journal {
    path: PathBuf,
    file: Mutex<File>,
}

impl Journal {
    /// Opens `FOLDER/journal`, made where it is not there, and answers what is in it.
    pub(super) fn open(folder: &Path) -> Result<(Self, Vec<Entry>), EngineError> {
        fs::create_dir_all(folder).map_err(EngineError::io("cannot make", folder))?;
        let path = folder.join("journal");
        // The descriptions in it hold environments, which may hold secrets.
        let file = File::options().append(true).create(true).mode(0o600).open(&path);
        let file = Mutex::new(file.map_err(EngineError::io("cannot open", &path))?);
        let entries = read(&path).map_err(EngineError::io("cannot read", &path))?;
        Ok((Self { path, file }, entries))
    }

    /// Appends a line in one write, so that a killed process leaves none in half; answers its time.
    pub(super) fn write(&self, id: &str, asked: Asked) -> Result<u64, EngineError> {
        let entry = Entry { time: now(), id: id.to_owned(), asked };
        let written = serde_json::to_vec(&entry).map_err(io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line)
        });
        written.map_err(EngineError::io("cannot append to", &self.path))?;
        Ok(entry.time)
    }
}

/// The journal of the dummy on this data folder, in order.
pub fn of(data_dir: &Path) -> io::Result<Vec<Entry>> {
    read(&data_dir.join("dummy/journal"))
}

/// How often each container was really started; more than once for an id means that work was done twice.
pub fn starts(entries: &[Entry]) -> BTreeMap<&str, usize> {
    let mut starts = BTreeMap::new();
    for entry in entries.iter().filter(|entry| matches!(entry.asked, Asked::Start(_))) {
        *starts.entry(entry.id.as_str()).or_default() += 1;
    }
    starts
}

fn read(path: &Path) -> io::Result<Vec<Entry>> {
    fs::read_to_string(path)?.lines().map(|line| serde_json::from_str(line).map_err(io::Error::from)).collect()
}

/// The containers that were started and not removed: description, time of the start, end.
pub(super) fn containers(entries: Vec<Entry>) -> Vec<(ContainerSpec, u64, Option<Exit>)> {
    let mut containers = BTreeMap::new();
    for Entry { time, id, asked } in entries {
        match asked {
            Asked::Start(spec) => {
                containers.insert(id, (*spec, time, None));
            }
            Asked::Remove => {
                containers.remove(&id);
            }
            Asked::Ended(exit) => {
                if let Some((_, _, end)) = containers.get_mut(&id) {
                    *end = Some(exit);
                }
            }
            Asked::StartedBefore | Asked::Exec(_) | Asked::Signal(_) | Asked::Job(_) => {}
        }
    }
    containers.into_values().collect()
}

/// Milliseconds since the epoch. The machine's clock, because it goes on while no engine is there.
pub(super) fn now() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the engine stands below the kernel and its clock")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn tells_what_is_there_and_how_often_it_was_started() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, entries) = Journal::open(&folder.path().join("dummy")).unwrap();
        assert!(entries.is_empty());
        let start = |id: &str| Asked::Start(Box::new(ContainerSpec::new(id, ["true"])));
        for (id, asked) in [
            ("a", start("a")),
            ("a", Asked::StartedBefore),
            ("a", Asked::Ended(Exit::code(2))),
            ("b", start("b")),
            ("b", Asked::Remove),
            ("b", start("b")),
        ] {
            journal.write(id, asked).unwrap();
        }
        let entries = of(folder.path()).unwrap();
        assert_eq!(starts(&entries), BTreeMap::from([("a", 1), ("b", 2)]));
        let there: Vec<_> = containers(entries).into_iter().map(|(spec, _, exit)| (spec.id, exit)).collect();
        assert_eq!(there, [("a".to_owned(), Some(Exit::code(2))), ("b".to_owned(), None)]);
    }
}
