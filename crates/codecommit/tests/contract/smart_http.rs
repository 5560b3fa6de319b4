//! Hostile and odd requests: answered with a sentence, and the server lives on.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::server::{Clone, Server};

/// Sends bytes as they are.
fn send(server: &Server, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// Sends bytes as they are; gives the whole answer.
fn raw(server: &Server, request: &str) -> String {
    let mut stream = send(server, request);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn post(server: &Server, program: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    raw(
        server,
        &format!(
            "POST /v1/repos/demo/{program} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Content-Type: application/x-{program}-request\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        ),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_requests_get_their_status() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    server.create("demo").await;
    let table = [
        ("GET /v1/repos/demo/info/refs", "403"),
        ("GET /v1/repos/demo/HEAD", "404"),
        ("GET /v1/repos/demo/../../../etc/passwd", "404"),
        ("GET /v1/repos/../info/refs?service=git-upload-pack", "404"),
        ("POST /v1/repos/demo/git-upload-pack", "415"),
        ("DELETE /v1/repos/demo/info/refs?service=git-upload-pack", "405"),
    ];
    for (request, status) in table {
        let answer = raw(&server, &format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request}: {answer}");
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_bodies_break_nothing() {
    let (dir, work) = (tempfile::tempdir().unwrap(), Clone::new());
    let server = Server::start(dir.path()).await;
    server.create("demo").await;
    let refused = post(&server, "git-receive-pack", "", "zzzz");
    assert!(refused.contains("the push does not follow the Git protocol"), "{refused}");
    let unpacked = post(&server, "git-receive-pack", "Content-Encoding: gzip\r\n", "not gzip");
    assert!(unpacked.contains("its body broke off"), "{unpacked}");
    let line = format!("{} {} refs/heads/x\0report-status", "0".repeat(40), "1".repeat(40));
    let without_pack = format!("{:04x}{line}0000", line.len() + 4);
    assert!(post(&server, "git-receive-pack", "", &without_pack).starts_with("HTTP/1.1 200"));
    post(&server, "git-upload-pack", "Git-Protocol: version=2;evil\r\n", "0032want nothing\n0000");
    assert_eq!(server.tip("demo", "x").await, None);

    work.commit("file", "x");
    work.push(&server.url_of("demo"), "main");
    assert!(server.tip("demo", "main").await.is_some());
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_in_the_middle_of_a_push_changes_nothing() {
    let (dir, work) = (tempfile::tempdir().unwrap(), Clone::new());
    let server = Server::start(dir.path()).await;
    server.create("demo").await;
    let line = format!("{} {} refs/heads/x\0report-status", "0".repeat(40), "1".repeat(40));
    let request = format!(
        "POST /v1/repos/demo/git-receive-pack HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\
         Content-Type: application/x-git-receive-pack-request\r\n\r\n{:04x}{line}0000PACK",
        line.len() + 4
    );
    drop(send(&server, &request));
    work.commit("file", "x");
    work.push(&server.url_of("demo"), "main");
    assert_eq!(server.tip("demo", "x").await, None);
    assert!(server.tip("demo", "main").await.is_some());
    server.end().await;
}
