//! The listener: one thread for each connection, one request for each connection.

use crate::{Request, respond};
use std::io::{self, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// How long a client may take to send its request or take its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves until the process ends. Only a failing `accept` returns.
pub fn serve(listener: &TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        std::thread::spawn(move || {
            // A client that went away needs no answer.
            let _ = answer(&stream);
        });
    }
}

fn answer(stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let response = respond(Request::read(&mut BufReader::new(stream)));
    let mut out = stream;
    out.write_all(&response.encode())
}
