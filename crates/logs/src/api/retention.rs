//! How long a group's events are kept.

use crate::api::errors::{changed, commit_failed, invalid};
use crate::model::{Expiry, Group};
use crate::rules::retention::{DAYS, allowed};
use crate::service::Service;
use aws::Error;
use aws::logs::{
    DeleteRetentionPolicyInput, DeleteRetentionPolicyOutput, PutRetentionPolicyInput, PutRetentionPolicyOutput,
};
use kernel::{Batch, Caller, CommitError};

/// How often a change looks again when somebody else wrote.
const ATTEMPTS: usize = 8;

/// `PutRetentionPolicy`. What is older is not seen from now on, and goes within the hour.
pub(super) async fn put(
    service: &Service,
    caller: &Caller,
    input: PutRetentionPolicyInput,
) -> Result<PutRetentionPolicyOutput, Error> {
    let days = input.retention_in_days.unwrap_or_default();
    if !allowed(days) {
        return Err(invalid(format!("retentionInDays must be one of {DAYS:?}, not {days}.")));
    }
    set(service, caller, input.log_group_name.as_deref(), Some(days)).await?;
    Ok(PutRetentionPolicyOutput {})
}

/// `DeleteRetentionPolicy`: what is there is kept for ever.
pub(super) async fn delete(
    service: &Service,
    caller: &Caller,
    input: DeleteRetentionPolicyInput,
) -> Result<DeleteRetentionPolicyOutput, Error> {
    set(service, caller, input.log_group_name.as_deref(), None).await?;
    Ok(DeleteRetentionPolicyOutput {})
}

/// Writes the group, and in the same commit who removes what expires.
async fn set(service: &Service, caller: &Caller, name: Option<&str>, days: Option<i32>) -> Result<(), Error> {
    let scope = caller.scope();
    for _ in 0..ATTEMPTS {
        let mut group = service.group(caller, name).await?;
        if group.class == aws::logs::log_group_class::DELIVERY {
            return Err(invalid("The retention of a log group of class DELIVERY cannot be changed."));
        }
        group.retention_days = days;
        let batch = expiry(service, caller, &group, Batch::new(&scope).replace(&group)).await?;
        match service.documents.commit(batch).await {
            Err(CommitError::Conflict { .. } | CommitError::Exists { .. }) => {}
            committed => return committed.map_err(commit_failed),
        }
    }
    Err(changed())
}

/// Adds to the batch that the group is looked through at once, or never more.
pub(super) async fn expiry(service: &Service, caller: &Caller, group: &Group, batch: Batch) -> Result<Batch, Error> {
    let known = service.documents.get::<Expiry>(&caller.scope(), &group.id).await?;
    let due = service.clock.now();
    Ok(match (known, group.retention_days) {
        (Some(known), None) => batch.remove(&known),
        (Some(mut known), Some(_)) => {
            (known.due, known.after) = (due, None);
            batch.replace(&known)
        }
        (None, Some(_)) => {
            batch.insert(&Expiry { group: group.id.clone(), name: group.name.clone(), due, after: None })
        }
        (None, None) => batch,
    })
}
