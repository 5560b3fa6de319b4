//! Which page a path names, and which deed a form's.
//!
//! `/_landfall/console/REGION/pipelines/NAME` and its siblings; a form is posted to the page that has it, with the deed
//! as a further segment.

use http::Method;
use percent_encoding::percent_decode_str;

/// Where the console is.
pub const PATH: &str = "/_landfall/console";

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// The overview of the default region.
    Home,
    /// A style sheet or script.
    Asset(String),
    /// The page that a one-time link opens.
    SignIn,
    /// Its form.
    SignInForm,
    /// The form that signs out.
    SignOutForm,
    /// A page of a region.
    Page { region: String, page: Page },
    /// A form of a page.
    Deed { region: String, page: Page, deed: Deed },
}

/// A page of a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Page {
    /// All pipelines.
    Overview,
    /// One of them.
    Pipeline(String),
    /// An execution of one.
    Execution { pipeline: String, id: String },
    /// Projects and the newest builds.
    Builds,
    /// One project's builds.
    Project(String),
    /// A build, `project:uuid`.
    Build(String),
    /// Its log, page by page.
    Log(String),
    /// Its log as text.
    RawLog(String),
    /// The newest deployments.
    Deployments,
    /// A deployment.
    Deployment(String),
}

/// What a button does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// StartPipelineExecution.
    Release,
    /// StopPipelineExecution.
    Stop,
    /// RetryStageExecution.
    Retry,
    /// RollbackStage.
    RollBack,
    /// PutApprovalResult.
    Approve,
    /// DisableStageTransition, EnableStageTransition.
    Transition,
    /// StopBuild.
    StopBuild,
    /// RetryBuild.
    RetryBuild,
    /// StopDeployment.
    StopDeployment,
}

/// Why a request is for no page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// No such page.
    NotFound,
    /// The page is there, but not by this method.
    Method,
}

/// Reads method and path.
pub(crate) fn parse(method: &Method, path: &str) -> Result<Route, Lost> {
    let rest = path.strip_prefix(PATH).ok_or(Lost::NotFound)?;
    let decoded =
        rest.split('/').filter(|segment| !segment.is_empty()).map(|segment| percent_decode_str(segment).decode_utf8());
    let segments = decoded.collect::<Result<Vec<_>, _>>().map_err(|_| Lost::NotFound)?;
    let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
    let (shown, done) = (shown(&segments), done(&segments));
    match *method {
        Method::GET | Method::HEAD => shown.ok_or(if done.is_some() { Lost::Method } else { Lost::NotFound }),
        Method::POST => done.ok_or(if shown.is_some() { Lost::Method } else { Lost::NotFound }),
        _ => Err(Lost::Method),
    }
}

/// What is looked at.
fn shown(segments: &[&str]) -> Option<Route> {
    match segments {
        [] => Some(Route::Home),
        ["assets", name] => Some(Route::Asset((*name).to_owned())),
        ["sign-in"] => Some(Route::SignIn),
        [region, rest @ ..] if is_region(region) => {
            page(rest).map(|page| Route::Page { region: (*region).to_owned(), page })
        }
        _ => None,
    }
}

/// What forms are posted to.
fn done(segments: &[&str]) -> Option<Route> {
    match segments {
        ["sign-in"] => Some(Route::SignInForm),
        ["sign-out"] => Some(Route::SignOutForm),
        [region, rest @ .., last] if is_region(region) => {
            let (page, deed) = (page(rest)?, deed(rest, last)?);
            Some(Route::Deed { region: (*region).to_owned(), page, deed })
        }
        _ => None,
    }
}

fn page(segments: &[&str]) -> Option<Page> {
    let text = |text: &&str| (*text).to_owned();
    Some(match segments {
        [] => Page::Overview,
        ["pipelines", name] => Page::Pipeline(text(name)),
        ["pipelines", name, "executions", id] => Page::Execution { pipeline: text(name), id: text(id) },
        ["builds"] => Page::Builds,
        ["projects", name] => Page::Project(text(name)),
        ["builds", id] => Page::Build(text(id)),
        ["builds", id, "log"] => Page::Log(text(id)),
        ["builds", id, "log.txt"] => Page::RawLog(text(id)),
        ["deployments"] => Page::Deployments,
        ["deployments", id] => Page::Deployment(text(id)),
        _ => return None,
    })
}

fn deed(page: &[&str], last: &str) -> Option<Deed> {
    match (page, last) {
        (["pipelines", _], "release") => Some(Deed::Release),
        (["pipelines", _], "stop") => Some(Deed::Stop),
        (["pipelines", _], "retry") => Some(Deed::Retry),
        (["pipelines", _], "approve") => Some(Deed::Approve),
        (["pipelines", _], "transition") => Some(Deed::Transition),
        (["pipelines", _, "executions", _], "roll-back") => Some(Deed::RollBack),
        (["builds", _], "stop") => Some(Deed::StopBuild),
        (["builds", _], "retry") => Some(Deed::RetryBuild),
        (["deployments", _], "stop") => Some(Deed::StopDeployment),
        _ => None,
    }
}

/// Region names are words with dashes and a number at the end.
fn is_region(text: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (4..=30).contains(&text.len()) && text.bytes().all(letters) && text.ends_with(|last: char| last.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(page: Page) -> Result<Route, Lost> {
        Ok(Route::Page { region: "eu-west-1".to_owned(), page })
    }

    #[test]
    fn paths_name_pages() {
        for (path, route) in [
            ("", Ok(Route::Home)),
            ("/", Ok(Route::Home)),
            ("/assets/console.css", Ok(Route::Asset("console.css".to_owned()))),
            ("/sign-in", Ok(Route::SignIn)),
            ("/sign-out", Err(Lost::Method)),
            ("/eu-west-1", at(Page::Overview)),
            ("/eu-west-1/pipelines/app", at(Page::Pipeline("app".to_owned()))),
            ("/eu-west-1/pipelines/a%40b", at(Page::Pipeline("a@b".to_owned()))),
            ("/eu-west-1/pipelines/a%2Fb", at(Page::Pipeline("a/b".to_owned()))),
            (
                "/eu-west-1/pipelines/app/executions/1-2",
                at(Page::Execution { pipeline: "app".to_owned(), id: "1-2".to_owned() }),
            ),
            ("/eu-west-1/builds", at(Page::Builds)),
            ("/eu-west-1/projects/app", at(Page::Project("app".to_owned()))),
            ("/eu-west-1/builds/app:1", at(Page::Build("app:1".to_owned()))),
            ("/eu-west-1/builds/app:1/log", at(Page::Log("app:1".to_owned()))),
            ("/eu-west-1/builds/app:1/log.txt", at(Page::RawLog("app:1".to_owned()))),
            ("/eu-west-1/deployments/d-1", at(Page::Deployment("d-1".to_owned()))),
            ("/eu-west-1/pipelines/app/release", Err(Lost::Method)),
            ("/eu-west-1/pipelines/app/other", Err(Lost::NotFound)),
            ("/eu-west-1/other", Err(Lost::NotFound)),
            ("/EU", Err(Lost::NotFound)),
            ("/pipelines", Err(Lost::NotFound)),
            ("/eu-west-1/pipelines/%ff", Err(Lost::NotFound)),
        ] {
            assert_eq!(parse(&Method::GET, &format!("{PATH}{path}")), route, "{path}");
        }
        assert_eq!(parse(&Method::GET, "/bucket"), Err(Lost::NotFound));
    }

    #[test]
    fn forms_are_posted_to_the_page_that_has_them() {
        let pipeline = Page::Pipeline("app".to_owned());
        let deed = |page: &Page, deed| Ok(Route::Deed { region: "eu-west-1".to_owned(), page: page.clone(), deed });
        for (path, route) in [
            ("/sign-in", Ok(Route::SignInForm)),
            ("/sign-out", Ok(Route::SignOutForm)),
            ("/eu-west-1/pipelines/app/release", deed(&pipeline, Deed::Release)),
            ("/eu-west-1/pipelines/app/approve", deed(&pipeline, Deed::Approve)),
            ("/eu-west-1/builds/app:1/stop", deed(&Page::Build("app:1".to_owned()), Deed::StopBuild)),
            ("/eu-west-1/pipelines/app", Err(Lost::Method)),
            ("/eu-west-1/pipelines/app/log", Err(Lost::NotFound)),
            ("/eu-west-1/deployments/d-1/retry", Err(Lost::NotFound)),
            ("", Err(Lost::Method)),
        ] {
            assert_eq!(parse(&Method::POST, &format!("{PATH}{path}")), route, "{path}");
        }
        assert_eq!(parse(&Method::DELETE, PATH), Err(Lost::Method));
    }
}
