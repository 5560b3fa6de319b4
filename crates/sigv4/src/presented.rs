//! Reading and verifying what a client presented, as the server does it.

use crate::canonical::{Request, canonical_request};
use crate::encoding::query_value;
use crate::payload::is_sha256_hex;
use crate::{ALGORITHM, AmzDate, CredentialScope, Payload, SigningKey, string_to_sign};

/// Longest validity of a presigned request: seven days.
pub const MAX_PRESIGNED_SECONDS: u32 = 604_800;
/// Longest `Authorization` header or presigned query that is read.
const MAX_TEXT: usize = 32 * 1024;
/// Most signed headers that are read.
const MAX_SIGNED_HEADERS: usize = 128;
/// Longest access key id, region or service name in a credential (IAM's own limit for key ids is 128).
const MAX_NAME: usize = 128;

/// Where a signature was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The `Authorization` header.
    Header,
    /// The query of a presigned request, valid for so many seconds.
    Query {
        /// `X-Amz-Expires`, 1 to [`MAX_PRESIGNED_SECONDS`].
        seconds: u32,
    },
}

/// Why no signature could be read. The texts are AWS's own, for `IncompleteSignature`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Neither an `Authorization` header nor presigned parameters.
    #[error("Missing Authentication Token")]
    Missing,
    /// `Authorization` of another scheme, for example `Basic`.
    #[error("Unsupported authorization type: only {ALGORITHM} is served here.")]
    OtherScheme,
    /// A part is missing or malformed; the text says which.
    #[error("{0}")]
    Incomplete(String),
    /// The same of a presigned query.
    #[error("{0}")]
    IncompleteQuery(String),
}

/// A signature as a client presented it: well-formed, not yet verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// Header or query.
    pub place: Place,
    /// Whose key it claims to be.
    pub access_key_id: String,
    /// Day, region and service of the key.
    pub scope: CredentialScope,
    /// `X-Amz-Date`: its day equals the scope's.
    pub time: AmzDate,
    /// Lower-case names, in the client's order.
    pub signed_headers: Vec<String>,
    /// 64 hex digits.
    pub signature: String,
    /// Session token, from header or query.
    pub session_token: Option<String>,
    /// `x-amz-content-sha256`, if the request has that header.
    pub payload: Option<Payload>,
}

/// The values of either form, not yet checked.
struct Raw {
    place: Place,
    credential: Option<String>,
    signed_headers: Option<String>,
    signature: Option<String>,
    date: Option<String>,
    session_token: Option<String>,
}

impl Presented {
    /// Reads the header or presigned signature of a request.
    ///
    /// # Errors
    /// [`ParseError::Missing`] where there is none, [`ParseError::Incomplete`] naming what is missing or malformed.
    pub fn parse(request: &Request<'_>) -> Result<Self, ParseError> {
        match request.header("authorization") {
            Some(header) => Self::check(request, from_header(request, header)?),
            None if request.query.contains("X-Amz-") => {
                from_query(request.query).and_then(|raw| Self::check(request, raw)).map_err(|error| match error {
                    ParseError::Incomplete(text) => ParseError::IncompleteQuery(text),
                    other => other,
                })
            }
            None => Err(ParseError::Missing),
        }
    }

    fn check(request: &Request<'_>, raw: Raw) -> Result<Self, ParseError> {
        let place = if raw.place == Place::Header { "Authorization header" } else { "Presigned query" };
        let required = |value: Option<String>, name: &str| {
            value.ok_or_else(|| ParseError::Incomplete(format!("{place} requires '{name}' parameter.")))
        };
        let (access_key_id, scope) = parse_credential(&required(raw.credential, "Credential")?)?;
        let signature = required(raw.signature, "Signature")?;
        if !is_sha256_hex(&signature) {
            return Err(ParseError::Incomplete("'Signature' must be 64 hexadecimal digits.".into()));
        }
        let signed_headers = parse_signed_headers(&required(raw.signed_headers, "SignedHeaders")?)?;
        let time = parse_time(raw.date, &scope)?;
        let payload = request.header("x-amz-content-sha256").map(parse_payload).transpose()?;
        let Raw { place, session_token, .. } = raw;
        Ok(Self { place, access_key_id, scope, time, signed_headers, signature, session_token, payload })
    }

    /// Whether the signature is that of `key`, derived for [`Presented::scope`], over `request`, with `payload` as the text
    /// form of its payload (the `x-amz-content-sha256` header where there is one, `UNSIGNED-PAYLOAD` for presigned S3, else
    /// the body's own SHA-256). Says nothing about time: see [`Presented::time`] and [`Presented::place`].
    #[must_use]
    pub fn verify(&self, request: &Request<'_>, key: &SigningKey, payload: &str) -> bool {
        key.matches(&self.string_to_sign(&self.canonical_request(request, payload)), &self.signature)
    }

    /// The canonical request that the client must have signed. Holds header values: for error replies to that very client
    /// and for tests, never for logs.
    #[must_use]
    pub fn canonical_request(&self, request: &Request<'_>, payload: &str) -> String {
        let skipped = (self.place != Place::Header).then_some("X-Amz-Signature");
        canonical_request(request, &self.signed_headers, skipped, payload, &self.scope.service)
    }

    /// The string to sign over a canonical request.
    #[must_use]
    pub fn string_to_sign(&self, canonical_request: &str) -> String {
        string_to_sign(&self.time.to_string(), &self.scope, canonical_request)
    }
}

fn from_header(request: &Request<'_>, header: &str) -> Result<Raw, ParseError> {
    let (algorithm, rest) = header.split_once(char::is_whitespace).unwrap_or((header, ""));
    if algorithm != ALGORITHM {
        return Err(ParseError::OtherScheme);
    }
    bounded(header)?;
    let part = |name: &str| {
        let mut parts = rest.split(',').filter_map(|part| part.trim().split_once('='));
        parts.find(|(key, _)| *key == name).map(|(_, value)| value.trim().to_owned())
    };
    Ok(Raw {
        place: Place::Header,
        credential: part("Credential"),
        signed_headers: part("SignedHeaders"),
        signature: part("Signature"),
        date: request.header("x-amz-date").or_else(|| request.header("date")).map(str::to_owned),
        session_token: request.header("x-amz-security-token").map(str::to_owned),
    })
}

fn from_query(query: &str) -> Result<Raw, ParseError> {
    bounded(query)?;
    let value = |name: &str| query_value(query, name);
    match value("X-Amz-Algorithm").as_deref() {
        Some(ALGORITHM) => {}
        Some(_) => return Err(ParseError::OtherScheme),
        None => return Err(ParseError::Missing),
    }
    let seconds = validity(&value("X-Amz-Expires").unwrap_or_default())?;
    Ok(Raw {
        place: Place::Query { seconds },
        credential: value("X-Amz-Credential"),
        signed_headers: value("X-Amz-SignedHeaders"),
        signature: value("X-Amz-Signature"),
        date: value("X-Amz-Date"),
        session_token: value("X-Amz-Security-Token"),
    })
}

/// Seconds, in S3's words where they are none that will do.
fn validity(text: &str) -> Result<u32, ParseError> {
    let wrong = |text: &str| Err(ParseError::Incomplete(format!("X-Amz-Expires {text}")));
    match text.parse::<i64>() {
        Err(_) => wrong("should be a number"),
        Ok(..=0) => wrong("must be non-negative and not zero"),
        Ok(seconds) => match u32::try_from(seconds) {
            Ok(seconds) if seconds <= MAX_PRESIGNED_SECONDS => Ok(seconds),
            _ => wrong(&format!("must be less than a week (in seconds) that is {MAX_PRESIGNED_SECONDS}")),
        },
    }
}

fn bounded(text: &str) -> Result<(), ParseError> {
    if text.len() <= MAX_TEXT {
        return Ok(());
    }
    Err(ParseError::Incomplete(format!("The signature's header or query is longer than {MAX_TEXT} bytes.")))
}

/// Splits `KEY/DAY/REGION/SERVICE/aws4_request`.
fn parse_credential(text: &str) -> Result<(String, CredentialScope), ParseError> {
    let malformed = || {
        let form = "<access key id>/YYYYMMDD/<region>/<service>/aws4_request";
        ParseError::Incomplete(format!("Credential must have exactly 5 slash-delimited elements, {form}."))
    };
    let parts: Vec<&str> = text.splitn(6, '/').collect();
    let &[key, day, region, service, "aws4_request"] = parts.as_slice() else {
        return Err(malformed());
    };
    let is_name = |name: &&str| {
        (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    if ![key, day, region, service].iter().all(is_name) {
        return Err(malformed());
    }
    Ok((key.into(), CredentialScope { day: day.into(), region: region.into(), service: service.into() }))
}

fn parse_signed_headers(text: &str) -> Result<Vec<String>, ParseError> {
    let names: Vec<String> = text.split(';').map(str::to_ascii_lowercase).take(MAX_SIGNED_HEADERS + 1).collect();
    if names.len() > MAX_SIGNED_HEADERS || names.iter().any(String::is_empty) {
        let text = format!("'SignedHeaders' must name 1 to {MAX_SIGNED_HEADERS} headers, separated by semicolons.");
        return Err(ParseError::Incomplete(text));
    }
    if !names.iter().any(|name| name == "host") {
        return Err(ParseError::Incomplete(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".into(),
        ));
    }
    Ok(names)
}

fn parse_time(date: Option<String>, scope: &CredentialScope) -> Result<AmzDate, ParseError> {
    let date = date.ok_or_else(|| {
        ParseError::Incomplete(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.".into(),
        )
    })?;
    let time = AmzDate::parse(&date).ok_or_else(|| {
        ParseError::Incomplete("Date must be in ISO-8601 'basic format', for example 20150830T123600Z.".into())
    })?;
    if time.day() == scope.day {
        return Ok(time);
    }
    let (day, of_date) = (&scope.day, time.day());
    Err(ParseError::Incomplete(format!(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{day}' != '{of_date}', \
         from '{time}'."
    )))
}

fn parse_payload(value: &str) -> Result<Payload, ParseError> {
    Payload::parse(value).ok_or_else(|| {
        let forms = "a SHA-256 in hexadecimal, UNSIGNED-PAYLOAD or one of the STREAMING- values";
        ParseError::Incomplete(format!("x-amz-content-sha256 must be {forms}."))
    })
}
