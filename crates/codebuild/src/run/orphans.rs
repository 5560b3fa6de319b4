//! What a server that died has left: containers and folders that belong to no build that still runs.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use engine::EngineError;
use kernel::{Page, Scope, StoreError, Stored};

use super::Pause;
use super::container::{OURS, clear_away};
use crate::Service;
use crate::model::Build;
use crate::model::build::BY_CONTAINER;

/// The most that one start removes; the next one removes the rest.
const MOST: usize = 1_000;
/// How long one removal may take.
const REMOVAL: Duration = Duration::from_secs(60);
/// How long the engine may take to say that there is no such container.
const LOOK: Duration = Duration::from_secs(1);

/// Removes the orphans of servers before this one. Call it before this one prepares containers: a build's own is known by
/// its document before it is started, a prepared one only to the server that made it.
pub(super) async fn remove(service: &Service) {
    let found = match candidates(service).await {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(%error, "containers of servers before this one cannot be listed, so none is removed");
            return;
        }
    };
    for container in found.into_iter().take(MOST) {
        match is_owned(service, &container).await {
            Ok(true) => {}
            Ok(false) => {
                kernel::crash_point!("codebuild_before_orphan_removal");
                remove_one(service, &container).await;
            }
            Err(error) => tracing::warn!(%error, container, "whose container this is cannot be read"),
        }
    }
}

/// Every container of this service, and every folder whose container is gone.
async fn candidates(service: &Service) -> Result<BTreeSet<String>, kernel::StepError> {
    let listed = service.dependencies.engine.list(OURS.0, OURS.1).await?;
    let mut found: BTreeSet<String> = listed.into_iter().map(|container| container.id).collect();
    for folder in ["run", "spool"] {
        for name in names(&service.dependencies.options.data_dir.join(folder)).await? {
            if is_ours(&name) && !found.contains(&name) && is_gone(service, &name).await {
                found.insert(name);
            }
        }
    }
    Ok(found)
}

/// Whether the engine knows no container of this id. One that runs without our label is an older version's, and its
/// build's document tells only after its next change which container it has.
async fn is_gone(service: &Service, container: &str) -> bool {
    let wait = service.dependencies.engine.wait(container);
    matches!(tokio::time::timeout(LOOK, wait).await, Ok(Err(EngineError::NoContainer(_))))
}

/// Ids of builds' own containers and of prepared ones; other services have folders there, too.
fn is_ours(name: &str) -> bool {
    let tail = name.strip_prefix("b-").or_else(|| name.strip_prefix("p-"));
    tail.is_some_and(|tail| tail.len() == 16 && tail.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

async fn names(folder: &std::path::Path) -> io::Result<Vec<String>> {
    let mut entries = match tokio::fs::read_dir(folder).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        other => other?,
    };
    let mut names = vec![];
    while let Some(entry) = entries.next_entry().await? {
        names.extend(entry.file_name().into_string());
    }
    Ok(names)
}

/// Whether a build that is not complete has this container.
async fn is_owned(service: &Service, container: &str) -> Result<bool, StoreError> {
    let documents = &service.dependencies.documents;
    for scope in documents.scopes::<Build>().await? {
        if owner(service, &scope, container).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn owner(service: &Service, scope: &Scope, container: &str) -> Result<Option<Stored<Build>>, StoreError> {
    let found = service.dependencies.documents.find(scope, BY_CONTAINER, container, Page::first(1)).await?;
    Ok(found.into_iter().next())
}

async fn remove_one(service: &Service, container: &str) {
    match tokio::time::timeout(REMOVAL, clear_away(service, container)).await {
        Ok(Ok(())) => tracing::info!(container, "removed what a server before this one left"),
        Ok(Err(Pause::Failed(error))) => tracing::warn!(%error, container, "an orphaned container is not removed"),
        Ok(Err(Pause::Stopping)) => {}
        Err(_) => tracing::warn!(container, "an orphaned container is not removed within {REMOVAL:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_of_builds_are_ours() {
        for (name, ours) in [
            ("b-8f0123456789abcd", true),
            ("p-0123456789abcdef", true),
            ("b-8f", false),
            ("codepipeline", false),
            ("p-0123456789abcdeg", false),
        ] {
            assert_eq!(is_ours(name), ours, "{name}");
        }
    }
}
