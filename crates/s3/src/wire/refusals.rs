//! Refusals that s3s makes by itself: it sends a code and often nothing else.

use super::ReplyBody;
use bytes::Bytes;
use http::Response;
use http::header::CONTENT_LENGTH;
use http_body_util::{BodyExt, Full, Limited};
use std::io;

/// The most bytes of an error in XML.
const LARGEST: usize = 64 * 1024;
const END: &str = "</Error>";

/// What S3 says to each code.
const MESSAGES: &[(&str, &str)] = &[
    ("IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header."),
    ("InvalidBucketName", "The specified bucket name is not valid: it needs 3 to 63 of a-z, 0-9, dot and hyphen."),
    ("InvalidURI", "The specified URI could not be parsed."),
    ("KeyTooLongError", "Your key is too long: at most 1024 bytes of UTF-8 are allowed."),
    ("MalformedXML", "The XML you provided was not well-formed or did not validate against the published schema."),
    ("MaxMessageLengthExceeded", "Your request was too big."),
    ("MethodNotAllowed", "The specified method is not allowed against this resource."),
    ("MissingContentLength", "You must provide the Content-Length HTTP header."),
    ("NotImplemented", "This operation is not implemented."),
    ("InternalError", "We encountered an internal error; the server's log has the cause, under this request id."),
];

/// The reply with a message and the request's id, where it is an error without them.
pub(super) async fn complete(reply: Response<ReplyBody>, request_id: &str) -> Response<ReplyBody> {
    if !reply.status().is_client_error() && !reply.status().is_server_error() {
        return reply;
    }
    let (mut parts, body) = reply.into_parts();
    let bytes = match Limited::new(body, LARGEST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(failure) => {
            tracing::error!(%failure, "an S3 error could not be read");
            Bytes::new()
        }
    };
    parts.headers.remove(CONTENT_LENGTH);
    let completed = std::str::from_utf8(&bytes).ok().and_then(|xml| filled(xml, request_id)).map(Bytes::from);
    let body = Full::new(completed.unwrap_or(bytes)).map_err(|never| -> io::Error { match never {} });
    Response::from_parts(parts, body.boxed_unsync())
}

/// The XML with what it lacks; `None` for what is no error or lacks nothing.
fn filled(xml: &str, request_id: &str) -> Option<String> {
    let start = xml.strip_suffix(END)?;
    let mut missing = String::new();
    if !xml.contains("<Message>") {
        let code =
            xml.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map_or("", |(code, _)| code);
        let known = MESSAGES.iter().find(|(known, _)| *known == code).map(|(_, message)| *message);
        missing += &format!("<Message>{}</Message>", known.unwrap_or("The request is not valid for S3."));
    }
    if !xml.contains("<RequestId>") {
        missing += &format!("<RequestId>{request_id}</RequestId>");
    }
    (!missing.is_empty()).then(|| format!("{start}{missing}{END}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_is_wrong_and_which_request_it_was() {
        let bare = "<Error><Code>KeyTooLongError</Code></Error>";
        let full = "<Error><Code>KeyTooLongError</Code><Message>Your key is too long: at most 1024 bytes of UTF-8 are allowed.\
                    </Message><RequestId>r</RequestId></Error>";
        assert_eq!(filled(bare, "r").as_deref(), Some(full));
        assert_eq!(filled(full, "r"), None);
        let half = "<Error><Code>Odd</Code><Message>m</Message></Error>";
        assert_eq!(
            filled(half, "r").as_deref(),
            Some("<Error><Code>Odd</Code><Message>m</Message><RequestId>r</RequestId></Error>")
        );
        assert_eq!(filled("no xml", "r"), None);
        assert!(MESSAGES.iter().all(|(_, message)| !message.contains(['<', '&'])));
    }
}
