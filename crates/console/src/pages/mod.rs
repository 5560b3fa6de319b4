//! The pages: what each shows, and what its buttons do.
//!
//! A page is a row of parts, each an element with an id of its own. An open page gets a part again when it changed.

mod build;
mod builds;
mod deployment;
mod deployments;
mod execution;
mod frame;
mod log;
mod overview;
mod pipeline;
pub(crate) mod sign_in;

use std::sync::Arc;

use askama::Template;
use async_trait::async_trait;
use aws::Error;
use http::{Response, StatusCode};
use kernel::{Event, StoreError};

use crate::live;
use crate::reply::{self, Body};
use crate::rules::form::Fields;
use crate::rules::route::{Deed, Lost, Page};
use crate::service::{self, Service, Visit};

pub(crate) use frame::Section;

/// A part of a page: one element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// The element's id.
    pub(crate) id: String,
    /// The element.
    pub(crate) html: String,
}

impl Part {
    /// Renders the element; its template gives it the id.
    pub(crate) fn new(id: impl Into<String>, template: &impl Template) -> Result<Self, Failure> {
        Ok(Self { id: id.into(), html: template.render()? })
    }
}

/// What no event told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Growth {
    /// There may be lines to add.
    Added,
    /// Parts may have changed.
    Changed,
}

/// Lines that were added to a log.
pub(crate) struct Added {
    /// Where to go on after them.
    pub(crate) position: String,
    /// The lines.
    pub(crate) html: String,
}

/// What a page is about.
#[async_trait]
pub(crate) trait Subject: Send + Sync {
    /// The page's title.
    fn title(&self) -> String;

    /// Where in the navigation it is.
    fn section(&self) -> Section;

    /// Whether the page changes while it is open.
    fn is_live(&self) -> bool {
        true
    }

    /// Where an open page goes on with what is only added to.
    fn position(&self) -> Option<String> {
        None
    }

    /// Whether this event of the page's region may have changed what the page shows.
    fn concerns(&self, _: &Event) -> bool {
        false
    }

    /// The page's parts; for an open page at least those that `news` may have changed.
    async fn parts(&mut self, service: &Service, visit: &Visit, news: &[Event]) -> Result<Vec<Part>, Failure>;

    /// Resolves when something may have changed that no event tells of.
    async fn grows(&self, _: &Service, _: &Visit) -> Growth {
        std::future::pending().await
    }

    /// What was added since it was last asked for.
    async fn added(&mut self, _: &Service, _: &Visit) -> Result<Option<Added>, Failure> {
        Ok(None)
    }
}

/// Why a page is not shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// There is none.
    #[error("there is no such page")]
    Lost(Lost),
    /// A form that no page of this session sent.
    #[error("the form is of another session or site")]
    Foreign,
    /// A form that is too large, too late or no form.
    #[error("the form could not be read")]
    Form,
    /// The service said no.
    #[error(transparent)]
    Aws(#[from] Error),
    /// Ours.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Ours.
    #[error(transparent)]
    Template(#[from] askama::Error),
}

impl Failure {
    fn status(&self) -> StatusCode {
        match self {
            Self::Lost(Lost::NotFound) => StatusCode::NOT_FOUND,
            Self::Lost(Lost::Method) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Foreign => StatusCode::FORBIDDEN,
            Self::Form => StatusCode::BAD_REQUEST,
            Self::Aws(error) if error.code.ends_with("NotFoundException") || error.code.contains("DoesNotExist") => {
                StatusCode::NOT_FOUND
            }
            Self::Aws(error) => StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            Self::Store(_) | Self::Template(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What was wrong, and what to do.
    fn sentence(&self) -> String {
        match self {
            Self::Lost(Lost::NotFound) => "There is no such page.".to_owned(),
            Self::Lost(Lost::Method) => "This address takes a form. Go back to the page that has it.".to_owned(),
            Self::Foreign => {
                "This form was not sent by a page of your session. Open the page again and repeat what you did."
                    .to_owned()
            }
            Self::Form => "The form could not be read: it is too large or it did not arrive whole.".to_owned(),
            Self::Aws(error) => error.message.clone(),
            Self::Store(error) => Error::internal(error).message,
            Self::Template(error) => Error::internal(error).message,
        }
    }
}

fn subject(page: Page, visit: &Visit) -> Box<dyn Subject> {
    match page {
        Page::Overview => Box::new(overview::Overview::new()),
        Page::Pipeline(name) => Box::new(pipeline::Pipeline { name }),
        Page::Execution { pipeline, id } => Box::new(execution::Execution { pipeline, id }),
        Page::Builds => Box::new(builds::Builds { project: None }),
        Page::Project(name) => Box::new(builds::Builds { project: Some(name) }),
        Page::Build(id) | Page::RawLog(id) => Box::new(build::Build::new(id, visit)),
        Page::Log(id) => Box::new(log::Log { build: id }),
        Page::Deployments => Box::new(deployments::Deployments),
        Page::Deployment(id) => Box::new(deployment::Deployment::new(id)),
    }
}

/// The page, or the events by which an open one follows.
pub(crate) async fn show(service: &Arc<Service>, visit: Visit, page: Page) -> Result<Response<Body>, Failure> {
    if let Page::RawLog(id) = &page {
        return log::raw(service, visit, id).await;
    }
    let address = service::address(&visit.region, &page);
    let mut subject = subject(page, &visit);
    if visit.follow.is_some() {
        let Some(seat) = service.seats.take(&visit.session.hash).filter(|_| subject.is_live()) else {
            let full = "too many pages are open\n";
            return Ok(reply::bytes(StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", full.into()));
        };
        let feed = live::follow(Arc::clone(service), visit, subject, seat);
        return Ok(reply::stream(live::FOLLOWS, feed));
    }
    let parts = subject.parts(service, &visit, &[]).await?;
    let status = visit.problem.clone().map_or(StatusCode::OK, |error| Failure::Aws(error).status());
    let html = frame::page(service, &visit, &*subject, &address, &parts).await?;
    Ok(reply::page(status, &visit.nonce, html))
}

/// What a button asks for; then the page again, with the reason where it was not done.
pub(crate) async fn act(
    service: &Arc<Service>,
    mut visit: Visit,
    page: Page,
    deed: Deed,
    form: &Fields,
) -> Result<Response<Body>, Failure> {
    let done = match &page {
        Page::Pipeline(name) => pipeline::act(service, &visit, name, deed, form).await,
        Page::Execution { pipeline, id } => execution::act(service, &visit, (pipeline, id), form).await,
        Page::Build(id) => build::act(service, &visit, id, deed).await,
        Page::Deployment(id) => deployment::act(service, &visit, id, form).await,
        _ => Err(Error::internal("a form of a page that has none")),
    };
    match done {
        Ok(Some(elsewhere)) => Ok(reply::see(&elsewhere)),
        Ok(None) => Ok(reply::see(&service::address(&visit.region, &page))),
        Err(error) => {
            visit.problem = Some(error);
            show(service, visit, page).await
        }
    }
}

/// The page of a failure.
pub(crate) fn failed(service: &Service, failure: &Failure) -> Response<Body> {
    let status = failure.status();
    let title = status.canonical_reason().unwrap_or("Not done");
    frame::plain(service, status, title, &failure.sentence())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_have_their_status_and_a_sentence() {
        for (failure, status) in [
            (Failure::Lost(Lost::NotFound), 404),
            (Failure::Lost(Lost::Method), 405),
            (Failure::Foreign, 403),
            (Failure::Form, 400),
            (Failure::Aws(Error::new("PipelineNotFoundException", "none")), 404),
            (Failure::Aws(Error::new("DeploymentDoesNotExistException", "none")), 404),
            (Failure::Aws(Error::modelled("AccessDeniedException", 403, "no")), 403),
            (Failure::Aws(Error::modelled("NotImplementedException", 501, "not built")), 501),
            (Failure::Store(StoreError::Closed), 500),
        ] {
            assert_eq!(failure.status().as_u16(), status, "{failure}");
            assert!(!failure.sentence().is_empty());
        }
    }
}
