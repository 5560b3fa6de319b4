//! Install: removes what the group's last Install put on the host, then puts the new revision there.
//!
//! [`plan`] says what is to be done, [`permissions`] with which owners and modes, [`apply`] does it and
//! writes down what the next Install is to remove.

mod apply;
mod permissions;
mod plan;

use super::appspec::{AppSpec, FileExistsBehavior};
use super::specification::Specification;
use super::state::{Deployment, State, Which};

/// Installs a deployment's files. Blocks.
///
/// # Errors
/// A sentence about what is wrong.
pub(super) fn install(state: &State, specification: &Specification, deployment: &Deployment) -> Result<(), String> {
    let appspec = super::hooks::appspec(deployment, &specification.appspec_filename)?;
    let group = &specification.group_id;
    apply::remove_previous(&state.cleanup_file(group))?;
    let steps = steps(&appspec, specification.file_exists_behavior, deployment)?;
    apply::write_down(&state.install_file(group), &steps)?;
    apply::apply(&steps, &state.cleanup_file(group))?;
    state.point(group, Which::LastSuccessful, deployment).map_err(|error| error.to_string())
}

fn steps(appspec: &AppSpec, from_api: Option<FileExistsBehavior>, of: &Deployment) -> Result<Vec<plan::Step>, String> {
    let behavior = appspec.file_exists_behavior.or(from_api).unwrap_or(FileExistsBehavior::Disallow);
    let mut steps = plan::copies(&appspec.files, &of.archive(), behavior)?;
    let permissions = permissions::steps(&appspec.permissions, &steps)?;
    steps.extend(permissions);
    Ok(steps)
}
