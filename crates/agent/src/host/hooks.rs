//! Hook commands: which revision's scripts run for an event, and their environment.

use super::appspec::{AppSpec, HookScript, MAX_APPSPEC};
use super::diagnostics::Diagnostics;
use super::script::{self, ScriptLog};
use super::specification::Specification;
use super::state::{Deployment, State, Which};
use crate::process::Processes;

/// The commands that run hooks; DownloadBundle and Install are the others.
pub(super) const EVENTS: [&str; 9] = [
    "BeforeBlockTraffic",
    "AfterBlockTraffic",
    "ApplicationStop",
    "BeforeInstall",
    "AfterInstall",
    "ApplicationStart",
    "BeforeAllowTraffic",
    "AfterAllowTraffic",
    "ValidateService",
];

/// Scripts to run and the deployment that they belong to.
#[derive(Debug)]
pub(super) struct Scripts {
    deployment: Deployment,
    scripts: Vec<HookScript>,
}

/// Whose scripts an event runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Revision {
    Current,
    LastSuccessful,
    MostRecent,
}

/// Source: 1.9 of the protocol notes: the old revision's scripts take leave of the old revision, unless the
/// new one is on the host already; the rollback of a blue/green deployment goes back.
fn revision(event: &str, current_is_here: bool, is_blue_green_rollback: bool) -> Revision {
    match event {
        "BeforeBlockTraffic" | "AfterBlockTraffic" if is_blue_green_rollback => Revision::MostRecent,
        "BeforeAllowTraffic" | "AfterAllowTraffic" if is_blue_green_rollback => Revision::LastSuccessful,
        "BeforeBlockTraffic" | "AfterBlockTraffic" | "ApplicationStop" if !current_is_here => Revision::LastSuccessful,
        _ => Revision::Current,
    }
}

/// Looks up what an event runs; `None` where nothing is to be run.
///
/// # Errors
/// An appspec that cannot be read.
pub(super) fn scripts(state: &State, specification: &Specification, event: &str) -> Result<Option<Scripts>, String> {
    let current = state.deployment(&specification.group_id, &specification.deployment_id);
    let deployment = match revision(event, current.archive().exists(), specification.is_blue_green_rollback) {
        Revision::Current => Some(current),
        Revision::LastSuccessful => state.pointed(&specification.group_id, Which::LastSuccessful),
        Revision::MostRecent => state.pointed(&specification.group_id, Which::MostRecent),
    };
    let Some(deployment) = deployment.filter(|deployment| deployment.archive().exists()) else {
        return Ok(None);
    };
    let scripts = appspec(&deployment, &specification.appspec_filename)?.scripts(event).to_vec();
    Ok((!scripts.is_empty()).then_some(Scripts { deployment, scripts }))
}

/// Reads a bundle's appspec.
///
/// # Errors
/// Where there is none, or what is wrong with it, with line and column.
pub(super) fn appspec(deployment: &Deployment, name: &str) -> Result<AppSpec, String> {
    let archive = deployment.archive();
    let names = [name, "appspec.yaml", "appspec.yml"];
    let Some(file) = names.iter().find(|name| archive.join(name).is_file()) else {
        return Err(format!(
            "The CodeDeploy agent did not find an AppSpec file within the unpacked revision directory \
                            at revision-relative path \"{name}\"."
        ));
    };
    let path = archive.join(file);
    let metadata = std::fs::metadata(&path).map_err(|error| format!("{file}: {error}"))?;
    if metadata.len() > MAX_APPSPEC {
        return Err(format!("{file}: longer than {MAX_APPSPEC} bytes"));
    }
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{file}: {error}"))?;
    AppSpec::parse(&text).map_err(|error| format!("The deployment failed because {file} is wrong: {error}"))
}

/// Runs an event's scripts one after the other; the first one that fails ends them.
///
/// # Errors
/// The diagnostics of the failure.
pub(super) async fn run(
    processes: &Processes,
    specification: &Specification,
    event: &str,
    scripts: &Scripts,
) -> Result<(), Diagnostics> {
    let environment = environment(specification, event);
    let mut log = ScriptLog::open(&scripts.deployment.scripts_log());
    log.line(&format!("LifecycleEvent - {event}"));
    for script in &scripts.scripts {
        script::run(processes, &scripts.deployment.archive(), script, &environment, &mut log).await?;
    }
    Ok(())
}

fn environment(specification: &Specification, event: &str) -> Vec<(String, String)> {
    let revision = &specification.revision;
    let given = [
        ("LIFECYCLE_EVENT", Some(event)),
        ("DEPLOYMENT_ID", Some(specification.deployment_id.as_str())),
        ("APPLICATION_NAME", Some(specification.application_name.as_str())),
        ("DEPLOYMENT_GROUP_NAME", Some(specification.group_name.as_str())),
        ("DEPLOYMENT_GROUP_ID", Some(specification.group_id.as_str())),
        ("BUNDLE_BUCKET", Some(revision.bucket.as_str())),
        ("BUNDLE_KEY", Some(revision.key.as_str())),
        ("BUNDLE_VERSION", revision.version.as_deref()),
        ("BUNDLE_ETAG", revision.etag.as_deref()),
    ];
    given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_scripts_run() {
        use Revision::{Current, LastSuccessful, MostRecent};
        let table = [
            ("ApplicationStop", false, false, LastSuccessful),
            ("ApplicationStop", true, false, Current),
            ("BeforeBlockTraffic", false, false, LastSuccessful),
            ("BeforeInstall", true, false, Current),
            ("ValidateService", true, true, Current),
            ("AfterBlockTraffic", true, true, MostRecent),
            ("BeforeAllowTraffic", true, true, LastSuccessful),
            ("BeforeAllowTraffic", true, false, Current),
        ];
        for (event, here, rollback, expected) in table {
            assert_eq!(revision(event, here, rollback), expected, "{event} {here} {rollback}");
        }
    }
}
