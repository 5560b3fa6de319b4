//! A door for `fuzz/bodies`: the readers of what comes in a bundle and from the server, in plain values.

use super::appspec::AppSpec;
use super::commands::Envelope;
use super::{envelope, specification};
use crate::der::Elements;

/// A hook: event, location, timeout in seconds, user, sudo.
pub type Hook = (String, String, u64, Option<String>, bool);

/// What an appspec says, as far as fuzzing writes it again.
#[derive(Debug, PartialEq, Eq)]
pub struct Spec {
    /// Source and destination of each file.
    pub files: Vec<(String, String)>,
    /// The hooks, by event.
    pub hooks: Vec<Hook>,
    /// Object, pattern and mode of each permission.
    pub permissions: Vec<(String, String, Option<String>)>,
}

/// Reads an appspec.
///
/// # Errors
/// What is wrong with it.
pub fn appspec(text: &str) -> Result<Spec, String> {
    let spec = AppSpec::parse(text)?;
    let hooks = spec.hooks.into_iter().flat_map(|(event, scripts)| {
        scripts
            .into_iter()
            .map(move |script| (event.clone(), script.location, script.timeout, script.runas, script.sudo))
    });
    let permissions = spec.permissions.into_iter().map(|one| (one.object, one.pattern, one.mode));
    Ok(Spec {
        files: spec.files.into_iter().map(|file| (file.source, file.destination)).collect(),
        hooks: hooks.collect(),
        permissions: permissions.collect(),
    })
}

/// The content of a signed envelope.
///
/// # Errors
/// Why it is not trusted.
pub fn open(format: &str, payload: &str) -> Result<Vec<u8>, String> {
    let envelope = Envelope { format: format.to_owned(), payload: payload.to_owned() };
    envelope::open(&envelope).map_err(|error| error.to_string())
}

/// The folders' names of a deployment specification: deployment and group.
///
/// # Errors
/// What is wrong with it.
pub fn specification(json: &[u8]) -> Result<(String, String), String> {
    let read = specification::Specification::parse(json)?;
    Ok((read.deployment_id, read.group_id))
}

/// The DER elements of `bytes` and of what they hold, each as its tag and the whole of it, down to `depth` levels.
#[must_use]
pub fn elements(bytes: &[u8], depth: usize) -> Vec<(u8, &[u8], &[u8])> {
    let (mut rest, mut all) = (Elements(bytes), Vec::new());
    while let Some((tag, content, whole)) = rest.any() {
        all.push((tag, content, whole));
        // Constructed elements have this bit.
        if tag & 0x20 != 0 && depth > 0 {
            all.extend(elements(content, depth - 1));
        }
    }
    all
}

/// One DER element.
#[must_use]
pub fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    crate::der::element(tag, content)
}
