//! When a signature is good: 15 minutes around now, or for as long as a presigned request says.

use kernel::Timestamp;
use sigv4::{AmzDate, Place};
use std::time::Duration;

/// How far a client's clock may be off.
const SKEW: Duration = Duration::from_secs(15 * 60);

/// Why a signature's time is refused, in AWS's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TimeError {
    /// Signed too long ago.
    #[error("Signature expired: {signed} is now earlier than {earliest} ({now} - {minutes} min.)")]
    Expired {
        /// `X-Amz-Date` of the request.
        signed: AmzDate,
        /// The earliest time that would do.
        earliest: AmzDate,
        /// The server's time.
        now: AmzDate,
        /// Minutes of validity.
        minutes: u64,
    },
    /// Signed in the future.
    #[error("Signature not yet current: {signed} is still later than {latest} ({now} + 15 min.)")]
    NotYet {
        /// `X-Amz-Date` of the request.
        signed: AmzDate,
        /// The latest time that would do.
        latest: AmzDate,
        /// The server's time.
        now: AmzDate,
    },
}

/// Checks the time of a signature.
pub(crate) fn check(signed: AmzDate, place: Place, now: Timestamp) -> Result<(), TimeError> {
    let valid = match place {
        Place::Header => SKEW,
        Place::Query { seconds } => Duration::from_secs(u64::from(seconds)),
    };
    let (earliest, latest, now) = (amz(now - valid), amz(now + SKEW), amz(now));
    if signed < earliest {
        let minutes = valid.as_secs() / 60;
        return Err(TimeError::Expired { signed, earliest, now, minutes });
    }
    if signed > latest {
        return Err(TimeError::NotYet { signed, latest, now });
    }
    Ok(())
}

fn amz(time: Timestamp) -> AmzDate {
    AmzDate::from_epoch_seconds(time.seconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_440_938_160;

    fn check_at(offset: i64, place: Place) -> Result<(), TimeError> {
        check(AmzDate::from_epoch_seconds(NOW + offset), place, Timestamp::from_seconds(NOW))
    }

    #[test]
    fn a_clock_may_be_fifteen_minutes_off() {
        for (offset, good) in [(0, true), (-900, true), (900, true), (-901, false), (901, false)] {
            assert_eq!(check_at(offset, Place::Header).is_ok(), good, "{offset}");
        }
    }

    #[test]
    fn a_presigned_request_lives_as_long_as_it_says() {
        for (seconds, offset, good) in
            [(60, -60, true), (60, -61, false), (604_800, -604_800, true), (60, 900, true), (60, 901, false)]
        {
            assert_eq!(check_at(offset, Place::Query { seconds }).is_ok(), good, "{seconds} {offset}");
        }
    }

    #[test]
    fn the_texts_are_those_of_aws() {
        let text = |offset| check_at(offset, Place::Header).map_err(|error| error.to_string());
        assert_eq!(
            text(-3_600),
            Err(
                "Signature expired: 20150830T113600Z is now earlier than 20150830T122100Z (20150830T123600Z - 15 min.)"
                    .into()
            )
        );
        assert_eq!(
            text(3_600),
            Err("Signature not yet current: 20150830T133600Z is still later than 20150830T125100Z (20150830T123600Z + 15 min.)".into())
        );
    }
}
