//! `eval "$(landfall env)"`: what the aws command line, SDKs and git need to speak to the server.

use crate::client::{self, Found, ServerArguments};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

/// `landfall env`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: ServerArguments,
    /// The shell that is to read it
    #[arg(long, value_enum, default_value_t = Shell::Posix, help_heading = "Output")]
    shell: Shell,
    /// As JSON: {variable: value}
    #[arg(long, conflicts_with = "shell", help_heading = "Output")]
    json: bool,
}

/// How a shell writes an exported variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    /// sh, bash, zsh, dash, ksh
    Posix,
    Fish,
}

/// Prints the exports.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let variables = variables(&client::named(&arguments.server)?);
    if arguments.json {
        let object: Map<_, _> =
            variables.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect();
        println!("{}", serde_json::to_string_pretty(&object)?);
        return Ok(());
    }
    for (name, value) in variables {
        println!("{}", export(arguments.shell, name, &value));
    }
    Ok(())
}

/// What a client of the server needs, in the order in which it is printed.
fn variables(found: &Found) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        ("AWS_ENDPOINT_URL", found.endpoint.clone()),
        ("AWS_ACCESS_KEY_ID", found.key.id.clone()),
        ("AWS_SECRET_ACCESS_KEY", found.key.secret.clone()),
        ("AWS_REGION", found.region.clone()),
        ("AWS_DEFAULT_REGION", found.region.clone()),
        // Without it, SDKs look for an EC2 instance's role where a key is wrong.
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ];
    if let Some(token) = &found.key.session_token {
        variables.push(("AWS_SESSION_TOKEN", token.clone()));
    }
    if let Some(bundle) = &found.ca_bundle {
        let bundle = bundle.display().to_string();
        variables.push(("AWS_CA_BUNDLE", bundle.clone()));
        variables.push(("GIT_SSL_CAINFO", bundle.clone()));
        variables.push(("NODE_EXTRA_CA_CERTS", bundle));
    }
    variables
}

fn export(shell: Shell, name: &str, value: &str) -> String {
    match shell {
        Shell::Posix => format!("export {name}='{}'", value.replace('\'', r"'\''")),
        Shell::Fish => format!("set -gx {name} '{}'", value.replace('\\', r"\\").replace('\'', r"\'")),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::client::AccessKey;
    use proptest::prelude::*;
    use std::process::Command;

    fn found() -> Found {
        Found {
            endpoint: "http://127.0.0.1:4566".to_owned(),
            key: AccessKey::new("ID", "secret"),
            region: "eu-west-1".to_owned(),
            ca_bundle: None,
        }
    }

    fn names(found: &Found) -> Vec<&'static str> {
        variables(found).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn what_is_exported_depends_on_what_there_is() {
        let usual = names(&found());
        assert!(!usual.contains(&"AWS_SESSION_TOKEN") && !usual.contains(&"AWS_CA_BUNDLE"));
        let key = AccessKey { session_token: Some("token".to_owned()), ..found().key };
        assert!(names(&Found { key, ..found() }).contains(&"AWS_SESSION_TOKEN"));
        let secured = names(&Found { ca_bundle: Some("/data/tls/ca.pem".into()), ..found() });
        assert!(["AWS_CA_BUNDLE", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS"].iter().all(|name| secured.contains(name)));
    }

    #[test]
    fn each_shell_has_its_quotes() {
        assert_eq!(export(Shell::Posix, "A", "it's"), r"export A='it'\''s'");
        assert_eq!(export(Shell::Fish, "A", r"it's \"), r"set -gx A 'it\'s \\'");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_shell_reads_back_what_was_written(value in "[ -~\n\tü]{0,40}") {
            let script = format!("{}\nprintf %s \"$A\"", export(Shell::Posix, "A", &value));
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            prop_assert_eq!(String::from_utf8(output.stdout).unwrap(), value);
        }
    }
}
