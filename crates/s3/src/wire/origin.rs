//! Requests of web pages: cross-origin rules in effect (Amazon S3 User Guide, "How does Amazon S3 evaluate the CORS
//! configuration on a bucket?").
//!
//! A browser asks before it signs, so preflights need no caller; what they tell is what the bucket's owner wants told.

use super::ReplyBody;
use crate::rules::settings::{Preflight, allow};
use aws::Error;
use aws::s3::{CorsRule, Settings};
use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderName, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Response, Uri};
use http_body_util::{BodyExt, Full};

/// What a web page's request says of itself.
pub(super) struct Page {
    bucket: String,
    origin: String,
    method: Method,
    /// Of a preflight.
    asked: Option<Asked>,
}

struct Asked {
    method: String,
    headers: Vec<String>,
}

impl Page {
    /// Of a request in path style that a page makes.
    pub(super) fn of(method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let origin = text(ORIGIN)?;
        let bucket = uri.path().trim_start_matches('/').split('/').next()?.to_owned();
        let asked = text(ACCESS_CONTROL_REQUEST_METHOD).filter(|_| *method == Method::OPTIONS).map(|asked| {
            let headers = text(ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default();
            let headers = headers.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
            Asked { method: asked, headers: headers.collect() }
        });
        Some(Self { bucket, origin, method: method.clone(), asked })
    }

    pub(super) fn is_preflight(&self) -> bool {
        self.asked.is_some()
    }

    /// Answers a preflight.
    ///
    /// # Errors
    /// `AccessForbidden` where no rule of the bucket allows it.
    pub(super) async fn preflight(&self, settings: &dyn Settings) -> Result<Response<ReplyBody>, Error> {
        let rules = settings.cors_rules(&self.bucket).await?;
        let Some(rule) = self.rule(&rules) else {
            let message = match rules.is_empty() {
                true => "CORSResponse: CORS is not enabled for this bucket.",
                false => {
                    "CORSResponse: This CORS request is not allowed. This is usually because the evalution of \
                          Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers \
                          are not whitelisted by the resource's CORS spec."
                }
            };
            return Err(Error::modelled("AccessForbidden", 403, message));
        };
        let mut reply = Response::new(Full::<Bytes>::default().map_err(|never| match never {}).boxed_unsync());
        let headers = reply.headers_mut();
        self.mark(rule, headers);
        insert(headers, ACCESS_CONTROL_ALLOW_METHODS, rule.methods.join(", "));
        let asked = self.asked.iter().flat_map(|asked| asked.headers.iter()).cloned().collect::<Vec<_>>();
        if !asked.is_empty() {
            insert(headers, ACCESS_CONTROL_ALLOW_HEADERS, asked.join(", ").to_lowercase());
        }
        if let Some(seconds) = rule.max_age {
            insert(headers, ACCESS_CONTROL_MAX_AGE, seconds.to_string());
        }
        Ok(reply)
    }

    /// Lets the page read an answer, where a rule of the bucket allows it.
    pub(super) async fn admit(&self, settings: &dyn Settings, reply: &mut Response<ReplyBody>) {
        match settings.cors_rules(&self.bucket).await {
            Ok(rules) => {
                if let Some(rule) = self.rule(&rules) {
                    self.mark(rule, reply.headers_mut());
                }
            }
            // Without the headers the browser keeps the answer from the page.
            Err(error) => tracing::warn!(%error, bucket = self.bucket, "cross-origin rules could not be read"),
        }
    }

    fn rule<'r>(&self, rules: &'r [CorsRule]) -> Option<&'r CorsRule> {
        let headers: Vec<&str> = self.asked.iter().flat_map(|asked| asked.headers.iter()).map(String::as_str).collect();
        let method = self.asked.as_ref().map_or(self.method.as_str(), |asked| asked.method.as_str());
        allow(rules, Preflight { origin: &self.origin, method, headers: &headers })
    }

    fn mark(&self, rule: &CorsRule, headers: &mut HeaderMap) {
        if rule.origins.iter().any(|origin| origin == "*") {
            insert(headers, ACCESS_CONTROL_ALLOW_ORIGIN, "*".to_owned());
        } else {
            insert(headers, ACCESS_CONTROL_ALLOW_ORIGIN, self.origin.clone());
            insert(headers, ACCESS_CONTROL_ALLOW_CREDENTIALS, "true".to_owned());
        }
        if !rule.expose.is_empty() {
            insert(headers, ACCESS_CONTROL_EXPOSE_HEADERS, rule.expose.join(", "));
        }
        let vary = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";
        headers.insert(VARY, HeaderValue::from_static(vary));
    }
}

/// A header whose text comes from a rule; what cannot be a header is left out.
fn insert(headers: &mut HeaderMap, name: HeaderName, text: String) {
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(name, value);
    }
}
