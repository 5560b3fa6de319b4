//! Who did what: one JSON line a call, in one file a day, append-only.

use aws::{Audit, AuditEntry};
use kernel::{Clock, Principal};
use serde_json::json;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Appends to `DIR/audit/YYYYMMDD.jsonl` (mode 0600). A line is written before the call goes on, so it survives the end of
/// the process; power loss may cost the last seconds. No inputs, no secrets.
pub struct AuditFile {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    /// Today's file with its day.
    current: Mutex<Option<(String, File)>>,
}

impl AuditFile {
    /// Opens the folder `DIR/audit` of a data folder.
    ///
    /// # Errors
    /// Where the folder cannot be made.
    pub fn open(data_dir: &Path, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let folder = data_dir.join("audit");
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        Ok(Self { folder, clock, current: Mutex::new(None) })
    }

    fn append(&self, day: &str, line: &str) -> io::Result<()> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_none_or(|(open, _)| open != day) {
            let path = self.folder.join(format!("{day}.jsonl"));
            let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
            *current = Some((day.to_owned(), file));
        }
        match &mut *current {
            Some((_, file)) => file.write_all(line.as_bytes()),
            None => Ok(()),
        }
    }
}

impl Audit for AuditFile {
    fn record(&self, entry: &AuditEntry<'_>) {
        let now = self.clock.now();
        let line = format!("{}\n", line(&now.iso8601(), entry));
        if let Err(error) = self.append(&now.basic_date(), &line) {
            tracing::error!(%error, folder = %self.folder.display(), "cannot write the audit file");
        }
    }
}

/// One entry, with CloudTrail's member names where it has them.
fn line(time: &str, entry: &AuditEntry<'_>) -> serde_json::Value {
    let caller = entry.caller;
    json!({
        "eventTime": time,
        "eventSource": format!("{}.amazonaws.com", entry.service),
        "eventName": entry.operation,
        "action": entry.action,
        "resources": entry.resources,
        "awsRegion": caller.region,
        "recipientAccountId": caller.account,
        "userIdentity": { "type": identity_type(&caller.principal), "arn": caller.arn() },
        "sourceIPAddress": caller.source_ip,
        "invokedBy": caller.via.as_ref().map(|via| &via.service),
        "requestID": caller.request_id,
        "errorCode": entry.denied,
    })
}

fn identity_type(principal: &Principal) -> &'static str {
    match principal {
        Principal::Root => "Root",
        Principal::User { .. } => "IAMUser",
        Principal::Role { .. } => "AssumedRole",
        Principal::Service(_) => "AWSService",
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use kernel::{Caller, ManualClock, Scope, Timestamp};
    use std::time::Duration;

    #[test]
    fn each_call_is_one_line_in_the_file_of_its_day() {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(Timestamp::from_seconds(1_440_938_160));
        let audit = AuditFile::open(folder.path(), Arc::new(clock.clone())).unwrap();
        let caller = Caller::root(&Scope::new("111111111111", "us-east-1"), "request-1");
        let resources = ["arn:aws:codebuild:us-east-1:111111111111:project/p\n".to_owned()];
        let (service, operation, action) = ("codebuild", "StartBuild", "codebuild:StartBuild");
        let entry = AuditEntry { service, operation, action, resources: &resources, caller: &caller, denied: None };
        audit.record(&entry);
        audit.record(&AuditEntry { denied: Some("AccessDeniedException"), ..entry.clone() });
        clock.advance(Duration::from_secs(86_400));
        audit.record(&entry);
        let read = |day: &str| std::fs::read_to_string(folder.path().join(format!("audit/{day}.jsonl"))).unwrap();
        let lines: Vec<serde_json::Value> =
            read("20150830").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["userIdentity"]["arn"], "arn:aws:iam::111111111111:root");
        assert_eq!(lines[1]["errorCode"], "AccessDeniedException");
        assert_eq!(read("20150831").lines().count(), 1);
    }
}
