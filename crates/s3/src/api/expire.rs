//! Removal by lifecycle rules.

use super::change::{Attempt, Change, Found};
use crate::Service;
use async_trait::async_trait;
use aws::Error;

/// A version goes because a rule says so, if it still is what the rule was asked about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expire {
    /// The current version of that sequence, as a delete without a version would have it.
    Current(u64),
    /// The version of that sequence, for good.
    Version(u64),
}

#[async_trait]
impl Change for Expire {
    type Output = ();

    async fn attempt(&self, service: &Service, found: Found<'_>) -> Result<Attempt<()>, Error> {
        let Some(head) = found.head.as_deref().cloned() else { return Ok(Attempt::Done(())) };
        let attempt = match *self {
            Self::Current(sequence) if head.current.sequence == sequence => service.delete_current(found).await?,
            Self::Version(sequence) if head.current.sequence == sequence => {
                service.remove_current(found, &head).await?
            }
            Self::Version(sequence) => match service.archived(&head.bucket, &head.key, sequence).await? {
                Some(archived) => service.remove_archived(found, head, archived.value.version).await?,
                None => return Ok(Attempt::Done(())),
            },
            Self::Current(_) => return Ok(Attempt::Done(())),
        };
        Ok(attempt.map(|_| ()))
    }
}
