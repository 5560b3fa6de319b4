//! The one HTTP listener: every protocol on one port, and on the sockets of builds.
//!
//! [`route`] decides where a request goes, [`browser`] which requests a web page must
//! not make, [`api`] speaks AWS's JSON and query protocols. S3 and Git speak their own.

mod api;
mod browser;
mod endpoint;
mod going_on;
mod limits;
mod opening;
mod presigned;
mod reply;
mod route;
mod whole;

pub(crate) use browser::Guard as BrowserGuard;
pub(crate) use endpoint::Endpoints;

use crate::serve::Services;
use crate::tls::{Accepted, Inside, Tls};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kernel::{Caller, Door, Ids, Stop};
use reply::Body;
use route::Destination;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::SetOnce;
use tokio::task::JoinSet;
use tracing::Instrument as _;

/// A request that comes while the server starts waits so long for it.
const START: Duration = Duration::from_secs(30);
/// Connections that are still busy at the stop have this long to end.
const DRAIN: Duration = Duration::from_secs(10);

/// What a connection's requests share. A clone is the same listener.
#[derive(Clone)]
pub(crate) struct Listener {
    services: Arc<SetOnce<Arc<Services>>>,
    guard: browser::Guard,
    endpoints: Endpoints,
    /// HTTPS by AWS's names; absent where these are to lead outside.
    inside: Option<Arc<Inside>>,
    ids: Arc<dyn Ids>,
    stop: Stop,
}

/// Who is at the other end of a connection.
#[derive(Clone)]
struct Peer {
    /// Absent for what is inside a container.
    address: Option<String>,
    /// `http` or `https`.
    scheme: &'static str,
    ends: going_on::Ends,
}

impl Listener {
    /// A listener that answers from [`Listener::open`] on.
    pub(crate) fn new(
        guard: browser::Guard,
        endpoints: Endpoints,
        inside: Option<Arc<Inside>>,
        ids: Arc<dyn Ids>,
        stop: Stop,
    ) -> Arc<Self> {
        Arc::new(Self { services: Arc::default(), guard, endpoints, inside, ids, stop })
    }

    /// Gives the services, which themselves hold this listener as their [`Door`].
    pub(crate) fn open(&self, services: Arc<Services>) {
        let _ = self.services.set(services);
    }

    /// Accepts until the stop, then drains. With `tls` the port speaks HTTPS.
    pub(crate) async fn serve(self: Arc<Self>, port: TcpListener, tls: Option<Arc<Tls>>) {
        let (mut connections, mut room) = (JoinSet::new(), limits::Room::new());
        loop {
            tokio::select! {
                accepted = room.accept(&port) => match accepted {
                    Ok((stream, address, place)) => {
                        let _ = stream.set_nodelay(true);
                        let (listener, tls) = (Arc::clone(&self), tls.clone());
                        let address = Some(address.ip().to_canonical().to_string());
                        connections.spawn(async move {
                            listener.accepted(stream, address, tls).await;
                            drop(place);
                        });
                    }
                    // Out of file descriptors, most likely: others will close theirs.
                    Err(error) => room.rest_after(&error).await,
                },
                Some(_) = connections.join_next() => {}
                () = self.stop.stopped() => break,
            }
        }
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            tracing::warn!("connections were still busy at the stop");
        }
    }

    async fn accepted(self: Arc<Self>, stream: TcpStream, address: Option<String>, tls: Option<Arc<Tls>>) {
        let Some(tls) = tls else {
            let peer = self.peer(address, "http");
            return self.connection(stream, peer).await;
        };
        match tls.accept(stream).await {
            Ok(Accepted::Tls(stream)) => {
                let peer = self.peer(address, "https");
                self.connection(stream, peer).await;
            }
            Ok(Accepted::NotTls) => tracing::debug!("a client spoke plain HTTP to the HTTPS port"),
            // Most often a client that does not trust the certificate.
            Err(error) => tracing::debug!(%error, "no TLS handshake"),
        }
    }

    /// Who is at the other end of a new connection.
    fn peer(&self, address: Option<String>, scheme: &'static str) -> Peer {
        Peer { address, scheme, ends: going_on::Ends { stop: self.stop.clone(), hang_up: Stop::new() } }
    }

    async fn connection<S>(self: Arc<Self>, stream: S, peer: Peer)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let builder = limits::builder();
        let (stream, version) = opening::listen(stream, limits::HEADER_TIMEOUT);
        let (listener, hang_up) = (Arc::clone(&self), peer.ends.hang_up.clone());
        let service = service_fn(move |request| {
            let (listener, peer) = (Arc::clone(&listener), peer.clone());
            async move { Ok::<_, Infallible>(listener.request(request, peer).await) }
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => return log_end(ended),
            () = hang_up.stopped() => return,
            () = version.stays_unknown() => return,
            () = self.stop.stopped() => connection.as_mut().graceful_shutdown(),
        }
        tokio::select! {
            ended = connection => log_end(ended),
            () = hang_up.stopped() => {}
        }
    }

    async fn request(&self, mut request: Request<Incoming>, peer: Peer) -> Response<Body> {
        name_host(&mut request);
        let request_id = self.ids.uuid();
        let span =
            tracing::info_span!("request", id = %request_id, method = %request.method(), path = %request.uri().path());
        async {
            let reply = self.answer(request, &request_id, &peer).await;
            tracing::debug!(status = reply.status().as_u16(), "answered");
            reply::with_request_id(reply, &request_id)
        }
        .instrument(span)
        .await
    }

    async fn answer(&self, request: Request<Incoming>, request_id: &str, peer: &Peer) -> Response<Body> {
        let Ok(services) = tokio::time::timeout(START, self.services.wait()).await else {
            return reply::text(503, "landfall is starting\n");
        };
        if let Err(refusal) = self.guard.check(request.headers()) {
            return reply::text(403, refusal);
        }
        let endpoint = self.endpoints.of(request.headers(), peer.scheme);
        let from = Origin { request_id, source_ip: peer.address.as_deref(), endpoint, ends: &peer.ends };
        let signed_for = services.authenticator.claimed_service(&request);
        match route::route(&request, signed_for.as_deref()) {
            Destination::Health => reply::text(200, "ok\n"),
            Destination::Git { repository } => git(services, request, &repository, &from).await,
            Destination::S3 => reply::apart(s3(services, request, &from).await),
            Destination::Api { service } => api::answer(services, request, &service, &from).await,
            Destination::Console => console(services, request, &from).await,
            Destination::Operator { operation } => api::answer_operator(services, request, &operation, &from).await,
            Destination::NotBuilt { what } => {
                reply::text(501, format!("{what} is not built in this version of Landfall.\n"))
            }
        }
    }
}

impl Door for Listener {
    fn connection(&self, stream: UnixStream, label: &str) -> BoxFuture<'static, ()> {
        // A build may be back before the services are: the clone sees them when they come.
        let listener = Arc::new(self.clone());
        let span = tracing::debug_span!("inside", container = %label);
        let peer = self.peer(None, "http");
        Box::pin(Self::connection(listener, stream, peer).instrument(span))
    }

    fn tls_connection(&self, stream: UnixStream, label: &str) -> BoxFuture<'static, ()> {
        let (listener, inside) = (Arc::new(self.clone()), self.inside.clone());
        let span = tracing::debug_span!("inside", container = %label);
        let peer = self.peer(None, "https");
        let speak = async move {
            let Some(inside) = inside else { return };
            match inside.accept(stream).await {
                Ok(stream) => Self::connection(listener, stream, peer).await,
                Err(error) => tracing::debug!(%error, "no TLS handshake"),
            }
        };
        Box::pin(speak.instrument(span))
    }

    fn authority(&self) -> io::Result<Option<String>> {
        self.inside.as_ref().map(|inside| inside.authority().map(str::to_owned)).transpose()
    }
}

/// HTTP/2 has `:authority` in the place of the header `host`, and an absolute URI outweighs it (RFC 9112, 3.2.2): what is
/// checked, signed and answered is one and the same.
fn name_host<B>(request: &mut Request<B>) {
    let named = request.uri().authority().map(|authority| authority.as_str().rsplit('@').next().unwrap_or_default());
    if let Some(host) = named.and_then(|host| HeaderValue::from_str(host).ok()) {
        request.headers_mut().insert("host", host);
    }
}

/// What a request is known by.
struct Origin<'r> {
    request_id: &'r str,
    source_ip: Option<&'r str>,
    /// Scheme and host by which the request came.
    endpoint: Option<String>,
    /// For replies that go on.
    ends: &'r going_on::Ends,
}

impl Origin<'_> {
    /// The caller, who also wants to be answered with URLs on the way by which they came.
    fn of(&self, caller: Caller) -> Caller {
        Caller { endpoint: self.endpoint.clone(), ..caller }
    }
}

async fn console(services: &Services, request: Request<Incoming>, from: &Origin<'_>) -> Response<Body> {
    let endpoint = from.endpoint.as_deref().unwrap_or(&services.about.url);
    let arrival = console::Arrival { request_id: from.request_id, source_ip: from.source_ip, endpoint };
    let answer = services.console.serve(request, &arrival).await;
    if answer.headers().get("content-type").is_none_or(|kind| kind != console::FOLLOWS) {
        return answer;
    }
    let (head, body) = answer.into_parts();
    let texts = body.into_data_stream().filter_map(|text| std::future::ready(text.ok()));
    let (_, body) = from.ends.reply(console::FOLLOWS, texts).into_parts();
    Response::from_parts(head, body)
}

async fn git(services: &Services, request: Request<Incoming>, repository: &str, from: &Origin<'_>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    match services.authenticator.authenticate_git(&parts, repository, from.request_id, from.source_ip).await {
        Ok(caller) => {
            let caller = from.of(caller);
            let served = services.git.serve_git(&caller, repository, Request::from_parts(parts, body)).await;
            served.map(http_body_util::BodyExt::boxed_unsync)
        }
        Err(denied) => reply::git_denied(&denied),
    }
}

async fn s3(services: &Services, request: Request<Incoming>, from: &Origin<'_>) -> Response<Body> {
    let signed = services.authenticator.is_signed(&request);
    let (mut parts, body) = request.into_parts();
    if presigned::by_version_2(&parts) {
        services.s3.name_bucket_in_path(&mut parts);
    }
    // Without a signature S3 answers for itself; in open mode the door lets it in.
    if signed || services.open {
        match services.authenticator.authenticate_streamed(&parts, from.request_id, from.source_ip).await {
            Ok((caller, seed)) => {
                parts.extensions.insert(from.of(caller));
                if let Some(iam::Seed { key, scope, time, signature }) = seed {
                    let signing = s3::ChunkSigning { key, scope, time: time.to_string(), seed: signature };
                    parts.extensions.insert(signing);
                }
            }
            // Who asked whether to send the body at all is told no, and the body is not read.
            Err(error) if parts.headers.contains_key("expect") => {
                let unsent = Request::from_parts(parts, http_body_util::Empty::<bytes::Bytes>::new());
                return s3::Wire::refuse(unsent, &error, from.request_id).await;
            }
            Err(error) => return s3::Wire::refuse(Request::from_parts(parts, body), &error, from.request_id).await,
        }
    }
    presigned::without_signature(&mut parts);
    services.s3.serve(Request::from_parts(parts, body)).await
}

fn log_end(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        // Clients hang up; that is theirs to do.
        tracing::debug!(%error, "connection ended");
    }
}
