//! A door for `fuzz/bodies`: the readers of what Git clients send and of what Git stores.

use crate::rules::commands::{self, Commands};
use crate::rules::{names, objects, request};

/// A reference's old object, new object and name.
pub type Change = (Option<String>, Option<String>, String);

/// The commands of a push, or nothing while more of the body is needed.
///
/// # Errors
/// Why the push is refused.
pub fn push(body: &[u8]) -> Result<Option<Vec<Change>>, String> {
    match commands::parse(body).map_err(|refused| refused.to_string())? {
        Commands::Unfinished => Ok(None),
        Commands::Complete(commands) => {
            Ok(Some(commands.into_iter().map(|command| (command.old, command.new, command.name)).collect()))
        }
    }
}

/// Whether a request is one of Git's, and for which program.
///
/// # Errors
/// The status of its refusal.
pub fn request(
    method: &http::Method,
    path: &str,
    query: Option<&str>,
    content_type: Option<&str>,
) -> Result<&'static str, u16> {
    let read = request::parse(method, path, query, content_type);
    read.map(|request| request.program().name()).map_err(|(status, _)| status.as_u16())
}

/// Whether a `Git-Protocol` header goes to Git.
#[must_use]
pub fn is_safe_protocol(header: &str) -> bool {
    request::is_safe_protocol(header)
}

/// Tree, parents and message of a commit.
#[must_use]
pub fn commit(content: &[u8]) -> Option<(String, Vec<String>, String)> {
    objects::commit(content).map(|commit| (commit.tree, commit.parents, commit.message))
}

/// Names and ids of a tree.
#[must_use]
pub fn tree(content: &[u8]) -> Vec<(String, String)> {
    objects::tree(content).into_iter().map(|entry| (entry.name, entry.id)).collect()
}

/// The parts of a path within a tree.
#[must_use]
pub fn path(text: &str) -> Option<Vec<&str>> {
    objects::path(text)
}

/// Whether a branch, and a repository, may have this name.
#[must_use]
pub fn names(text: &str) -> (bool, bool) {
    (names::branch(text).is_ok(), names::repository(text).is_ok())
}
