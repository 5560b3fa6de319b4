//! AWS's names inside of a build lead to Landfall: what a buildspec says of `ACCOUNT.dkr.ecr.REGION.amazonaws.com`,
//! `git-codecommit.REGION.amazonaws.com` or `sts.amazonaws.com` works as it is written.
//!
//! The agent, as the first process of the container, does all of it from inside, the same under every engine: a [`stub`]
//! resolver stands in `/etc/resolv.conf` and answers for the [`served`] names with an address of the loopback, where a
//! [`doorway`] leads to the server. The server ends TLS there, by an authority of its own that the container's programs
//! are made to [`trust`]. Where no resolver can be, the usual names stand in `/etc/hosts`.
//!
//! All of it happens where the folder of sockets has the authority's certificate, [`AUTHORITY`].

mod doorway;
#[doc(hidden)]
pub mod fuzz;
mod hosts;
mod message;
mod resolv_conf;
mod served;
mod stub;
mod trust;

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::protocol::Job;
use doorway::{ADDRESS, Doorway};
use stub::{Sockets, Stub};
use trust::Trust;

pub use served::{DOMAINS, is_served, registry, usual};

/// The authority's certificate (PEM), in the folder of sockets.
pub const AUTHORITY: &str = "ca.pem";

/// Where the stub listens. At this address, which is also systemd's stub's, programs know that a machine's real name servers
/// stand in [`REAL`]: dockerd gives those to its containers, which cannot reach a loopback that is not theirs.
const STUB: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 53);
const RESOLV_CONF: &str = "/etc/resolv.conf";
const REAL: &str = "/run/systemd/resolve/resolv.conf";
const HOSTS: &str = "/etc/hosts";
/// Where an image says that its programs find authorities.
const BUNDLE_VARIABLES: [&str; 5] =
    ["SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"];

/// The names of one container.
#[derive(Default)]
pub struct Names {
    /// The authority; absent where the names lead outside.
    authority: Option<String>,
    trust: Option<Trust>,
    /// Whether the names still have to go into `/etc/hosts`.
    by_hosts: bool,
    /// What does not work, for the build's log.
    notes: Vec<String>,
}

impl Names {
    /// Lets the names lead to the server behind the folder of sockets, as far as this container allows.
    pub async fn start(sockets: &Path) -> Self {
        let Ok(authority) = fs::read_to_string(sockets.join(AUTHORITY)) else { return Self::default() };
        let mut names = Self::default();
        match Trust::install(Path::new("/"), &authority, &named_bundles()) {
            Ok(trust) => names.trust = Some(trust),
            Err(error) => {
                names.note(format!("programs do not trust AWS's names here, which lead to Landfall: {error}"));
            }
        }
        names.authority = Some(authority);
        if let Err(error) = resolve(Doorway::new(sockets)).await {
            let what = "only AWS's usual names lead to Landfall";
            names.note(format!("{what}, by {HOSTS}: no resolver can be here: {error}"));
            names.by_hosts = true;
            let doorway = Doorway::new(sockets);
            if let Err(error) = doorway.open().await {
                names.note(format!("AWS's names do not lead to Landfall: {ADDRESS}: {error}"));
                names.by_hosts = false;
            }
        }
        names
    }

    /// Does what needs the build's account and region, and tells its programs of the authority. Answers what does not work.
    pub fn apply(&self, job: &mut Job) -> Vec<String> {
        let Some(authority) = &self.authority else { return vec![] };
        let mut notes = self.notes.clone();
        let environment = &mut job.environment.0;
        if let Some((account, region)) = environment.get("CODEBUILD_BUILD_ARN").and_then(|arn| scope(arn)) {
            // Who has no `/etc` to write to has no Docker there either.
            let _ = trust::of_registry(Path::new("/"), &registry(account, region), authority);
            if self.by_hosts
                && let Err(error) = hosts::add(Path::new(HOSTS), ADDRESS, &usual(account, region))
            {
                notes.push(format!("AWS's names do not lead to Landfall: {HOSTS}: {error}"));
            }
        }
        for (name, value) in self.trust.iter().flat_map(Trust::variables) {
            if std::env::var_os(name).is_none() {
                environment.entry(name.to_owned()).or_insert_with(|| value.to_owned());
            }
        }
        notes
    }

    fn note(&mut self, note: String) {
        eprintln!("landfall-agent: {note}");
        self.notes.push(note);
    }
}

/// Puts the stub between the container's programs and its name servers.
async fn resolve(doorway: Doorway) -> io::Result<()> {
    let given = match fs::read_to_string(RESOLV_CONF) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        given => given.unwrap_or_default(),
    };
    let name_servers = resolv_conf::name_servers(&given, STUB.into());
    let sockets = Sockets::bind(SocketAddr::new(STUB.into(), resolv_conf::PORT)).await?;
    // In place: in Docker it is mounted.
    fs::write(RESOLV_CONF, resolv_conf::rewritten(&given, IpAddr::V4(STUB)))?;
    Stub::new(ADDRESS, doorway, name_servers).serve(sockets);
    let real = Path::new(REAL);
    if !real.exists()
        && let Some(folder) = real.parent()
    {
        // Only for containers inside of this one.
        let _ = fs::create_dir_all(folder).and_then(|()| fs::write(real, &given));
    }
    Ok(())
}

/// The bundles that the image's own variables name.
fn named_bundles() -> Vec<PathBuf> {
    BUNDLE_VARIABLES.iter().filter_map(std::env::var_os).map(PathBuf::from).collect()
}

/// Account and region of a build's ARN.
fn scope(arn: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts[..] {
        ["arn", _, "codebuild", region, account, _] => Some((account, region)),
        _ => None,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_builds_arn_tells_account_and_region() {
        for (arn, found) in [
            ("arn:aws:codebuild:eu-west-1:123456789012:build/app:1", Some(("123456789012", "eu-west-1"))),
            ("arn:aws-cn:codebuild:cn-north-1:1:build/app:1", Some(("1", "cn-north-1"))),
            ("arn:aws:s3:::bucket", None),
            ("", None),
        ] {
            assert_eq!(scope(arn), found, "{arn}");
        }
    }

    #[tokio::test]
    async fn without_an_authority_nothing_changes() {
        let folder = tempfile::tempdir().unwrap();
        let names = Names::start(folder.path()).await;
        assert!(names.authority.is_none() && names.trust.is_none() && !names.by_hosts && names.notes.is_empty());
    }
}
