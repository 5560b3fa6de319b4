//! What can become of a call, typed, so that a command can say what to do next.

use super::element;
use serde_json::Value;
use std::error::Error;
use std::time::Duration;

/// A call without the answer that it asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The server says no; `code` is AWS's error code, e.g. `PipelineNotFoundException`.
    #[error("{operation}: {message} ({code})")]
    Refused {
        /// `service:Operation`.
        operation: String,
        /// The HTTP status.
        status: u16,
        code: String,
        message: String,
    },
    /// Nothing answers there.
    #[error("nothing answers at {endpoint}: {reason}")]
    Unreachable { endpoint: String, reason: String },
    /// The answer did not come in time.
    #[error("{operation}: no answer from {endpoint} within {} s", after.as_secs())]
    Timeout { operation: String, endpoint: String, after: Duration },
    /// The answer is not what the operation answers.
    #[error("{operation}: {reason}")]
    Unreadable { operation: String, reason: String },
}

impl CallError {
    /// A failure of the connection, with its innermost cause.
    pub(super) fn unreachable(endpoint: &str, error: &dyn Error) -> Self {
        let mut reason = error;
        while let Some(cause) = reason.source() {
            reason = cause;
        }
        Self::Unreachable { endpoint: endpoint.to_owned(), reason: reason.to_string() }
    }

    /// Reads the error of a JSON, query or S3 reply.
    pub(super) fn refused(operation: &str, status: u16, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let (code, message) = json_error(body).or_else(|| xml_error(&text)).unwrap_or_else(|| {
            let line = text.trim().lines().next().unwrap_or_default();
            (format!("HTTP {status}"), line.chars().take(300).collect())
        });
        Self::Refused { operation: operation.to_owned(), status, code, message }
    }

    /// AWS's error code, if the server answered with one.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether asking again may help: the server is not there at the moment, or busy.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } => true,
            Self::Refused { status, .. } => *status == 503 || *status == 429,
            Self::Unreadable { .. } => false,
        }
    }

    /// Whether the user can put it right, rather than we.
    pub(crate) fn is_the_users(&self) -> bool {
        match self {
            Self::Refused { status, .. } => *status < 500 || *status == 501 || *status == 503,
            Self::Unreachable { .. } | Self::Timeout { .. } => true,
            Self::Unreadable { .. } => false,
        }
    }

    /// What to do about it, where that is known.
    pub(crate) fn next_step(&self) -> Option<&'static str> {
        match self {
            Self::Unreachable { reason, .. } if reason.contains("certificate") || reason.contains("UnknownIssuer") => {
                Some("Name the certificate that signs the server's: AWS_CA_BUNDLE=DIR/tls/ca.pem.")
            }
            Self::Unreachable { .. } => {
                Some("Start it with `landfall serve`, or name the one that runs with --endpoint-url URL.")
            }
            Self::Timeout { .. } => Some("`landfall status` says whether the server is well; its log says more."),
            Self::Refused { code, .. } => match code.as_str() {
                "UnrecognizedClientException"
                | "InvalidClientTokenId"
                | "InvalidSignatureException"
                | "SignatureDoesNotMatch"
                | "InvalidAccessKeyId"
                | "MissingAuthenticationTokenException" => {
                    Some("The server knows no such key: `eval \"$(landfall env)\"` takes the server's own.")
                }
                "AccessDeniedException" | "AccessDenied" => {
                    Some("Use a key that may, or attach a policy that allows it.")
                }
                _ => None,
            },
            Self::Unreadable { .. } => None,
        }
    }
}

fn json_error(body: &[u8]) -> Option<(String, String)> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let code = value["__type"].as_str().or_else(|| value["code"].as_str())?;
    let code = code.rsplit('#').next().unwrap_or(code).to_owned();
    let message = value["message"].as_str().or_else(|| value["Message"].as_str()).unwrap_or_default();
    Some((code, message.to_owned()))
}

fn xml_error(text: &str) -> Option<(String, String)> {
    Some((element(text, "Code")?.to_owned(), element(text, "Message").unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_read_in_each_protocols_form() {
        for (body, code, message) in [
            (r#"{"__type":"PipelineNotFoundException","message":"no"}"#, "PipelineNotFoundException", "no"),
            (r#"{"__type":"com.amazonaws#Throttling","Message":"slow"}"#, "Throttling", "slow"),
            (
                "<ErrorResponse><Error><Code>NoSuchEntity</Code><Message>no</Message></Error></ErrorResponse>",
                "NoSuchEntity",
                "no",
            ),
            ("<Error><Code>NoSuchBucket</Code></Error>", "NoSuchBucket", ""),
            ("  bad gateway\nmore", "HTTP 502", "bad gateway"),
            ("", "HTTP 502", ""),
            ("[1]", "HTTP 502", "[1]"),
        ] {
            let CallError::Refused { code: found, message: said, .. } = CallError::refused("x:Y", 502, body.as_bytes())
            else {
                unreachable!("refused makes Refused")
            };
            assert_eq!((found.as_str(), said.as_str()), (code, message), "{body}");
        }
    }

    #[test]
    fn each_kind_knows_whose_it_is_and_what_to_do() {
        let refused = |status, code: &str| CallError::Refused {
            operation: "x:Y".into(),
            status,
            code: code.into(),
            message: String::new(),
        };
        let gone = CallError::Unreachable { endpoint: "http://x".into(), reason: "Connection refused".into() };
        for (error, users, transient, step) in [
            (gone, true, true, Some("landfall serve")),
            (refused(400, "UnrecognizedClientException"), true, false, Some("landfall env")),
            (refused(403, "AccessDeniedException"), true, false, Some("policy")),
            (refused(404, "NoSuchBucket"), true, false, None),
            (refused(500, "InternalFailure"), false, false, None),
            (refused(501, "NotImplementedException"), true, false, None),
            (refused(503, "SlowDown"), true, true, None),
        ] {
            assert_eq!((error.is_the_users(), error.is_transient()), (users, transient), "{error}");
            match step {
                Some(part) => assert!(error.next_step().is_some_and(|step| step.contains(part)), "{error}"),
                None => assert_eq!(error.next_step(), None, "{error}"),
            }
        }
    }
}
