//! `agent::protocol`: what a build's agent sends the server, and the server the agent.
//!
//! Held: messages are the same however the stream is cut into reads; what was read is written and read again as it was;
//! a report that is refused leaves the inbox as it was, and none is counted twice.

use crate::input::Crumbs;
use agent::protocol::server::{Inbox, Verdict};
use agent::protocol::{FrameReader, FrameWriter, FromAgent, Message, ToAgent};
use futures::executor::block_on;
use std::fmt::Debug;

/// The body.
pub fn body(data: &[u8]) {
    let (size, stream) = data.split_first().map_or((1, data), |(size, rest)| (usize::from(*size) + 1, rest));
    read_both_ways::<ToAgent>(stream, size);
    count(&read_both_ways::<FromAgent>(stream, size));
}

fn read_both_ways<M: Message + Clone + PartialEq + Debug>(stream: &[u8], size: usize) -> Vec<M> {
    let (messages, end) = read::<M>(stream, usize::MAX);
    let (crumbs, other_end) = read::<M>(stream, size);
    assert_eq!(messages, crumbs, "in pieces of {size}");
    assert_eq!(end, other_end, "in pieces of {size}");
    let mut written = Vec::new();
    let mut writer = FrameWriter::new(&mut written);
    // Spelled out, numbers and names may take more room than they came in.
    let fits = messages.iter().all(|message| block_on(writer.send(message.clone())).is_ok());
    if fits {
        assert_eq!(read::<M>(&written, usize::MAX), (messages.clone(), "end".to_owned()));
    }
    messages
}

fn read<M: Message>(data: &[u8], size: usize) -> (Vec<M>, String) {
    let mut reader = FrameReader::new(Crumbs { data, size });
    let mut messages = Vec::new();
    loop {
        match block_on(reader.next()) {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => return (messages, "end".to_owned()),
            Err(error) => return (messages, error.to_string()),
        }
    }
}

fn count(messages: &[FromAgent]) {
    let mut inbox = Inbox::default();
    for message in messages {
        let FromAgent::Report { sequence, report } = message else { continue };
        let before = inbox.clone();
        match inbox.accept(*sequence, report) {
            Ok(Verdict::New) => assert_eq!((inbox.recorded(), *sequence), (before.recorded() + 1, inbox.recorded())),
            Ok(Verdict::Repeated) => assert!(inbox == before && *sequence <= inbox.recorded()),
            Err(_) => assert_eq!(inbox, before, "a refused report changes nothing"),
        }
        assert!(inbox.is_done() >= before.is_done());
        assert_eq!(inbox.clone().accept(inbox.recorded(), report), Ok(Verdict::Repeated));
    }
}
