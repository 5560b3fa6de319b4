//! A registry on loopback that does what a test tells it, well or badly.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::StreamExt as _;
use http::header::{AUTHORIZATION, CONTENT_RANGE, HOST, LOCATION, RANGE, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use images::Digest;

use crate::content::Made;

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// Whom the registry lets in.
#[derive(Clone, Default)]
pub(crate) enum Door {
    #[default]
    Open,
    /// Who has this name and password, in base64.
    Basic(&'static str),
    /// Who has a token of its own realm, which wants this name and password, in base64, or nobody's.
    Bearer(Option<&'static str>),
}

/// What goes wrong with a blob.
#[derive(Clone)]
pub(crate) enum Trouble {
    /// The connection breaks after so many bytes of the answer.
    Cut(usize),
    /// Nothing comes after so many bytes.
    Stall(usize),
    /// A few bytes come, and again a few, and none stops for long.
    Drip,
    /// Other bytes come.
    Wrong(Vec<u8>),
    /// The registry is busy.
    Busy,
    /// The answer is at this address.
    Elsewhere(String),
}

#[derive(Default)]
struct State {
    manifests: HashMap<String, (String, Vec<u8>)>,
    blobs: HashMap<String, Vec<u8>>,
    troubles: HashMap<String, Vec<Trouble>>,
    door: Door,
    no_ranges: bool,
    log: Vec<String>,
}

/// The registry; it ends with the test.
#[derive(Clone)]
pub(crate) struct Fake {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let serving = fake.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let fake = serving.clone();
                let answer = move |request| {
                    let fake = fake.clone();
                    async move { Ok::<_, Infallible>(fake.answer(&request)) }
                };
                tokio::spawn(async move {
                    let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    let service = hyper::service::service_fn(answer);
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        fake
    }

    /// `127.0.0.1:PORT/NAME`.
    pub(crate) fn reference(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Has the image under `repository:tag`, and by its digest.
    pub(crate) fn push(&self, repository: &str, tag: &str, image: &Made) -> Digest {
        let mut state = self.state.lock().unwrap();
        for blob in image.blobs() {
            state.blobs.insert(Digest::of(blob).to_string(), blob.clone());
        }
        drop(state);
        self.push_manifest(repository, tag, image.manifest_type(), image.manifest())
    }

    pub(crate) fn push_manifest(&self, repository: &str, tag: &str, media_type: &str, bytes: Vec<u8>) -> Digest {
        let digest = Digest::of(&bytes);
        let mut state = self.state.lock().unwrap();
        for name in [tag, &digest.to_string()] {
            state.manifests.insert(format!("{repository}:{name}"), (media_type.to_owned(), bytes.clone()));
        }
        digest
    }

    /// The next answers with this blob go wrong, one after the other.
    pub(crate) fn trouble(&self, blob: &[u8], troubles: Vec<Trouble>) {
        self.state.lock().unwrap().troubles.insert(Digest::of(blob).to_string(), troubles);
    }

    pub(crate) fn close(&self, door: Door) {
        self.state.lock().unwrap().door = door;
    }

    pub(crate) fn without_ranges(&self) {
        self.state.lock().unwrap().no_ranges = true;
    }

    /// What was asked since the last time: method, path, range and whether somebody showed who asks.
    pub(crate) fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().log)
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Body> {
        let mut state = self.state.lock().unwrap();
        let headers = request.headers();
        let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok()).unwrap_or("");
        let path = request.uri().path().to_owned();
        let line = format!("{} {path} {} {}", request.method(), text(RANGE), text(AUTHORIZATION));
        state.log.push(line.split_whitespace().collect::<Vec<_>>().join(" "));
        if path == "/token" {
            return state.token(text(AUTHORIZATION), request.uri().query().unwrap_or_default());
        }
        if let Some(refused) = state.refuse(text(AUTHORIZATION), text(HOST)) {
            return refused;
        }
        match path.trim_start_matches("/v2/").rsplitn(3, '/').collect::<Vec<_>>()[..] {
            [reference, "manifests", repository] => state.manifest(request.method(), repository, reference),
            [digest, "blobs", _] => state.blob(digest, headers),
            _ => whole(StatusCode::NOT_FOUND, ""),
        }
    }
}

impl State {
    fn token(&self, authorization: &str, query: &str) -> Response<Body> {
        let wanted = match &self.door {
            Door::Bearer(Some(user)) => format!("Basic {user}"),
            _ => String::new(),
        };
        if authorization != wanted {
            return whole(
                StatusCode::UNAUTHORIZED,
                r#"{"errors":[{"code":"UNAUTHORIZED","message":"wrong password"}]}"#,
            );
        }
        assert_eq!(query, "service=fake&scope=repository%3Aapp%3Apull");
        whole(StatusCode::OK, r#"{"token":"t0ken","expires_in":60}"#)
    }

    fn refuse(&self, authorization: &str, host: &str) -> Option<Response<Body>> {
        let (wanted, challenge) = match &self.door {
            Door::Open => return None,
            Door::Basic(user) => (format!("Basic {user}"), "Basic realm=\"fake\",service=\"fake\"".to_owned()),
            Door::Bearer(_) => ("Bearer t0ken".to_owned(), {
                format!("Bearer realm=\"http://{host}/token\",service=\"fake\",scope=\"repository:app:pull\"")
            }),
        };
        if authorization == wanted {
            return None;
        }
        let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
        let mut refused = whole(StatusCode::UNAUTHORIZED, body);
        refused.headers_mut().insert(WWW_AUTHENTICATE, challenge.parse().unwrap());
        Some(refused)
    }

    fn manifest(&self, method: &Method, repository: &str, reference: &str) -> Response<Body> {
        let Some((media_type, bytes)) = self.manifests.get(&format!("{repository}:{reference}")) else {
            let body = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
            return whole(StatusCode::NOT_FOUND, if method == Method::HEAD { "" } else { body });
        };
        let body = if method == Method::HEAD { Bytes::new() } else { Bytes::from(bytes.clone()) };
        let mut response = whole(StatusCode::OK, body);
        response.headers_mut().insert("content-type", media_type.parse().unwrap());
        response.headers_mut().insert("docker-content-digest", Digest::of(bytes).to_string().parse().unwrap());
        response
    }

    fn blob(&mut self, digest: &str, headers: &HeaderMap) -> Response<Body> {
        let troubles = self.troubles.entry(digest.to_owned()).or_default();
        let trouble = if troubles.is_empty() { None } else { Some(troubles.remove(0)) };
        let Some(bytes) = self.blobs.get(digest) else { return whole(StatusCode::NOT_FOUND, "") };
        let range = headers.get(RANGE).and_then(|range| range.to_str().ok());
        let from = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
        let from = from.filter(|_| !self.no_ranges);
        let rest = Bytes::copy_from_slice(&bytes[from.unwrap_or(0)..]);
        let mut response = match trouble {
            None => whole(StatusCode::OK, rest),
            Some(Trouble::Wrong(other)) => whole(StatusCode::OK, other),
            Some(Trouble::Busy) => whole(StatusCode::SERVICE_UNAVAILABLE, ""),
            Some(Trouble::Cut(length)) => broken(rest.slice(..length), false),
            Some(Trouble::Stall(length)) => broken(rest.slice(..length), true),
            Some(Trouble::Drip) => drip(rest),
            Some(Trouble::Elsewhere(url)) => {
                let mut response = whole(StatusCode::TEMPORARY_REDIRECT, "");
                response.headers_mut().insert(LOCATION, url.parse().unwrap());
                response
            }
        };
        if let (Some(from), StatusCode::OK) = (from, response.status()) {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
            response.headers_mut().insert(CONTENT_RANGE, range.parse().unwrap());
        }
        response
    }
}

fn whole(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    let body = Full::new(body.into()).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

/// Twenty bytes every tenth of a second.
fn drip(bytes: Bytes) -> Response<Body> {
    let drops = futures::stream::unfold(bytes, |mut bytes| async move {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let drop = bytes.split_to(20);
        Some((Ok(Frame::data(drop)), bytes))
    });
    Response::new(StreamBody::new(drops).boxed_unsync())
}

/// An answer that ends with a broken connection, or does not go on.
fn broken(bytes: Bytes, stalls: bool) -> Response<Body> {
    let begin = futures::stream::iter([Ok(Frame::data(bytes))]);
    let end = futures::stream::once(async move {
        if stalls {
            std::future::pending::<()>().await;
        }
        // So that what was written before is on its way.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        Err(std::io::Error::other("cut"))
    });
    Response::new(StreamBody::new(begin.chain(end)).boxed_unsync())
}
