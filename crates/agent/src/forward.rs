//! Byte forwarding from loopback addresses inside a container to the sockets of its mounted folder.
//!
//! - `127.0.0.1:4566` → `aws.sock`: every AWS call, `docker push`, Git.
//! - `169.254.170.2:80` → `credentials.sock`: the temporary credentials of this build's role.
//!
//! A client that comes while the server restarts waits for the new socket instead of failing.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::time::{Instant, sleep};

/// Where AWS clients inside a container find the server.
pub const AWS_ADDRESS: &str = "127.0.0.1:4566";
/// Where they find their credentials, as in ECS and CodeBuild.
pub const CREDENTIALS_ADDRESS: &str = "169.254.170.2:80";

/// How long a client waits for a server that is away.
const SERVER_AWAY: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_millis(50);

/// Forwards [`AWS_ADDRESS`] where the folder has an AWS socket; says on stderr where the address cannot be had.
pub async fn forward_aws(sockets: &Path) {
    let socket = sockets.join("aws.sock");
    if socket.exists()
        && let Err(error) = forward(AWS_ADDRESS, socket).await
    {
        eprintln!("landfall-agent: {AWS_ADDRESS}: {error}; AWS calls inside will not reach the server");
    }
}

/// Listens on `address` and forwards each connection to the Unix socket; returns the address it got.
///
/// # Errors
/// Where the address cannot be had.
pub async fn forward(address: &str, socket: PathBuf) -> io::Result<std::net::SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    tokio::spawn(accept(listener, socket));
    Ok(bound)
}

async fn accept(listener: TcpListener, socket: PathBuf) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => drop(tokio::spawn(carry(client, socket.clone()))),
            // Out of descriptors: the connections under way will free some.
            Err(_) => sleep(RETRY).await,
        }
    }
}

async fn carry(client: TcpStream, socket: PathBuf) {
    if let Ok(server) = reach(&socket).await {
        join(client, server).await;
    }
}

/// Carries bytes both ways until both ends are done. An end that takes no more is still heard out: a server may answer,
/// and hang up, before it has read all that it was sent.
pub async fn join(one: impl AsyncRead + AsyncWrite, other: impl AsyncRead + AsyncWrite) {
    let (one, other) = (tokio::io::split(one), tokio::io::split(other));
    tokio::join!(pass(one.0, other.1), pass(other.0, one.1));
}

/// Passes on what `from` says; what `to` takes no more is read and dropped, since unread bytes would reset the
/// connection under the other direction. Either side may break off at any time.
async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let _ = tokio::io::copy(&mut from, &mut to).await;
    let _ = to.shutdown().await;
    let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
}

async fn reach(socket: &Path) -> io::Result<UnixStream> {
    let until = Instant::now() + SERVER_AWAY;
    loop {
        match UnixStream::connect(socket).await {
            Err(error) if Instant::now() >= until => return Err(error),
            Err(_) => sleep(RETRY).await,
            connected => return connected,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::UnixListener;

    use super::*;

    #[tokio::test]
    async fn a_client_waits_for_a_server_that_comes_later() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("aws.sock");
        let address = forward("127.0.0.1:0", socket.clone()).await.unwrap();
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"ping").await.unwrap();

        let listener = UnixListener::bind(&socket).unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let mut got = [0; 4];
        server.read_exact(&mut got).await.unwrap();
        server.write_all(b"pong").await.unwrap();
        drop(server);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!((&got, answer.as_str()), (b"ping", "pong"));
    }

    #[tokio::test]
    async fn an_answer_arrives_although_the_request_was_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("aws.sock");
        let address = forward("127.0.0.1:0", socket.clone()).await.unwrap();
        let listener = UnixListener::bind(&socket).unwrap();
        for _ in 0..200 {
            let mut client = TcpStream::connect(address).await.unwrap();
            let (mut server, _) = listener.accept().await.unwrap();
            server.write_all(b"too large").await.unwrap();
            drop(server);
            // The forwarder meets a closed socket with the first of these, or with the second.
            let _ = client.write_all(&[0; 4096]).await;
            let _ = client.write_all(&[0; 4096]).await;
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            assert_eq!(answer, "too large");
        }
    }

    #[tokio::test]
    async fn an_address_that_is_not_ours_is_an_error() {
        assert!(forward("192.0.2.1:80", PathBuf::from("/nowhere")).await.is_err());
    }
}
