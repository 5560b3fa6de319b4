//! One event as bytes: length and CRC-32 of what follows (little-endian, four bytes each), then time, time of ingestion
//! (eight bytes each) and the message.

/// One log event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// Milliseconds since the epoch, as the client says.
    pub(crate) timestamp: i64,
    /// Milliseconds since the epoch, when it arrived here.
    pub(crate) ingested: i64,
    pub(crate) message: String,
}

/// Bytes that an event counts for besides its message, as CloudWatch Logs reckons.
pub(crate) const EVENT_OVERHEAD: usize = 26;

impl Event {
    /// What it counts for in the limits of batches and pages, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.message.len() + EVENT_OVERHEAD
    }
}

/// Bytes before the message's own.
const HEAD: usize = 8;
const TIMES: usize = 16;

/// How many bytes an event's record has.
pub(crate) fn length(event: &Event) -> u64 {
    (HEAD + TIMES + event.message.len()) as u64
}

/// Appends an event's record.
pub(crate) fn encode(event: &Event, out: &mut Vec<u8>) {
    let start = out.len();
    // A message is at most 256 KiB, so its length fits.
    let length = u32::try_from(TIMES + event.message.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&event.timestamp.to_le_bytes());
    out.extend_from_slice(&event.ingested.to_le_bytes());
    out.extend_from_slice(event.message.as_bytes());
    let sum = crc32fast::hash(&out[start + HEAD..]);
    out[start + 4..start + HEAD].copy_from_slice(&sum.to_le_bytes());
}

/// The events of a row of records, up to the first that is cut off or damaged.
pub(crate) struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Records<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
}

impl Iterator for Records<'_> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let rest = self.bytes.get(self.at..)?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (sum, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let body = rest.get(..length)?;
        if crc32fast::hash(body) != u32::from_le_bytes(*sum) {
            return None;
        }
        let (timestamp, body) = body.split_first_chunk::<8>()?;
        let (ingested, message) = body.split_first_chunk::<8>()?;
        let message = std::str::from_utf8(message).ok()?.to_owned();
        self.at += HEAD + length;
        Some(Event { timestamp: i64::from_le_bytes(*timestamp), ingested: i64::from_le_bytes(*ingested), message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(events: &[Event]) -> Vec<u8> {
        let mut bytes = Vec::new();
        events.iter().for_each(|event| encode(event, &mut bytes));
        bytes
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let event = (any::<i64>(), any::<i64>(), ".{0,30}");
        let event = event.prop_map(|(timestamp, ingested, message)| Event { timestamp, ingested, message });
        proptest::collection::vec(event, 0..6)
    }

    proptest! {
        #[test]
        fn records_read_back(events in events()) {
            let bytes = encoded(&events);
            prop_assert_eq!(&Records::new(&bytes).collect::<Vec<_>>(), &events);
            prop_assert_eq!(events.iter().map(length).sum::<u64>(), bytes.len() as u64);
        }

        #[test]
        fn what_is_cut_off_is_left_out(events in events(), cut in any::<prop::sample::Index>()) {
            let bytes = encoded(&events);
            let cut = cut.index(bytes.len() + 1);
            let read: Vec<_> = Records::new(&bytes[..cut]).collect();
            prop_assert!(events.starts_with(&read));
            prop_assert!(read.iter().map(length).sum::<u64>() <= cut as u64);
        }

        #[test]
        fn any_bytes_may_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Records::new(&bytes).count();
        }
    }

    #[test]
    fn a_flipped_bit_is_seen() {
        let event = Event { timestamp: 1, ingested: 2, message: "hello".into() };
        let mut bytes = encoded(&[event.clone(), event]);
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        assert_eq!(Records::new(&bytes).count(), 1);
    }
}
