//! A deployment: its hosts, what each of them did, and what it said when it failed.

use std::time::Duration;

use askama::Template;
use async_trait::async_trait;
use aws::Error;
use aws::codedeploy::{
    BatchGetDeploymentTargetsInput, DeploymentInfo, GetDeploymentInput, InstanceTarget, LifecycleEvent,
    ListDeploymentTargetsInput, ListDeploymentTargetsOutput, RevisionLocation, StopDeploymentInput,
};
use kernel::{Event, Timestamp};

use super::{Failure, Growth, Part, Section, Subject};
use crate::rules::ansi::{self, Style};
use crate::rules::form::Fields;
use crate::rules::link;
use crate::rules::mark::{Mark, words};
use crate::rules::moment::{Elapsed, Moment};
use crate::service::{Service, Visit};

/// Targets of a page: as many as one call tells of.
const PAGE: usize = 25;
/// No event tells of a lifecycle event, so while a page is open it is looked at in this rhythm.
const LOOK: Duration = Duration::from_secs(1);

/// One deployment.
pub(super) struct Deployment {
    id: String,
    /// Whether it was running when it was read last.
    running: bool,
}

#[derive(Template)]
#[template(path = "deployment_facts.html")]
struct Facts<'v> {
    address: String,
    form_token: &'v str,
    id: String,
    mark: Mark,
    running: bool,
    problem: String,
    /// Name and value.
    facts: Vec<(&'static str, String)>,
    /// What a rollback brought back, or what brings this one back: words and address.
    related: Vec<(&'static str, String, String)>,
    started: Option<Moment>,
    took: Option<Elapsed>,
    /// A word and how many hosts.
    counts: Vec<(Mark, i64)>,
}

#[derive(Template)]
#[template(path = "deployment_targets.html")]
struct Targets {
    targets: Vec<Target>,
    next: Option<String>,
}

/// One host.
struct Target {
    id: String,
    mark: Mark,
    updated: Option<Moment>,
    events: Vec<Step>,
}

/// One lifecycle event on a host.
struct Step {
    name: String,
    mark: Mark,
    took: Option<Elapsed>,
    problem: String,
    /// The end of what the script wrote, as HTML.
    tail: String,
}

#[async_trait]
impl Subject for Deployment {
    fn title(&self) -> String {
        self.id.clone()
    }

    fn section(&self) -> Section {
        Section::Deployments
    }

    fn concerns(&self, event: &Event) -> bool {
        event.source == "aws.codedeploy" && event.detail["deploymentId"].as_str() == Some(&self.id)
    }

    async fn parts(&mut self, service: &Service, visit: &Visit, _: &[Event]) -> Result<Vec<Part>, Failure> {
        let input = GetDeploymentInput { deployment_id: Some(self.id.clone()) };
        let found = service.codedeploy.get_deployment(&visit.caller, input).await?;
        let facts = facts(visit, found.deployment_info.unwrap_or_default());
        self.running = facts.running;
        Ok(vec![Part::new("deployment", &facts)?, self.targets(service, visit).await?])
    }

    async fn grows(&self, service: &Service, _: &Visit) -> Growth {
        if !self.running {
            return std::future::pending().await;
        }
        service.clock.sleep_until(service.clock.now() + LOOK).await;
        Growth::Changed
    }
}

impl Deployment {
    pub(super) fn new(id: String) -> Self {
        Self { id, running: true }
    }

    async fn targets(&self, service: &Service, visit: &Visit) -> Result<Part, Failure> {
        let input = ListDeploymentTargetsInput {
            deployment_id: Some(self.id.clone()),
            next_token: visit.query.get("after"),
            ..ListDeploymentTargetsInput::default()
        };
        let listed = match service.codedeploy.list_deployment_targets(&visit.caller, input).await {
            // It has no hosts yet.
            Err(error) if error.is("DeploymentNotStartedException") => ListDeploymentTargetsOutput::default(),
            listed => listed?,
        };
        let mut targets = Vec::new();
        for ids in listed.target_ids.unwrap_or_default().chunks(PAGE) {
            let input =
                BatchGetDeploymentTargetsInput { deployment_id: Some(self.id.clone()), target_ids: Some(ids.to_vec()) };
            let found = service.codedeploy.batch_get_deployment_targets(&visit.caller, input).await?;
            let instances = found.deployment_targets.unwrap_or_default().into_iter();
            targets.extend(instances.filter_map(|target| target.instance_target).map(|host| target(visit.now, host)));
        }
        let address = link::deployment(&visit.region, &self.id);
        let next = listed.next_token.map(|token| format!("{address}?after={}", link::encode(&token)));
        Part::new("targets", &Targets { targets, next })
    }
}

fn facts(visit: &Visit, info: DeploymentInfo) -> Facts<'_> {
    let text = |member: &Option<String>| member.clone().unwrap_or_default();
    let status = text(&info.status);
    let mark = Mark::of(&status);
    let known = [
        ("Application", text(&info.application_name)),
        ("Group", text(&info.deployment_group_name)),
        ("Configuration", text(&info.deployment_config_name)),
        ("Revision", info.revision.as_ref().map(revision).unwrap_or_default()),
        ("Started by", text(&info.creator)),
        ("Description", text(&info.description)),
    ];
    let id = text(&info.deployment_id);
    Facts {
        address: link::deployment(&visit.region, &id),
        form_token: &visit.form_token,
        id,
        running: mark.is_moving(),
        problem: info.error_information.as_ref().map(|error| text(&error.message)).unwrap_or_default(),
        facts: known.into_iter().filter(|(_, value)| !value.is_empty()).collect(),
        related: related(&visit.region, &info),
        started: info.create_time.map(|time| Moment::new(visit.now, time)),
        took: info.create_time.map(|start| Elapsed::new(visit.now, start, info.complete_time)),
        counts: counts(&info),
        mark,
    }
}

fn related(region: &str, info: &DeploymentInfo) -> Vec<(&'static str, String, String)> {
    let Some(rollback) = &info.rollback_info else { return Vec::new() };
    [("Rolled back by", &rollback.rollback_deployment_id), ("Rolls back", &rollback.rollback_triggering_deployment_id)]
        .into_iter()
        .filter_map(|(words, id)| id.as_ref().map(|id| (words, id.clone(), link::deployment(region, id))))
        // Each of the two names itself, too.
        .filter(|(_, id, _)| info.deployment_id.as_ref() != Some(id))
        .collect()
}

fn counts(info: &DeploymentInfo) -> Vec<(Mark, i64)> {
    let Some(overview) = &info.deployment_overview else { return Vec::new() };
    [
        ("Succeeded", overview.succeeded),
        ("InProgress", overview.in_progress),
        ("Pending", overview.pending),
        ("Failed", overview.failed),
        ("Skipped", overview.skipped),
    ]
    .into_iter()
    .filter_map(|(status, count)| Some((Mark::of(status), count.filter(|count| *count > 0)?)))
    .collect()
}

fn revision(location: &RevisionLocation) -> String {
    match (&location.s3_location, &location.git_hub_location) {
        (Some(s3), _) => {
            let text = |member: &Option<String>| member.clone().unwrap_or_default();
            format!("s3://{}/{}", text(&s3.bucket), text(&s3.key))
        }
        (None, Some(git_hub)) => {
            format!(
                "{}@{}",
                git_hub.repository.as_deref().unwrap_or_default(),
                git_hub.commit_id.as_deref().unwrap_or_default()
            )
        }
        (None, None) => location.revision_type.clone().unwrap_or_default(),
    }
}

fn target(now: Timestamp, host: InstanceTarget) -> Target {
    let id = host.target_id.unwrap_or_default();
    let events = host.lifecycle_events.unwrap_or_default();
    Target {
        // On-premises hosts are ARNs; their name is what people know.
        id: id.rsplit(['/', ':']).next().unwrap_or_default().to_owned(),
        mark: Mark::of(host.status.as_deref().unwrap_or_default()),
        updated: host.last_updated_at.map(|time| Moment::new(now, time)),
        events: events.into_iter().map(|event| step(now, event)).collect(),
    }
}

fn step(now: Timestamp, event: LifecycleEvent) -> Step {
    let diagnostics = event.diagnostics.unwrap_or_default();
    let failed = event.status.as_deref() == Some("Failed");
    let said = [diagnostics.script_name, diagnostics.message].into_iter().flatten().filter(|text| !text.is_empty());
    let mut style = Style::default();
    let tail = diagnostics.log_tail.unwrap_or_default();
    let lines = tail.trim_end().split('\n').map(|line| ansi::line(&mut style, line));
    Step {
        name: words(event.lifecycle_event_name.as_deref().unwrap_or_default()),
        mark: Mark::of(event.status.as_deref().unwrap_or_default()),
        took: event.start_time.map(|start| Elapsed::new(now, start, event.end_time)),
        problem: if failed { said.collect::<Vec<_>>().join(": ") } else { String::new() },
        tail: if failed { lines.collect::<Vec<_>>().join("\n") } else { String::new() },
    }
}

/// Stops the deployment.
pub(super) async fn act(service: &Service, visit: &Visit, id: &str, form: &Fields) -> Result<Option<String>, Error> {
    let input = StopDeploymentInput {
        deployment_id: Some(id.to_owned()),
        auto_rollback_enabled: Some(form.text("how") == "roll-back"),
    };
    service.codedeploy.stop_deployment(&visit.caller, input).await?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws::codedeploy::{DeploymentOverview, Diagnostics, RollbackInfo, S3Location};

    fn now() -> Timestamp {
        Timestamp::from_seconds(1_000)
    }

    #[test]
    fn a_host_shows_what_its_script_said() {
        let event = |status: &str| LifecycleEvent {
            lifecycle_event_name: Some("BeforeInstall".into()),
            status: Some(status.into()),
            start_time: Some(Timestamp::from_seconds(990)),
            diagnostics: Some(Diagnostics {
                script_name: Some("scripts/stop.sh".into()),
                message: Some("exit 1".into()),
                log_tail: Some("[stderr]<b>\u{1b}[31mno\n".into()),
                ..Diagnostics::default()
            }),
            ..LifecycleEvent::default()
        };
        let failed = step(now(), event("Failed"));
        assert_eq!((failed.name.as_str(), failed.problem.as_str()), ("Before install", "scripts/stop.sh: exit 1"));
        assert_eq!(failed.tail, "[stderr]&lt;b&gt;<span class=\"f1\">no</span>");
        let running = step(now(), event("InProgress"));
        assert_eq!((running.problem.as_str(), running.tail.as_str()), ("", ""));
        assert_eq!(running.took.map(|took| took.text).as_deref(), Some("10 s"));
    }

    #[test]
    fn hosts_are_named_as_people_name_them() {
        for (id, name) in [
            ("arn:aws:codedeploy:eu-west-1:1:instance/web-1", "web-1"),
            ("arn:aws:iam::1:user/web-1", "web-1"),
            ("i-0123", "i-0123"),
        ] {
            let host = InstanceTarget { target_id: Some(id.into()), ..InstanceTarget::default() };
            assert_eq!(target(now(), host).id, name);
        }
    }

    #[test]
    fn only_what_there_is_is_counted_and_a_rollback_leads_to_the_other() {
        let overview = DeploymentOverview { succeeded: Some(2), failed: Some(0), ..DeploymentOverview::default() };
        let rollback = RollbackInfo {
            rollback_deployment_id: Some("d-2".into()),
            rollback_triggering_deployment_id: Some("d-1".into()),
            ..RollbackInfo::default()
        };
        let info = DeploymentInfo {
            deployment_id: Some("d-1".into()),
            deployment_overview: Some(overview),
            rollback_info: Some(rollback),
            ..DeploymentInfo::default()
        };
        assert_eq!(counts(&info), [(Mark::of("Succeeded"), 2)]);
        let other = ("Rolled back by", "d-2".to_owned(), link::deployment("eu-west-1", "d-2"));
        assert_eq!(related("eu-west-1", &info), [other]);
    }

    #[test]
    fn revisions() {
        let s3 = S3Location { bucket: Some("b".into()), key: Some("k".into()), ..S3Location::default() };
        let location = RevisionLocation { s3_location: Some(s3), ..RevisionLocation::default() };
        assert_eq!(revision(&location), "s3://b/k");
        assert_eq!(
            revision(&RevisionLocation { revision_type: Some("String".into()), ..RevisionLocation::default() }),
            "String"
        );
    }
}
