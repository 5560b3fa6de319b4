//! QUEUED: waiting for a free slot.

use super::ends::{End, Ends, Halt};
use super::slots::Slot;
use super::{Pause, Step, log};
use crate::model::{Build, Context, Status};

impl Step {
    /// Waits until the build may run; `None` where it ended before its turn.
    pub(super) async fn wait_for_turn(&mut self) -> Result<Option<Slot>, Pause> {
        let build = self.record.build();
        let place = (build.started(), build.id.clone());
        let slots = std::sync::Arc::clone(&self.record.service().runner.slots);
        match Ends::of(self).unless(slots.acquire(place)).await {
            Ok(slot) => {
                let start = |build: &mut Build, now| {
                    build.log = log::place(build);
                    build.life.advance(Status::Succeeded, Context::default(), now);
                };
                // What follows first is another commit: the log's stream, the image, or the container that is taken.
                self.record.change_lax(start).await?;
                Ok(Some(slot))
            }
            Err(End::Paused(pause)) => Err(pause),
            Err(end) => {
                if let Halt::Phase(status, context) = Halt::from(end) {
                    self.record.advance(status, context).await?;
                }
                Ok(None)
            }
        }
    }

    /// The slot of a build that ran before this server started.
    pub(super) fn take_slot(&self) -> Slot {
        self.record.service().runner.slots.take()
    }
}
