//! What the soak has done and was told: the memory that the server's is compared with.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// One entry.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Entry {
    /// Milliseconds since the epoch.
    pub(super) at: u64,
    #[serde(flatten)]
    pub(super) fact: Fact,
}

/// What came to pass. What names `Asked` was sent and maybe done; everything else was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(super) enum Fact {
    Pushed {
        pipeline: &'static str,
        number: u32,
        revision: String,
    },
    Started {
        pipeline: &'static str,
        token: String,
        execution: String,
    },
    StopAsked {
        pipeline: &'static str,
        execution: String,
    },
    Stopped {
        pipeline: &'static str,
        execution: String,
        abandon: bool,
    },
    AnswerAsked {
        pipeline: &'static str,
        summary: String,
    },
    Answered {
        pipeline: &'static str,
        approved: bool,
        summary: String,
    },
    RetryAsked {
        pipeline: &'static str,
        execution: String,
        stage: String,
    },
    Retried {
        pipeline: &'static str,
        execution: String,
        stage: String,
    },
    RollbackAsked {
        pipeline: &'static str,
    },
    RolledBack {
        pipeline: &'static str,
        execution: String,
    },
    Transition {
        pipeline: &'static str,
        stage: &'static str,
        open: bool,
    },
    /// A signal was sent: to the server, a host (`host0`), or something of a container (its id).
    Struck {
        victim: &'static str,
        whom: String,
    },
    /// The server answers again.
    Serves,
}

/// Everything, in memory and as JSON lines in a file.
pub(super) struct Ledger {
    entries: Mutex<Vec<Entry>>,
    file: Mutex<File>,
}

impl Ledger {
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        Ok(Self { entries: Mutex::default(), file: Mutex::new(File::create(path)?) })
    }

    /// Adds an entry.
    pub(super) fn note(&self, fact: Fact) {
        let at = testbed::now().map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
        let entry = Entry { at, fact };
        if let Ok(line) = serde_json::to_string(&entry) {
            // The file is for people; what is checked is in memory.
            let _ = writeln!(lock(&self.file), "{line}");
        }
        lock(&self.entries).push(entry);
    }

    /// All entries so far.
    pub(super) fn entries(&self) -> Vec<Entry> {
        lock(&self.entries).clone()
    }

    /// How many entries this holds for.
    pub(super) fn count(&self, holds: impl Fn(&Fact) -> bool) -> usize {
        lock(&self.entries).iter().filter(|entry| holds(&entry.fact)).count()
    }

    /// One entry of many, by a number to be divided by their count.
    pub(super) fn pick(&self, number: usize, wanted: impl Fn(&Fact) -> bool) -> Option<Fact> {
        let entries = lock(&self.entries);
        let wanted: Vec<&Entry> = entries.iter().filter(|entry| wanted(&entry.fact)).collect();
        wanted.get(number.checked_rem(wanted.len())?).map(|entry| entry.fact.clone())
    }

    /// The last lines, and those that name this, for a report.
    pub(super) fn excerpt(&self, about: &str) -> Vec<String> {
        let lines =
            lock(&self.entries).iter().filter_map(|entry| serde_json::to_string(entry).ok()).collect::<Vec<_>>();
        let named: Vec<String> =
            lines.iter().filter(|line| !about.is_empty() && line.contains(about)).cloned().collect();
        let (from, lines) = if named.is_empty() { (lines.len(), lines) } else { (named.len(), named) };
        lines.into_iter().skip(from.saturating_sub(12)).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_kept_counted_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::create(&folder.path().join("ledger.jsonl")).unwrap();
        let push = |number| Fact::Pushed { pipeline: "line", number, revision: format!("commit-{number}") };
        ledger.note(push(1));
        ledger.note(Fact::Serves);
        ledger.note(push(2));
        assert_eq!(ledger.count(|fact| matches!(fact, Fact::Pushed { .. })), 2);
        assert_eq!(ledger.pick(3, |fact| matches!(fact, Fact::Pushed { .. })), Some(push(2)));
        assert_eq!(ledger.pick(3, |fact| matches!(fact, Fact::RollbackAsked { .. })), None);
        assert_eq!(ledger.excerpt("commit-1").len(), 1);
        let file = std::fs::read_to_string(folder.path().join("ledger.jsonl")).unwrap();
        assert!(
            file.lines().count() == 3 && file.contains(r#""what":"pushed","pipeline":"line","number":1"#),
            "{file}"
        );
    }
}
