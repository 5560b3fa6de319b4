//! A client for the service's own checks, so that a host needs no curl.

use crate::VERSION;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(5);

/// Fetches `path` and returns the body of a `200` answer.
pub fn fetch(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(1 << 20).read_to_string(&mut answer)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200 ") => Ok(body.to_owned()),
        _ => Err(io::Error::other(format!("unexpected answer: {}", answer.lines().next().unwrap_or("nothing")))),
    }
}

/// Waits up to `limit` for the service to answer, then checks that it is this very version.
pub fn probe(address: SocketAddr, limit: Duration) -> io::Result<()> {
    let start = Instant::now();
    let running = loop {
        match fetch(address, "/version") {
            Ok(body) => break body,
            Err(error) if start.elapsed() >= limit => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    if running.trim_end() == VERSION {
        return Ok(());
    }
    Err(io::Error::other(format!("version {} answers instead of {VERSION}", running.trim_end())))
}
