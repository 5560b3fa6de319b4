//! Builds, newest first: of all projects, or of one.

use askama::Template;
use async_trait::async_trait;
use aws::Error;
use aws::codebuild::{BatchGetBuildsInput, Build, ListBuildsForProjectInput, ListBuildsInput, ListProjectsInput};
use kernel::{Event, Timestamp};

use super::{Failure, Part, Section, Subject};
use crate::rules::link;
use crate::rules::mark::Mark;
use crate::rules::moment::{Elapsed, Moment};
use crate::rules::revision::Revision;
use crate::service::{Service, Visit};

/// All builds, or a project's.
pub(super) struct Builds {
    pub(super) project: Option<String>,
}

#[derive(Template)]
#[template(path = "builds.html")]
struct Whole {
    project: Option<String>,
    all: String,
    /// Name and address.
    projects: Vec<(String, String)>,
    rows: Vec<Row>,
    next: Option<String>,
}

/// One build.
struct Row {
    mark: Mark,
    name: String,
    address: String,
    initiator: String,
    revision: Option<Revision>,
    started: Option<Moment>,
    took: Option<Elapsed>,
}

#[async_trait]
impl Subject for Builds {
    fn title(&self) -> String {
        self.project.clone().unwrap_or_else(|| "Builds".to_owned())
    }

    fn section(&self) -> Section {
        Section::Builds
    }

    fn concerns(&self, event: &Event) -> bool {
        let project = event.detail["project-name"].as_str();
        event.source == "aws.codebuild" && (self.project.is_none() || self.project.as_deref() == project)
    }

    async fn parts(&mut self, service: &Service, visit: &Visit, _: &[Event]) -> Result<Vec<Part>, Failure> {
        let (ids, next) = self.ids(service, visit).await?;
        let input = BatchGetBuildsInput { ids: Some(ids.clone()) };
        let found = match ids.is_empty() {
            true => Vec::new(),
            false => service.codebuild.batch_get_builds(&visit.caller, input).await?.builds.unwrap_or_default(),
        };
        let all = link::builds(&visit.region);
        let own = self.project.as_deref().map_or_else(|| all.clone(), |name| link::project(&visit.region, name));
        let whole = Whole {
            projects: if self.project.is_none() { projects(service, visit).await? } else { Vec::new() },
            project: self.project.clone(),
            rows: found.iter().map(|build| row(&visit.region, visit.now, build)).collect(),
            next: next.map(|token| format!("{own}?after={}", link::encode(&token))),
            all,
        };
        Ok(vec![Part::new("builds", &whole)?])
    }
}

impl Builds {
    async fn ids(&self, service: &Service, visit: &Visit) -> Result<(Vec<String>, Option<String>), Error> {
        let next_token = visit.query.get("after");
        let sort_order = Some("DESCENDING".to_owned());
        let Some(project) = &self.project else {
            let input = ListBuildsInput { next_token, sort_order };
            let listed = service.codebuild.list_builds(&visit.caller, input).await?;
            return Ok((listed.ids.unwrap_or_default(), listed.next_token));
        };
        let input = ListBuildsForProjectInput { project_name: Some(project.clone()), next_token, sort_order };
        let listed = service.codebuild.list_builds_for_project(&visit.caller, input).await?;
        Ok((listed.ids.unwrap_or_default(), listed.next_token))
    }
}

/// The first hundred: who has more finds the others by their builds.
async fn projects(service: &Service, visit: &Visit) -> Result<Vec<(String, String)>, Error> {
    let listed = service.codebuild.list_projects(&visit.caller, ListProjectsInput::default()).await?;
    let names = listed.projects.unwrap_or_default().into_iter();
    Ok(names.map(|name| (name.clone(), link::project(&visit.region, &name))).collect())
}

fn row(region: &str, now: Timestamp, build: &Build) -> Row {
    let id = build.id.clone().unwrap_or_default();
    let number = build.build_number.map(|number| format!(" #{number}")).unwrap_or_default();
    let version = build.resolved_source_version.as_deref().or(build.source_version.as_deref());
    Row {
        mark: Mark::of(build.build_status.as_deref().unwrap_or_default()),
        name: format!("{}{number}", build.project_name.as_deref().unwrap_or_default()),
        address: link::build(region, &id),
        initiator: build.initiator.clone().unwrap_or_default(),
        revision: version.map(|version| Revision::new(version, None, None)),
        started: build.start_time.map(|time| Moment::new(now, time)),
        took: build.start_time.map(|start| Elapsed::new(now, start, build.end_time)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row() {
        let build = Build {
            id: Some("app:1-2".into()),
            project_name: Some("app".into()),
            build_number: Some(7),
            build_status: Some("SUCCEEDED".into()),
            start_time: Some(Timestamp::from_seconds(100)),
            end_time: Some(Timestamp::from_seconds(104)),
            ..Build::default()
        };
        let row = row("eu-west-1", Timestamp::from_seconds(200), &build);
        assert_eq!((row.name.as_str(), row.mark.shape), ("app #7", "ok"));
        assert_eq!(row.address, link::build("eu-west-1", "app:1-2"));
        assert_eq!(row.took.map(|took| took.text).as_deref(), Some("4 s"));
    }
}
