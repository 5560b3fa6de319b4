//! What a host says about the end of an event, bounded and in the API's terms.
//!
//! Source: aws-codedeploy-agent, `InstanceAgent::Plugins::CodeDeployPlugin::ScriptError` for the codes.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longest log tail that is kept, in bytes: its end counts.
const LOG: usize = 4 * 1024;
/// Longest message that is kept, in bytes.
const MESSAGE: usize = 1024;
/// Longest script name that is kept, in bytes.
const SCRIPT: usize = 512;

/// The sentence AWS shows for a host whose agent never took an event.
pub const NOT_RECEIVED: &str = "CodeDeploy agent was not able to receive the lifecycle event. Check the CodeDeploy agent logs on your host and make sure the agent is running and can connect to the CodeDeploy server.";

/// `Diagnostics` of a lifecycle event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostics {
    /// `Success`, `ScriptMissing`, `ScriptNotExecutable`, `ScriptTimedOut`, `ScriptFailed` or `UnknownError`.
    pub error_code: String,
    /// The script, as written in the appspec.
    pub script_name: String,
    /// One sentence.
    pub message: String,
    /// The last lines of output.
    pub log_tail: String,
}

impl Diagnostics {
    /// An end that the server itself decided.
    pub fn by_server(error_code: &str, message: impl Into<String>) -> Self {
        Self { error_code: error_code.to_owned(), message: message.into(), ..Self::default() }
    }

    /// Reads the payload of a host's envelope. What is missing, null or of another type counts as empty,
    /// since a host that reports badly still reported an end.
    pub fn of_host(payload: &str, succeeded: bool) -> Self {
        let value: Value = serde_json::from_str(payload).unwrap_or_default();
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
        let error_code = match (succeeded, value.get("error_code").and_then(Value::as_i64)) {
            (true, _) => "Success",
            (false, Some(code)) => error_code(code),
            (false, None) => "UnknownError",
        };
        Self {
            error_code: error_code.to_owned(),
            script_name: plain(head(text("script_name"), SCRIPT)),
            message: plain(head(text("message"), MESSAGE)),
            // Agents send a log only with a failure; so at most two events of a target carry one.
            log_tail: if succeeded { String::new() } else { plain(tail(text("log"), LOG)) },
        }
    }
}

/// The API's name of an agent's error code.
fn error_code(code: i64) -> &'static str {
    match code {
        1 => "ScriptMissing",
        2 => "ScriptNotExecutable",
        3 => "ScriptTimedOut",
        4 => "ScriptFailed",
        _ => "UnknownError",
    }
}

/// Without control characters, which terminals obey and which JSON writes in six bytes each.
fn plain(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control() || matches!(letter, '\n' | '\t')).collect()
}

fn head(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

fn tail(text: &str, limit: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(limit))..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_report_becomes_the_terms_of_the_api() {
        let report = r#"{"error_code":4,"script_name":"scripts/start.sh","message":"Script at specified location: scripts/start.sh failed with exit code 3","log":"[stderr]no"}"#;
        let diagnostics = Diagnostics::of_host(report, false);
        assert_eq!(diagnostics.error_code, "ScriptFailed");
        assert_eq!(diagnostics.script_name, "scripts/start.sh");
        assert_eq!(diagnostics.log_tail, "[stderr]no");
        for (code, name) in [
            (1, "ScriptMissing"),
            (2, "ScriptNotExecutable"),
            (3, "ScriptTimedOut"),
            (5, "UnknownError"),
            (7, "UnknownError"),
            (0, "UnknownError"),
        ] {
            let report = format!(r#"{{"error_code":{code},"script_name":null}}"#);
            assert_eq!(Diagnostics::of_host(&report, false).error_code, name, "{code}");
            assert_eq!(Diagnostics::of_host(&report, true).error_code, "Success", "{code}");
        }
    }

    #[test]
    fn a_report_that_is_no_json_is_an_unknown_error() {
        for report in ["", "oops", "[]", "{\"error_code\":\"4\"}"] {
            assert_eq!(Diagnostics::of_host(report, false), Diagnostics::by_server("UnknownError", ""), "{report}");
        }
    }

    #[test]
    fn control_characters_are_left_out_and_a_success_has_no_log() {
        let report = r#"{"error_code":0,"message":"a\u001b[31m\tb\u0000\n","log":"x"}"#;
        assert_eq!(Diagnostics::of_host(report, true).message, "a[31m\tb\n");
        assert_eq!(Diagnostics::of_host(report, true).log_tail, "");
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let report =
            serde_json::json!({"error_code": 4, "message": "ä".repeat(2_000), "log": "ü".repeat(9_001)}).to_string();
        let diagnostics = Diagnostics::of_host(&report, false);
        assert_eq!(diagnostics.message.len(), MESSAGE);
        assert_eq!(diagnostics.log_tail.len(), LOG);
    }
}
