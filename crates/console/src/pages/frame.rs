//! What is around every page: the head, navigation, regions, who is signed in.

use askama::Template;
use http::{Response, StatusCode};

use super::{Failure, Part, Subject};
use crate::assets::{ASSETS, Assets};
use crate::reply::{self, Body};
use crate::rules::link;
use crate::service::{Service, Visit};

/// The navigation's entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    /// Pipelines and their executions.
    Pipelines,
    /// Projects, builds, logs.
    Builds,
    /// Deployments.
    Deployments,
}

/// A link that may be the page's own.
struct Choice {
    name: String,
    address: String,
    current: bool,
}

#[derive(Template)]
#[template(path = "page.html")]
struct Whole<'v> {
    assets: &'static Assets,
    title: String,
    nonce: &'v str,
    form_token: &'v str,
    account: &'v str,
    sections: Vec<Choice>,
    regions: Vec<Choice>,
    /// Where an open page hears of changes.
    live: Option<String>,
    problem: Option<&'v aws::Error>,
    parts: &'v [Part],
}

#[derive(Template)]
#[template(path = "plain.html")]
struct Plain<'v> {
    assets: &'static Assets,
    title: &'v str,
    nonce: &'v str,
    sentence: &'v str,
}

/// The whole page.
pub(super) async fn page(
    service: &Service,
    visit: &Visit,
    subject: &dyn Subject,
    address: &str,
    parts: &[Part],
) -> Result<String, Failure> {
    let live = subject.is_live().then(|| match subject.position() {
        Some(position) => format!("{address}?from={}", link::encode(&position)),
        None => address.to_owned(),
    });
    let whole = Whole {
        assets: &ASSETS,
        title: subject.title(),
        nonce: &visit.nonce,
        form_token: &visit.form_token,
        account: &visit.caller.account,
        sections: sections(&visit.region, subject.section()),
        regions: regions(visit, service.regions.regions(&visit.caller).await?, &service.region),
        live,
        problem: visit.problem.as_ref(),
        parts,
    };
    Ok(whole.render()?)
}

/// A page that says one thing, to anybody.
pub(super) fn plain(service: &Service, status: StatusCode, title: &str, sentence: &str) -> Response<Body> {
    let nonce = service.nonce();
    let plain = Plain { assets: &ASSETS, title, nonce: &nonce, sentence };
    // Rendering into a text fails for want of memory alone; the sentence then goes without its page.
    let html = plain.render().unwrap_or_else(|_| sentence.to_owned());
    reply::page(status, &nonce, html)
}

fn sections(region: &str, current: Section) -> Vec<Choice> {
    [
        ("Pipelines", link::overview(region), Section::Pipelines),
        ("Builds", link::builds(region), Section::Builds),
        ("Deployments", link::deployments(region), Section::Deployments),
    ]
    .into_iter()
    .map(|(name, address, section)| Choice { name: name.to_owned(), address, current: section == current })
    .collect()
}

/// The regions that have pipelines, the server's own and the page's.
fn regions(visit: &Visit, with_pipelines: Vec<String>, own: &str) -> Vec<Choice> {
    let mut names = with_pipelines;
    names.extend([own.to_owned(), visit.region.clone()]);
    names.sort_unstable();
    names.dedup();
    let choice = |name: String| Choice { address: link::overview(&name), current: name == visit.region, name };
    names.into_iter().map(choice).collect()
}
