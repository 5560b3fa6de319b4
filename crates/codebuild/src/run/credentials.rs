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
use kernel::{Caller, Credentials};
use serde_json::{Value, json};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::Service;

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
    service: Arc<Service>,
    role: Caller,
    role_arn: String,
    path: String,
    current: Arc<Mutex<Option<Credentials>>>,
}

impl RoleCredentials {
    pub(crate) fn new(service: &Arc<Service>, role: Caller, role_arn: &str, uuid: &str) -> Self {
        let role_arn = role_arn.to_owned();
        Self { service: Arc::clone(service), role, role_arn, path: path(uuid), current: Arc::default() }
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
        let soon = self.service.dependencies.clock.now() + RENEWAL;
        let valid = current.as_ref().filter(|credentials| credentials.expiration.is_some_and(|end| end > soon));
        if let Some(valid) = valid {
            return Ok(valid.clone());
        }
        let fresh = self.service.dependencies.principals.session_credentials(&self.role, LIFETIME).await?;
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
