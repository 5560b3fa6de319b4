//! Cross-origin rules (Amazon S3 User Guide, "Using cross-origin resource sharing").

use aws::Error;
use aws::s3::{CorsRule, error};

/// The most rules of a bucket.
const MOST: usize = 100;
const METHODS: &[&str] = &["GET", "PUT", "HEAD", "POST", "DELETE"];

/// Whether these may be a bucket's rules.
pub(super) fn check(rules: &[CorsRule]) -> Result<(), Error> {
    if rules.is_empty() || rules.len() > MOST {
        return Err(error::malformed_xml("A CORS configuration has 1 to 100 rules."));
    }
    rules.iter().try_for_each(check_rule)
}

fn check_rule(rule: &CorsRule) -> Result<(), Error> {
    if rule.origins.is_empty() || rule.methods.is_empty() {
        return Err(error::malformed_xml("A CORS rule names at least one AllowedOrigin and one AllowedMethod."));
    }
    if let Some(method) = rule.methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
        return Err(error::invalid_request(format!(
            "Found unsupported HTTP method in CORS config. Unsupported method is {method}"
        )));
    }
    let wild = |name: &str, values: &[String]| {
        let twice = values.iter().find(|value| value.matches('*').count() > 1);
        twice.map_or(Ok(()), |value| {
            Err(error::invalid_request(format!("{name} \"{value}\" can not have more than one wildcard.")))
        })
    };
    wild("AllowedOrigin", &rule.origins)?;
    wild("AllowedHeader", &rule.headers)?;
    if let Some(header) = rule.expose.iter().find(|header| header.contains('*')) {
        return Err(error::invalid_request(format!(
            "ExposeHeader \"{header}\" contains wildcard. We currently do not support wildcard for ExposeHeader."
        )));
    }
    if rule.id.as_ref().is_some_and(|id| id.len() > 255) {
        return Err(error::invalid_argument("The ID of a CORS rule has at most 255 characters."));
    }
    Ok(())
}

/// What a browser asks for: the headers only before the request itself (a preflight).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Preflight<'a> {
    pub(crate) origin: &'a str,
    pub(crate) method: &'a str,
    pub(crate) headers: &'a [&'a str],
}

/// The first rule that lets a page of that origin do this.
pub(crate) fn allow<'r>(rules: &'r [CorsRule], asked: Preflight<'_>) -> Option<&'r CorsRule> {
    rules.iter().find(|rule| {
        let header_fits = |header: &str| {
            rule.headers.iter().any(|allowed| fits(&allowed.to_ascii_lowercase(), &header.to_ascii_lowercase()))
        };
        rule.origins.iter().any(|allowed| fits(allowed, asked.origin))
            && rule.methods.iter().any(|method| method == asked.method)
            && asked.headers.iter().all(|header| header_fits(header))
    })
}

/// Whether a text is as a pattern with one `*` at most says.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => {
            text.len() >= before.len() + after.len() && text.starts_with(before) && text.ends_with(after)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    fn rule(origins: &[&str], methods: &[&str], headers: &[&str]) -> CorsRule {
        CorsRule { origins: texts(origins), methods: texts(methods), headers: texts(headers), ..CorsRule::default() }
    }

    #[test]
    fn rules_are_within_bounds() {
        let good = rule(&["https://*.example.org"], &["GET", "PUT"], &["x-*"]);
        let code = |rules: &[CorsRule]| check(rules).err().map_or_else(|| "ok".to_owned(), |error| error.code);
        let table = [
            (vec![good.clone()], "ok"),
            (vec![], "MalformedXML"),
            (vec![good.clone(); 101], "MalformedXML"),
            (vec![rule(&[], &["GET"], &[])], "MalformedXML"),
            (vec![rule(&["*"], &[], &[])], "MalformedXML"),
            (vec![rule(&["*"], &["PATCH"], &[])], "InvalidRequest"),
            (vec![rule(&["*.*"], &["GET"], &[])], "InvalidRequest"),
            (vec![rule(&["*"], &["GET"], &["*x*"])], "InvalidRequest"),
            (vec![CorsRule { expose: texts(&["x-*"]), ..good.clone() }], "InvalidRequest"),
            (vec![CorsRule { id: Some("i".repeat(256)), ..good }], "InvalidArgument"),
        ];
        for (rules, expected) in table {
            assert_eq!(code(&rules), expected, "{:?}", rules.first());
        }
    }

    #[test]
    fn the_first_rule_that_fits_allows() {
        let rules = [rule(&["https://a.example"], &["PUT"], &["x-amz-*"]), rule(&["*"], &["GET"], &[])];
        let ask = |origin, method, headers: &[&str]| {
            let found = allow(&rules, Preflight { origin, method, headers });
            found.and_then(|found| rules.iter().position(|rule| rule == found))
        };
        assert_eq!(ask("https://a.example", "PUT", &["X-Amz-Date"]), Some(0));
        assert_eq!(ask("https://a.example", "PUT", &["other"]), None);
        assert_eq!(ask("https://b.example", "PUT", &[]), None);
        assert_eq!(ask("https://b.example", "GET", &[]), Some(1));
    }

    proptest! {
        /// A wildcard stands for any text.
        #[test]
        fn a_wildcard_is_any_text(before in "[a-z]{0,4}", middle in "[a-z]{0,4}", after in "[a-z]{0,4}") {
            let (pattern, text) = (format!("{before}*{after}"), format!("{before}{middle}{after}"));
            prop_assert!(fits(&pattern, &text));
        }
    }
}
