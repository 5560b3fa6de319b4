//! Access keys: from the environment, or the root key from the data folder.

use std::fmt;
use std::path::Path;

/// The file in the data folder that holds the first key, in the form of an AWS shared credentials file.
const ROOT_CREDENTIALS: &str = "root-credentials";

/// An access key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct AccessKey {
    pub(crate) id: String,
    pub(crate) secret: String,
    /// Of temporary keys.
    pub(crate) session_token: Option<String>,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AccessKey({})", self.id)
    }
}

impl AccessKey {
    /// A key without a session.
    pub(crate) fn new(id: &str, secret: &str) -> Self {
        Self { id: id.to_owned(), secret: secret.to_owned(), session_token: None }
    }

    /// The key of AWS_ACCESS_KEY_ID and its siblings, when both halves are there.
    pub(super) fn of_environment(variable: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        Some(Self {
            id: variable("AWS_ACCESS_KEY_ID")?,
            secret: variable("AWS_SECRET_ACCESS_KEY")?,
            session_token: variable("AWS_SESSION_TOKEN"),
        })
    }

    /// The root key of a data folder.
    ///
    /// # Errors
    /// The file is not there, or not for our eyes.
    pub(crate) fn of_folder(dir: &Path) -> std::io::Result<Self> {
        let text = std::fs::read_to_string(dir.join(ROOT_CREDENTIALS))?;
        parse(&text).ok_or_else(|| std::io::Error::other("it holds no access key"))
    }
}

fn parse(text: &str) -> Option<AccessKey> {
    let value = |name: &str| {
        let mut pairs = text.lines().filter_map(|line| line.split_once('='));
        pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
    };
    Some(AccessKey::new(value("aws_access_key_id")?, value("aws_secret_access_key")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credentials_file_is_read() {
        let text = "[default]\naws_access_key_id = ID\naws_secret_access_key = a=b\nregion = us-east-1\n";
        assert_eq!(parse(text), Some(AccessKey::new("ID", "a=b")));
        assert_eq!(parse("[default]\naws_access_key_id = ID\n"), None);
    }

    #[test]
    fn a_key_is_printed_without_its_secret() {
        assert_eq!(format!("{:?}", AccessKey::new("ID", "secret")), "AccessKey(ID)");
    }
}
