//! `landfall-agent git-credential`: the credential helper of a build's Git (gitcredentials(7)), which a buildspec asks for by
//! `git-credential-helper: yes`. It signs as the build's role, for CodeCommit's repositories alone; for other hosts it says
//! nothing, and Git asks its other helpers.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use sigv4::{AmzDate, Credentials};

use crate::forward::{AWS_ADDRESS, CREDENTIALS_ADDRESS};
use crate::names::is_served;
use crate::time::now_ms;

/// Git's question is some lines, the credentials a kilobyte or two.
const LONGEST: u64 = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);

/// Credentials as SDKs find them in a container.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
}

/// Lets Git ask this program, unless the project configures Git by the same variables itself.
pub(crate) fn configure(environment: &mut BTreeMap<String, String>, agent: &Path) {
    if environment.contains_key("GIT_CONFIG_COUNT") {
        return;
    }
    let settings = [
        ("GIT_CONFIG_COUNT", "2".to_owned()),
        ("GIT_CONFIG_KEY_0", "credential.helper".to_owned()),
        ("GIT_CONFIG_VALUE_0", format!("!{} git-credential", agent.display())),
        // The path is signed, too.
        ("GIT_CONFIG_KEY_1", "credential.useHttpPath".to_owned()),
        ("GIT_CONFIG_VALUE_1", "true".to_owned()),
    ];
    environment.extend(settings.map(|(name, value)| (name.to_owned(), value)));
}

/// Answers Git's question on standard output; `operation` is `get`, `store` or `erase`.
///
/// # Errors
/// Where the question or the build's credentials cannot be read.
pub fn run(operation: Option<&str>) -> io::Result<()> {
    if operation != Some("get") {
        return Ok(());
    }
    let mut question = String::new();
    io::stdin().take(LONGEST).read_to_string(&mut question)?;
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let Some(asked) = asked(&question, variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"))) else {
        return Ok(());
    };
    let found = found(&variable)?;
    let credentials = Credentials {
        access_key_id: &found.access_key_id,
        secret_access_key: &found.secret_access_key,
        session_token: found.token.as_deref(),
    };
    let time = AmzDate::from_epoch_seconds(i64::try_from(now_ms() / 1000).unwrap_or(i64::MAX));
    let (user, password) = sigv4::git::sign(&credentials, &asked.region, &asked.host, &asked.path, time);
    writeln!(io::stdout(), "username={user}\npassword={password}")
}

/// A repository.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    host: String,
    path: String,
    region: String,
}

/// What Git asks, if it is about one of our repositories.
fn asked(question: &str, region: Option<String>) -> Option<Asked> {
    let line = |name: &str| question.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let (host, path) = (line("host")?, line("path")?);
    let named = host.to_ascii_lowercase();
    let mut labels = named.split('.');
    let region = if host == AWS_ADDRESS {
        region?
    } else if is_served(&named) && matches!(labels.next()?, "git-codecommit" | "git-codecommit-fips") {
        labels.next()?.to_owned()
    } else {
        return None;
    };
    Some(Asked { host: host.to_owned(), path: format!("/{path}"), region })
}

/// The credentials that the commands have: variables of their own, else the build's role's.
fn found(variable: &dyn Fn(&str) -> Option<String>) -> io::Result<Found> {
    if let (Some(access_key_id), Some(secret_access_key)) =
        (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"))
    {
        return Ok(Found { access_key_id, secret_access_key, token: variable("AWS_SESSION_TOKEN") });
    }
    let relative = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    let relative = relative.map(|path| (CREDENTIALS_ADDRESS.to_owned(), path));
    let full = || {
        let rest = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI")?;
        let (address, path) = rest.strip_prefix("http://")?.split_once('/')?;
        Some((address.to_owned(), format!("/{path}")))
    };
    let (address, path) = relative.or_else(full).ok_or_else(|| io::Error::other("this build has no credentials"))?;
    serde_json::from_slice(&get(&address, &path)?).map_err(io::Error::from)
}

/// The body of a small document, by plain HTTP over the loopback.
fn get(address: &str, path: &str) -> io::Result<Vec<u8>> {
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n").as_bytes())?;
    let mut reply = vec![];
    stream.take(LONGEST).read_to_end(&mut reply)?;
    let end = reply.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    match end {
        Some(end) if reply.get(9..12) == Some(b"200") => Ok(reply.split_off(end + 4)),
        _ => Err(io::Error::other("the build's credentials are not answered")),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_our_repositories_are_answered() {
        let question = |host: &str| format!("protocol=https\nhost={host}\npath=v1/repos/app\n");
        for (host, region) in [
            ("git-codecommit.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("git-codecommit-fips.us-east-1.amazonaws.com", Some("us-east-1")),
            ("127.0.0.1:4566", Some("own-1")),
            ("127.0.0.1:4567", None),
            ("github.com", None),
            ("git-codecommit.eu-west-1.amazonaws.com.evil.example", None),
            ("s3.eu-west-1.amazonaws.com", None),
        ] {
            let asked = asked(&question(host), Some("own-1".into()));
            assert_eq!(asked.as_ref().map(|asked| asked.region.as_str()), region, "{host}");
            assert!(asked.is_none_or(|asked| asked.path == "/v1/repos/app" && asked.host == host));
        }
        assert_eq!(asked("host=127.0.0.1:4566\n", Some("own-1".into())), None);
        assert_eq!(asked(&question("127.0.0.1:4566"), None), None);
    }

    #[test]
    fn credentials_come_from_variables_or_over_the_loopback() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let uri = format!("http://{}/v2/credentials/1", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            for reply in
                ["200 OK\r\n\r\n{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\",\"Token\":\"T\"}", "404 No\r\n\r\n{}"]
            {
                let mut stream = listener.accept().unwrap().0;
                let length = stream.read(&mut [0; 1024]).unwrap();
                assert!(length > 0);
                stream.write_all(format!("HTTP/1.0 {reply}").as_bytes()).unwrap();
            }
        });
        let container = |name: &str| (name == "AWS_CONTAINER_CREDENTIALS_FULL_URI").then(|| uri.clone());
        let role = found(&container).unwrap();
        assert_eq!((role.access_key_id.as_str(), role.token.as_deref()), ("A", Some("T")));
        assert!(found(&container).is_err());
        server.join().unwrap();
        let own = found(&|name: &str| (!name.contains("TOKEN")).then(|| name.to_owned())).unwrap();
        assert_eq!((own.access_key_id.as_str(), own.token), ("AWS_ACCESS_KEY_ID", None));
        assert!(found(&|_: &str| None).is_err());
    }

    #[test]
    fn gits_own_configuration_by_variables_stays() {
        let mut environment = BTreeMap::new();
        configure(&mut environment, Path::new("/landfall/bin/landfall-agent"));
        assert_eq!(environment["GIT_CONFIG_VALUE_0"], "!/landfall/bin/landfall-agent git-credential");
        let mut own = BTreeMap::from([("GIT_CONFIG_COUNT".to_owned(), "0".to_owned())]);
        configure(&mut own, Path::new("/a"));
        assert_eq!(own.len(), 1);
    }
}
