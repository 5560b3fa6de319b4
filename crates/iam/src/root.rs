//! The first key: the default account's root, made at the first start.

use crate::keyring::Keyring;
use crate::model::{AccessKey, Owner, scope};
use crate::rules::access_key_id;
use kernel::{CommitError, Scope, StoreError};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The file in the data folder, in the form of an AWS shared credentials file.
const FILE: &str = "root-credentials";

/// Why there is no usable root key; the text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum RootKeyError {
    /// The file cannot be read or written.
    #[error("cannot use {}: {source}", file.display())]
    File {
        /// `DIR/root-credentials`.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file was edited.
    #[error("{} has no aws_access_key_id and aws_secret_access_key of Landfall; remove it to have a new key made", .0.display())]
    Unreadable(PathBuf),
    /// The store failed to read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store failed to write.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// Makes or takes in the root key: the file first, then its document, so that a crash in between leaves nothing unusable.
pub(crate) async fn ensure(keyring: &Keyring, defaults: &Scope, data_dir: &Path) -> Result<(), RootKeyError> {
    let file = data_dir.join(FILE);
    let failed = |source| RootKeyError::File { file: file.clone(), source };
    match std::fs::read_to_string(&file) {
        Ok(text) => {
            let (id, secret) = parse(&text).ok_or_else(|| RootKeyError::Unreadable(file.clone()))?;
            keep(keyring, &id, &secret).await
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let (key, secret) = keyring.new_key(&defaults.account, Owner::Root);
            write(data_dir, &file, &render(&key.id, &secret, &defaults.region)).map_err(failed)?;
            kernel::crash_point!("iam_after_root_file");
            keep(keyring, &key.id, &secret).await
        }
        Err(error) => Err(failed(error)),
    }
}

async fn keep(keyring: &Keyring, id: &str, secret: &str) -> Result<(), RootKeyError> {
    let account = access_key_id::account(id).unwrap_or_default();
    let scope = scope(&account);
    if keyring.documents.get::<AccessKey>(&scope, id).await?.is_some() {
        return Ok(());
    }
    let key = keyring.sealed_key(id.to_owned(), Owner::Root, secret);
    match keyring.documents.insert(&scope, key).await {
        Ok(_) | Err(CommitError::Exists { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn render(id: &str, secret: &str, region: &str) -> String {
    format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\nregion = {region}\n")
}

fn parse(text: &str) -> Option<(String, String)> {
    let value = |name: &str| {
        let mut pairs = text.lines().filter_map(|line| line.split_once('='));
        pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
    };
    let (id, secret) = (value("aws_access_key_id")?, value("aws_secret_access_key")?);
    (access_key_id::account(&id).is_some() && secret.len() >= 16).then_some((id, secret))
}

/// Writes the file beside its place and renames it, so that no crash leaves half of it.
fn write(dir: &Path, file: &Path, text: &str) -> io::Result<()> {
    let temporary = dir.join("root-credentials.new");
    let mut options = OpenOptions::new();
    let mut written = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    written.write_all(text.as_bytes())?;
    written.sync_all()?;
    std::fs::rename(&temporary, file)?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_reads_back() {
        let text = render("ASIAQNZGKIQY56JQ7WML", "0123456789abcdef", "us-east-1");
        assert_eq!(parse(&text), Some(("ASIAQNZGKIQY56JQ7WML".into(), "0123456789abcdef".into())));
        for text in ["", "[default]\naws_access_key_id = x\naws_secret_access_key = y\n"] {
            assert_eq!(parse(text), None);
        }
    }
}
