//! Which image a build runs on, and its pull with a sign of life.

use super::interrupts::Interrupts;
use super::screen::Screen;
use crate::exit::user_error;
use crate::terminal::bytes;
use engine::{Engine, EngineError, ImageRequest, Progress, PullPolicy};
use std::sync::Arc;

/// What `landfall images build standard` makes.
const STANDARD: &str = "landfall/standard:1";
/// The machine's own files.
pub(crate) const HOST: &str = "host";
/// What AWS's curated images are called: they can be had nowhere.
pub(crate) const CURATED: &str = "aws/codebuild/";

/// The images of a run; what is said of a stand-in is said once.
pub(crate) struct Images<'i> {
    engine: &'i dyn Engine,
    /// The user's own choice, for every build.
    named: Option<&'i str>,
    stand_in: Option<&'static str>,
}

impl<'i> Images<'i> {
    pub(crate) fn new(engine: &'i dyn Engine, named: Option<&'i str>) -> Self {
        Self { engine, named, stand_in: None }
    }

    /// The image to run for the one that the user names, else the project's own. Where neither does, or names one that
    /// only AWS has: the standard image if it is here, else this machine's own files.
    pub(crate) async fn choose(&mut self, projects: Option<&str>, screen: &Screen) -> String {
        match self.named.or(projects) {
            Some(named) if !named.starts_with(CURATED) => named.to_owned(),
            _ => self.stand_in(screen).await.to_owned(),
        }
    }

    async fn stand_in(&mut self, screen: &Screen) -> &'static str {
        if let Some(found) = self.stand_in {
            return found;
        }
        let standard = ImageRequest { pull: PullPolicy::Never, ..ImageRequest::of(STANDARD) };
        let found = if self.engine.prepare(&standard).await.is_ok() {
            screen.say("image     the standard image (--image names another)");
            STANDARD
        } else {
            screen.say("image     host, a copy-on-write view of this machine's own files (--image names another)");
            HOST
        };
        *self.stand_in.insert(found)
    }
}

/// Has the engine make the image ready, with its progress on a terminal.
///
/// # Errors
/// The user's: it cannot be had.
pub(crate) async fn prepare(
    engine: &dyn Engine,
    image: &str,
    screen: &mut Screen,
    interrupts: &mut Interrupts,
) -> anyhow::Result<()> {
    let (line, name) = (screen.moving(), image.to_owned());
    let progress: Progress = Arc::new(move |pulled| {
        line.set_message(match pulled.total {
            0 => format!("pulling {name}"),
            total => format!("pulling {name}  {} of {}", bytes(pulled.done), bytes(total)),
        });
    });
    let request = ImageRequest { progress: Some(progress), ..ImageRequest::of(image) };
    let prepared = interrupts.unless(async { engine.prepare(&request).await.map_err(|error| explain(image, &error)) });
    let prepared = prepared.await;
    screen.idle();
    prepared.map(drop)
}

fn explain(image: &str, error: &EngineError) -> anyhow::Error {
    match error {
        EngineError::Image(reason) => {
            let named = if reason.contains(image) { String::new() } else { format!("image {image}: ") };
            user_error(format!(
                "{named}{reason}\n--image host builds on this machine's own files, where nothing has to be pulled"
            ))
        }
        other => user_error(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_cannot_be_had_is_named_once() {
        for reason in ["image a/b:1 cannot be pulled: no such host", "Error response from daemon: manifest unknown"] {
            let said = explain("a/b:1", &EngineError::Image(reason.to_owned())).to_string();
            assert_eq!(said.matches("a/b:1").count(), 1, "{said}");
            assert!(said.contains(reason) && said.contains("--image host"), "{said}");
        }
    }
}
