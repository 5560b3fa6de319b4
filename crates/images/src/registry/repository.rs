use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri};
use hyper::body::Incoming;

use super::auth::authorize;
use super::connection::Connection;
use super::fault::Fault;
use crate::limits::MANIFEST_BYTES;
use crate::{Descriptor, Digest, RegistryCredentials, manifest};

/// One repository at one address of its registry, as one user sees it.
pub(crate) struct Repository {
    pub(super) connection: Connection,
    endpoint: Uri,
    name: String,
    credentials: Option<RegistryCredentials>,
    /// What the registry let in the last time.
    authorization: Mutex<Option<HeaderValue>>,
}

/// A manifest with its digest, which was made of its bytes.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) digest: Digest,
    pub(crate) bytes: Bytes,
}

impl Repository {
    pub(crate) fn new(
        connection: &Connection,
        endpoint: Uri,
        name: &str,
        credentials: Option<RegistryCredentials>,
    ) -> Self {
        let (connection, name) = (connection.clone(), name.to_owned());
        Self { connection, endpoint, name, credentials, authorization: Mutex::default() }
    }

    /// The digest of what the registry has under a tag, if it tells without handing it out.
    pub(crate) async fn digest(&self, tag: &str) -> Result<Option<Digest>, Fault> {
        let response = self.ask(&Method::HEAD, &self.manifest_path(tag), accept()).await?;
        let digest = response.headers().get("docker-content-digest").and_then(|value| value.to_str().ok());
        Ok(digest.and_then(|digest| digest.parse().ok()))
    }

    /// The manifest or index under a tag or digest; a digest is checked.
    pub(crate) async fn manifest(&self, wanted: &str) -> Result<Found, Fault> {
        self.patiently(|| self.manifest_once(wanted)).await
    }

    async fn manifest_once(&self, wanted: &str) -> Result<Found, Fault> {
        let response = self.ask(&Method::GET, &self.manifest_path(wanted), accept()).await?;
        let bytes = self.connection.body(response, MANIFEST_BYTES).await?;
        let digest = Digest::of(&bytes);
        match wanted.parse::<Digest>() {
            Ok(asked) if asked != digest => {
                Err(Fault::Lasting(format!("the manifest {asked} came with the content of {digest}")))
            }
            _ => Ok(Found { digest, bytes }),
        }
    }

    /// A small blob, checked.
    pub(crate) async fn blob(&self, blob: &Descriptor) -> Result<Bytes, Fault> {
        self.patiently(|| self.blob_once(blob)).await
    }

    async fn blob_once(&self, blob: &Descriptor) -> Result<Bytes, Fault> {
        let response = self.ask(&Method::GET, &self.blob_path(&blob.digest), HeaderMap::new()).await?;
        let bytes = self.connection.body(response, blob.size).await?;
        let digest = Digest::of(&bytes);
        if digest == blob.digest {
            return Ok(bytes);
        }
        Err(Fault::Lasting(format!("the blob {} came with the content of {digest}", blob.digest)))
    }

    /// The beginning of a blob's answer; `headers` may ask for a part.
    pub(super) async fn open_blob(&self, digest: &Digest, headers: HeaderMap) -> Result<Response<Incoming>, Fault> {
        self.ask(&Method::GET, &self.blob_path(digest), headers).await
    }

    /// Tries again what may go well the next time, a few times.
    async fn patiently<T, F: Future<Output = Result<T, Fault>>>(&self, attempt: impl Fn() -> F) -> Result<T, Fault> {
        let mut pause = self.connection.patience.pause;
        for _ in 1..self.connection.patience.tries {
            match attempt().await {
                Err(Fault::Passing(_)) => {}
                done => return done,
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        attempt().await
    }

    fn manifest_path(&self, wanted: &str) -> String {
        format!("/v2/{}/manifests/{wanted}", self.name)
    }

    fn blob_path(&self, digest: &Digest) -> String {
        format!("/v2/{}/blobs/{digest}", self.name)
    }

    /// Asks with what let in before, and where the registry wants to know who asks, again with that. A range that cannot
    /// be had is an answer, too.
    async fn ask(&self, method: &Method, path: &str, mut headers: HeaderMap) -> Result<Response<Incoming>, Fault> {
        let url = self.url(path)?;
        if let Some(authorization) = self.authorization() {
            headers.insert(AUTHORIZATION, authorization);
        }
        let mut response = self.connection.ask(method, &url, &headers).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            let authorization =
                authorize(&self.connection, &url, response.headers(), &self.name, self.credentials.as_ref()).await?;
            headers.insert(AUTHORIZATION, authorization.clone());
            response = self.connection.ask(method, &url, &headers).await?;
            *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(authorization);
        }
        if response.status().is_success() || response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            return Ok(response);
        }
        Err(self.connection.fault(response).await)
    }

    fn authorization(&self) -> Option<HeaderValue> {
        self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn url(&self, path: &str) -> Result<Uri, Fault> {
        let mut parts = self.endpoint.clone().into_parts();
        let wrong = |error: &dyn std::fmt::Display| Fault::Lasting(format!("the path {path}: {error}"));
        parts.path_and_query = Some(path.parse().map_err(|error| wrong(&error))?);
        Uri::from_parts(parts).map_err(|error| wrong(&error))
    }
}

fn accept() -> HeaderMap {
    let value = HeaderValue::from_str(&manifest::ACCEPT.join(", "));
    value.map(|value| HeaderMap::from_iter([(ACCEPT, value)])).unwrap_or_default()
}
