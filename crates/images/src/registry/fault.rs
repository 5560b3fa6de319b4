use http::StatusCode;
use serde::Deserialize;

/// Why a registry did not hand something out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It has no such thing.
    Unknown(String),
    /// It wants other credentials, or any.
    Unauthorized(String),
    /// Nothing answers there. The text says which step failed.
    NoConnection(String),
    /// What may go well the next time: a broken connection, a busy server.
    Passing(String),
    /// What will not.
    Lasting(String),
}

impl Fault {
    /// What it says, for people.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Unknown(text)
            | Self::Unauthorized(text)
            | Self::NoConnection(text)
            | Self::Passing(text)
            | Self::Lasting(text) => text,
        }
    }
}

#[derive(Deserialize)]
struct Body {
    errors: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// Reads an answer that is no success.
pub(crate) fn of(status: StatusCode, body: &[u8]) -> Fault {
    let said = said(body).unwrap_or_else(|| status.to_string());
    match status {
        StatusCode::NOT_FOUND => Fault::Unknown(said),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Fault::Unauthorized(said),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Fault::Passing(said),
        _ if status.is_server_error() => Fault::Passing(said),
        _ => Fault::Lasting(said),
    }
}

/// The first of the errors that the body lists, as Docker shows it: `manifest unknown: manifest unknown` said once.
fn said(body: &[u8]) -> Option<String> {
    let body: Body = serde_json::from_slice(body).ok()?;
    let Row { code, message } = body.errors.into_iter().next()?;
    let code = plain(&code).to_lowercase().replace('_', " ");
    let message = plain(&message);
    Some(match (code.is_empty(), message.is_empty() || message.to_lowercase() == code) {
        (true, true) => return None,
        (true, false) => message,
        (false, true) => code,
        (false, false) => format!("{code}: {message}"),
    })
}

/// What others wrote, for a log: one line, not too long.
pub(crate) fn plain(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_words_are_kept_short_and_on_one_line() {
        let row = |code: &str, message: &str| format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#);
        for (status, body, expected) in [
            (404, row("MANIFEST_UNKNOWN", "manifest unknown"), Fault::Unknown("manifest unknown".into())),
            (404, row("NAME_UNKNOWN", "no such repository"), Fault::Unknown("name unknown: no such repository".into())),
            (401, row("UNAUTHORIZED", "authentication required"), {
                Fault::Unauthorized("unauthorized: authentication required".into())
            }),
            (
                403,
                row("DENIED", "expired\\nReauthenticate"),
                Fault::Unauthorized("denied: expired Reauthenticate".into()),
            ),
            (429, row("TOOMANYREQUESTS", ""), Fault::Passing("toomanyrequests".into())),
            (502, "<html>".to_owned(), Fault::Passing("502 Bad Gateway".into())),
            (404, r#"{"errors":[]}"#.to_owned(), Fault::Unknown("404 Not Found".into())),
            (400, row("", ""), Fault::Lasting("400 Bad Request".into())),
        ] {
            let status = StatusCode::from_u16(status).unwrap_or_default();
            assert_eq!(of(status, body.as_bytes()), expected, "{body}");
        }
        assert_eq!(plain(&"x".repeat(1000)).len(), 300);
    }
}
