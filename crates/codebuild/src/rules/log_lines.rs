//! The agent lines that the server itself writes into a build's log.
//!
//! Tools read them, so their form is CodeBuild's: `[Container] 2026/11/22 21:05:03.123456 text`.

use kernel::Timestamp;

use crate::model::{Context, PhaseType, Status};

/// One line with the agent's prefix. The clock counts milliseconds, CodeBuild prints six digits.
#[must_use]
pub fn container_line(now: Timestamp, text: &str) -> String {
    let iso = now.iso8601();
    let (date, time) = iso.split_once('T').unwrap_or((&iso, ""));
    let clock = time.get(..8).unwrap_or_default();
    format!("[Container] {} {clock}.{:03}000 {text}", date.replace('-', "/"), now.millis().rem_euclid(1_000))
}

/// The two lines that end a phase. Two spaces behind the empty code are CodeBuild's own.
#[must_use]
pub fn phase_complete(phase: PhaseType, status: Status, context: &Context) -> [String; 2] {
    [
        format!("Phase complete: {} State: {}", phase.as_str(), status.as_str()),
        format!("Phase context status code: {} Message: {}", context.code, context.message),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_look_as_on_aws() {
        let now = Timestamp::from_millis(1_795_381_503_042);
        assert_eq!(
            container_line(now, "Phase is DOWNLOAD_SOURCE"),
            "[Container] 2026/11/22 21:05:03.042000 Phase is DOWNLOAD_SOURCE"
        );
        let [complete, context] = phase_complete(PhaseType::DownloadSource, Status::Succeeded, &Context::default());
        assert_eq!(complete, "Phase complete: DOWNLOAD_SOURCE State: SUCCEEDED");
        assert_eq!(context, "Phase context status code:  Message: ");
    }
}
