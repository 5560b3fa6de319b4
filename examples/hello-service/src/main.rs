//! `hello-service serve|fetch|probe [ADDRESS]`.

use hello_service::{VERSION, fetch, probe, serve};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "usage: hello-service serve|fetch|probe [ADDRESS]   (default 127.0.0.1:8080)
  serve   answers HTTP on ADDRESS
  fetch   prints the page that ADDRESS serves
  probe   waits until ADDRESS answers and checks that it is this version";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let address = arguments.get(1).map_or("127.0.0.1:8080", String::as_str);
    let Ok(address) = address.parse::<SocketAddr>() else {
        eprintln!("'{address}' is not an address like 127.0.0.1:8080");
        return ExitCode::from(2);
    };
    match run(arguments.first().map(String::as_str), address) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("hello-service {VERSION}: {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a command; `false` if there is no such command.
fn run(command: Option<&str>, address: SocketAddr) -> io::Result<bool> {
    match command {
        Some("serve") => {
            let listener = TcpListener::bind(address)?;
            println!("hello-service {VERSION} listens on {}", listener.local_addr()?);
            serve(&listener);
        }
        Some("fetch") => print!("{}", fetch(address, "/")?),
        Some("probe") => probe(address, Duration::from_secs(10))?,
        _ => return Ok(false),
    }
    Ok(true)
}
