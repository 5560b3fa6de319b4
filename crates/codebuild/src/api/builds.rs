//! Builds: get, stop, delete.

use aws::Error;
use aws::codebuild::{
    BatchDeleteBuildsInput, BatchDeleteBuildsOutput, BatchGetBuildsInput, BatchGetBuildsOutput, BuildNotDeleted,
    StopBuildInput, StopBuildOutput, error,
};
use kernel::{Batch, Caller, CommitError, Stored};

use super::{answer, refused};
use crate::Service;
use crate::model::Build;
use crate::rules::{arns, ids};

/// The build, or AWS's errors for an id that is none or names none.
pub(super) async fn find(service: &Service, caller: &Caller, id: &str) -> Result<Stored<Build>, Error> {
    let key = ids::build_id(&caller.scope(), id).map_err(error::invalid_input_exception)?;
    let found = service.dependencies.documents.get::<Build>(&caller.scope(), &key).await?;
    found.ok_or_else(|| error::resource_not_found_exception(format!("Build {id} does not exist")))
}

/// StopBuild: asks for the end; a finished build is answered as it is.
pub(super) async fn stop(service: &Service, caller: &Caller, input: StopBuildInput) -> Result<StopBuildOutput, Error> {
    let build = find(service, caller, input.id.as_deref().unwrap_or_default()).await?;
    let stop = |build: &mut Build| build.stop_requested = true;
    let build = if build.life.is_complete() {
        build
    } else {
        let stopped = service.dependencies.documents.update::<Build>(&caller.scope(), &build.id, stop).await;
        stopped.map_err(refused)?.unwrap_or(build)
    };
    service.runner.nudge(&build.id);
    Ok(StopBuildOutput { build: Some(answer::build(service, caller, &build.value).await?) })
}

/// BatchGetBuilds: ids or ARNs.
pub(super) async fn batch_get(
    service: &Service,
    caller: &Caller,
    input: BatchGetBuildsInput,
) -> Result<BatchGetBuildsOutput, Error> {
    let ids = input.ids.unwrap_or_default();
    let keys: Vec<String> = ids.iter().map(|id| ids::build_id(&caller.scope(), id).unwrap_or_default()).collect();
    let found = service.dependencies.documents.get_many::<Build>(&caller.scope(), &keys).await?;
    let (mut builds, mut missing) = (vec![], vec![]);
    for (id, build) in ids.iter().zip(found) {
        match build {
            Some(build) => builds.push(answer::build(service, caller, &build.value).await?),
            None => missing.push(id.clone()),
        }
    }
    Ok(BatchGetBuildsOutput { builds: Some(builds), builds_not_found: Some(missing) })
}

/// BatchDeleteBuilds: those that are complete. Logs and artifacts stay.
pub(super) async fn batch_delete(
    service: &Service,
    caller: &Caller,
    input: BatchDeleteBuildsInput,
) -> Result<BatchDeleteBuildsOutput, Error> {
    let (mut deleted, mut kept) = (vec![], vec![]);
    for id in input.ids.unwrap_or_default() {
        match delete(service, caller, &id).await? {
            Ok(arn) => deleted.push(arn),
            Err(status_code) => kept.push(BuildNotDeleted { id: Some(id), status_code: Some(status_code.to_owned()) }),
        }
    }
    Ok(BatchDeleteBuildsOutput { builds_deleted: Some(deleted), builds_not_deleted: Some(kept) })
}

async fn delete(service: &Service, caller: &Caller, id: &str) -> Result<Result<String, &'static str>, Error> {
    let (documents, scope) = (&service.dependencies.documents, caller.scope());
    let Ok(key) = ids::build_id(&scope, id) else { return Ok(Err("INVALID_BUILD_ID")) };
    let Some(build) = documents.get::<Build>(&scope, &key).await? else { return Ok(Err("BUILD_NOT_FOUND")) };
    if !build.life.is_complete() {
        return Ok(Err("BUILD_IN_PROGRESS"));
    }
    match documents.commit(Batch::new(&scope).remove(&build)).await {
        // A complete build does not change any more: it can only have been deleted meanwhile.
        Ok(()) | Err(CommitError::Conflict { .. }) => Ok(Ok(arns::build(&scope, &key))),
        Err(other) => Err(refused(other)),
    }
}
