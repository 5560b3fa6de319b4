//! DNS messages (RFC 1035, 4), as far as a stub needs them: one question, and answers that repeat it.

use std::net::Ipv4Addr;

/// Types of records.
pub(super) const A: u16 = 1;
const ANY: u16 = 255;
const CLASS_IN: u16 = 1;

const HEADER: usize = 12;
const RESPONSE: u8 = 0x80;
const OPCODE: u8 = 0x78;
const TRUNCATED: u8 = 0x02;
const RECURSION_DESIRED: u8 = 0x01;
const RECURSION_AVAILABLE: u8 = 0x80;

/// How long an answer of ours may be kept, in seconds: it holds for the whole build.
const TTL: u32 = 300;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The question cannot be read.
    Format = 1,
    /// No name server that could answer does.
    ServerFailure = 2,
    /// There is no such name.
    NoSuchName = 3,
    /// No query.
    NotImplemented = 4,
}

/// What a query asks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// Labels with dots between; absent where one has other bytes than a host name's.
    pub(super) name: Option<String>,
    kind: u16,
    class: u16,
    /// Where the question ends in the message.
    end: usize,
}

impl Question {
    /// Reads a query's question.
    ///
    /// # Errors
    /// `None` for what must not be answered at all: no header, or a response. Else what to answer instead.
    pub(super) fn read(query: &[u8]) -> Result<Self, Option<Refusal>> {
        if query.len() < HEADER || query[2] & RESPONSE != 0 {
            return Err(None);
        }
        if query[2] & OPCODE != 0 {
            return Err(Some(Refusal::NotImplemented));
        }
        let one = query[4..6] == [0, 1] && query[6..8] == [0, 0];
        one.then(|| Self::at(query, HEADER)).flatten().ok_or(Some(Refusal::Format))
    }

    /// Compressed names cannot be in the first question of a message.
    fn at(message: &[u8], start: usize) -> Option<Self> {
        let (mut at, mut name, mut is_host) = (start, String::new(), true);
        loop {
            let length = usize::from(*message.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            let label = message.get(at..at + length).filter(|_| length < 64 && at + length - start < 255)?;
            is_host &= label.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
            if !name.is_empty() {
                name.push('.');
            }
            name.push_str(&String::from_utf8_lossy(label));
            at += length;
        }
        let number = |at: usize| Some(u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?]));
        Some(Self { name: is_host.then_some(name), kind: number(at)?, class: number(at + 2)?, end: at + 4 })
    }

    /// The answer that the name has this address: the one record for who asks for it, none for who asks for another type.
    pub(super) fn answer(&self, query: &[u8], address: Ipv4Addr) -> Vec<u8> {
        let asked = matches!(self.kind, A | ANY) && matches!(self.class, CLASS_IN | ANY);
        let mut answer = self.reply(query, 0, u8::from(asked));
        if asked {
            // The name is the question's.
            answer.extend_from_slice(&[0xc0, HEADER as u8]);
            answer.extend_from_slice(&A.to_be_bytes());
            answer.extend_from_slice(&CLASS_IN.to_be_bytes());
            answer.extend_from_slice(&TTL.to_be_bytes());
            answer.extend_from_slice(&[0, 4]);
            answer.extend_from_slice(&address.octets());
        }
        answer
    }

    /// The answer that there is none.
    pub(super) fn refuse(&self, query: &[u8], refusal: Refusal) -> Vec<u8> {
        self.reply(query, refusal as u8, 0)
    }

    /// Tells the client to ask again by TCP.
    pub(super) fn truncated(&self, query: &[u8]) -> Vec<u8> {
        let mut reply = self.reply(query, 0, 0);
        reply[2] |= TRUNCATED;
        reply
    }

    fn reply(&self, query: &[u8], code: u8, answers: u8) -> Vec<u8> {
        let mut reply = header(query, code);
        reply[5] = 1;
        reply[7] = answers;
        reply.extend_from_slice(&query[HEADER..self.end]);
        reply
    }

    /// Whether a message is the response to this question under this id. What else arrives is forged, or late.
    pub(super) fn is_answered_by(&self, query: &[u8], response: &[u8], id: [u8; 2]) -> bool {
        response.len() >= HEADER
            && response[..2] == id
            && response[2] & RESPONSE != 0
            // A refusal of a server may leave out the question.
            && (response[4..6] == [0, 0]
                || response.get(HEADER..self.end).is_some_and(|same| same.eq_ignore_ascii_case(&query[HEADER..self.end])))
    }
}

/// The answer to what is no readable question.
pub(super) fn refuse_unread(query: &[u8], refusal: Refusal) -> Vec<u8> {
    header(query, refusal as u8)
}

/// The header of a reply without any records.
fn header(query: &[u8], code: u8) -> Vec<u8> {
    let mut header = vec![0; HEADER];
    header[..2].copy_from_slice(&query[..2]);
    header[2] = RESPONSE | query[2] & (OPCODE | RECURSION_DESIRED);
    header[3] = RECURSION_AVAILABLE | code;
    header
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A query as libraries send it.
    pub(in super::super) fn query(id: u16, name: &str, kind: u16) -> Vec<u8> {
        let mut query = [&id.to_be_bytes()[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
        for label in name.split('.').filter(|label| !label.is_empty()) {
            query.push(u8::try_from(label.len()).unwrap());
            query.extend_from_slice(label.as_bytes());
        }
        query.push(0);
        query.extend_from_slice(&kind.to_be_bytes());
        query.extend_from_slice(&CLASS_IN.to_be_bytes());
        query
    }

    #[test]
    fn an_address_is_answered_and_other_types_have_no_records() {
        let address = Ipv4Addr::new(127, 0, 45, 66);
        for (kind, records) in [(A, 1), (ANY, 1), (28, 0), (65, 0), (12, 0)] {
            let query = query(7, "sts.amazonaws.com", kind);
            let question = Question::read(&query).unwrap();
            assert_eq!(question.name.as_deref(), Some("sts.amazonaws.com"));
            let answer = question.answer(&query, address);
            assert_eq!((&answer[..4], answer[7]), (&[0, 7, 0x81, 0x80][..], records), "{kind}");
            assert_eq!(answer.ends_with(&address.octets()), records == 1);
            assert!(question.is_answered_by(&query, &answer, [0, 7]));
        }
    }

    #[test]
    fn what_is_no_question_is_refused_or_ignored() {
        let whole = query(7, "a.b", A);
        let with = |at: usize, byte: u8| {
            let mut changed = whole.clone();
            changed[at] = byte;
            Question::read(&changed).err()
        };
        assert_eq!(Question::read(&whole[..11]).err(), Some(None));
        assert_eq!(with(2, RESPONSE), Some(None));
        assert_eq!(with(2, 0x28), Some(Some(Refusal::NotImplemented)));
        for (at, byte) in [(5, 0), (5, 2), (7, 1), (12, 0xc0), (12, 200), (14, 63)] {
            assert_eq!(with(at, byte), Some(Some(Refusal::Format)), "{at} {byte}");
        }
        assert_eq!(Question::read(&whole[..whole.len() - 1]).err(), Some(Some(Refusal::Format)));
        let long = vec!["x".repeat(63); 4].join(".");
        assert_eq!(Question::read(&query(7, &long, A)).err(), Some(Some(Refusal::Format)));
        assert_eq!(refuse_unread(&whole, Refusal::Format)[..4], [0, 7, 0x81, 0x81]);
    }

    #[test]
    fn names_of_other_bytes_are_nobodys() {
        assert_eq!(Question::read(&query(1, "", A)).unwrap().name.as_deref(), Some(""));
        for name in ["a b.example", "sts\u{0}.amazonaws.com", "\u{fc}.example"] {
            assert_eq!(Question::read(&query(1, name, A)).unwrap().name, None, "{name:?}");
        }
        // One label that holds a dot is no domain.
        let mut dotted = query(1, "stsxamazonaws.com", A);
        dotted[16] = b'.';
        assert_eq!(Question::read(&dotted).unwrap().name, None);
    }

    #[test]
    fn only_the_response_to_the_question_is_taken() {
        let query = query(1, "example.org", A);
        let question = Question::read(&query).unwrap();
        let response = question.refuse(&query, Refusal::NoSuchName);
        let mut other = response.clone();
        other[13] = b'X';
        assert!(question.is_answered_by(&query, &response, [0, 1]));
        assert!(!question.is_answered_by(&query, &response, [0, 2]));
        assert!(!question.is_answered_by(&query, &query, [0, 1]));
        assert!(!question.is_answered_by(&query, &response[..20], [0, 1]));
        assert!(question.is_answered_by(&query, &response.to_ascii_uppercase(), [0, 1]));
        other[13] = b'-';
        assert!(!question.is_answered_by(&query, &other, [0, 1]));
        assert_eq!(question.truncated(&query)[2] & TRUNCATED, TRUNCATED);
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered_within_bounds(mut bytes in any::<Vec<u8>>(), is_query: bool) {
            if is_query && bytes.len() > 8 {
                bytes[2] = 0;
                bytes[4..8].copy_from_slice(&[0, 1, 0, 0]);
            }
            if let Ok(question) = Question::read(&bytes) {
                let answer = question.answer(&bytes, Ipv4Addr::LOCALHOST);
                prop_assert!(answer.len() <= bytes.len() + 16);
                prop_assert!(question.is_answered_by(&bytes, &answer, [bytes[0], bytes[1]]));
            }
        }

        #[test]
        fn any_response_is_judged(response in any::<Vec<u8>>()) {
            let query = query(1, "example.org", A);
            let question = Question::read(&query).unwrap();
            let _ = question.is_answered_by(&query, &response, [0, 1]);
        }

        #[test]
        fn every_host_name_is_read(name in "[a-z0-9_-]{1,20}(\\.[a-zA-Z0-9-]{1,20}){0,6}") {
            let query = query(1, &name, A);
            prop_assert_eq!(Question::read(&query).unwrap().name, Some(name));
        }
    }
}
