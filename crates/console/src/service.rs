//! The console: from a request to its page.

use std::ops::Deref;
use std::sync::Arc;

use aws::codebuild::CodeBuild;
use aws::codedeploy::CodeDeploy;
use aws::codepipeline::CodePipeline;
use aws::internal::codepipeline::PipelineRegions;
use aws::logs::Logs;
use bytes::Bytes;
use http::header::{ACCEPT, COOKIE};
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Limited};
use kernel::{Caller, Clock, Documents, Ids, Scope, Stop, Timestamp};

use crate::assets;
use crate::live::{self, Seats};
use crate::model::Session;
use crate::pages::{self, Failure};
use crate::reply::{self, Body};
use crate::rules::form::{self, Fields};
use crate::rules::route::{self, Lost, Page, Route};
use crate::rules::{cookie, link, origin, secret};
use crate::sessions::{MadeLink, Sessions};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A form that did not arrive by then never will.
const FORM_PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// What the console stands on. The services are the gated ones: what a page shows and does, its caller may.
pub struct Dependencies {
    /// Its documents: `store.service("console")`.
    pub documents: Documents,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids and secrets.
    pub ids: Arc<dyn Ids>,
    /// Pipelines.
    pub codepipeline: Arc<dyn CodePipeline>,
    /// Where there are some.
    pub regions: Arc<dyn PipelineRegions>,
    /// Builds.
    pub codebuild: Arc<dyn CodeBuild>,
    /// Their logs.
    pub logs: Arc<dyn Logs>,
    /// Deployments.
    pub codedeploy: Arc<dyn CodeDeploy>,
    /// The region that is shown first.
    pub region: String,
    /// Open pages are let go at the stop.
    pub stop: Stop,
}

/// How a request came.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// The id in the log and in the reply.
    pub request_id: &'a str,
    /// The client's address.
    pub source_ip: Option<&'a str>,
    /// `scheme://host[:port]` as the client reached us.
    pub endpoint: &'a str,
}

/// The console.
pub struct Service {
    on: Dependencies,
    pub(crate) sessions: Sessions,
    pub(crate) seats: Seats,
}

impl Deref for Service {
    type Target = Dependencies;

    fn deref(&self) -> &Dependencies {
        &self.on
    }
}

/// Somebody who is signed in, at a page.
pub(crate) struct Visit {
    /// As whom the page reads and acts, in the page's region.
    pub(crate) caller: Caller,
    pub(crate) session: Session,
    /// What its forms carry.
    pub(crate) form_token: String,
    /// What its style and script carry.
    pub(crate) nonce: String,
    pub(crate) region: String,
    /// The query.
    pub(crate) query: Fields,
    /// When the page was asked for.
    pub(crate) now: Timestamp,
    /// Why what a form asked for was not done.
    pub(crate) problem: Option<aws::Error>,
    /// Whether the page is to be followed, from this event on.
    pub(crate) follow: Option<Option<String>>,
}

impl Visit {
    /// The account and region that the page shows.
    pub(crate) fn scope(&self) -> Scope {
        self.caller.scope()
    }
}

/// What a signed-in browser asked for.
struct Asked<'r> {
    parts: &'r Parts,
    from: &'r Arrival<'r>,
    session: Session,
    form_token: String,
}

impl Service {
    /// The console on these.
    #[must_use]
    pub fn new(dependencies: Dependencies) -> Arc<Self> {
        let sessions = Sessions { documents: dependencies.documents.clone() };
        Arc::new(Self { on: dependencies, sessions, seats: Seats::default() })
    }

    /// Makes a link that signs in once, as `caller`.
    ///
    /// # Errors
    /// Where it could not be written.
    pub async fn make_link(&self, caller: &Caller) -> Result<MadeLink, aws::Error> {
        let made = self.sessions.link(caller, &*self.clock, &*self.ids).await;
        let (token, expires) = made.map_err(aws::Error::internal)?;
        Ok(MadeLink { path: format!("{}/sign-in?token={token}", route::PATH), expires })
    }

    /// Answers a request under [`route::PATH`].
    pub async fn serve<B>(self: &Arc<Self>, request: Request<B>, from: &Arrival<'_>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<BoxError>,
    {
        let (parts, body) = request.into_parts();
        let served = match route::parse(&parts.method, parts.uri.path()) {
            Ok(Route::Asset(name)) => assets::serve(&name).ok_or(Failure::Lost(Lost::NotFound)),
            Ok(Route::SignIn) => Ok(pages::sign_in::offer(self, &query(&parts))),
            Ok(Route::SignInForm) => self.sign_in(&parts, body, from).await,
            Ok(route) => self.inside(route, &parts, body, from).await,
            Err(lost) => Err(Failure::Lost(lost)),
        };
        served.unwrap_or_else(|failure| pages::failed(self, &failure))
    }

    async fn sign_in<B>(&self, parts: &Parts, body: B, from: &Arrival<'_>) -> Result<Response<Body>, Failure>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<BoxError>,
    {
        let form = self.form(&parts.headers, body, from).await?;
        match self.sessions.redeem(form.text("token"), &*self.clock, &*self.ids).await? {
            Some(token) => Ok(reply::with_cookie(reply::see(route::PATH), &cookie::write(from.endpoint, Some(&token)))),
            None => Ok(pages::sign_in::used(self)),
        }
    }

    /// Everything that only those see who are signed in.
    async fn inside<B>(
        self: &Arc<Self>,
        route: Route,
        parts: &Parts,
        body: B,
        from: &Arrival<'_>,
    ) -> Result<Response<Body>, Failure>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<BoxError>,
    {
        let Some(asked) = self.asked(parts, from).await? else {
            return Ok(pages::sign_in::wanted(self, &parts.headers));
        };
        match route {
            Route::Page { region, page } => pages::show(self, self.visit(&asked, region), page).await,
            Route::Deed { region, page, deed } => {
                let form = self.own_form(&asked, body).await?;
                pages::act(self, self.visit(&asked, region), page, deed, &form).await
            }
            Route::SignOutForm => {
                self.own_form(&asked, body).await?;
                self.sessions.end(&asked.session.hash).await?;
                Ok(reply::with_cookie(reply::see(route::PATH), &cookie::write(from.endpoint, None)))
            }
            _ => Ok(reply::see(&link::overview(&self.region))),
        }
    }

    async fn asked<'r>(&self, parts: &'r Parts, from: &'r Arrival<'r>) -> Result<Option<Asked<'r>>, Failure> {
        let header = parts.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let Some(token) = header.filter_map(|text| cookie::read(from.endpoint, text)).next() else { return Ok(None) };
        let now = self.clock.now();
        let Some(session) = self.sessions.find(token, now).await? else { return Ok(None) };
        self.sessions.touch(&session, now).await?;
        Ok(Some(Asked { parts, from, session, form_token: secret::form_token(token) }))
    }

    fn visit(&self, asked: &Asked<'_>, region: String) -> Visit {
        let headers = &asked.parts.headers;
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let follows = text(ACCEPT.as_str()).is_some_and(|accepted| accepted.starts_with(live::FOLLOWS));
        let caller = Caller {
            region: region.clone(),
            request_id: asked.from.request_id.to_owned(),
            source_ip: asked.from.source_ip.map(str::to_owned),
            endpoint: Some(asked.from.endpoint.to_owned()),
            ..asked.session.caller.clone()
        };
        Visit {
            caller,
            session: asked.session.clone(),
            form_token: asked.form_token.clone(),
            nonce: self.nonce(),
            region,
            query: query(asked.parts),
            now: self.clock.now(),
            problem: None,
            follow: follows.then(|| text("last-event-id").map(str::to_owned)),
        }
    }

    /// A number used once, for a page's own style and script.
    pub(crate) fn nonce(&self) -> String {
        self.ids.token("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 22)
    }

    /// A form of a page of this session.
    async fn own_form<B>(&self, asked: &Asked<'_>, body: B) -> Result<Fields, Failure>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<BoxError>,
    {
        let form = self.form(&asked.parts.headers, body, asked.from).await?;
        if secret::same(form.text("form-token"), &asked.form_token) { Ok(form) } else { Err(Failure::Foreign) }
    }

    async fn form<B>(&self, headers: &HeaderMap, body: B, from: &Arrival<'_>) -> Result<Fields, Failure>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<BoxError>,
    {
        if !origin::is_own(from.endpoint, headers) {
            return Err(Failure::Foreign);
        }
        let read = tokio::time::timeout(FORM_PATIENCE, Limited::new(body, form::LARGEST).collect()).await;
        let bytes = read.ok().and_then(Result::ok).ok_or(Failure::Form)?.to_bytes();
        std::str::from_utf8(&bytes).map(Fields::parse).map_err(|_| Failure::Form)
    }

    /// Whether whoever opened a page is still signed in.
    pub(crate) async fn is_signed_in(&self, visit: &Visit) -> bool {
        matches!(self.sessions.valid(&visit.session.hash, self.clock.now()).await, Ok(Some(_)))
    }
}

fn query(parts: &Parts) -> Fields {
    Fields::parse(parts.uri.query().unwrap_or_default())
}

/// The page that a form belongs to, to go back to.
pub(crate) fn address(region: &str, page: &Page) -> String {
    match page {
        Page::Overview => link::overview(region),
        Page::Pipeline(name) => link::pipeline(region, name),
        Page::Execution { pipeline, id } => link::execution(region, pipeline, id),
        Page::Builds => link::builds(region),
        Page::Project(name) => link::project(region, name),
        Page::Build(id) => link::build(region, id),
        Page::Log(id) => format!("{}/log", link::build(region, id)),
        Page::RawLog(id) => format!("{}/log.txt", link::build(region, id)),
        Page::Deployments => link::deployments(region),
        Page::Deployment(id) => link::deployment(region, id),
    }
}
