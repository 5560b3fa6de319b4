//! The host's configuration: the stock agent's on-premises file, with a few keys more.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Where `aws deploy register` and the stock agent keep it.
pub(super) const DEFAULT_FILE: &str = "/etc/codedeploy-agent/conf/codedeploy.onpremises.yml";

const DEFAULT_ROOT: &str = "/opt/codedeploy-agent/deployment-root";
const DEFAULT_MAX_REVISIONS: usize = 5;

/// A host's identity, keys and places.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Config {
    /// Region of the signatures.
    pub(super) region: String,
    /// The host's identity: ARN of its IAM user, or of its session.
    #[serde(alias = "iam_session_arn")]
    pub(super) iam_user_arn: String,
    pub(super) aws_access_key_id: String,
    pub(super) aws_secret_access_key: String,
    #[serde(default)]
    pub(super) aws_session_token: Option<String>,
    /// URL of the server, for commands and for S3. Default: `AWS_ENDPOINT_URL`, else the forwarder's.
    #[serde(default = "default_endpoint")]
    pub(super) endpoint: String,
    /// Folder of all state.
    #[serde(default = "default_root")]
    pub(super) root_dir: PathBuf,
    /// Archives kept per deployment group.
    #[serde(default = "default_max_revisions")]
    pub(super) max_revisions: usize,
}

fn default_endpoint() -> String {
    std::env::var("AWS_ENDPOINT_URL").unwrap_or_else(|_| format!("http://{}", crate::forward::AWS_ADDRESS))
}

fn default_root() -> PathBuf {
    DEFAULT_ROOT.into()
}

fn default_max_revisions() -> usize {
    DEFAULT_MAX_REVISIONS
}

impl Config {
    /// Reads the file.
    ///
    /// # Errors
    /// A sentence with the file's name, and line and column where its text is wrong.
    pub(super) fn load(file: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        Self::parse(&text).map_err(|error| format!("{}: {error}", file.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        // Without a snippet: the file holds a secret key.
        serde_saphyr::from_str(text).map_err(|error: serde_saphyr::Error| error.without_snippet().to_string())
    }
}

/// Shows no keys.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("iam_user_arn", &self.iam_user_arn).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const STOCK: &str = "---\nregion: eu-west-1\niam_user_arn: arn:aws:iam::1:user/host\n\
                         aws_access_key_id: AKIA1\naws_secret_access_key: s3cret\n";

    #[test]
    fn the_stock_agents_file_is_enough() {
        let config = Config::parse(STOCK).unwrap();
        assert_eq!((config.region.as_str(), config.max_revisions), ("eu-west-1", 5));
        assert_eq!(config.root_dir, Path::new(DEFAULT_ROOT));
        assert!(!format!("{config:?}").contains("s3cret"));
    }

    #[test]
    fn what_is_missing_is_named_and_secrets_are_not() {
        let message = Config::parse(&STOCK.replace("region: eu-west-1\n", "")).unwrap_err();
        assert!(message.contains("region") && !message.contains("s3cret"), "{message}");
        let message = Config::load(Path::new("/no/such/file")).unwrap_err();
        assert!(message.contains("/no/such/file"), "{message}");
    }
}
