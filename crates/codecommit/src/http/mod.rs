//! Git's smart HTTP protocol: our HTTP around `git upload-pack` and `git receive-pack`.

mod advertise;
mod body;
mod receive_pack;
mod upload_pack;

use std::io;

use ::http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use ::http::{HeaderMap, Request, Response, StatusCode};
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use kernel::{Caller, Scope};

use crate::Service;
use crate::model::Repository;
use crate::rules::request::{self, Program};

/// The body of an answer: streamed, broken off with an error where Git fails on the way.
pub type Body = BoxBody<Bytes, io::Error>;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What each answer to Git needs to know.
struct Exchange<'a> {
    caller: &'a Caller,
    scope: Scope,
    repository: Repository,
    program: Program,
    /// The `Git-Protocol` header, if it may reach Git.
    protocol: Option<String>,
}

/// The answer to a Git client that gave no credentials or wrong ones: it asks its user or helper and comes back.
pub fn unauthorized() -> Response<Body> {
    let mut response = refusal(StatusCode::UNAUTHORIZED, "sign in with an access key (SigV4) or Git credentials");
    response.headers_mut().insert(WWW_AUTHENTICATE, ::http::HeaderValue::from_static("Basic realm=\"landfall\""));
    response
}

impl Service {
    /// Serves a request under `/v1/repos/REPOSITORY/` of an authenticated caller. `codecommit:GitPull` or
    /// `codecommit:GitPush` is asked for at each request, so twice for a push, as on AWS.
    pub async fn serve_git<B>(&self, caller: &Caller, repository: &str, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.try_serve(caller, repository, request).await.unwrap_or_else(|refused| refused)
    }

    async fn try_serve<B>(
        &self,
        caller: &Caller,
        repository: &str,
        request: Request<B>,
    ) -> Result<Response<Body>, Response<Body>>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let path = request.uri().path();
        let behind = path.strip_prefix("/v1/repos/").and_then(|path| path.split_once('/'));
        let (_, behind) = behind.ok_or_else(|| refusal(StatusCode::NOT_FOUND, "no such page"))?;
        let content_type = header(request.headers(), CONTENT_TYPE.as_str());
        let asked = request::parse(request.method(), behind, request.uri().query(), content_type)
            .map_err(|(status, text)| refusal(status, text))?;
        let exchange = self.admit(caller, repository, asked.program(), request.headers()).await?;
        match asked {
            request::Request::Advertise(_) => self.advertise(&exchange).await,
            request::Request::Serve(Program::UploadPack) => self.upload_pack(&exchange, request).await,
            request::Request::Serve(Program::ReceivePack) => self.receive_pack(&exchange, request).await,
        }
    }

    /// Lets the caller at the repository, if there is one and policy allows it.
    async fn admit<'a>(
        &self,
        caller: &'a Caller,
        name: &str,
        program: Program,
        headers: &HeaderMap,
    ) -> Result<Exchange<'a>, Response<Body>> {
        let scope = caller.scope();
        let arn = kernel::Arn::new("codecommit", &scope, name).to_string();
        let action = program.action();
        let allowed = self.guard.pass(caller, "codecommit", action, &format!("codecommit:{action}"), &[arn]).await;
        allowed.map_err(|denied| refusal(StatusCode::FORBIDDEN, &denied.to_string()))?;
        let found = self.documents.get::<Repository>(&scope, name).await.map_err(failure)?;
        let missing =
            || refusal(StatusCode::NOT_FOUND, &format!("repository {name} does not exist in {}", scope.region));
        let repository = found.ok_or_else(missing)?.value;
        let protocol = header(headers, "git-protocol").filter(|protocol| request::is_safe_protocol(protocol));
        Ok(Exchange { caller, scope, repository, program, protocol: protocol.map(str::to_owned) })
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// An answer that git shows its user.
fn refusal(status: StatusCode, text: &str) -> Response<Body> {
    let body = Full::new(Bytes::from(format!("{text}\n"))).map_err(|never| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, ::http::HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// A fault of ours: logged, and told without details.
fn failure(error: impl std::fmt::Display) -> Response<Body> {
    tracing::error!(%error, "a Git request failed");
    refusal(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; see its log")
}

/// An answer of Git itself.
fn answer(program: Program, kind: &str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let content_type = format!("application/x-{}-{kind}", program.name());
    if let Ok(value) = ::http::HeaderValue::from_str(&content_type) {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    response.headers_mut().insert(CACHE_CONTROL, ::http::HeaderValue::from_static("no-cache"));
    response
}
