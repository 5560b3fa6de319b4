use serde::{Deserialize, Deserializer, Serialize};

use crate::{Digest, Platform};

/// What an image says about containers made of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunConfig {
    /// Environment variables.
    pub env: Vec<(String, String)>,
    /// The folder to start in; `/` where it says none.
    pub workdir: Option<String>,
    /// The user to run as; builds ignore it, as CodeBuild does.
    pub user: Option<String>,
}

/// An image's configuration (OCI image specification, `config.md`; Docker's is the same).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageConfig {
    /// For which machine it is.
    pub platform: Platform,
    /// When it was made, as it says.
    pub created: Option<String>,
    /// The digests of its layers, uncompressed, lowest first.
    pub diff_ids: Vec<Digest>,
    /// What it says about containers.
    pub run: RunConfig,
}

#[derive(Deserialize)]
struct Document {
    #[serde(default, deserialize_with = "or_default")]
    architecture: String,
    #[serde(default, deserialize_with = "or_default")]
    os: String,
    variant: Option<String>,
    created: Option<String>,
    rootfs: Rootfs,
    #[serde(default, deserialize_with = "or_default")]
    config: Inner,
}

#[derive(Deserialize)]
struct Rootfs {
    #[serde(default, deserialize_with = "or_default")]
    diff_ids: Vec<Digest>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inner {
    #[serde(default, deserialize_with = "or_default")]
    env: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    working_dir: String,
    #[serde(default, deserialize_with = "or_default")]
    user: String,
}

/// Go writes empty lists and objects as null.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads an image's configuration; the error says what is wrong with it.
pub fn read_config(bytes: &[u8]) -> Result<ImageConfig, String> {
    let document: Document =
        serde_json::from_slice(bytes).map_err(|error| format!("its configuration cannot be read: {error}"))?;
    let or = |text: String, usual: &str| if text.is_empty() { usual.to_owned() } else { text };
    let platform = Platform {
        os: or(document.os, "linux"),
        architecture: or(document.architecture, &Platform::here().architecture),
        variant: document.variant.filter(|variant| !variant.is_empty()),
    };
    let Inner { env, working_dir, user } = document.config;
    let given = |text: String| (!text.is_empty()).then_some(text);
    Ok(ImageConfig {
        platform,
        created: document.created,
        diff_ids: document.rootfs.diff_ids,
        run: RunConfig { env: variables(env), workdir: given(working_dir), user: given(user) },
    })
}

/// Names and values; what can be in no environment is left out.
fn variables(env: Vec<String>) -> Vec<(String, String)> {
    let pairs = env.iter().filter_map(|line| line.split_once('='));
    let legal = pairs.filter(|(name, value)| !name.is_empty() && !name.contains('\0') && !value.contains('\0'));
    legal.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The configuration of an image that is made here of one layer, as canonical JSON.
pub(crate) fn write_config(platform: &Platform, run: &RunConfig, diff_id: &Digest) -> Vec<u8> {
    let env: Vec<_> = run.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let document = serde_json::json!({
        "architecture": platform.architecture,
        "config": {
            "Env": env,
            "User": run.user.clone().unwrap_or_default(),
            "WorkingDir": run.workdir.clone().unwrap_or_default(),
        },
        "os": platform.os,
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
    });
    document.to_string().into_bytes()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn reads_what_docker_writes() {
        let diff_id = Digest::of(b"layer");
        let text = format!(
            r#"{{"architecture":"arm64","variant":"v8","os":"linux","created":"2026-01-02T03:04:05Z","history":null,
            "config":{{"Env":["PATH=/bin","EMPTY=","ODD","=x","A=b=c"],"WorkingDir":"/src","User":"app","Cmd":["sh"],
            "Entrypoint":null}},"rootfs":{{"type":"layers","diff_ids":["{diff_id}"]}}}}"#
        );
        let config = read_config(text.as_bytes()).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(config.run.env, [pair("PATH", "/bin"), pair("EMPTY", ""), pair("A", "b=c")]);
        assert_eq!((config.run.workdir.as_deref(), config.run.user.as_deref()), (Some("/src"), Some("app")));
        assert_eq!(config.platform.to_string(), "linux/arm64/v8");
        assert_eq!(config.diff_ids, [diff_id]);
    }

    #[test]
    fn what_is_left_out_has_its_usual_value() {
        let config = read_config(br#"{"config":null,"rootfs":{"type":"layers","diff_ids":null}}"#).unwrap();
        assert_eq!((config.run, config.platform.os.as_str()), (RunConfig::default(), "linux"));
        assert!(config.diff_ids.is_empty());
    }

    #[test]
    fn what_is_no_configuration_is_refused() {
        for wrong in ["", "{}", "[]", "null", r#"{"rootfs":{"diff_ids":["sha256:12"]}}"#, r#"{"rootfs":1}"#] {
            assert!(read_config(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let run = RunConfig { env: vec![("A".into(), "b=c".into())], workdir: Some("/w".into()), user: None };
        let written = write_config(&Platform::here(), &run, &Digest::of(b"x"));
        let read = read_config(&written).unwrap();
        assert_eq!((read.run, read.diff_ids.len()), (run, 1));
    }
}
