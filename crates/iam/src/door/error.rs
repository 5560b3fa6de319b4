//! Why a request is not let in, in the words and codes of each family of AWS services.

use crate::rules::signing_time::TimeError;
use kernel::StoreError;
use sigv4::ParseError;
use std::fmt;

/// Why a Git client is not let in; it may ask its user for another password.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct GitDenied(#[from] AuthError);

/// Why nobody could be authenticated.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthError {
    /// The request has no signature.
    #[error("Missing Authentication Token")]
    Missing,
    /// The signature is malformed; the text says where.
    #[error("{0}")]
    Incomplete(String),
    /// The same of a presigned URL.
    #[error("{0}")]
    IncompleteQuery(String),
    /// A presigned URL of S3 whose time is over.
    #[error("Request has expired")]
    Expired,
    /// No such access key, or an inactive one.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// A session token that is not ours, or not this key's.
    #[error("The security token included in the request is invalid.")]
    InvalidToken,
    /// The session is over.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
    /// Signed with another secret, or changed after signing.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and \
         signing method. Consult the service documentation for details."
    )]
    Mismatch,
    /// A header of AWS's own that is not signed.
    #[error("There were headers present in the request which were not signed: {0}")]
    Unsigned(String),
    /// Signed too long ago, or in the future.
    #[error("{0}")]
    Time(#[from] TimeError),
    /// The body is not the one that was signed.
    #[error("The provided 'x-amz-content-sha256' header does not match what was computed over the body.")]
    Payload,
    /// A Git password that is no signature.
    #[error(
        "The password is no Signature Version 4 of CodeCommit; use its credential helper or git-remote-codecommit."
    )]
    Password,
    /// Our fault; already logged.
    #[error("{0:?}")]
    Internal(aws::Error),
}

/// How a family of services writes its errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Json,
    Query,
    S3,
}

impl Family {
    fn of(service: &str) -> Self {
        match service {
            "s3" => Self::S3,
            "autoscaling" | "cloudformation" | "ec2" | "elasticloadbalancing" | "iam" | "sns" | "sts" => Self::Query,
            _ => Self::Json,
        }
    }
}

impl AuthError {
    pub(crate) fn internal(cause: impl fmt::Display) -> Self {
        Self::Internal(aws::Error::internal(cause))
    }

    /// The answer for a client of `service`, the signing name from the credential scope, or what the path or target says
    /// where there is no signature.
    #[must_use]
    pub(crate) fn answer(&self, service: &str) -> aws::Error {
        if let Self::Internal(error) = self {
            return error.clone();
        }
        let family = Family::of(service);
        let code = match family {
            Family::Json => self.json_code(),
            Family::Query => self.query_code(),
            Family::S3 => self.s3_code(),
        };
        let status = match (family, self) {
            (Family::Json, _) | (_, Self::Incomplete(_) | Self::IncompleteQuery(_)) | (Family::S3, Self::Payload) => {
                400
            }
            (Family::S3, Self::ExpiredToken | Self::InvalidToken) => 400,
            _ => 403,
        };
        aws::Error::modelled(code, status, self.to_string())
    }

    fn json_code(&self) -> &'static str {
        match self {
            Self::Missing => "MissingAuthenticationTokenException",
            Self::Incomplete(_) | Self::IncompleteQuery(_) => "IncompleteSignatureException",
            Self::UnknownKey | Self::InvalidToken => "UnrecognizedClientException",
            Self::ExpiredToken => "ExpiredTokenException",
            Self::Password => "AccessDeniedException",
            Self::Mismatch | Self::Unsigned(_) | Self::Time(_) | Self::Expired | Self::Payload => {
                "InvalidSignatureException"
            }
            Self::Internal(_) => "InternalFailure",
        }
    }

    fn query_code(&self) -> &'static str {
        match self {
            Self::Missing => "MissingAuthenticationToken",
            Self::Incomplete(_) | Self::IncompleteQuery(_) => "IncompleteSignature",
            Self::UnknownKey | Self::InvalidToken => "InvalidClientTokenId",
            Self::ExpiredToken => "ExpiredToken",
            Self::Password => "AccessDenied",
            Self::Mismatch | Self::Unsigned(_) | Self::Time(_) | Self::Expired | Self::Payload => {
                "SignatureDoesNotMatch"
            }
            Self::Internal(_) => "InternalFailure",
        }
    }

    fn s3_code(&self) -> &'static str {
        match self {
            Self::Missing | Self::Password | Self::Unsigned(_) | Self::Expired => "AccessDenied",
            Self::IncompleteQuery(_) => "AuthorizationQueryParametersError",
            Self::Incomplete(_) => "AuthorizationHeaderMalformed",
            Self::UnknownKey => "InvalidAccessKeyId",
            Self::InvalidToken => "InvalidToken",
            Self::ExpiredToken => "ExpiredToken",
            Self::Mismatch => "SignatureDoesNotMatch",
            Self::Time(_) => "RequestTimeTooSkewed",
            Self::Payload => "XAmzContentSHA256Mismatch",
            Self::Internal(_) => "InternalError",
        }
    }
}

impl From<ParseError> for AuthError {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::Missing => Self::Missing,
            ParseError::IncompleteQuery(text) => Self::IncompleteQuery(text),
            other => Self::Incomplete(other.to_string()),
        }
    }
}

impl From<StoreError> for AuthError {
    fn from(error: StoreError) -> Self {
        Self::internal(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_has_its_codes() {
        for (error, json, query, s3) in [
            (AuthError::Missing, "MissingAuthenticationTokenException", "MissingAuthenticationToken", "AccessDenied"),
            (AuthError::UnknownKey, "UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"),
            (AuthError::Mismatch, "InvalidSignatureException", "SignatureDoesNotMatch", "SignatureDoesNotMatch"),
            (AuthError::ExpiredToken, "ExpiredTokenException", "ExpiredToken", "ExpiredToken"),
            (
                AuthError::Incomplete("x".into()),
                "IncompleteSignatureException",
                "IncompleteSignature",
                "AuthorizationHeaderMalformed",
            ),
        ] {
            assert_eq!(error.answer("codebuild").code, json);
            assert_eq!(error.answer("codebuild").status, 400);
            assert_eq!(error.answer("sts").code, query);
            assert_eq!(error.answer("s3").code, s3);
        }
        assert_eq!(AuthError::Mismatch.answer("iam").status, 403);
        assert_eq!(AuthError::Incomplete(String::new()).answer("iam").status, 400);
    }
}
