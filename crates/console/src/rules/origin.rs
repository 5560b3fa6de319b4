//! Which site a form came from. Beside the form's token and the cookie's `SameSite`, the third lock of three.

use http::HeaderMap;

/// Whether a form was sent by a page of the server at `endpoint` (`scheme://host[:port]`).
///
/// Browsers tell by `Origin`, or by `Sec-Fetch-Site`; who tells neither is no browser that could be made use of, and is
/// refused all the same. The scheme is not compared: a proxy in front may speak another.
pub(crate) fn is_own(endpoint: &str, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let host = endpoint.split_once("://").map_or(endpoint, |(_, host)| host);
    match (text("origin"), text("sec-fetch-site")) {
        (Some(origin), _) => {
            origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
        }
        (None, Some(site)) => site == "same-origin",
        (None, None) => false,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_this_host_send_forms() {
        for (origin, site, own) in [
            (Some("http://127.0.0.1:4566"), None, true),
            (Some("https://127.0.0.1:4566"), Some("same-origin"), true),
            (Some("http://127.0.0.1:4567"), Some("same-site"), false),
            (Some("http://evil.example"), None, false),
            (Some("http://evil.example/?http://127.0.0.1:4566"), None, false),
            (Some("null"), Some("same-origin"), false),
            (None, Some("same-origin"), true),
            (None, Some("same-site"), false),
            (None, Some("none"), false),
            (None, None, false),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [("origin", origin), ("sec-fetch-site", site)] {
                if let Some(value) = value {
                    headers.insert(name, value.parse().unwrap());
                }
            }
            assert_eq!(is_own("http://127.0.0.1:4566", &headers), own, "{origin:?} {site:?}");
        }
    }
}
