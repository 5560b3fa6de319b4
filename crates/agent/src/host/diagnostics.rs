//! What a command's end looks like to the server.

use serde_json::json;

/// Bytes of a failed script's output that are reported.
pub(super) const LOG_TAIL: usize = 2048;
const MAX_MESSAGE: usize = 2048;

/// The stock agent's error codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorCode {
    Success = 0,
    ScriptMissing = 1,
    ScriptNotExecutable = 2,
    ScriptTimedOut = 3,
    ScriptFailed = 4,
    Unknown = 5,
    OutputsLeftOpen = 6,
    FailedAfterRestart = 7,
}

/// The end of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Diagnostics {
    pub(super) error_code: ErrorCode,
    pub(super) script_name: String,
    pub(super) message: String,
    pub(super) log: String,
}

impl Diagnostics {
    /// A success; `note` is what else is worth saying, or nothing.
    pub(super) fn success(note: &str) -> Self {
        Self::of(ErrorCode::Success, format!("Succeeded: {note}"))
    }

    /// A failure outside of scripts.
    pub(super) fn unknown(message: impl Into<String>) -> Self {
        Self::of(ErrorCode::Unknown, message)
    }

    /// What the next start of the agent reports for what was under way.
    pub(super) fn after_restart() -> Self {
        let message = "Failed: Failing in-progress lifecycle event after an agent restart.";
        Self::of(ErrorCode::FailedAfterRestart, message)
    }

    fn of(error_code: ErrorCode, message: impl Into<String>) -> Self {
        Self { error_code, script_name: String::new(), message: message.into(), log: String::new() }
    }

    pub(super) fn is_success(&self) -> bool {
        self.error_code == ErrorCode::Success
    }

    /// The JSON that travels in the envelope; bounded, for the server refuses long ones.
    pub(super) fn payload(&self) -> String {
        json!({
            "error_code": self.error_code as u8,
            "script_name": self.script_name,
            "message": head(&self.message, MAX_MESSAGE),
            "log": tail(&self.log, LOG_TAIL),
        })
        .to_string()
    }
}

fn head(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// The last bytes of a text, beginning at a whole character.
pub(super) fn tail(text: &str, most: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(most))..]
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_payload_is_what_the_stock_agent_sends() {
        let payload: serde_json::Value = serde_json::from_str(&Diagnostics::success("").payload()).unwrap();
        assert_eq!(payload, json!({"error_code": 0, "script_name": "", "message": "Succeeded: ", "log": ""}));
        assert_eq!(Diagnostics::after_restart().error_code as u8, 7);
    }

    #[test]
    fn long_texts_are_cut_at_characters() {
        let mut diagnostics = Diagnostics::unknown("é".repeat(5000));
        diagnostics.log = "é".repeat(5000);
        let payload: serde_json::Value = serde_json::from_str(&diagnostics.payload()).unwrap();
        assert_eq!(payload["message"].as_str().unwrap().len(), MAX_MESSAGE);
        assert_eq!(payload["log"].as_str().unwrap().len(), LOG_TAIL);
        assert_eq!((tail("aé", 1), tail("abc", 9)), ("", "abc"));
    }
}
