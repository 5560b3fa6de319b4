//! Addresses of pages.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::route::PATH;

/// What stays as it is in a segment of a path or a query's value (RFC 3986, unreserved; a colon is legal and legible).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');

/// A segment of a path, or a query's value.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// The page behind these segments of a region.
fn page(region: &str, segments: &[&str]) -> String {
    let rest: String = segments.iter().map(|segment| format!("/{}", encode(segment))).collect();
    format!("{PATH}/{region}{rest}")
}

/// All pipelines.
pub(crate) fn overview(region: &str) -> String {
    page(region, &[])
}

/// A pipeline.
pub(crate) fn pipeline(region: &str, name: &str) -> String {
    page(region, &["pipelines", name])
}

/// An execution of a pipeline.
pub(crate) fn execution(region: &str, pipeline: &str, id: &str) -> String {
    page(region, &["pipelines", pipeline, "executions", id])
}

/// Projects and builds.
pub(crate) fn builds(region: &str) -> String {
    page(region, &["builds"])
}

/// A project's builds.
pub(crate) fn project(region: &str, name: &str) -> String {
    page(region, &["projects", name])
}

/// A build.
pub(crate) fn build(region: &str, id: &str) -> String {
    page(region, &["builds", id])
}

/// Deployments.
pub(crate) fn deployments(region: &str) -> String {
    page(region, &["deployments"])
}

/// A deployment.
pub(crate) fn deployment(region: &str, id: &str) -> String {
    page(region, &["deployments", id])
}

/// What an action of `provider` drives: its page here, else the address that the action itself gives.
pub(crate) fn external(region: &str, provider: &str, id: Option<&str>, url: Option<&str>) -> Option<String> {
    match (provider, id) {
        ("CodeBuild", Some(id)) => Some(build(region, id)),
        ("CodeDeploy", Some(id)) => Some(deployment(region, id)),
        _ => url.and_then(web),
    }
}

/// An address that somebody else gave, if following it only loads a page.
pub(crate) fn web(url: &str) -> Option<String> {
    let lower = url.to_ascii_lowercase();
    (lower.starts_with("https://") || lower.starts_with("http://")).then(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_encoded() {
        for (address, expected) in [
            (overview("eu-west-1"), "/eu-west-1"),
            (pipeline("eu-west-1", "a@b/c"), "/eu-west-1/pipelines/a%40b%2Fc"),
            (build("eu-west-1", "app:12"), "/eu-west-1/builds/app:12"),
            (project("eu-west-1", "\"><script>"), "/eu-west-1/projects/%22%3E%3Cscript%3E"),
        ] {
            assert_eq!(address, format!("{PATH}{expected}"));
        }
    }

    #[test]
    fn what_an_action_drives() {
        for (provider, id, url, expected) in [
            ("CodeBuild", Some("app:1"), Some("https://x"), Some(build("r-1", "app:1"))),
            ("CodeDeploy", Some("d-1"), None, Some(deployment("r-1", "d-1"))),
            ("CodeBuild", None, None, None),
            ("Jenkins", Some("7"), Some("https://ci.example/7"), Some("https://ci.example/7".to_owned())),
            ("Jenkins", Some("7"), Some("javascript:alert(1)"), None),
            ("Jenkins", Some("7"), Some("/relative"), None),
            ("Jenkins", Some("7"), None, None),
        ] {
            assert_eq!(external("r-1", provider, id, url), expected, "{provider} {id:?} {url:?}");
        }
    }
}
