//! The canonical request: one text that client and server both derive from the same HTTP request.

use crate::encoding::{canonical_path, canonical_query};

/// The parts of an HTTP request that a signature covers, borrowed as they are on the wire.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// The path as sent: not decoded, not normalised.
    pub path: &'a str,
    /// The query as sent, without the `?`; empty if there is none.
    pub query: &'a str,
    /// All headers in the order of the wire; names in any case. `host` must be among them (for HTTP/2, put `:authority`
    /// there).
    pub headers: &'a [(&'a str, &'a [u8])],
}

impl<'a> Request<'a> {
    /// A request from its target (`/path?query`).
    #[must_use]
    pub fn new(method: &'a str, target: &'a str, headers: &'a [(&'a str, &'a [u8])]) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self { method, path, query, headers }
    }

    /// First value of a header, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok().map(str::trim)
    }
}

/// The canonical request over the named headers (lower case, sorted). `skipped_query_key` is `X-Amz-Signature` for a
/// presigned request. `payload` is the text form of a [`Payload`](crate::Payload).
#[must_use]
pub fn canonical_request(
    request: &Request<'_>,
    signed_headers: &[String],
    skipped_query_key: Option<&str>,
    payload: &str,
    service: &str,
) -> String {
    let mut text = format!(
        "{}\n{}\n{}\n",
        request.method,
        canonical_path(request.path, service),
        canonical_query(request.query, skipped_query_key)
    );
    for name in signed_headers {
        text.push_str(&format!("{name}:{}\n", canonical_value(request, name)));
    }
    text + &format!("\n{}\n{payload}", signed_headers.join(";"))
}

/// All values of a header, each trimmed and with its runs of white space made one space, joined by commas.
fn canonical_value(request: &Request<'_>, name: &str) -> String {
    let values: Vec<String> = request
        .headers
        .iter()
        .filter(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| String::from_utf8_lossy(value).split_ascii_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    values.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_values_are_trimmed_folded_and_joined() {
        let headers: &[(&str, &[u8])] = &[("Host", b"h"), ("X-A", b"  b   c "), ("x-a", b"a"), ("x-empty", b"")];
        let names = ["host", "x-a", "x-empty"].map(str::to_owned);
        let text = canonical_request(&Request::new("GET", "/?z&a=1", headers), &names, None, "UNSIGNED-PAYLOAD", "s");
        assert_eq!(text, "GET\n/\na=1&z=\nhost:h\nx-a:b c,a\nx-empty:\n\nhost;x-a;x-empty\nUNSIGNED-PAYLOAD");
    }
}
