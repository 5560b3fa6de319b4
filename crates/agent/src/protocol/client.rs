//! The agent's end: a link that outlives its connections.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, mpsc, watch};

use super::frame::{FrameError, FrameReader, FrameWriter, encode};
use super::message::{FromAgent, Hello, Report, ToAgent};

/// Bytes of unacknowledged reports that are held before [`Link::report`] waits.
const OUTBOX_LIMIT: usize = 1024 * 1024;
const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_LAST: Duration = Duration::from_secs(1);

/// What arrives over a link.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// A message; greetings and acknowledgements are dealt with by the link itself.
    Message(ToAgent),
    /// The connection was lost: what the server was in the middle of starts anew on the next one.
    Disconnected,
}

/// A link to the server. Clones are the same link; it ends when the receiver of [`Incoming`] is dropped.
#[derive(Debug, Clone)]
pub struct Link {
    shared: Arc<Shared>,
    answers: mpsc::Sender<FromAgent>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    pushed: Notify,
    acknowledged: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    hello: Hello,
    outbox: VecDeque<(u64, Bytes)>,
    held: usize,
}

/// Starts a link; `connect` is called for each connection, and again with growing pauses (at most a second)
/// where it fails. Must be called on a Tokio runtime.
pub fn start<C, F, S>(connect: C) -> (Link, mpsc::Receiver<Incoming>)
where
    C: Fn() -> F + Send + 'static,
    F: Future<Output = io::Result<S>> + Send + 'static,
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let state = State {
        hello: Hello { version: super::VERSION, agent: env!("CARGO_PKG_VERSION").into(), ..Hello::default() },
        ..State::default()
    };
    let shared =
        Arc::new(Shared { state: Mutex::new(state), pushed: Notify::new(), acknowledged: watch::Sender::new(0) });
    let (answers, answers_out) = mpsc::channel(2);
    let (incoming_in, incoming) = mpsc::channel(4);
    let link = Link { shared: shared.clone(), answers };
    tokio::spawn(keep_connected(shared, connect, answers_out, incoming_in));
    (link, incoming)
}

impl Link {
    /// Queues a report; waits while too much is unacknowledged. Never call it from the task that takes the
    /// [`Incoming`] messages: acknowledgements come the same way.
    ///
    /// # Errors
    /// A report that does not fit a frame.
    pub async fn report(&self, report: Report) -> Result<(), FrameError> {
        let mut acknowledged = self.shared.acknowledged.subscribe();
        while self.shared.state().held >= OUTBOX_LIMIT {
            if acknowledged.changed().await.is_err() {
                break;
            }
        }
        self.shared.push(report)
    }

    /// Answers a question of the server on the present connection; without one the answer is dropped.
    pub async fn answer(&self, answer: FromAgent) {
        // A closed channel means that the link ended, and nobody waits for the answer.
        let _ = self.answers.send(answer).await;
    }

    /// Waits until every report made so far is acknowledged.
    pub async fn acknowledged(&self) {
        let last = self.shared.state().hello.reported;
        // The sender lives in `self.shared`, so waiting cannot fail.
        let _ = self.shared.acknowledged.subscribe().wait_for(|number| *number >= last).await;
    }

    /// From now on greetings say that this source is unpacked.
    pub fn source_unpacked(&self, index: u32) {
        let mut state = self.shared.state();
        if !state.hello.sources.contains(&index) {
            state.hello.sources.push(index);
        }
    }

    /// From now on greetings say that this build's job is here.
    pub fn has_job(&self, build: &str) {
        self.shared.state().hello.build = Some(build.to_owned());
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock; if it did, the state would still be whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, report: Report) -> Result<(), FrameError> {
        let mut state = self.state();
        let sequence = state.hello.reported + 1;
        let frame = encode(FromAgent::Report { sequence, report })?;
        state.hello.reported = sequence;
        state.held += frame.len();
        state.outbox.push_back((sequence, frame));
        drop(state);
        self.pushed.notify_one();
        Ok(())
    }

    fn acknowledge(&self, sequence: u64) {
        let mut state = self.state();
        while let Some((_, frame)) = state.outbox.pop_front_if(|(first, _)| *first <= sequence) {
            state.held -= frame.len();
        }
        drop(state);
        self.acknowledged.send_if_modified(|number| {
            let more = sequence > *number;
            *number = sequence.max(*number);
            more
        });
    }

    fn report_after(&self, sequence: u64) -> Option<(u64, Bytes)> {
        let state = self.state();
        let at = state.outbox.partition_point(|(number, _)| *number <= sequence);
        state.outbox.get(at).cloned()
    }
}

async fn keep_connected<C, F, S>(
    shared: Arc<Shared>,
    connect: C,
    mut answers: mpsc::Receiver<FromAgent>,
    incoming: mpsc::Sender<Incoming>,
) where
    C: Fn() -> F,
    F: Future<Output = io::Result<S>>,
    S: AsyncRead + AsyncWrite,
{
    let mut pause = RETRY_FIRST;
    while !incoming.is_closed() {
        if let Ok(stream) = connect().await {
            let before = tokio::time::Instant::now();
            // Whatever ended the connection, the answer is the next connection.
            let _ = converse(&shared, stream, &mut answers, &incoming).await;
            if incoming.send(Incoming::Disconnected).await.is_err() {
                return;
            }
            if before.elapsed() > RETRY_LAST {
                pause = RETRY_FIRST;
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY_LAST);
    }
}

async fn converse<S: AsyncRead + AsyncWrite>(
    shared: &Shared,
    stream: S,
    answers: &mut mpsc::Receiver<FromAgent>,
    incoming: &mpsc::Sender<Incoming>,
) -> Result<(), FrameError> {
    let (read, write) = tokio::io::split(stream);
    let (mut reader, mut writer) = (FrameReader::new(read), FrameWriter::new(write));
    let hello = shared.state().hello.clone();
    writer.send(FromAgent::Hello(hello)).await?;
    let Some(ToAgent::Welcome { version: super::VERSION, recorded }) = reader.next().await? else {
        return Ok(());
    };
    shared.acknowledge(recorded);
    // Answers that waited belong to the last connection.
    while answers.try_recv().is_ok() {}
    tokio::select! {
        end = receive(shared, &mut reader, incoming) => end,
        end = send(shared, &mut writer, recorded, answers) => end,
    }
}

async fn receive<R: AsyncRead + Unpin>(
    shared: &Shared,
    reader: &mut FrameReader<R>,
    incoming: &mpsc::Sender<Incoming>,
) -> Result<(), FrameError> {
    while let Some(message) = reader.next().await? {
        match message {
            ToAgent::Ack { sequence } => shared.acknowledge(sequence),
            ToAgent::Welcome { .. } => {}
            message => {
                if incoming.send(Incoming::Message(message)).await.is_err() {
                    break;
                }
            }
        }
    }
    Ok(())
}

async fn send<W: AsyncWrite + Unpin>(
    shared: &Shared,
    writer: &mut FrameWriter<W>,
    mut sent: u64,
    answers: &mut mpsc::Receiver<FromAgent>,
) -> Result<(), FrameError> {
    loop {
        while let Some((sequence, frame)) = shared.report_after(sent) {
            writer.send_encoded(&frame).await?;
            sent = sequence;
        }
        tokio::select! {
            () = shared.pushed.notified() => {}
            Some(answer) = answers.recv() => writer.send(answer).await?,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use tokio::io::DuplexStream;

    use super::*;
    use crate::protocol::server::{Greeted, Inbox, Verdict, greet};

    /// A link whose connections come out of the receiver.
    fn link() -> (Link, mpsc::Receiver<Incoming>, mpsc::Receiver<DuplexStream>) {
        let (dialled, server) = mpsc::channel(1);
        let (link, incoming) = start(move || {
            let dialled = dialled.clone();
            async move {
                let (agent, server) = tokio::io::duplex(64 * 1024);
                dialled.send(server).await.map_err(io::Error::other)?;
                Ok(agent)
            }
        });
        (link, incoming, server)
    }

    fn line(text: &str) -> Report {
        Report::LogLines { time: 1, data: Bytes::copy_from_slice(text.as_bytes()) }
    }

    async fn report(reader: &mut Greeted<DuplexStream>) -> (u64, Report) {
        match reader.0.next().await.unwrap().unwrap() {
            FromAgent::Report { sequence, report } => (sequence, report),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn unacknowledged_reports_come_again_and_are_told_apart() {
        let (link, mut incoming, mut server) = link();
        let mut inbox = Inbox::default();
        link.report(line("one")).await.unwrap();
        link.report(line("two")).await.unwrap();

        let mut first = greet(server.recv().await.unwrap(), inbox.recorded()).await.unwrap();
        for number in 1..=2 {
            let (sequence, report) = report(&mut first).await;
            assert_eq!((sequence, inbox.accept(sequence, &report)), (number, Ok(Verdict::New)));
        }
        first.1.send(ToAgent::Ack { sequence: 1 }).await.unwrap();
        first.1.send(ToAgent::Finish).await.unwrap();
        assert_eq!(incoming.recv().await, Some(Incoming::Message(ToAgent::Finish)));
        drop(first);
        assert_eq!(incoming.recv().await, Some(Incoming::Disconnected));

        link.report(line("three")).await.unwrap();
        let mut second = greet(server.recv().await.unwrap(), 1).await.unwrap();
        assert_eq!(second.2.reported, 3);
        let (sequence, repeated) = report(&mut second).await;
        assert_eq!((sequence, inbox.accept(sequence, &repeated)), (2, Ok(Verdict::Repeated)));
        let (sequence, new) = report(&mut second).await;
        assert_eq!((new.clone(), inbox.accept(sequence, &new)), (line("three"), Ok(Verdict::New)));
        second.1.send(ToAgent::Ack { sequence: 3 }).await.unwrap();
        link.acknowledged().await;
    }

    #[tokio::test]
    async fn greetings_say_what_is_here_already() {
        let (link, _incoming, mut server) = link();
        drop(server.recv().await.unwrap());
        link.source_unpacked(0);
        link.source_unpacked(0);
        link.has_job("p:1");
        // The connection that was under way carries the old greeting; the next one the new.
        loop {
            let (.., hello) = greet(server.recv().await.unwrap(), 0).await.unwrap();
            if hello.build.is_some() {
                assert_eq!((hello.sources, hello.build.as_deref()), (vec![0], Some("p:1")));
                break;
            }
        }
    }

    #[tokio::test]
    async fn too_much_that_is_unacknowledged_makes_reports_wait() {
        let (link, _incoming, mut server) = link();
        let big = || Report::LogLines { time: 1, data: vec![b'x'; OUTBOX_LIMIT].into() };
        link.report(big()).await.unwrap();
        let waiting = tokio::spawn({
            let (link, report) = (link.clone(), big());
            async move { link.report(report).await }
        });
        let mut connection = greet(server.recv().await.unwrap(), 0).await.unwrap();
        let _ = report(&mut connection).await;
        assert!(!waiting.is_finished());
        connection.1.send(ToAgent::Ack { sequence: 1 }).await.unwrap();
        waiting.await.unwrap().unwrap();
    }
}
