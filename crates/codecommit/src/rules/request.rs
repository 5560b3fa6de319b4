//! Which Git request an HTTP request is.

use http::{Method, StatusCode};

/// The two programs that serve Git.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// Gives objects: clone and fetch.
    UploadPack,
    /// Takes objects: push.
    ReceivePack,
}

impl Program {
    /// The name in paths, content types and after `git`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }

    /// The IAM action that it needs.
    pub(crate) fn action(self) -> &'static str {
        match self {
            Self::UploadPack => "GitPull",
            Self::ReceivePack => "GitPush",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::UploadPack, Self::ReceivePack].into_iter().find(|program| program.name() == name)
    }
}

/// A request of the smart HTTP protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// What references and capabilities are there?
    Advertise(Program),
    /// Do it.
    Serve(Program),
}

impl Request {
    /// The program behind it.
    pub(crate) fn program(self) -> Program {
        match self {
            Self::Advertise(program) | Self::Serve(program) => program,
        }
    }
}

/// A request that is not answered by Git: status and what to say.
pub(crate) type Refusal = (StatusCode, &'static str);

/// Reads the part of the path behind the repository's name, the query, and the content type.
pub(crate) fn parse(
    method: &Method,
    path: &str,
    query: Option<&str>,
    content_type: Option<&str>,
) -> Result<Request, Refusal> {
    if path == "info/refs" {
        let service = query.unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("service="));
        let dumb = (StatusCode::FORBIDDEN, "only Git's smart HTTP protocol is served; use git 1.6.6 or newer");
        let program = service.and_then(Program::named).ok_or(dumb)?;
        return if method == Method::GET { Ok(Request::Advertise(program)) } else { Err(wrong_method()) };
    }
    let program = Program::named(path).ok_or((StatusCode::NOT_FOUND, "no such page of a Git repository"))?;
    if method != Method::POST {
        return Err(wrong_method());
    }
    if content_type != Some(&*format!("application/x-{}-request", program.name())) {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "the content type is not the one of a Git request"));
    }
    Ok(Request::Serve(program))
}

fn wrong_method() -> Refusal {
    (StatusCode::METHOD_NOT_ALLOWED, "GET asks for references, POST for objects")
}

/// Whether a `Git-Protocol` header may be handed to Git: `key=value` pairs of letters and digits.
pub(crate) fn is_safe_protocol(header: &str) -> bool {
    let word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let pair = |pair: &str| pair.split_once('=').is_some_and(|(key, value)| word(key) && word(value));
    header.len() <= 256 && header.split(':').all(pair)
}

/// Whether a `Git-Protocol` header asks for version 2.
pub(crate) fn wants_version_2(header: Option<&str>) -> bool {
    header.is_some_and(|header| header.split(':').any(|pair| pair == "version=2"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart() {
        let upload = Some("application/x-git-upload-pack-request");
        let (get, post) = (Method::GET, Method::POST);
        let table = [
            (&get, "info/refs", Some("service=git-upload-pack"), None, Ok(Request::Advertise(Program::UploadPack))),
            (
                &get,
                "info/refs",
                Some("a=b&service=git-receive-pack"),
                None,
                Ok(Request::Advertise(Program::ReceivePack)),
            ),
            (&post, "git-upload-pack", None, upload, Ok(Request::Serve(Program::UploadPack))),
            (&post, "git-receive-pack", None, upload, Err(415)),
            (&get, "git-upload-pack", None, upload, Err(405)),
            (&post, "info/refs", Some("service=git-upload-pack"), None, Err(405)),
            (&get, "info/refs", None, None, Err(403)),
            (&get, "info/refs", Some("service=git-shell"), None, Err(403)),
            (&get, "objects/info/packs", None, None, Err(404)),
            (&get, "HEAD", None, None, Err(404)),
        ];
        for (method, path, query, content_type, expected) in table {
            let found = parse(method, path, query, content_type).map_err(|(status, _)| status.as_u16());
            assert_eq!(found, expected, "{method} {path} {query:?}");
        }
    }

    #[test]
    fn only_plain_protocol_headers_reach_git() {
        let table = [
            ("version=2", true),
            ("version=2:x=1", true),
            ("", false),
            ("version", false),
            ("v=2;rm", false),
            ("=2", false),
        ];
        for (header, safe) in table {
            assert_eq!(is_safe_protocol(header), safe, "{header}");
        }
        assert!(
            wants_version_2(Some("x=1:version=2")) && !wants_version_2(Some("version=1")) && !wants_version_2(None)
        );
    }
}
