//! Projects: create, update, delete, get.

use aws::Error;
use aws::codebuild::{
    BatchGetProjectsInput, BatchGetProjectsOutput, CreateProjectInput, CreateProjectOutput, DeleteProjectInput,
    DeleteProjectOutput, Project as Settings, ProjectBadge, ProjectCache, UpdateProjectInput, UpdateProjectOutput,
    error,
};
use kernel::{Batch, Caller, CommitError, Stored, Timestamp};

use super::{ATTEMPTS, is_race, refused};
use crate::Service;
use crate::model::Project;
use crate::rules::{arns, ids, overrides, project};

/// CreateProject.
pub(super) async fn create(
    service: &Service,
    caller: &Caller,
    input: CreateProjectInput,
) -> Result<CreateProjectOutput, Error> {
    let settings = new_settings(caller, input, service.dependencies.clock.now());
    project::check(&settings, &caller.account).map_err(error::invalid_input_exception)?;
    let document = document(service, settings.clone()).await?;
    match service.dependencies.documents.insert(&caller.scope(), document).await {
        Ok(_) => Ok(CreateProjectOutput { project: Some(settings) }),
        Err(CommitError::Exists { .. }) => {
            let arn = settings.arn.unwrap_or_default();
            Err(error::resource_already_exists_exception(format!("Project already exists: {arn}")))
        }
        Err(other) => Err(refused(other)),
    }
}

fn new_settings(caller: &Caller, input: CreateProjectInput, now: Timestamp) -> Settings {
    let name = input.name.unwrap_or_default();
    Settings {
        arn: Some(arns::project(&caller.scope(), &name)),
        name: Some(name),
        description: input.description,
        source: input.source,
        secondary_sources: input.secondary_sources,
        source_version: input.source_version,
        secondary_source_versions: input.secondary_source_versions,
        artifacts: input.artifacts,
        secondary_artifacts: input.secondary_artifacts,
        cache: input
            .cache
            .or_else(|| Some(ProjectCache { type_: Some("NO_CACHE".to_owned()), ..ProjectCache::default() })),
        environment: input.environment,
        service_role: input.service_role,
        timeout_in_minutes: input.timeout_in_minutes.or(Some(overrides::DEFAULT_TIMEOUT)),
        queued_timeout_in_minutes: input.queued_timeout_in_minutes.or(Some(overrides::DEFAULT_QUEUED_TIMEOUT)),
        encryption_key: input.encryption_key.or_else(|| Some(default_key(caller))),
        tags: input.tags,
        created: Some(now),
        last_modified: Some(now),
        vpc_config: input.vpc_config,
        badge: Some(badge(input.badge_enabled)),
        logs_config: input.logs_config,
        file_system_locations: input.file_system_locations,
        build_batch_config: input.build_batch_config,
        concurrent_build_limit: input.concurrent_build_limit,
        project_visibility: Some("PRIVATE".to_owned()),
        auto_retry_limit: input.auto_retry_limit,
        ..Settings::default()
    }
}

fn badge(enabled: Option<bool>) -> ProjectBadge {
    ProjectBadge { badge_enabled: Some(enabled.unwrap_or(false)), ..ProjectBadge::default() }
}

fn default_key(caller: &Caller) -> String {
    format!("arn:{}:kms:{}:{}:alias/aws/s3", caller.partition, caller.region, caller.account)
}

/// The document of these settings: the inline buildspec apart.
async fn document(service: &Service, mut settings: Settings) -> Result<Project, Error> {
    let buildspec = settings.source.as_mut().and_then(|source| source.buildspec.take());
    Ok(Project { settings, buildspec: service.write_text(buildspec).await? })
}

/// The settings of a document, as the caller gave them.
pub(super) async fn settings(service: &Service, project: &Project) -> Result<Settings, Error> {
    let mut settings = project.settings.clone();
    if let Some(buildspec) = service.read_text(project.buildspec.as_ref()).await? {
        settings.source.get_or_insert_default().buildspec = Some(buildspec);
    }
    Ok(settings)
}

/// The project, or AWS's error where there is none.
pub(super) async fn find(service: &Service, caller: &Caller, name: &str) -> Result<Stored<Project>, Error> {
    let scope = caller.scope();
    let name = ids::project_name(&scope, name);
    let found = service.dependencies.documents.get::<Project>(&scope, name).await?;
    found.ok_or_else(|| {
        let arn = arns::named_project(&scope, name);
        error::resource_not_found_exception(format!("Project cannot be found: {arn}"))
    })
}

/// UpdateProject: members that are present replace the old ones whole.
pub(super) async fn update(
    service: &Service,
    caller: &Caller,
    input: UpdateProjectInput,
) -> Result<UpdateProjectOutput, Error> {
    for _ in 0..ATTEMPTS {
        let mut stored = find(service, caller, input.name.as_deref().unwrap_or_default()).await?;
        let mut changed = settings(service, &stored.value).await?;
        lay_over(&mut changed, &input);
        changed.last_modified = Some(service.dependencies.clock.now());
        project::check(&changed, &caller.account).map_err(error::invalid_input_exception)?;
        stored.value = document(service, changed.clone()).await?;
        match service.dependencies.documents.replace(&caller.scope(), stored).await {
            Ok(_) => return Ok(UpdateProjectOutput { project: Some(changed) }),
            Err(race) if is_race(&race) => {}
            Err(other) => return Err(refused(other)),
        }
    }
    Err(Error::internal("a project is changed by too many writers at once"))
}

fn lay_over(settings: &mut Settings, input: &UpdateProjectInput) {
    fn lay<T: Clone>(member: &mut Option<T>, changed: &Option<T>) {
        if changed.is_some() {
            member.clone_from(changed);
        }
    }
    lay(&mut settings.description, &input.description);
    lay(&mut settings.source, &input.source);
    lay(&mut settings.secondary_sources, &input.secondary_sources);
    lay(&mut settings.source_version, &input.source_version);
    lay(&mut settings.secondary_source_versions, &input.secondary_source_versions);
    lay(&mut settings.artifacts, &input.artifacts);
    lay(&mut settings.secondary_artifacts, &input.secondary_artifacts);
    lay(&mut settings.cache, &input.cache);
    lay(&mut settings.environment, &input.environment);
    lay(&mut settings.service_role, &input.service_role);
    lay(&mut settings.timeout_in_minutes, &input.timeout_in_minutes);
    lay(&mut settings.queued_timeout_in_minutes, &input.queued_timeout_in_minutes);
    lay(&mut settings.encryption_key, &input.encryption_key);
    lay(&mut settings.tags, &input.tags);
    lay(&mut settings.logs_config, &input.logs_config);
    lay(&mut settings.file_system_locations, &input.file_system_locations);
    lay(&mut settings.build_batch_config, &input.build_batch_config);
    lay(&mut settings.auto_retry_limit, &input.auto_retry_limit);
    lay(&mut settings.concurrent_build_limit, &input.concurrent_build_limit);
    // AWS: -1 takes the limit away, an empty vpcConfig the network settings.
    settings.concurrent_build_limit = settings.concurrent_build_limit.filter(|limit| *limit != -1);
    if let Some(vpc) = &input.vpc_config {
        settings.vpc_config = Some(vpc.clone()).filter(|vpc| vpc != &Default::default());
    }
    if input.badge_enabled.is_some() {
        settings.badge = Some(badge(input.badge_enabled));
    }
}

/// DeleteProject: also of a project that is not there. Its builds are kept, and numbers are never given out again.
pub(super) async fn delete(
    service: &Service,
    caller: &Caller,
    input: DeleteProjectInput,
) -> Result<DeleteProjectOutput, Error> {
    let (documents, scope) = (&service.dependencies.documents, caller.scope());
    let name = input.name.unwrap_or_default();
    for _ in 0..ATTEMPTS {
        let Some(project) = documents.get::<Project>(&scope, ids::project_name(&scope, &name)).await? else {
            return Ok(DeleteProjectOutput::default());
        };
        match documents.commit(Batch::new(&scope).remove(&project)).await {
            Ok(()) => return Ok(DeleteProjectOutput::default()),
            Err(race) if is_race(&race) => {}
            Err(other) => return Err(refused(other)),
        }
    }
    Err(Error::internal("a project is changed by too many writers at once"))
}

/// BatchGetProjects: names or ARNs.
pub(super) async fn batch_get(
    service: &Service,
    caller: &Caller,
    input: BatchGetProjectsInput,
) -> Result<BatchGetProjectsOutput, Error> {
    let (names, scope) = (input.names.unwrap_or_default(), caller.scope());
    let keys: Vec<&str> = names.iter().map(|name| ids::project_name(&scope, name)).collect();
    let found = service.dependencies.documents.get_many::<Project>(&scope, &keys).await?;
    let (mut projects, mut missing) = (vec![], vec![]);
    for (name, project) in names.iter().zip(found) {
        match project {
            Some(project) => projects.push(settings(service, &project.value).await?),
            None => missing.push(name.clone()),
        }
    }
    Ok(BatchGetProjectsOutput { projects: Some(projects), projects_not_found: Some(missing) })
}
