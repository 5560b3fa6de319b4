//! Where a request goes: a rule over its headers, path and claimed signature.
//!
//! A signed request goes where its scope says, whatever its path. An unsigned one goes
//! by its path; what is left is S3's.

use crate::operator;
use http::Request;

/// The part of Landfall that answers a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Destination {
    /// `GET /healthz`.
    Health,
    /// Git over HTTP.
    Git {
        /// The repository's name.
        repository: String,
    },
    /// S3, for its own paths and everything else.
    S3,
    /// An API that is told by signing name or target.
    Api {
        /// The signing name of the scope, or empty for an unsigned call.
        service: String,
    },
    /// The web pages.
    Console,
    /// What whoever runs the server asks of it.
    Operator {
        /// The operation's name.
        operation: String,
    },
    /// A part that comes with a later version.
    NotBuilt {
        /// Its name for the user.
        what: &'static str,
    },
}

/// Decides; `signed_for` is the service of the signature's scope.
pub(super) fn route<B>(request: &Request<B>, signed_for: Option<&str>) -> Destination {
    let path = request.uri().path();
    if matches!(signed_for, None | Some(operator::SERVICE))
        && let Some(operation) = path.strip_prefix(operator::PATH)
    {
        return Destination::Operator { operation: operation.to_owned() };
    }
    // A page of a browser's may have any query; who signs for a service means that service.
    if signed_for.is_none() && is_console(path) {
        return Destination::Console;
    }
    match signed_for {
        Some("s3") => return Destination::S3,
        Some(service) => return Destination::Api { service: service.to_owned() },
        None => {}
    }
    if path == "/healthz" {
        return Destination::Health;
    }
    if let Some(repository) = git_repository(path) {
        return Destination::Git { repository: repository.to_owned() };
    }
    if request.headers().contains_key("x-amz-target") || is_unsigned_query(request) {
        return Destination::Api { service: String::new() };
    }
    if path == "/v2" || path.starts_with("/v2/") {
        return Destination::NotBuilt { what: "The image registry" };
    }
    Destination::S3
}

fn is_console(path: &str) -> bool {
    path.strip_prefix(console::PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The repository of `/v1/repos/NAME/info/refs` and its siblings.
fn git_repository(path: &str) -> Option<&str> {
    let (repository, rest) = path.strip_prefix("/v1/repos/")?.split_once('/')?;
    (!repository.is_empty() && matches!(rest, "info/refs" | "git-upload-pack" | "git-receive-pack"))
        .then_some(repository)
}

/// A form posted to `/` is a query call without its signature.
fn is_unsigned_query<B>(request: &Request<B>) -> bool {
    let content_type = request.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    request.uri().path() == "/" && content_type.starts_with("application/x-www-form-urlencoded")
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    fn request(path: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut builder = Request::builder().uri(path);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).expect("a request")
    }

    #[test]
    fn requests_find_their_way() {
        let api = |service: &str| Destination::Api { service: service.to_owned() };
        let operator = |operation: &str| Destination::Operator { operation: operation.to_owned() };
        let git = |repository: &str| Destination::Git { repository: repository.to_owned() };
        let form = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        for (path, headers, signed_for, expected) in [
            ("/", &[][..], Some("codebuild"), api("codebuild")),
            ("/healthz", &[][..], Some("codebuild"), api("codebuild")),
            ("/bucket/key", &[][..], Some("s3"), Destination::S3),
            ("/healthz", &[][..], None, Destination::Health),
            ("/v1/repos/app/info/refs?service=git-upload-pack", &[][..], None, git("app")),
            ("/v1/repos/app/git-receive-pack", &[][..], None, git("app")),
            ("/v1/repos/app/other", &[][..], None, Destination::S3),
            ("/v1/repos//info/refs", &[][..], None, Destination::S3),
            ("/", &[("x-amz-target", "CodeBuild_20161006.ListBuilds")][..], None, api("")),
            ("/", &form[..], None, api("")),
            ("/bucket/form", &form[..], None, Destination::S3),
            ("/v2/", &[][..], None, Destination::NotBuilt { what: "The image registry" }),
            ("/_landfall/console", &[][..], None, Destination::Console),
            ("/_landfall/console/us-east-1/pipelines/app", &form[..], None, Destination::Console),
            ("/_landfall/console/", &[][..], Some("codebuild"), api("codebuild")),
            ("/_landfall/consoles", &[][..], None, Destination::S3),
            ("/_landfall/operator/DescribeServer", &[][..], Some("landfall"), operator("DescribeServer")),
            ("/_landfall/operator/DescribeServer", &[][..], None, operator("DescribeServer")),
            ("/_landfall/operator/DescribeServer", &[][..], Some("s3"), Destination::S3),
            ("/bucket/key?X-Amz-Signature=0", &[][..], None, Destination::S3),
        ] {
            assert_eq!(route(&request(path, headers), signed_for), expected, "{path} {signed_for:?}");
        }
    }
}
