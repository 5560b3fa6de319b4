//! Signing in.
//!
//! Opening a link does nothing yet: whatever previews links may do so. The button of its page uses it up.

use askama::Template;
use http::{HeaderMap, Response, StatusCode};

use super::frame;
use crate::assets::{ASSETS, Assets};
use crate::reply::{self, Body};
use crate::rules::form::Fields;
use crate::service::Service;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Offer<'v> {
    assets: &'static Assets,
    nonce: &'v str,
    token: &'v str,
}

#[derive(Template)]
#[template(path = "signed_out.html")]
struct Wanted<'v> {
    assets: &'static Assets,
    nonce: &'v str,
    /// The request came from another site, so browsers kept the cookie back: asked for by this page itself, it is sent.
    again: bool,
}

/// The page that a link opens.
pub(crate) fn offer(service: &Service, query: &Fields) -> Response<Body> {
    let nonce = service.nonce();
    let offer = Offer { assets: &ASSETS, nonce: &nonce, token: query.text("token") };
    render(&offer, StatusCode::OK, &nonce)
}

/// The link was used before, or is too old.
pub(crate) fn used(service: &Service) -> Response<Body> {
    let sentence =
        "This link was used before, or it is older than five minutes. Run landfall console again for a new one.";
    frame::plain(service, StatusCode::FORBIDDEN, "The link is no longer valid", sentence)
}

/// Who is not signed in is told how.
pub(crate) fn wanted(service: &Service, headers: &HeaderMap) -> Response<Body> {
    let nonce = service.nonce();
    let site = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
    let again = matches!(site, Some("cross-site" | "same-site"));
    render(&Wanted { assets: &ASSETS, nonce: &nonce, again }, StatusCode::UNAUTHORIZED, &nonce)
}

fn render(template: &impl Template, status: StatusCode, nonce: &str) -> Response<Body> {
    match template.render() {
        Ok(html) => reply::page(status, nonce, html),
        Err(error) => {
            let text = aws::Error::internal(error).message;
            reply::bytes(StatusCode::INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", text.into())
        }
    }
}
