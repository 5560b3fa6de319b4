//! Starting a container: made, started, entered by the agent.

use std::time::Duration;

use agent::enter::ENTERED;
use bollard::errors::Error;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{CreateContainerOptions, StartContainerOptions};
use nix::sys::resource::{Resource, getrlimit};
use tokio::time::Instant;

use super::daemon::{said, status};
use super::records::Record;
use super::{Docker, create, network};
use crate::blocking::blocking;
use crate::{ContainerSpec, EngineError, mount_point};

/// How long the agent may take for its word; on a machine that is very busy, that is long.
const READY: Duration = Duration::from_secs(60);
/// How often the word is looked for; and after how many looks, whether the container runs at all.
const LOOK: Duration = Duration::from_millis(3);
const LOOKS: u32 = 20;

impl Docker {
    /// From nothing to a program that runs. What an error leaves is the caller's to clear.
    pub(super) async fn launch(&self, spec: &ContainerSpec, record: &Record) -> Result<(), EngineError> {
        if !spec.image.starts_with("sha256:") {
            return Err(EngineError::Image(format!("image {:?} was not prepared", spec.image)));
        }
        let body = self.body(spec, record).await?;
        let (to_make, made) = (record.clone(), spec.clone());
        blocking(move || {
            mount_point::make(&made.mounts)?;
            to_make.make(&made)
        })
        .await?;
        let name = self.0.records.name(&spec.id);
        self.create(spec, &name, body).await?;
        let to_mark = record.clone();
        blocking(move || to_mark.mark_launched()).await?;
        let started = self.0.daemon.client.start_container(&name, None::<StartContainerOptions>).await;
        started.map_err(|error| self.unstarted(spec, &error))?;
        self.entered(spec, record, &name).await
    }

    async fn body(&self, spec: &ContainerSpec, record: &Record) -> Result<ContainerCreateBody, EngineError> {
        let daemon = &self.0.daemon;
        let around = create::Surroundings {
            flavour: daemon.flavour,
            identity: self.0.records.identity(),
            agent: &self.0.agent,
            output: record.output(),
            word: record.word(),
            network: network::ensure(daemon, spec.network, self.0.way_out, &self.0.network).await?,
            hard_limits: self.0.hard_limits,
        };
        Ok(create::body(spec, &around))
    }

    async fn create(&self, spec: &ContainerSpec, name: &str, body: ContainerCreateBody) -> Result<(), EngineError> {
        let options = || CreateContainerOptions { name: Some(name.to_owned()), ..CreateContainerOptions::default() };
        let client = &self.0.daemon.client;
        let mut created = client.create_container(Some(options()), body.clone()).await;
        if created.as_ref().is_err_and(|error| status(error) == Some(409)) {
            // What a start before this one left: the name holds this folder's identity, so it is nobody else's.
            self.0.daemon.remove(name).await?;
            created = client.create_container(Some(options()), body).await;
        }
        match created {
            Ok(_) => Ok(()),
            Err(error) if status(&error) == Some(404) => {
                let reason = said(&error).unwrap_or_default();
                Err(EngineError::Image(format!("image {}: {reason}; it was removed after it was prepared", spec.image)))
            }
            Err(error) => Err(self.unstarted(spec, &error)),
        }
    }

    /// Waits for the agent's word that all is ready and it becomes the program, or why not.
    async fn entered(&self, spec: &ContainerSpec, record: &Record, name: &str) -> Result<(), EngineError> {
        let deadline = Instant::now() + READY;
        let failed = |reason: String| Err(EngineError::Start { id: spec.id.clone(), reason });
        for look in 1_u32.. {
            let word = tokio::fs::read_to_string(record.word()).await;
            let word = word.map_err(EngineError::io("cannot read", &record.word()))?;
            if word == ENTERED {
                return Ok(());
            }
            if !word.is_empty() && word.len() > ENTERED.len() {
                return failed(word);
            }
            if look.is_multiple_of(LOOKS) && (Instant::now() > deadline || !self.runs(name).await?) {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        failed("landfall-agent could not begin in it: is the image made for this kind of processor?".to_owned())
    }

    async fn runs(&self, name: &str) -> Result<bool, EngineError> {
        Ok(self.0.daemon.state(name).await?.is_some_and(|state| state.running == Some(true)))
    }

    fn unstarted(&self, spec: &ContainerSpec, error: &Error) -> EngineError {
        match said(error) {
            Some(reason) => EngineError::Start { id: spec.id.clone(), reason: with_hint(reason) },
            None => self.0.daemon.failed("start a container", error),
        }
    }

    /// Removes all there is of a container, the record last: until then it is found again.
    pub(super) async fn clear(&self, id: &str) -> Result<(), EngineError> {
        self.0.daemon.remove(&self.0.records.name(id)).await?;
        let (records, id) = (self.0.records.clone(), id.to_owned());
        blocking(move || records.remove(&id)).await
    }
}

/// What an operator can do about the daemon's commonest refusals.
fn with_hint(reason: String) -> String {
    let hint = if reason.contains("bind source path does not exist") {
        "; the daemon must run on this machine and see its files"
    } else if reason.contains("landfall-agent") && reason.contains("no such file") {
        "; a landfall-agent that is not static needs the C library in the image"
    } else {
        return reason;
    };
    reason + hint
}

/// This process's hard limits on open files and on processes: containers get no more.
pub(super) fn hard_limits() -> (i64, i64) {
    let hard = |resource| getrlimit(resource).map_or(1_024, |(_, hard)| i64::try_from(hard).unwrap_or(-1));
    (hard(Resource::RLIMIT_NOFILE), hard(Resource::RLIMIT_NPROC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_say_what_to_do() {
        let missing = "invalid mount config for type \"bind\": bind source path does not exist: /x";
        assert!(with_hint(missing.to_owned()).contains("on this machine"));
        let loader = "exec /landfall/bin/landfall-agent: no such file or directory";
        assert!(with_hint(loader.to_owned()).contains("not static"));
        assert_eq!(with_hint("out of space".to_owned()), "out of space");
    }
}
