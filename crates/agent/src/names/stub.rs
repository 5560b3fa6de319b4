//! The resolver of a build: it answers for the names that are served, and asks the container's own name servers for all
//! others. What it is asked is hostile input: every wait and every queue is bounded.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::doorway::Doorway;
use super::message::{self, Question, Refusal};
use super::served::is_served;

/// A name server has this long; the C library's own patience is 5 seconds.
const PATIENCE: Duration = Duration::from_secs(2);
/// And so long may a client's connection say nothing.
const IDLE: Duration = Duration::from_secs(10);
/// Longest message by UDP. No server sends more than what the client's own EDNS option allows, which is rarely as much.
const DATAGRAM: usize = 4096;
/// Questions under way at once; one more is not answered, and asked again.
const QUESTIONS: usize = 256;
/// Connections at once.
const CONNECTIONS: usize = 32;

/// By which a question came, and is asked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Udp,
    Tcp,
}

/// Answers questions.
pub(super) struct Stub {
    address: Ipv4Addr,
    doorway: Doorway,
    name_servers: Vec<SocketAddr>,
    /// The one that answered last is asked first.
    first: AtomicUsize,
}

/// The sockets on which questions come.
pub(super) struct Sockets {
    udp: UdpSocket,
    tcp: TcpListener,
}

impl Sockets {
    /// Listens at `address` by both transports.
    ///
    /// # Errors
    /// Where the address cannot be had.
    pub(super) async fn bind(address: SocketAddr) -> io::Result<Self> {
        let udp = UdpSocket::bind(address).await?;
        let tcp = TcpListener::bind(udp.local_addr()?).await?;
        Ok(Self { udp, tcp })
    }
}

impl Stub {
    /// A stub that leads to `address`, whose `doorway` it opens.
    pub(super) fn new(address: Ipv4Addr, doorway: Doorway, name_servers: Vec<SocketAddr>) -> Arc<Self> {
        Arc::new(Self { address, doorway, name_servers, first: AtomicUsize::new(0) })
    }

    /// Answers from now on.
    pub(super) fn serve(self: Arc<Self>, sockets: Sockets) {
        tokio::spawn(Arc::clone(&self).by_udp(Arc::new(sockets.udp)));
        tokio::spawn(self.by_tcp(sockets.tcp));
    }

    async fn by_udp(self: Arc<Self>, socket: Arc<UdpSocket>) {
        let places = Arc::new(Semaphore::new(QUESTIONS));
        let mut datagram = vec![0; DATAGRAM];
        loop {
            // An error is about a client that is gone.
            let Ok((length, client)) = socket.recv_from(&mut datagram).await else { continue };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            let (stub, socket, query) = (Arc::clone(&self), Arc::clone(&socket), datagram[..length].to_vec());
            tokio::spawn(async move {
                if let Some(answer) = stub.answer(&query, Transport::Udp).await {
                    let _ = socket.send_to(&answer, client).await;
                }
                drop(place);
            });
        }
    }

    async fn by_tcp(self: Arc<Self>, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let Ok((stream, _)) = listener.accept().await else {
                // Out of descriptors: the connections under way will free some.
                sleep(Duration::from_millis(50)).await;
                continue;
            };
            let stub = Arc::clone(&self);
            tokio::spawn(async move {
                // A client that breaks off wants no answer.
                let _ = stub.connection(stream).await;
                drop(place);
            });
        }
    }

    async fn connection(&self, mut stream: TcpStream) -> io::Result<()> {
        loop {
            let query = timeout(IDLE, receive(&mut stream)).await??;
            let Some(answer) = self.answer(&query, Transport::Tcp).await else { return Ok(()) };
            timeout(IDLE, send(&mut stream, &answer)).await??;
        }
    }

    /// The answer to a message, if it is one to be answered.
    async fn answer(&self, query: &[u8], transport: Transport) -> Option<Vec<u8>> {
        let question = match Question::read(query) {
            Ok(question) => question,
            Err(refusal) => return refusal.map(|refusal| message::refuse_unread(query, refusal)),
        };
        if question.name.as_deref().is_some_and(is_served) {
            return Some(match self.doorway.open().await {
                Ok(()) => question.answer(query, self.address),
                // Nobody else may answer by this name.
                Err(_) => question.refuse(query, Refusal::ServerFailure),
            });
        }
        if self.name_servers.is_empty() {
            return Some(question.refuse(query, Refusal::NoSuchName));
        }
        Some(self.ask_on(query, &question, transport).await)
    }

    /// Asks the name servers in turn, beginning with the one that answered last.
    async fn ask_on(&self, query: &[u8], question: &Question, transport: Transport) -> Vec<u8> {
        let (first, count) = (self.first.load(Ordering::Relaxed), self.name_servers.len());
        for index in (first..first + count).map(|index| index % count) {
            let asked = timeout(PATIENCE, ask(self.name_servers[index], query, question, transport)).await;
            if let Ok(Ok(answer)) = asked {
                self.first.store(index, Ordering::Relaxed);
                return answer;
            }
        }
        question.refuse(query, Refusal::ServerFailure)
    }
}

/// Asks one name server, under an id and from a port that nobody can guess, and answers under the client's id.
async fn ask(server: SocketAddr, query: &[u8], question: &Question, transport: Transport) -> io::Result<Vec<u8>> {
    let mut id = [0; 2];
    SystemRandom::new().fill(&mut id).map_err(|_| io::Error::other("no random numbers"))?;
    let asked = [&id[..], &query[2..]].concat();
    let mut answer = match transport {
        Transport::Udp => ask_by_udp(server, &asked, question, id).await?,
        Transport::Tcp => {
            let mut stream = TcpStream::connect(server).await?;
            send(&mut stream, &asked).await?;
            let answer = receive(&mut stream).await?;
            if !question.is_answered_by(query, &answer, id) {
                return Err(io::ErrorKind::InvalidData.into());
            }
            answer
        }
    };
    answer[..2].copy_from_slice(&query[..2]);
    Ok(answer)
}

async fn ask_by_udp(server: SocketAddr, asked: &[u8], question: &Question, id: [u8; 2]) -> io::Result<Vec<u8>> {
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    socket.send(asked).await?;
    let mut answer = vec![0; DATAGRAM + 1];
    loop {
        let length = socket.recv(&mut answer).await?;
        if question.is_answered_by(asked, &answer[..length], id) {
            answer.truncate(length);
            return Ok(if length > DATAGRAM { question.truncated(asked) } else { answer });
        }
    }
}

/// Reads one message with its length before it (RFC 1035, 4.2.2).
async fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut message = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

async fn send(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], message].concat()).await
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::super::message::A;
    use super::super::message::tests::query;
    use super::*;

    const HERE: Ipv4Addr = Ipv4Addr::new(127, 0, 45, 66);

    /// On a port that is free for both; another process may take one of the two in between.
    async fn sockets() -> Sockets {
        for _ in 0..50 {
            if let Ok(sockets) = Sockets::bind("127.0.0.1:0".parse().unwrap()).await {
                return sockets;
            }
        }
        panic!("no port is free for UDP and TCP");
    }

    async fn stub(name_servers: Vec<SocketAddr>) -> SocketAddr {
        let sockets = sockets().await;
        let address = sockets.udp.local_addr().unwrap();
        Stub::new(HERE, Doorway::nowhere(), name_servers).serve(sockets);
        address
    }

    async fn by_udp(stub: SocketAddr, query: &[u8]) -> Vec<u8> {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.send_to(query, stub).await.unwrap();
        let mut answer = vec![0; 8192];
        let length = timeout(Duration::from_secs(20), socket.recv(&mut answer)).await.unwrap().unwrap();
        answer.truncate(length);
        answer
    }

    async fn by_tcp(stub: SocketAddr, query: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(stub).await.unwrap();
        send(&mut stream, query).await.unwrap();
        timeout(Duration::from_secs(20), receive(&mut stream)).await.unwrap().unwrap()
    }

    /// A name server that answers with 10.9.8.7 whatever it is asked, after a forged response.
    async fn name_server() -> (SocketAddr, Arc<std::sync::Mutex<Vec<Vec<u8>>>>) {
        let sockets = sockets().await;
        let address = sockets.udp.local_addr().unwrap();
        let asked = Arc::new(std::sync::Mutex::new(vec![]));
        let seen = Arc::clone(&asked);
        let reply = |query: &[u8]| Question::read(query).unwrap().answer(query, Ipv4Addr::new(10, 9, 8, 7));
        tokio::spawn(async move {
            let mut query = [0; 4096];
            loop {
                let (length, client) = sockets.udp.recv_from(&mut query).await.unwrap();
                seen.lock().unwrap().push(query[..length].to_vec());
                let answer = reply(&query[..length]);
                let mut forged = answer.clone();
                forged[0] ^= 1;
                sockets.udp.send_to(&forged, client).await.unwrap();
                sockets.udp.send_to(&answer, client).await.unwrap();
            }
        });
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = sockets.tcp.accept().await.unwrap();
                let query = receive(&mut stream).await.unwrap();
                send(&mut stream, &reply(&query)).await.unwrap();
            }
        });
        (address, asked)
    }

    #[tokio::test]
    async fn our_names_are_answered_here_and_never_asked_of_others() {
        let (server, asked) = name_server().await;
        let stub = stub(vec![server]).await;
        let question = query(9, "STS.us-east-1.amazonaws.com", A);
        for answer in [by_udp(stub, &question).await, by_tcp(stub, &question).await] {
            assert!(answer.starts_with(&[0, 9]) && answer.ends_with(&HERE.octets()));
        }
        let six = by_udp(stub, &query(9, "sts.amazonaws.com", 28)).await;
        assert_eq!((six[3] & 15, six[7]), (0, 0));
        assert!(asked.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn other_names_are_asked_verbatim_under_ids_of_our_own() {
        let (server, asked) = name_server().await;
        let stub = stub(vec![server]).await;
        let mut question = query(9, "example.org", 16);
        question[11] = 1;
        // An OPT record (EDNS): the root's name, type 41, 1232 bytes, nothing else.
        question.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
        for _ in 0..3 {
            assert_eq!(by_udp(stub, &question).await[..2], [0, 9]);
        }
        assert!(by_tcp(stub, &query(9, "example.org", A)).await.ends_with(&[10, 9, 8, 7]));
        let asked = asked.lock().unwrap();
        assert!(asked.iter().all(|asked| asked[2..] == question[2..]));
        assert!(asked.iter().any(|asked| asked[..2] != [0, 9]));
    }

    #[tokio::test]
    async fn a_dead_name_server_is_passed_over_and_without_any_it_is_said_at_once() {
        let (server, _) = name_server().await;
        let dead = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let question = query(9, "example.org", A);
        assert!(by_udp(stub(vec![dead, server]).await, &question).await.ends_with(&[10, 9, 8, 7]));
        assert_eq!(by_udp(stub(vec![dead]).await, &question).await[3] & 15, Refusal::ServerFailure as u8);
        assert_eq!(by_udp(stub(vec![]).await, &question).await[3] & 15, Refusal::NoSuchName as u8);
    }

    #[tokio::test]
    async fn garbage_is_refused_and_the_stub_lives_on() {
        let stub = stub(vec![]).await;
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        for garbage in [&b""[..], b"x", &[0xff; 600], &[0; 11]] {
            socket.send_to(garbage, stub).await.unwrap();
        }
        assert_eq!(by_udp(stub, &[0; 12]).await[3] & 15, Refusal::Format as u8);
        assert!(by_udp(stub, &query(9, "sts.amazonaws.com", A)).await.ends_with(&HERE.octets()));
    }
}
