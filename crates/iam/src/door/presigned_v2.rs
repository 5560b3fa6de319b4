//! URLs of S3 that were presigned by Signature Version 2: what `aws s3 presign` and boto3 write unless told otherwise.

use crate::door::{AuthError, Authenticator, Connection, verified};
use kernel::{Caller, Timestamp};
use sigv4::v2::PresignedV2;
use sigv4::{MAX_PRESIGNED_SECONDS, Request};
use std::time::Duration;

impl Authenticator {
    /// Authenticates a presigned URL. The signature names no region: the default one is meant.
    pub(super) async fn admit_presigned_v2(
        &self,
        presented: &PresignedV2,
        request: &Request<'_>,
        connection: Connection<'_>,
    ) -> Result<Caller, AuthError> {
        let (id, region) = (&presented.access_key_id, &self.defaults.region);
        let Some(key) = self.find(id, presented.session_token.as_deref()).await? else {
            return self.unverified(id, region, connection).ok_or(AuthError::UnknownKey);
        };
        if !presented.verify(request, &key.secret) {
            return Err(AuthError::Mismatch);
        }
        check_time(presented.expires, self.keyring.now())?;
        Ok(verified(key, region, connection))
    }
}

/// The URL tells its end and not its beginning: one that ends later than any of version 4 would is not taken yet.
fn check_time(expires: i64, now: Timestamp) -> Result<(), AuthError> {
    let (expires, week) = (Timestamp::from_seconds(expires), Duration::from_secs(u64::from(MAX_PRESIGNED_SECONDS)));
    if expires < now {
        return Err(AuthError::Expired);
    }
    if expires > now + week {
        let text = format!("Expires must be less than a week (in seconds) that is {MAX_PRESIGNED_SECONDS} from now");
        return Err(AuthError::IncompleteQuery(text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_good_until_its_end_and_for_a_week_at_most() {
        let now = 1_440_938_160;
        for (offset, good) in [(-1, false), (0, true), (604_800, true), (604_801, false), (i64::MAX / 2_000, false)] {
            assert_eq!(check_time(now + offset, Timestamp::from_seconds(now)).is_ok(), good, "{offset}");
        }
    }
}
