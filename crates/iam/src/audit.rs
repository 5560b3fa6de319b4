//! Who did what: one JSON line a call, in one file a day, append-only.

use aws::{Audit, AuditEntry};
use kernel::{Clock, Principal, Timestamp};
use serde::Serialize;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

const SECONDS_OF_A_DAY: i64 = 86_400;

/// Appends to `DIR/audit/YYYYMMDD.jsonl` (mode 0600). A line is written before the call goes on, so it survives the end of
/// the process; power loss may cost the last seconds. No inputs, no secrets.
pub struct AuditFile {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    /// Today's file with its day, counted from the epoch.
    current: Mutex<Option<(i64, File)>>,
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

    fn append(&self, now: Timestamp, line: &[u8]) -> io::Result<()> {
        let day = now.seconds().div_euclid(SECONDS_OF_A_DAY);
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_none_or(|(open, _)| *open != day) {
            let path = self.folder.join(format!("{}.jsonl", now.basic_date()));
            let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
            *current = Some((day, file));
        }
        match &mut *current {
            Some((_, file)) => file.write_all(line),
            None => Ok(()),
        }
    }
}

impl Audit for AuditFile {
    fn record(&self, entry: &AuditEntry<'_>) {
        let now = self.clock.now();
        let written = line(now, entry).map_err(io::Error::from).and_then(|line| self.append(now, &line));
        if let Err(error) = written {
            tracing::error!(%error, folder = %self.folder.display(), "cannot write the audit file");
        }
    }
}

/// One entry, with CloudTrail's member names where it has them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'e> {
    event_time: String,
    event_source: String,
    event_name: &'e str,
    action: &'e str,
    resources: &'e [String],
    aws_region: &'e str,
    recipient_account_id: &'e str,
    user_identity: Identity,
    #[serde(rename = "sourceIPAddress")]
    source_ip_address: Option<&'e str>,
    invoked_by: Option<&'e str>,
    #[serde(rename = "requestID")]
    request_id: &'e str,
    error_code: Option<&'e str>,
}

#[derive(Serialize)]
struct Identity {
    #[serde(rename = "type")]
    kind: &'static str,
    arn: String,
}

fn line(now: Timestamp, entry: &AuditEntry<'_>) -> Result<Vec<u8>, serde_json::Error> {
    let caller = entry.caller;
    let mut line = serde_json::to_vec(&Line {
        event_time: now.iso8601(),
        event_source: format!("{}.amazonaws.com", entry.service),
        event_name: entry.operation,
        action: entry.action,
        resources: entry.resources,
        aws_region: &caller.region,
        recipient_account_id: &caller.account,
        user_identity: Identity { kind: identity_type(&caller.principal), arn: caller.arn() },
        source_ip_address: caller.source_ip.as_deref(),
        invoked_by: caller.via.as_ref().map(|via| via.service.as_str()),
        request_id: &caller.request_id,
        error_code: entry.denied,
    })?;
    line.push(b'\n');
    Ok(line)
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
