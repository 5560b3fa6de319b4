//! Telling the machine that the server is up: `DIR/server.json` for our own commands, and systemd where it started us.

use super::options::{Auth, Options};
use crate::running::{Left, RunningServer, process_start};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixDatagram};

/// Leaves word how the server at `address` is reached; the file goes when the answer is dropped.
///
/// # Errors
/// The data folder cannot be written.
pub(super) fn announce(options: &Options, address: SocketAddr) -> io::Result<Left> {
    let pid = std::process::id();
    let local_ca = options.tls && options.tls_cert.is_none();
    let running = RunningServer {
        url: reached_at(options, address),
        pid,
        process_start: process_start(pid),
        auth: if options.auth == Auth::Open { "open" } else { "enforce" }.to_owned(),
        region: options.region.clone(),
        account: options.account.clone(),
        ca_bundle: local_ca.then(|| options.data_dir.join("tls/ca.pem")),
    };
    let left = running.write(&options.data_dir)?;
    tell_systemd("READY=1");
    Ok(left)
}

/// The URL for clients on this machine. A certificate of the user's is good for the public name alone.
fn reached_at(options: &Options, mut address: SocketAddr) -> String {
    if let (Some(_), Some(url)) = (&options.tls_cert, &options.public_url) {
        return url.clone();
    }
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    format!("{}://{address}", options.scheme())
}

/// Tells systemd a state, such as `READY=1`, if it started us and wants to know (sd_notify(3)).
pub(super) fn tell_systemd(state: &str) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
    if let Err(error) = notify(socket.as_encoded_bytes(), state) {
        tracing::warn!(%error, "systemd asked to be told `{state}`, but cannot be");
    }
}

fn notify(socket: &[u8], state: &str) -> io::Result<()> {
    let address = match socket.strip_prefix(b"@") {
        Some(name) => UnixAddress::from_abstract_name(name)?,
        None => UnixAddress::from_pathname(std::path::Path::new(&*String::from_utf8_lossy(socket)))?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(drop)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn clients_on_this_machine_get_an_address_that_they_can_reach() {
        for (arguments, address, url) in [
            (&[][..], "127.0.0.1:4566", "http://127.0.0.1:4566"),
            (&[], "0.0.0.0:80", "http://127.0.0.1:80"),
            (&[], "[::]:80", "http://[::1]:80"),
            (&["--tls", "--public-url", "https://ci.example"], "0.0.0.0:443", "https://127.0.0.1:443"),
            (
                &["--tls-cert", "c", "--tls-key", "k", "--public-url", "https://ci.example"],
                "0.0.0.0:443",
                "https://ci.example",
            ),
        ] {
            let options = Line::try_parse_from([&["serve"], arguments].concat()).unwrap().options;
            assert_eq!(reached_at(&options, address.parse().unwrap()), url);
        }
    }

    #[test]
    fn systemd_hears_it_by_path_and_by_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let by_path = UnixDatagram::bind(&path).unwrap();
        let name = format!("landfall-test-{}", std::process::id());
        let by_name = UnixDatagram::bind_addr(&UnixAddress::from_abstract_name(&name).unwrap()).unwrap();
        for (socket, address) in [(by_path, path.to_str().unwrap().to_owned()), (by_name, format!("@{name}"))] {
            notify(address.as_bytes(), "READY=1").unwrap();
            let mut heard = [0; 32];
            let length = socket.recv(&mut heard).unwrap();
            assert_eq!(&heard[..length], b"READY=1");
        }
        assert!(notify(b"/nowhere/notify", "READY=1").is_err());
    }
}
