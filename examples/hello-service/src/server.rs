//! The listener: one thread for each connection, one request for each connection.

use crate::{Request, respond};
use std::io::{self, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// How long a client may take to send its request or take its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait when no connection or no thread can be had.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves until the process ends. A client that went away or a machine that is short of something for a moment
/// ends only that connection.
pub fn serve(listener: &TcpListener) -> ! {
    loop {
        let answering =
            listener.accept().and_then(|(stream, _)| std::thread::Builder::new().spawn(move || answer(&stream)));
        if let Err(error) = answering {
            eprintln!("hello-service: {error}");
            std::thread::sleep(PAUSE);
        }
    }
}

fn answer(stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let response = respond(Request::read(&mut BufReader::new(stream)));
    let mut out = stream;
    out.write_all(&response.encode())
}
