//! Which events of a `PutLogEvents` are taken.
//!
//! Source: PutLogEvents, Amazon CloudWatch Logs API Reference.

use crate::segments::EVENT_OVERHEAD;
use aws::logs::{InputLogEvent, RejectedLogEventsInfo};

/// Most bytes of a batch: all messages, and 26 bytes for each event.
const BATCH_BYTES: usize = 1_048_576;
/// Most bytes of one message.
const EVENT_BYTES: usize = 262_144;
const HOUR: i64 = 3_600_000;
/// Longest time between the first and the last event.
const SPAN: i64 = 24 * HOUR;
/// How old an event may be.
const OLDEST: i64 = 14 * 24 * HOUR;
/// How far in the future an event may be.
const NEWEST: i64 = 2 * HOUR;

/// Why a whole batch is refused; the text of `InvalidParameterException`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("Log events in a single PutLogEvents request must be in chronological order.")]
    Order,
    #[error("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")]
    Span,
    #[error("Upload too large: {0} bytes exceeds limit of {BATCH_BYTES}")]
    BatchSize(usize),
    #[error("Log event too large: {size} bytes exceeds limit of {EVENT_BYTES} (logEvents.{index})")]
    EventSize { index: usize, size: usize },
}

/// What is taken of a batch: a part without holes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Accepted {
    /// Indices of the events to store.
    pub(crate) range: std::ops::Range<usize>,
    /// What is told of the others.
    pub(crate) rejected: Option<RejectedLogEventsInfo>,
}

/// Judges a batch at a time (milliseconds), for a group whose events before `oldest` have expired.
pub(crate) fn judge(events: &[InputLogEvent], now: i64, oldest: i64) -> Result<Accepted, Refused> {
    check_sizes(events)?;
    let times: Vec<i64> = events.iter().map(|event| event.timestamp.unwrap_or_default()).collect();
    if !times.is_sorted() {
        return Err(Refused::Order);
    }
    if let (Some(first), Some(last)) = (times.first(), times.last())
        && last.saturating_sub(*first) > SPAN
    {
        return Err(Refused::Span);
    }
    let too_old = times.partition_point(|time| *time < now - OLDEST);
    let expired = times.partition_point(|time| *time < oldest);
    let start = too_old.max(expired);
    let end = times.partition_point(|time| *time <= now + NEWEST);
    let index = |index: usize| i32::try_from(index).unwrap_or(i32::MAX);
    let rejected = (start > 0 || end < times.len()).then(|| RejectedLogEventsInfo {
        too_old_log_event_end_index: (too_old > 0).then(|| index(too_old)),
        too_new_log_event_start_index: (end < times.len()).then(|| index(end)),
        expired_log_event_end_index: (expired > 0).then(|| index(expired)),
    });
    Ok(Accepted { range: start..end.max(start), rejected })
}

fn check_sizes(events: &[InputLogEvent]) -> Result<(), Refused> {
    let sizes = || events.iter().map(|event| event.message.as_deref().map_or(0, str::len));
    if let Some((index, size)) = sizes().enumerate().find(|(_, size)| *size > EVENT_BYTES) {
        return Err(Refused::EventSize { index, size });
    }
    let total: usize = sizes().map(|size| size + EVENT_OVERHEAD).sum();
    if total > BATCH_BYTES { Err(Refused::BatchSize(total)) } else { Ok(()) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    fn event(timestamp: i64, size: usize) -> InputLogEvent {
        InputLogEvent { timestamp: Some(timestamp), message: Some("x".repeat(size)) }
    }

    fn at(offsets: &[i64]) -> Result<Accepted, Refused> {
        judge(&offsets.iter().map(|offset| event(NOW + offset, 1)).collect::<Vec<_>>(), NOW, i64::MIN)
    }

    #[test]
    fn what_is_too_old_or_too_new_is_left_out() {
        for (offsets, range, old, new) in [
            (&[-1, 0, 1][..], 0..3, None, None),
            (&[-OLDEST - 1, -OLDEST][..], 1..2, Some(1), None),
            (&[NEWEST, NEWEST + 1][..], 0..1, None, Some(1)),
            (&[-OLDEST - 2, -OLDEST - 1][..], 2..2, Some(2), None),
            (&[NEWEST + 1][..], 0..0, None, Some(0)),
        ] {
            let accepted = at(offsets).unwrap();
            assert_eq!(accepted.range, range);
            let rejected = accepted.rejected.unwrap_or_default();
            assert_eq!((rejected.too_old_log_event_end_index, rejected.too_new_log_event_start_index), (old, new));
        }
    }

    #[test]
    fn what_has_expired_is_left_out() {
        for (offsets, oldest, range, old, expired) in [
            (&[-3, -2, -1][..], -2, 1..3, None, Some(1)),
            (&[-3, -2, -1][..], 0, 3..3, None, Some(3)),
            (&[-OLDEST - 1, -OLDEST + 1, -OLDEST + 2][..], -OLDEST + 2, 2..3, Some(1), Some(2)),
            (&[-OLDEST - 1, -OLDEST][..], -OLDEST - 5, 1..2, Some(1), None),
        ] {
            let events: Vec<_> = offsets.iter().map(|offset| event(NOW + offset, 1)).collect();
            let accepted = judge(&events, NOW, NOW + oldest).unwrap();
            let rejected = accepted.rejected.unwrap_or_default();
            let told = (rejected.too_old_log_event_end_index, rejected.expired_log_event_end_index);
            assert_eq!((accepted.range, told), (range, (old, expired)), "{offsets:?}");
        }
    }

    #[test]
    fn a_batch_is_in_order_and_spans_a_day() {
        assert_eq!(at(&[0, -1]), Err(Refused::Order));
        assert!(at(&[-SPAN, 0]).is_ok());
        assert_eq!(at(&[-SPAN - 1, 0]), Err(Refused::Span));
    }

    #[test]
    fn sizes_are_bounded() {
        let batch =
            |sizes: &[usize]| judge(&sizes.iter().map(|size| event(NOW, *size)).collect::<Vec<_>>(), NOW, i64::MIN);
        assert!(batch(&[EVENT_BYTES]).is_ok());
        assert_eq!(batch(&[1, EVENT_BYTES + 1]), Err(Refused::EventSize { index: 1, size: EVENT_BYTES + 1 }));
        let quarter = BATCH_BYTES / 4 - EVENT_OVERHEAD;
        assert!(batch(&[quarter; 4]).is_ok());
        assert_eq!(batch(&[quarter, quarter, quarter, quarter + 1]), Err(Refused::BatchSize(BATCH_BYTES + 1)));
    }
}
