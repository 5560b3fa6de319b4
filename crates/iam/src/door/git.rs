//! Basic credentials of Git: CodeCommit's signature as a password, or any password in open mode.

use crate::door::signed::headers;
use crate::door::{AuthError, Authenticator, Connection, GitDenied, verified};
use crate::rules::signing_time;
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use kernel::Caller;
use sigv4::{Place, git::Presented};
use std::sync::Arc;

/// Longest Basic header that is read; a session token may be some kilobytes.
const MAX_HEADER: usize = 32 * 1024;

/// Which regions have a repository: the signature in a Git password does not say which it is for. Implemented by CodeCommit.
#[async_trait]
pub trait RepositoryRegions: Send + Sync {
    /// The regions in which `account` has a repository of that name.
    async fn regions(&self, account: &str, repository: &str) -> Result<Vec<String>, aws::Error>;
}

impl Authenticator {
    /// Wires CodeCommit's answer to "where is this repository"; until then only the default region is tried. Once: later
    /// calls change nothing.
    pub fn set_repository_regions(&self, repositories: Arc<dyn RepositoryRegions>) {
        let _ = self.repositories.set(repositories);
    }

    /// Authenticates a Git request for `/v1/repos/REPOSITORY` by its Basic header.
    ///
    /// The password tells no region: the regions that have the repository are tried, then the default one, so that a missing
    /// repository is "not found" rather than "wrong password". In open mode, a plain password means the default region, and
    /// a user name of twelve digits the account.
    ///
    /// # Errors
    /// [`GitDenied`]: answer 401 with `WWW-Authenticate: Basic`, since Git asks without credentials first.
    pub async fn authenticate_git(
        &self,
        parts: &Parts,
        repository: &str,
        request_id: &str,
        source_ip: Option<&str>,
    ) -> Result<Caller, GitDenied> {
        let connection = Connection { request_id, source_ip };
        let (user, password) = basic(parts)?;
        let caller = match Presented::parse(&user, &password) {
            Some(presented) => self.signed_git(parts, repository, &presented, connection).await?,
            None => self.unverified(&user, &self.defaults.region, connection).ok_or(AuthError::Password)?,
        };
        Ok(caller)
    }

    async fn signed_git(
        &self,
        parts: &Parts,
        repository: &str,
        presented: &Presented,
        connection: Connection<'_>,
    ) -> Result<Caller, AuthError> {
        let id = &presented.access_key_id;
        let Some(key) = self.find(id, presented.session_token.as_deref()).await? else {
            let regions = self.regions(self.unverified_account(id), repository).await?;
            let region = regions.first().unwrap_or(&self.defaults.region);
            return self.unverified(id, region, connection).ok_or(AuthError::UnknownKey);
        };
        signing_time::check(presented.time, Place::Header, self.keyring.now())?;
        let (host, path) = (host(parts), format!("/v1/repos/{repository}"));
        let regions = self.regions(&key.account, repository).await?;
        let region = regions.iter().find(|region| presented.verify(&key.secret, region, &host, &path));
        let region = region.ok_or(AuthError::Mismatch)?;
        Ok(verified(key, region, connection))
    }

    /// The regions to try, the default one last.
    async fn regions(&self, account: &str, repository: &str) -> Result<Vec<String>, AuthError> {
        let mut regions = match self.repositories.get() {
            Some(repositories) => repositories.regions(account, repository).await.map_err(AuthError::Internal)?,
            None => Vec::new(),
        };
        if !regions.contains(&self.defaults.region) {
            regions.push(self.defaults.region.clone());
        }
        Ok(regions)
    }
}

/// User name and password of the Basic header.
fn basic(parts: &Parts) -> Result<(String, String), AuthError> {
    let header = parts.headers.get(http::header::AUTHORIZATION).ok_or(AuthError::Missing)?;
    let header = header.to_str().ok().filter(|text| text.len() <= MAX_HEADER);
    let decoded = header
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
        .and_then(|(_, encoded)| STANDARD.decode(encoded.trim()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let text = decoded.ok_or_else(|| AuthError::Incomplete("Git is served with Basic credentials.".into()))?;
    let (user, password) = text.split_once(':').ok_or(AuthError::Missing)?;
    Ok((user.to_owned(), password.to_owned()))
}

fn host(parts: &Parts) -> String {
    let headers = headers(&parts.headers, &parts.uri);
    let host = headers.iter().find(|(name, _)| *name == "host").map(|(_, value)| *value);
    String::from_utf8_lossy(host.unwrap_or_default()).into_owned()
}
