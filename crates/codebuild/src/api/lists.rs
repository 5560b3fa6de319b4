//! Lists: projects, builds.

use aws::Error;
use aws::codebuild::{
    ListBuildsForProjectInput, ListBuildsForProjectOutput, ListBuildsInput, ListBuildsOutput, ListProjectsInput,
    ListProjectsOutput, error,
};
use kernel::{Caller, Document, Page, Stored, paging};

use crate::Service;
use crate::model::build::{BY_PROJECT, BY_START};
use crate::model::project::{ALL, BY_CREATED, BY_MODIFIED};
use crate::model::{Build, Project};
use crate::rules::{arns, ids};

/// How many names or ids a page has.
const PAGE: usize = 100;

/// ListProjects.
pub(super) async fn projects(
    service: &Service,
    caller: &Caller,
    input: ListProjectsInput,
) -> Result<ListProjectsOutput, Error> {
    let by = input.sort_by.as_deref().unwrap_or("NAME");
    let descending = is_descending(input.sort_order.as_deref(), false)?;
    let query = format!("ListProjects/{}/{by}/{descending}", caller.scope());
    let page = page(&query, input.next_token.as_deref(), descending)?;
    let documents = &service.dependencies.documents;
    let found = match by {
        "NAME" => documents.list::<Project>(&caller.scope(), page).await?,
        "CREATED_TIME" => documents.find::<Project>(&caller.scope(), BY_CREATED, ALL, page).await?,
        "LAST_MODIFIED_TIME" => documents.find::<Project>(&caller.scope(), BY_MODIFIED, ALL, page).await?,
        _ => return Err(error::invalid_input_exception(format!("Invalid sortBy: {by}"))),
    };
    let (projects, next_token) = keys(found, &query);
    Ok(ListProjectsOutput { projects: Some(projects), next_token })
}

/// ListBuilds: newest first, unless asked otherwise.
pub(super) async fn builds(
    service: &Service,
    caller: &Caller,
    input: ListBuildsInput,
) -> Result<ListBuildsOutput, Error> {
    let descending = is_descending(input.sort_order.as_deref(), true)?;
    let query = format!("ListBuilds/{}/{descending}", caller.scope());
    let page = page(&query, input.next_token.as_deref(), descending)?;
    let found = service.dependencies.documents.find::<Build>(&caller.scope(), BY_START, ALL, page).await?;
    let (ids, next_token) = keys(found, &query);
    Ok(ListBuildsOutput { ids: Some(ids), next_token })
}

/// ListBuildsForProject: also of a project that was deleted, while it has builds.
pub(super) async fn builds_for_project(
    service: &Service,
    caller: &Caller,
    input: ListBuildsForProjectInput,
) -> Result<ListBuildsForProjectOutput, Error> {
    let (documents, scope) = (&service.dependencies.documents, caller.scope());
    let name = input.project_name.unwrap_or_default();
    let project = ids::project_name(&scope, &name);
    let descending = is_descending(input.sort_order.as_deref(), true)?;
    let query = format!("ListBuildsForProject/{scope}/{project}/{descending}");
    let page = page(&query, input.next_token.as_deref(), descending)?;
    let found = documents.find::<Build>(&scope, BY_PROJECT, project, page).await?;
    if found.is_empty() && documents.get::<Project>(&scope, project).await?.is_none() {
        let arn = arns::named_project(&scope, project);
        return Err(error::resource_not_found_exception(format!("The provided project {arn} does not exist")));
    }
    let (ids, next_token) = keys(found, &query);
    Ok(ListBuildsForProjectOutput { ids: Some(ids), next_token })
}

fn is_descending(order: Option<&str>, default: bool) -> Result<bool, Error> {
    match order {
        None => Ok(default),
        Some("ASCENDING") => Ok(false),
        Some("DESCENDING") => Ok(true),
        Some(other) => Err(error::invalid_input_exception(format!("Invalid sortOrder: {other}"))),
    }
}

fn page(query: &str, token: Option<&str>, descending: bool) -> Result<Page, Error> {
    let after = paging::start(query, token).map_err(|_| error::invalid_input_exception("Invalid nextToken"))?;
    let page = Page::first(PAGE + 1).after(after);
    Ok(if descending { page.descending() } else { page })
}

fn keys<T: Document>(found: Vec<Stored<T>>, query: &str) -> (Vec<String>, Option<String>) {
    let (found, token) = paging::cut(found, PAGE, query);
    (found.iter().map(|document| document.key()).collect(), token)
}
