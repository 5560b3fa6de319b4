//! A build as BatchGetBuilds shows it.

use aws::Error;
use aws::codebuild::{
    AutoRetryConfig, Build as Shape, BuildArtifacts, BuildPhase, CloudWatchLogsConfig, DebugSession,
    ExportedEnvironmentVariable, LogsLocation, PhaseContext, ProjectArtifacts,
};
use kernel::{Caller, Scope};

use crate::Service;
use crate::model::build::Tries;
use crate::model::{Build, Phase, Status, Upload};
use crate::rules::{arns, artifact_location};

/// The build's shape.
pub(super) async fn build(service: &Service, caller: &Caller, build: &Build) -> Result<Shape, Error> {
    let mut shape = shape(&caller.scope(), build);
    if build.inline_buildspec {
        shape.source.get_or_insert_default().buildspec = service.read_text(build.buildspec.as_ref()).await?;
    }
    Ok(shape)
}

fn shape(scope: &Scope, build: &Build) -> Shape {
    let plan = &build.plan;
    Shape {
        id: Some(build.id.clone()),
        arn: Some(arns::build(scope, &build.id)),
        build_number: Some(build.number),
        start_time: Some(build.started()),
        end_time: build.ended(),
        current_phase: Some(build.life.current().as_str().to_owned()),
        build_status: Some(build.life.status().as_str().to_owned()),
        source_version: plan.source_version.clone(),
        resolved_source_version: build.resolved_source_version.clone(),
        project_name: Some(build.project.clone()),
        phases: Some(build.life.phases.iter().map(phase).collect()),
        source: Some(plan.source.clone()),
        secondary_sources: Some(plan.secondary_sources.clone()),
        secondary_source_versions: Some(plan.secondary_source_versions.clone()),
        artifacts: Some(artifacts(build, &plan.artifacts)),
        secondary_artifacts: Some(plan.secondary_artifacts.iter().map(|settings| artifacts(build, settings)).collect()),
        cache: plan.cache.clone(),
        environment: Some(plan.environment.clone()),
        service_role: Some(plan.service_role.clone()),
        logs: Some(logs(scope, build)),
        timeout_in_minutes: Some(plan.timeout_in_minutes),
        queued_timeout_in_minutes: Some(plan.queued_timeout_in_minutes),
        build_complete: Some(build.life.is_complete()),
        initiator: Some(build.initiator.clone()),
        vpc_config: plan.vpc_config.clone(),
        encryption_key: Some(plan.encryption_key.clone()),
        exported_environment_variables: Some(exported(build)),
        file_system_locations: plan.file_system_locations.clone(),
        debug_session: plan
            .debug_session
            .map(|enabled| DebugSession { session_enabled: Some(enabled), ..DebugSession::default() }),
        auto_retry_config: tries(scope, build),
        ..Shape::default()
    }
}

/// Shown where the project has a limit or the build is one of several tries.
fn tries(scope: &Scope, build: &Build) -> Option<AutoRetryConfig> {
    let (limit, tries) = (build.plan.auto_retry_limit, &build.tries);
    let arn = |id: &Option<String>| id.as_ref().map(|id| arns::build(scope, id));
    (limit.is_some() || *tries != Tries::default()).then(|| AutoRetryConfig {
        auto_retry_limit: Some(limit.unwrap_or_default()),
        auto_retry_number: Some(tries.number),
        next_auto_retry: arn(&tries.next),
        previous_auto_retry: arn(&tries.previous),
    })
}

fn phase(phase: &Phase) -> BuildPhase {
    BuildPhase {
        phase_type: Some(phase.phase.as_str().to_owned()),
        phase_status: phase.status.map(|status: Status| status.as_str().to_owned()),
        start_time: Some(phase.start),
        end_time: phase.end,
        duration_in_seconds: phase.seconds(),
        contexts: phase.context.as_ref().map(|context| {
            vec![PhaseContext { status_code: Some(context.code.clone()), message: Some(context.message.clone()) }]
        }),
    }
}

/// What became of an artifact: its real place once it is there, else where its settings say that it goes.
fn artifacts(build: &Build, settings: &ProjectArtifacts) -> BuildArtifacts {
    let upload = build.uploads.iter().find(|upload| upload.identifier == settings.artifact_identifier);
    let expected = Upload { location: expected_location(build, settings), ..Upload::default() };
    let upload = upload.unwrap_or(&expected);
    BuildArtifacts {
        location: Some(upload.location.clone()),
        sha256sum: upload.sha256.clone(),
        md5sum: upload.md5.clone(),
        override_artifact_name: settings.override_artifact_name,
        encryption_disabled: settings.encryption_disabled,
        artifact_identifier: settings.artifact_identifier.clone(),
        bucket_owner_access: settings.bucket_owner_access.clone(),
    }
}

fn expected_location(build: &Build, settings: &ProjectArtifacts) -> String {
    let Some(bucket) = artifact_location::bucket(settings) else { return String::new() };
    let key = artifact_location::artifact_key(settings, &build.project, build.uuid(), None, None);
    format!("arn:aws:s3:::{bucket}/{}", key.as_str())
}

fn exported(build: &Build) -> Vec<ExportedEnvironmentVariable> {
    let pairs = build.exported.iter();
    pairs
        .map(|(name, value)| ExportedEnvironmentVariable { name: Some(name.clone()), value: Some(value.clone()) })
        .collect()
}

fn logs(scope: &Scope, build: &Build) -> LogsLocation {
    let region = &scope.region;
    let console = format!("https://console.aws.amazon.com/cloudwatch/home?region={region}#logEvent:group=");
    let settings = build.plan.logs_config.as_ref();
    let cloud_watch_logs = settings.and_then(|settings| settings.cloud_watch_logs.clone());
    let s3_logs = settings.and_then(|settings| settings.s3_logs.clone());
    let place = build.log.as_ref();
    LogsLocation {
        group_name: place.map(|place| place.group.clone()),
        stream_name: place.map(|place| place.stream.clone()),
        deep_link: Some(match place {
            Some(place) => format!("{console}{};stream={}", place.group, place.stream),
            None => format!("{console}null;stream=null"),
        }),
        cloud_watch_logs_arn: place.map(|place| {
            format!("arn:aws:logs:{region}:{}:log-group:{}:log-stream:{}", scope.account, place.group, place.stream)
        }),
        cloud_watch_logs: cloud_watch_logs.or_else(|| {
            Some(CloudWatchLogsConfig { status: Some("ENABLED".to_owned()), ..CloudWatchLogsConfig::default() })
        }),
        s3_logs,
        ..LogsLocation::default()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::model::build::tests::build;
    use crate::model::{Context, LogPlace};
    use kernel::Timestamp;

    fn scope() -> Scope {
        Scope::new("123456789012", "us-east-1")
    }

    #[test]
    fn a_new_build() {
        let shape = shape(&scope(), &build(3));
        assert_eq!(
            (shape.build_status.as_deref(), shape.current_phase.as_deref()),
            (Some("IN_PROGRESS"), Some("QUEUED"))
        );
        assert_eq!((shape.build_complete, shape.build_number, shape.end_time), (Some(false), Some(7), None));
        let phases = shape.phases.unwrap();
        assert_eq!(phases[0].phase_status.as_deref(), Some("SUCCEEDED"));
        assert_eq!(phases[0].contexts.as_ref().unwrap()[0].status_code.as_deref(), Some(""));
        assert_eq!((phases[1].phase_status.clone(), phases[1].end_time), (None, None));
        assert!(shape.logs.unwrap().deep_link.unwrap().ends_with("#logEvent:group=null;stream=null"));
    }

    #[test]
    fn an_ended_build_with_an_artifact() {
        let mut build = build(3);
        build.log = Some(LogPlace { group: "/aws/codebuild/demo".into(), stream: "s".into() });
        build.uploads.push(Upload { location: "arn:aws:s3:::b/k".into(), md5: Some("m".into()), ..Upload::default() });
        build.life.advance(Status::TimedOut, Context::timed_out(), Timestamp::from_seconds(9));
        let shape = shape(&scope(), &build);
        assert_eq!(
            (shape.build_status.as_deref(), shape.end_time),
            (Some("TIMED_OUT"), Some(Timestamp::from_seconds(9)))
        );
        assert_eq!(shape.artifacts.unwrap().location.as_deref(), Some("arn:aws:s3:::b/k"));
        assert_eq!(shape.phases.unwrap()[1].duration_in_seconds, Some(6));
        assert_eq!(
            shape.logs.unwrap().cloud_watch_logs_arn.as_deref(),
            Some("arn:aws:logs:us-east-1:123456789012:log-group:/aws/codebuild/demo:log-stream:s")
        );
    }
}
