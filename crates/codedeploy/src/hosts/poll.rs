//! PollHostCommand: a long poll on the host's queue.

use super::client_error;
use crate::Service;
use crate::model::{DeploymentTarget, OnPremisesInstance};
use crate::rules::command::execution_id;
use aws::Error;
use aws::codedeploy_commands::{HostCommandInstance, PollHostCommandOutput};
use kernel::{Batch, Caller, CommitError, Page, Scope, Stored, Timestamp};
use std::time::Duration;

/// Commands of one host that wait at the same time; further ones wait for these.
const QUEUE: usize = 100;
/// A host's `last_seen` is written no more often than this.
const SEEN_EVERY: Duration = Duration::from_secs(60);

/// What is in a host's queue.
enum Queue {
    /// A command, leased to the poller now.
    Command(HostCommandInstance),
    /// Nothing to give before this time, if there is anything at all.
    Nothing(Option<Timestamp>),
}

impl Service {
    /// Waits for a command for the host.
    pub(super) async fn poll(&self, caller: &Caller, host_identifier: &str) -> Result<PollHostCommandOutput, Error> {
        let instance = self.host(caller, host_identifier).await?;
        let (scope, identity) = (caller.scope(), caller.arn());
        self.see(&scope, instance).await?;
        let begun = self.now();
        let waiting = self.bells.wait(&scope, &identity)?;
        loop {
            let bell = waiting.bell.notified();
            tokio::pin!(bell);
            bell.as_mut().enable(); // Listens before it looks, so that no command is missed in between.
            let next = match self.take(&scope, &identity).await? {
                Queue::Command(command) => return Ok(PollHostCommandOutput { host_command: Some(command) }),
                Queue::Nothing(next) => next,
            };
            let until = self.clock.carried(begun) + self.deadlines.poll;
            let wake = next.map_or(until, |next| next.min(until));
            if self.now() >= until {
                return Ok(PollHostCommandOutput::default());
            }
            tokio::select! {
                () = &mut bell => {}
                () = self.clock.sleep_until(wake) => {}
                () = self.closing.stopped() => return Ok(PollHostCommandOutput::default()),
            }
        }
    }

    /// Leases the host's oldest command that no one has.
    async fn take(&self, scope: &Scope, identity: &str) -> Result<Queue, Error> {
        let queue: Vec<Stored<DeploymentTarget>> =
            self.documents.find(scope, "queue", identity, Page::first(QUEUE)).await?;
        let now = self.now();
        let mut next: Option<Timestamp> = None;
        for mut target in queue {
            let Some(command) = &mut target.value.command else { continue };
            match command.leased_until(self.opened, &self.deadlines) {
                // One that is longer than any was given before the clock was set back.
                Some(until) if until > now && until <= now + self.deadlines.lease => {
                    next = Some(next.map_or(until, |next| next.min(until)));
                }
                _ => {
                    command.leased_until = Some(now + self.deadlines.lease);
                    let instance = instance(scope, &target)?;
                    match self.documents.commit(Batch::new(scope).replace(&target)).await {
                        Ok(()) => {
                            kernel::crash_point!("codedeploy_after_lease");
                            return Ok(Queue::Command(instance));
                        }
                        // Another poll took it, or it was withdrawn: look again at once.
                        Err(CommitError::Conflict { .. }) => next = Some(now),
                        Err(error) => return Err(Error::internal(error)),
                    }
                }
            }
        }
        Ok(Queue::Nothing(next))
    }

    /// Notes that the host's agent lives. Losing a race with another writer does not matter.
    async fn see(&self, scope: &Scope, mut instance: Stored<OnPremisesInstance>) -> Result<(), Error> {
        let now = self.now();
        if instance.last_seen.is_some_and(|seen| seen <= now && now.since(seen) < SEEN_EVERY) {
            return Ok(());
        }
        instance.value.last_seen = Some(now);
        match self.documents.commit(Batch::new(scope).replace(&instance)).await {
            Ok(()) | Err(CommitError::Conflict { .. }) => Ok(()),
            Err(error) => Err(Error::internal(error)),
        }
    }
}

fn instance(scope: &Scope, target: &DeploymentTarget) -> Result<HostCommandInstance, Error> {
    let command = target.command.as_ref().ok_or_else(|| client_error("The command was withdrawn."))?;
    Ok(HostCommandInstance {
        host_command_identifier: target.command_id(command.event).encode(),
        host_identifier: target.identity.clone(),
        deployment_execution_id: execution_id(scope, &target.deployment),
        command_name: target.events[command.event].name.clone(),
        nonce: command.queued.millis(),
    })
}
