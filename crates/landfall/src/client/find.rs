//! Which server a command speaks to, and with which key.
//!
//! The first that is given decides, and with it where the key comes from: `--endpoint-url`, `--data-dir`,
//! `AWS_ENDPOINT_URL`, `LANDFALL_DATA_DIR`, the `data-dir` of the configuration file, `landfall-data`. Of a data folder
//! the running server's own description (`server.json`) and root key are taken, never the environment's key: that one
//! may be somebody's real AWS key. With an endpoint it is the environment's key, else that of the folder whose server
//! is meant.

use super::{AccessKey, Client};
use crate::config::variable;
use crate::exit::user_error;
use crate::running::RunningServer;
use clap::Args;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// How a command finds the server.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServerArguments {
    /// The server's URL; default: AWS_ENDPOINT_URL, else the server that runs on the data folder
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
    /// The data folder of the server, with its URL and key
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The region; default: AWS_REGION or AWS_DEFAULT_REGION, else the server's own
    #[arg(long)]
    pub(crate) region: Option<String>,
}

/// A server with all that a client of it needs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) endpoint: String,
    pub(crate) key: AccessKey,
    pub(crate) region: String,
    pub(crate) ca_bundle: Option<PathBuf>,
}

impl ServerArguments {
    /// A client of the server.
    ///
    /// # Errors
    /// No server is named and none runs on the data folder; or there is no key for it.
    pub(crate) fn connect(&self) -> anyhow::Result<Client> {
        let found = self.find()?;
        Client::new(&found.endpoint, found.key, &found.region, found.ca_bundle.as_deref())
    }

    /// The server, without speaking to it.
    ///
    /// # Errors
    /// As [`ServerArguments::connect`].
    fn find(&self) -> anyhow::Result<Found> {
        self.find_in(&variable)
    }

    fn find_in(&self, variable: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Found> {
        let named = self.endpoint_url.clone().or_else(|| match self.data_dir {
            Some(_) => None,
            None => variable("AWS_ENDPOINT_URL"),
        });
        let folder = match &self.data_dir {
            Some(folder) => folder.clone(),
            None => crate::config::data_dir(variable)?,
        };
        let region = self.region.clone().or_else(|| variable("AWS_REGION")).or_else(|| variable("AWS_DEFAULT_REGION"));
        let ca_bundle = variable("AWS_CA_BUNDLE").map(PathBuf::from);
        match named {
            Some(endpoint) => at(endpoint, &folder, region, ca_bundle, AccessKey::of_environment(variable)),
            None => of_folder(&folder, self.region.clone()),
        }
    }
}

/// The server for those who are told how to reach it: that of the data folder, unless one is named by a flag. What the
/// environment says they know already, and it may be of yesterday.
///
/// # Errors
/// As [`ServerArguments::connect`].
pub(crate) fn named(arguments: &ServerArguments) -> anyhow::Result<Found> {
    let quiet = |name: &str| if name == "AWS_ENDPOINT_URL" { None } else { variable(name) };
    arguments.find_in(&quiet)
}

/// The server at a URL, with the environment's key or that of the folder whose server has this URL.
fn at(
    endpoint: String,
    folder: &Path,
    region: Option<String>,
    ca_bundle: Option<PathBuf>,
    key: Option<AccessKey>,
) -> anyhow::Result<Found> {
    super::authority(&endpoint)?;
    let same = |url: &str| url.trim_end_matches('/') == endpoint.trim_end_matches('/');
    let running = RunningServer::read(folder).ok().filter(|running| same(&running.url));
    let key = key.or_else(|| running.as_ref().and_then(|_| AccessKey::of_folder(folder).ok())).ok_or_else(|| {
        user_error(format!(
            "there is no access key for {endpoint}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name the \
             server's data folder with --data-dir"
        ))
    })?;
    let region = region.or_else(|| running.as_ref().map(|running| running.region.clone()));
    let ca_bundle = ca_bundle.or_else(|| running.and_then(|running| running.ca_bundle));
    Ok(Found { endpoint, key, region: region.unwrap_or_else(|| "us-east-1".to_owned()), ca_bundle })
}

/// The server that runs on a data folder, with its root key.
fn of_folder(folder: &Path, region: Option<String>) -> anyhow::Result<Found> {
    let running = running(folder)?;
    let key = AccessKey::of_folder(folder).map_err(|error| {
        user_error(format!(
            "the root key in {} cannot be read ({error}): run this as the server's user, or set AWS_ENDPOINT_URL, \
             AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            folder.display()
        ))
    })?;
    let region = region.unwrap_or(running.region);
    Ok(Found { endpoint: running.url, key, region, ca_bundle: running.ca_bundle })
}

/// What the server on a data folder has left, if it still runs.
///
/// # Errors
/// None runs there, or the folder is not for our eyes; the sentence says what to do.
pub(crate) fn running(folder: &Path) -> anyhow::Result<RunningServer> {
    let shown = folder.display();
    let start =
        "start it with `landfall serve`, name its folder with --data-dir, or name the server with --endpoint-url";
    match RunningServer::read(folder) {
        Ok(running) if running.is_alive() => Ok(running),
        Ok(running) => {
            Err(user_error(format!("the server on {shown} (process {}) no longer runs: {start}", running.pid)))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(user_error(format!("no server runs on {shown}: {start}")))
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(user_error(format!(
            "{shown} is another user's: run this as the server's user (for example with sudo), or set AWS_ENDPOINT_URL, \
             AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        ))),
        Err(error) => Err(user_error(format!("{}: {error}", folder.join("server.json").display()))),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::running::process_start;

    const LOCAL: &str = "http://127.0.0.1:4566";

    /// A data folder with a server's description and key.
    fn folder() -> (tempfile::TempDir, crate::running::Left) {
        let folder = tempfile::tempdir().unwrap();
        let pid = std::process::id();
        let running = RunningServer {
            url: LOCAL.to_owned(),
            pid,
            process_start: process_start(pid),
            auth: "enforce".to_owned(),
            region: "eu-west-1".to_owned(),
            account: "000000000000".to_owned(),
            ca_bundle: Some("ca.pem".into()),
        };
        let left = running.write(folder.path()).unwrap();
        let key = "[default]\naws_access_key_id = ROOT\naws_secret_access_key = s\n";
        std::fs::write(folder.path().join("root-credentials"), key).unwrap();
        (folder, left)
    }

    fn find(arguments: &ServerArguments, variables: &[(&str, &str)]) -> Result<Found, String> {
        let variable =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        arguments.find_in(&variable).map_err(|error| error.to_string())
    }

    #[test]
    fn whoever_names_the_server_brings_the_key() {
        let (folder, _left) = folder();
        let dir = folder.path().to_str().unwrap();
        let own = [("AWS_ACCESS_KEY_ID", "MINE"), ("AWS_SECRET_ACCESS_KEY", "s"), ("LANDFALL_DATA_DIR", dir)];
        let elsewhere = [&own[..], &[("AWS_ENDPOINT_URL", "http://far:1"), ("AWS_REGION", "ap-south-1")]].concat();
        let at = |url: &str| ServerArguments { endpoint_url: Some(url.to_owned()), ..ServerArguments::default() };
        let on = ServerArguments { data_dir: Some(dir.into()), ..ServerArguments::default() };
        let none = ServerArguments::default();
        for (arguments, variables, endpoint, key, region) in [
            (&none, &[("LANDFALL_DATA_DIR", dir)][..], LOCAL, "ROOT", "eu-west-1"),
            // A key of the environment may be a real AWS key: it goes to no server that it was not meant for.
            (&none, &own, LOCAL, "ROOT", "eu-west-1"),
            (&none, &elsewhere, "http://far:1", "MINE", "ap-south-1"),
            (&on, &elsewhere, LOCAL, "ROOT", "eu-west-1"),
            (&at("http://near:2"), &elsewhere, "http://near:2", "MINE", "ap-south-1"),
            (&at(LOCAL), &[("LANDFALL_DATA_DIR", dir)], LOCAL, "ROOT", "eu-west-1"),
            (&at("http://127.0.0.1:4566/"), &own, "http://127.0.0.1:4566/", "MINE", "eu-west-1"),
        ] {
            let found = find(arguments, variables).unwrap();
            assert_eq!(
                (found.endpoint.as_str(), found.key.id.as_str(), found.region.as_str()),
                (endpoint, key, region)
            );
        }
    }

    #[test]
    fn who_finds_none_learns_what_to_do() {
        let empty = tempfile::tempdir().unwrap();
        let dir = empty.path().to_str().unwrap();
        let nowhere = find(&ServerArguments::default(), &[("LANDFALL_DATA_DIR", dir)]).unwrap_err();
        assert!(nowhere.contains("no server runs on") && nowhere.contains("landfall serve"), "{nowhere}");
        let keyless = find(
            &ServerArguments { endpoint_url: Some("http://far:1".into()), ..ServerArguments::default() },
            &[("LANDFALL_DATA_DIR", dir)],
        );
        assert!(keyless.unwrap_err().contains("AWS_ACCESS_KEY_ID"));
    }

    #[test]
    fn a_server_that_was_killed_is_known_to_be_gone() {
        let (folder, _left) = folder();
        let stale = RunningServer { process_start: Some(1), ..RunningServer::read(folder.path()).unwrap() };
        let _stale = stale.write(folder.path()).unwrap();
        let error = running(folder.path()).unwrap_err().to_string();
        assert!(error.contains("no longer runs"), "{error}");
    }
}
