use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::challenge::{self, Challenge};
use super::connection::{Connection, host};
use super::fault::{Fault, plain};
use crate::RegistryCredentials;

/// The most that is read of a token's answer: tokens grow with what they allow.
const TOKEN_BYTES: u64 = 1 << 20;

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// Does what the registry's answer 401 asks for; answers the value of `Authorization` to come again with.
///
/// # Errors
/// [`Fault::Unauthorized`] where it asks for a name and there is none, or for what is not known here.
pub(super) async fn authorize(
    connection: &Connection,
    url: &Uri,
    headers: &HeaderMap,
    repository: &str,
    credentials: Option<&RegistryCredentials>,
) -> Result<HeaderValue, Fault> {
    let lines = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|line| line.to_str().ok());
    let challenges: Vec<_> = lines.filter_map(challenge::read).collect();
    // A token lets less through than the password, so it is preferred where the registry offers both.
    let chosen = challenges.iter().find(|one| **one != Challenge::Basic).or(challenges.first());
    match (chosen, credentials) {
        (Some(Challenge::Bearer { realm, service, scope }), _) => {
            let asked = token_url(url, realm, service.as_deref(), scope.as_deref(), repository)?;
            token(connection, &asked, credentials).await
        }
        (Some(Challenge::Basic), Some(credentials)) => {
            safe_for_passwords(url)?;
            basic(credentials)
        }
        (Some(Challenge::Basic), None) => {
            Err(Fault::Unauthorized("unauthorized: it wants a user's name and password".to_owned()))
        }
        (None, _) => Err(Fault::Unauthorized("unauthorized: it does not say how to show who asks".to_owned())),
    }
}

/// The value of `Authorization` for a name and password.
fn basic(credentials: &RegistryCredentials) -> Result<HeaderValue, Fault> {
    let RegistryCredentials { username, password } = credentials;
    let encoded = BASE64_STANDARD.encode(format!("{username}:{}", password.0));
    sensitive(&format!("Basic {encoded}"))
}

fn sensitive(value: &str) -> Result<HeaderValue, Fault> {
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| Fault::Unauthorized("unauthorized: the token has bytes that no header may have".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// No password goes over a network in clear.
fn safe_for_passwords(url: &Uri) -> Result<(), Fault> {
    if url.scheme_str() == Some("https") || crate::registries::is_loopback(host(url)) {
        return Ok(());
    }
    Err(Fault::Unauthorized(format!("{} is not under TLS, so that no password is sent to it", host(url))))
}

/// Where the token is to be asked for: the realm with service and scope.
fn token_url(
    registry: &Uri,
    realm: &str,
    service: Option<&str>,
    scope: Option<&str>,
    repository: &str,
) -> Result<Uri, Fault> {
    let usual = format!("repository:{repository}:pull");
    let pairs = [("service", service), ("scope", Some(scope.unwrap_or(&usual)))];
    let query = pairs.iter().filter_map(|(name, value)| value.map(|value| format!("{name}={}", encode(value))));
    let query = query.collect::<Vec<_>>().join("&");
    let mark = if realm.contains('?') { '&' } else { '?' };
    let wrong = || Fault::Lasting(format!("the realm {} is no address", plain(realm)));
    let url: Uri = format!("{realm}{mark}{query}").parse().map_err(|_| wrong())?;
    match (registry.scheme_str(), url.scheme_str()) {
        (_, Some("https")) | (Some("http"), Some("http")) if url.host().is_some() => Ok(url),
        _ => Err(wrong()),
    }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

async fn token(
    connection: &Connection,
    url: &Uri,
    credentials: Option<&RegistryCredentials>,
) -> Result<HeaderValue, Fault> {
    let mut headers = HeaderMap::new();
    if let Some(credentials) = credentials {
        safe_for_passwords(url)?;
        headers.insert(AUTHORIZATION, basic(credentials)?);
    }
    let response = connection.ask(&Method::GET, url, &headers).await?;
    if !response.status().is_success() {
        return Err(match connection.fault(response).await {
            // That the place for tokens knows something not is no word about the image.
            Fault::Unknown(text) | Fault::Lasting(text) => Fault::Unauthorized(text),
            other => other,
        });
    }
    let body = connection.body(response, TOKEN_BYTES).await?;
    let token: Option<Token> = serde_json::from_slice(&body).ok();
    let token = token.and_then(|token| token.token.or(token.access_token)).filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| Fault::Lasting(format!("{} hands out no token", host(url))))?;
    sensitive(&format!("Bearer {token}"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_tokens_address_has_service_and_scope() {
        let https: Uri = "https://registry.example".parse().unwrap();
        let http: Uri = "http://127.0.0.1:5000".parse().unwrap();
        let asked = |registry: &Uri, realm: &str, scope: Option<&str>| {
            token_url(registry, realm, Some("s v"), scope, "a/b").map(|url| url.to_string()).ok()
        };
        assert_eq!(
            asked(&https, "https://auth.example/token", None).unwrap(),
            "https://auth.example/token?service=s%20v&scope=repository%3Aa%2Fb%3Apull"
        );
        assert_eq!(
            asked(&http, "http://127.0.0.1:1/t?x=1", Some("a")).unwrap(),
            "http://127.0.0.1:1/t?x=1&service=s%20v&scope=a"
        );
        for realm in ["http://auth.example/token", "auth.example/token", "", "file:///etc/passwd"] {
            assert_eq!(asked(&https, realm, None), None, "{realm}");
        }
    }

    #[test]
    fn passwords_go_nowhere_in_clear_but_to_this_machine() {
        for (url, safe) in
            [("https://a.example", true), ("http://127.0.0.1:5000", true), ("http://mirror.lan:5000", false)]
        {
            assert_eq!(safe_for_passwords(&url.parse().unwrap()).is_ok(), safe, "{url}");
        }
    }
}
