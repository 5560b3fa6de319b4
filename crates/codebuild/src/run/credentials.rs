//! The temporary credentials of a build's role, as AWS clients ask for them at 169.254.170.2.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use kernel::{Caller, Clock, Credentials, Principals};
use serde_json::{Value, json};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::Dependencies;

/// How long credentials hold.
const LIFETIME: Duration = Duration::from_secs(3_600);
/// They are renewed when less than this is left; SDKs begin to ask 15 minutes before the end.
const RENEWAL: Duration = Duration::from_secs(1_200);
/// How long a client may take for its request.
const REQUEST: Duration = Duration::from_secs(10);

/// Where the credentials of a build are found: nobody else knows its uuid.
pub(crate) fn path(uuid: &str) -> String {
    format!("/v2/credentials/{uuid}")
}

/// One build's credentials, made when they are asked for.
#[derive(Clone)]
pub(crate) struct RoleCredentials {
    principals: Arc<dyn Principals>,
    clock: Arc<dyn Clock>,
    role: Caller,
    role_arn: String,
    path: String,
    current: Arc<Mutex<Option<Credentials>>>,
}

impl RoleCredentials {
    pub(crate) fn new(dependencies: &Dependencies, role: Caller, role_arn: &str, uuid: &str) -> Self {
        Self {
            principals: Arc::clone(&dependencies.principals),
            clock: Arc::clone(&dependencies.clock),
            role,
            role_arn: role_arn.to_owned(),
            path: path(uuid),
            current: Arc::default(),
        }
    }

    /// Answers on this socket until it is dropped.
    pub(crate) async fn serve(self, listener: UnixListener) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => drop(connections.spawn(self.clone().connection(stream))),
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn connection(self, stream: UnixStream) {
        let answer = service_fn(|request: Request<Incoming>| {
            let this = self.clone();
            async move { Ok::<_, Infallible>(this.answer(request.method(), request.uri().path()).await) }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(REQUEST);
        if let Err(error) = http.serve_connection(TokioIo::new(stream), answer).await {
            tracing::debug!(%error, "a credentials connection broke");
        }
    }

    async fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if method != Method::GET || path != self.path {
            return reply(StatusCode::NOT_FOUND, &json!({"message": "Only this build's credentials are here"}));
        }
        match self.credentials().await {
            Ok(credentials) => reply(StatusCode::OK, &shape(&credentials, &self.role_arn)),
            Err(error) => {
                tracing::error!(%error, "cannot make a build's credentials");
                reply(StatusCode::INTERNAL_SERVER_ERROR, &json!({"message": "The credentials could not be made"}))
            }
        }
    }

    async fn credentials(&self) -> Result<Credentials, kernel::PrincipalError> {
        let mut current = self.current.lock().await;
        let soon = self.clock.now() + RENEWAL;
        let valid = current.as_ref().filter(|credentials| credentials.expiration.is_some_and(|end| end > soon));
        if let Some(valid) = valid {
            return Ok(valid.clone());
        }
        let fresh = self.principals.session_credentials(&self.role, LIFETIME).await?;
        Ok(current.insert(fresh).clone())
    }
}

/// The document that ECS's and CodeBuild's endpoint answers with.
fn shape(credentials: &Credentials, role_arn: &str) -> Value {
    json!({
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "Token": credentials.session_token,
        "Expiration": credentials.expiration.map(kernel::Timestamp::iso8601),
        "RoleArn": role_arn,
    })
}

fn reply(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(hyper::header::CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use kernel::{ManualClock, PrincipalError, Scope, Timestamp};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Makes credentials that hold for an hour and counts them.
    struct Counting(ManualClock, AtomicUsize);

    #[async_trait]
    impl Principals for Counting {
        async fn assume(&self, _: &Scope, role_arn: &str, _: &str, _: &str) -> Result<Caller, PrincipalError> {
            Err(PrincipalError::NoSuchRole { role_arn: role_arn.to_owned() })
        }

        async fn session_credentials(&self, _: &Caller, duration: Duration) -> Result<Credentials, PrincipalError> {
            let number = self.1.fetch_add(1, Ordering::Relaxed);
            Ok(Credentials {
                access_key_id: format!("ASIA{number}"),
                secret_access_key: "secret".into(),
                session_token: Some("token".into()),
                expiration: Some(self.0.now() + duration),
            })
        }
    }

    async fn get(folder: &std::path::Path, path: &str) -> String {
        let mut stream = UnixStream::connect(folder.join("s")).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn credentials_are_made_once_and_renewed_in_time() {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(Timestamp::from_seconds(1_000));
        let credentials = RoleCredentials {
            principals: Arc::new(Counting(clock.clone(), AtomicUsize::new(0))),
            clock: Arc::new(clock.clone()),
            role: Caller::root(&Scope::new("1", "r"), ""),
            role_arn: "arn:aws:iam::1:role/build".into(),
            path: path("uuid"),
            current: Arc::default(),
        };
        let server = tokio::spawn(credentials.serve(UnixListener::bind(folder.path().join("s")).unwrap()));
        for _ in 0..2 {
            let answer = get(folder.path(), "/v2/credentials/uuid").await;
            assert!(answer.contains("\"AccessKeyId\":\"ASIA0\"") && answer.contains("role/build"), "{answer}");
            assert!(answer.contains("\"Expiration\":\"1970-01-01T01:16:40Z\""), "{answer}");
        }
        clock.advance(Duration::from_secs(2_500));
        assert!(get(folder.path(), "/v2/credentials/uuid").await.contains("ASIA1"));
        let foreign = get(folder.path(), "/v2/credentials/other").await;
        assert!(foreign.starts_with("HTTP/1.0 404") && !foreign.contains("secret"), "{foreign}");
        server.abort();
    }
}
