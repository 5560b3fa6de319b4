//! Header and presigned signatures.

use crate::door::{AuthError, Authenticator, Connection, verified};
use crate::keyring::Key;
use crate::rules::decision::Mode;
use crate::rules::signing_time::{self, TimeError};
use http::request::Parts;
use http::{HeaderMap, Uri};
use kernel::Caller;
use sigv4::v2::PresignedV2;
use sigv4::{AmzDate, CredentialScope, ParseError, Payload, Place, Presented, Request, SigningKey, sha256_hex};

/// What the chunks of a streamed body are signed with, one after the other.
#[derive(Debug, Clone)]
pub struct Seed {
    /// The key that signed the headers.
    pub key: SigningKey,
    /// Its scope.
    pub scope: CredentialScope,
    /// The time of the signature.
    pub time: AmzDate,
    /// The signature of the headers, in hex: the first chunk's signature covers it.
    pub signature: String,
}

/// The body of a request.
#[derive(Debug, Clone, Copy)]
enum Content<'a> {
    /// The whole of it: its digest is checked here.
    Whole(&'a [u8]),
    /// Read later, by S3: whoever reads it must check it against the header `x-amz-content-sha256`, which is signed.
    Streamed,
}

impl Authenticator {
    /// The signing name of the service that a request claims to be signed for; `None` for an unsigned one or a signature that cannot be read
    /// (which [`Authenticator::authenticate`] refuses with the reason). No I/O, nothing verified.
    #[must_use]
    pub fn claimed_service<B>(&self, request: &http::Request<B>) -> Option<String> {
        let headers = headers(request.headers(), request.uri());
        let presented = Presented::parse(&borrowed(request.method().as_str(), request.uri(), &headers)).ok()?;
        Some(presented.scope.service)
    }

    /// Whether a request carries a signature of version 4, or is presigned by version 2, readable or not: then [`Authenticator::authenticate`] says what is
    /// wrong with it.
    #[must_use]
    pub fn is_signed<B>(&self, request: &http::Request<B>) -> bool {
        let header = request.headers().get(http::header::AUTHORIZATION);
        let query = request.uri().query().unwrap_or_default();
        header.is_some_and(|value| value.as_bytes().starts_with(b"AWS4-"))
            || query.contains("X-Amz-Algorithm=")
            || query.contains("AWSAccessKeyId=")
    }

    /// Authenticates a signed request, by header or presigned, for any service. The caller is in the account of the key and
    /// the region of the scope.
    ///
    /// In open mode, a request without signature is let in as the default account's root, and a key that is not known here
    /// as the root of its account, unverified. A key that is known is verified in both modes, so that its user or session
    /// is who it says.
    ///
    /// # Errors
    /// AWS's, in the words and codes of the service that the request is for: no signature, a malformed one, an unknown key,
    /// an expired token or time, a signature or body digest that does not fit.
    pub async fn authenticate(
        &self,
        parts: &Parts,
        body: &[u8],
        request_id: &str,
        source_ip: Option<&str>,
    ) -> Result<Caller, aws::Error> {
        self.admit(parts, Content::Whole(body), Connection { request_id, source_ip }).await.map(|(caller, _)| caller)
    }

    /// [`Authenticator::authenticate`] for S3, whose bodies stream: with the caller comes what their chunks must be signed
    /// with, for a key that is known here. Whoever reads the body must check it against the signed header
    /// `x-amz-content-sha256`: a digest, or a form of chunks.
    ///
    /// # Errors
    /// The same.
    pub async fn authenticate_streamed(
        &self,
        parts: &Parts,
        request_id: &str,
        source_ip: Option<&str>,
    ) -> Result<(Caller, Option<Seed>), aws::Error> {
        self.admit(parts, Content::Streamed, Connection { request_id, source_ip }).await
    }

    async fn admit(
        &self,
        parts: &Parts,
        content: Content<'_>,
        connection: Connection<'_>,
    ) -> Result<(Caller, Option<Seed>), aws::Error> {
        let headers = headers(&parts.headers, &parts.uri);
        let request = borrowed(parts.method.as_str(), &parts.uri, &headers);
        let presented = Presented::parse(&request);
        let service =
            presented.as_ref().map_or_else(|_| service_of(parts), |presented| presented.scope.service.clone());
        // Version 2 is S3's alone: it signs no body, and no service.
        let presigned_v2 = matches!(content, Content::Streamed).then(|| PresignedV2::parse(&request)).flatten();
        if let (Err(ParseError::Missing), Some(presented)) = (&presented, presigned_v2) {
            let admitted = self.admit_presigned_v2(&presented, &request, connection).await;
            return admitted.map(|caller| (caller, None)).map_err(|error| error.answer("s3"));
        }
        let admitted = match presented {
            Err(ParseError::Missing | ParseError::OtherScheme) if self.mode == Mode::Open => {
                let caller = self.unverified("", &self.defaults.region, connection);
                caller.map(|caller| (caller, None)).ok_or(AuthError::Missing)
            }
            Err(error) => Err(error.into()),
            Ok(presented) => self.admit_presented(&presented, &request, content, connection).await,
        };
        admitted.map_err(|error| error.answer(&service))
    }

    async fn admit_presented(
        &self,
        presented: &Presented,
        request: &Request<'_>,
        content: Content<'_>,
        connection: Connection<'_>,
    ) -> Result<(Caller, Option<Seed>), AuthError> {
        let (id, region) = (&presented.access_key_id, &presented.scope.region);
        let payload = payload(presented, content)?;
        match self.find(id, presented.session_token.as_deref()).await? {
            Some(key) => {
                let seed = self.verify(presented, request, &key, &payload)?;
                Ok((verified(key, region, connection), Some(seed)))
            }
            None => {
                let caller = self.unverified(id, region, connection);
                caller.map(|caller| (caller, None)).ok_or(AuthError::UnknownKey)
            }
        }
    }

    fn verify(
        &self,
        presented: &Presented,
        request: &Request<'_>,
        key: &Key,
        payload: &Payload,
    ) -> Result<Seed, AuthError> {
        signing_time::check(presented.time, presented.place, self.keyring.now()).map_err(|error| {
            let s3s = presented.scope.service == "s3" && presented.place != Place::Header;
            if s3s && matches!(error, TimeError::Expired { .. }) { AuthError::Expired } else { error.into() }
        })?;
        covers_headers(presented, request)?;
        let Presented { scope, time, signature, .. } = presented;
        let key = SigningKey::derive(&key.secret, scope);
        if !presented.verify(request, &key, payload.as_str()) {
            return Err(AuthError::Mismatch);
        }
        Ok(Seed { key, scope: scope.clone(), time: *time, signature: signature.clone() })
    }
}

/// Which family of errors an unsigned request expects: JSON where it has a target, query for a form, else S3's.
fn service_of(parts: &Parts) -> String {
    let form = parts
        .headers
        .get(http::header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form"));
    let service = match parts.headers.contains_key("x-amz-target") {
        true => "",
        false if form => "sts",
        false => "s3",
    };
    service.to_owned()
}

/// The payload that was signed. Every service but S3 signs the digest of its body.
fn payload(presented: &Presented, content: Content<'_>) -> Result<Payload, AuthError> {
    let s3 = presented.scope.service == "s3";
    match (content, &presented.payload) {
        (Content::Whole(_), Some(stated @ (Payload::Unsigned | Payload::Streaming(_)))) if s3 => Ok(stated.clone()),
        (Content::Whole(_), None) if s3 && presented.place != Place::Header => Ok(Payload::Unsigned),
        (Content::Whole(bytes), stated) => {
            let actual = Payload::Sha256(sha256_hex(bytes));
            let same = stated.as_ref().is_none_or(|stated| *stated == actual);
            same.then_some(actual).ok_or(AuthError::Payload)
        }
        (Content::Streamed, Some(stated)) => Ok(stated.clone()),
        (Content::Streamed, None) if presented.place != Place::Header => Ok(Payload::Unsigned),
        (Content::Streamed, None) => {
            Err(AuthError::Incomplete("Missing required header for this request: x-amz-content-sha256".into()))
        }
    }
}

/// Headers of AWS's own that mean something without being signed: the signature covers the first two otherwise, and the
/// token is sealed.
const COVERED: [&str; 3] = ["x-amz-content-sha256", "x-amz-date", "x-amz-security-token"];

/// All headers of AWS's own must be signed: else a signature would do for another operation, or another object to copy.
fn covers_headers(presented: &Presented, request: &Request<'_>) -> Result<(), AuthError> {
    let signed = |name: &str| presented.signed_headers.iter().any(|signed| signed.eq_ignore_ascii_case(name));
    let names = request.headers.iter().map(|(name, _)| *name);
    let mut own = names.filter(|name| name.starts_with("x-amz-") && !COVERED.contains(name));
    own.find(|name| !signed(name)).map_or(Ok(()), |name| Err(AuthError::Unsigned(name.to_owned())))
}

/// The headers as they came; for HTTP/2, `:authority` stands in for `host`.
pub(super) fn headers<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Vec<(&'a str, &'a [u8])> {
    let mut all: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    if let (None, Some(authority)) = (headers.get(http::header::HOST), uri.authority()) {
        all.push(("host", authority.as_str().as_bytes()));
    }
    all
}

fn borrowed<'a>(method: &'a str, uri: &'a Uri, headers: &'a [(&'a str, &'a [u8])]) -> Request<'a> {
    Request { method, path: uri.path(), query: uri.query().unwrap_or_default(), headers }
}
