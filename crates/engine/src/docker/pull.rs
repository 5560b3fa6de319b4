//! Making images ready: what the daemon has, and what it has to pull.

use std::collections::HashMap;

use bollard::auth::DockerCredentials;
use bollard::models::CreateImageInfo;
use bollard::query_parameters::CreateImageOptions;
use futures::StreamExt;

use super::daemon::{Daemon, said, status};
use crate::{EngineError, ImageRequest, PullPolicy, PullProgress};

/// Answers the id of the image, pulling it where the daemon has none of that name.
pub(super) async fn prepare(daemon: &Daemon, request: &ImageRequest) -> Result<String, EngineError> {
    check(&request.reference)?;
    if let Some(id) = find(daemon, &request.reference).await? {
        return Ok(id);
    }
    if request.pull == PullPolicy::Never {
        return Err(EngineError::Image(format!("{} is not here, and is not to be pulled", request.reference)));
    }
    pull(daemon, request).await?;
    let gone = || EngineError::Image(format!("{} was pulled, but the daemon does not find it", request.reference));
    find(daemon, &request.reference).await?.ok_or_else(gone)
}

/// The id of an image that the daemon has.
pub(super) async fn find(daemon: &Daemon, reference: &str) -> Result<Option<String>, EngineError> {
    match daemon.client.inspect_image(reference).await {
        Ok(image) => Ok(image.id.map(whole)),
        Err(error) if status(&error) == Some(404) => Ok(None),
        Err(error) => Err(daemon.failed("look at an image", &error)),
    }
}

/// Podman leaves the algorithm out here and there.
fn whole(id: String) -> String {
    if id.contains(':') { id } else { format!("sha256:{id}") }
}

async fn pull(daemon: &Daemon, request: &ImageRequest) -> Result<(), EngineError> {
    let (name, tag) = split(&request.reference);
    let options =
        CreateImageOptions { from_image: Some(name.to_owned()), tag: Some(tag.to_owned()), ..Default::default() };
    let credentials = request.credentials.as_ref().map(|user| DockerCredentials {
        username: Some(user.username.clone()),
        password: Some(user.password.0.clone()),
        serveraddress: Some(registry(name).to_owned()),
        ..DockerCredentials::default()
    });
    let mut layers = Layers::default();
    let mut news = daemon.client.create_image(Some(options), None, credentials);
    while let Some(news) = news.next().await {
        let news = news.map_err(|error| match said(&error) {
            Some(reason) => EngineError::Image(format!("Error response from daemon: {reason}")),
            None => daemon.failed("pull an image", &error),
        })?;
        layers.hear(news);
        if let Some(progress) = &request.progress {
            progress(layers.progress());
        }
    }
    Ok(())
}

/// How far each layer is, by its short id.
#[derive(Default)]
struct Layers(HashMap<String, PullProgress>);

impl Layers {
    /// Takes in one line of the daemon's. Of unpacking it tells with numbers, too: that the bytes are here is known by then.
    fn hear(&mut self, news: CreateImageInfo) {
        let (Some(id), Some(status)) = (news.id, news.status) else { return };
        let number = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0);
        match (status.as_str(), news.progress_detail) {
            ("Downloading", Some(detail)) => {
                self.0.insert(id, PullProgress { done: number(detail.current), total: number(detail.total) });
            }
            ("Download complete" | "Pull complete", _) => {
                let layer = self.0.entry(id).or_default();
                layer.done = layer.total;
            }
            _ => {}
        }
    }

    fn progress(&self) -> PullProgress {
        let sum = |of: fn(&PullProgress) -> u64| self.0.values().map(of).sum();
        PullProgress { done: sum(|layer| layer.done), total: sum(|layer| layer.total) }
    }
}

/// Name and tag or digest: the daemon would pull all tags of a name alone.
fn split(reference: &str) -> (&str, &str) {
    if let Some((name, digest)) = reference.split_once('@') {
        return (name, digest);
    }
    match reference.rsplit_once(':') {
        // What follows the colon of a registry's port has a slash.
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (reference, "latest"),
    }
}

/// The registry of an image's name: its first part where that looks like a host.
fn registry(name: &str) -> &str {
    match name.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => "docker.io",
    }
}

/// References become paths of requests, so they hold nothing that a path could be bent with.
fn check(reference: &str) -> Result<(), EngineError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "._-/:@+".contains(c);
    let parts = || reference.split('/').all(|part| part.starts_with(|c: char| c.is_ascii_alphanumeric()));
    if reference.len() <= 1024 && reference.chars().all(legal) && parts() {
        return Ok(());
    }
    Err(EngineError::Image(format!("{reference:?} is no image: name one like debian:12 or example.com/team/app:1")))
}

#[cfg(test)]
mod tests {
    use bollard::models::ProgressDetail;

    use super::*;

    #[test]
    fn a_name_without_a_tag_means_the_latest() {
        for (reference, expected) in [
            ("debian", ("debian", "latest")),
            ("debian:12", ("debian", "12")),
            ("127.0.0.1:5000/app", ("127.0.0.1:5000/app", "latest")),
            ("127.0.0.1:5000/team/app:1.2", ("127.0.0.1:5000/team/app", "1.2")),
            ("example.com/app@sha256:ab", ("example.com/app", "sha256:ab")),
        ] {
            assert_eq!(split(reference), expected, "{reference}");
        }
    }

    #[test]
    fn knows_the_registry_by_its_dot_or_port() {
        for (name, expected) in [
            ("debian", "docker.io"),
            ("team/app", "docker.io"),
            ("localhost/app", "localhost"),
            ("127.0.0.1:5000/app", "127.0.0.1:5000"),
            ("1.dkr.ecr.eu-west-1.amazonaws.com/app", "1.dkr.ecr.eu-west-1.amazonaws.com"),
        ] {
            assert_eq!(registry(name), expected, "{name}");
        }
    }

    #[test]
    fn refuses_what_would_bend_a_path() {
        for bad in ["", "a b", "../containers/x", "a/../b", "a//b", "a?x=1", "a#b", "/a", "a/", &"x".repeat(1025)] {
            assert!(matches!(check(bad), Err(EngineError::Image(_))), "{bad}");
        }
        for good in ["debian:12", "public.ecr.aws/a/b_c:1.0-x", "x@sha256:00", "sha256:00"] {
            assert!(check(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn progress_counts_the_bytes_of_all_layers() {
        let mut layers = Layers::default();
        let mut hear = |id: &str, status: &str, numbers: Option<(i64, i64)>| {
            let detail = numbers.map(|(current, total)| ProgressDetail { current: Some(current), total: Some(total) });
            let (id, status) = (Some(id.to_owned()), Some(status.to_owned()));
            layers.hear(CreateImageInfo { id, status, progress_detail: detail, ..CreateImageInfo::default() });
            layers.progress()
        };
        assert_eq!(hear("12", "Pulling from library/debian", None), PullProgress { done: 0, total: 0 });
        assert_eq!(hear("a", "Downloading", Some((10, 100))), PullProgress { done: 10, total: 100 });
        assert_eq!(hear("b", "Downloading", Some((5, 50))), PullProgress { done: 15, total: 150 });
        assert_eq!(hear("a", "Download complete", None), PullProgress { done: 105, total: 150 });
        assert_eq!(hear("a", "Extracting", Some((1, 100))), PullProgress { done: 105, total: 150 });
    }
}
