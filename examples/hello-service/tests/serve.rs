//! The service over a real socket.

use hello_service::{VERSION, fetch, probe, serve};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || serve(&listener));
    address
}

#[test]
fn a_client_gets_the_page() {
    let page = fetch(start(), "/").unwrap();
    assert!(page.contains(&format!("hello-service version {VERSION}")), "{page}");
}

#[test]
fn a_probe_passes_on_this_version_and_fails_where_nothing_listens() {
    probe(start(), Duration::from_secs(5)).unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(probe(free, Duration::ZERO).is_err());
}

#[test]
fn noise_is_answered_and_the_service_lives_on() {
    let address = start();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"\0\0\0\n\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(fetch(address, "/healthz").unwrap(), "ok\n");
}
