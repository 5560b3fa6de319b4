//! `codecommit`: requests of the smart HTTP protocol, commits and trees, names and paths.
//!
//! Held: whatever program is served was asked for by its one name; a branch's name that is taken is one that Git takes; a
//! path within a tree does not leave it; entries of a tree are as long as what they are read from.

use crate::input::HttpRequest;
use codecommit::fuzz::{commit, is_safe_protocol, names, path, request, tree};

/// The body.
pub fn body(data: &[u8]) {
    let all: usize = tree(data).iter().map(|(name, id)| name.len() + id.len()).sum();
    // What is not UTF-8 is replaced by three bytes, an id is written in twice as many.
    assert!(all <= 3 * data.len());
    if let Some((tree, parents, message)) = commit(data) {
        assert!(tree.len() + message.len() + parents.iter().map(String::len).sum::<usize>() <= 3 * data.len());
    }
    if let Ok(text) = std::str::from_utf8(data) {
        paths(text);
    }
    let Some(sent) = HttpRequest::read(data) else { return };
    let (target, query) = sent.target.split_once('?').map_or((sent.target, None), |(path, query)| (path, Some(query)));
    let header = |name: &str| {
        let found = sent.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| std::str::from_utf8(value).ok())
    };
    let Ok(method) = http::Method::from_bytes(sent.method.as_bytes()) else { return };
    match request(&method, target, query, header("content-type")) {
        Ok(program) => assert!(target == program || query.unwrap_or_default().contains(program), "{program}"),
        Err(status) => assert!((400..500).contains(&status)),
    }
    if header("git-protocol").is_some_and(is_safe_protocol) {
        assert!(header("git-protocol").unwrap().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"=:".contains(&byte)));
    }
}

fn paths(text: &str) {
    if let Some(parts) = path(text) {
        assert!(parts.iter().all(|part| !part.is_empty() && !part.contains('/') && *part != ".." && *part != ".git"));
        let parts: Vec<String> = parts.into_iter().map(str::to_owned).collect();
        assert_eq!(path(&parts.join("/")).unwrap(), parts);
    }
    let (branch, repository) = names(text);
    assert!(!branch || gix_validates(text), "a branch {text:?} that Git does not take");
    assert!(!repository || !text.contains('/'));
}

/// The rules of git-check-ref-format(1), once more and by their numbers.
fn gix_validates(name: &str) -> bool {
    let full = format!("refs/heads/{name}");
    full.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock")) // 1, 6
        && !full.contains("..") // 3
        && !full.bytes().any(|byte| byte < 0x20 || byte == 0x7f || b" ~^:?*[\\".contains(&byte)) // 4, 5, 10
        && !full.ends_with('.') // 7
        && !full.contains("@{") // 8
}
