//! DOWNLOAD_SOURCE: sources go into the container, the buildspec is read.

use std::collections::BTreeSet;

use agent::protocol::{CHUNK, FromAgent, SourceTarget, ToAgent};
use aws::s3::GetObject;
use bytes::Bytes;
use futures::StreamExt;

use super::ends::Halt;
use super::link::Incoming;
use super::session::{Session, refused};
use crate::model::{Context, PhaseType, Status};
use crate::rules::buildspec::Buildspec;
use crate::rules::buildspec_location::BuildspecLocation;
use crate::rules::sources::{self, Source};
use crate::rules::{environment, yaml};

/// The largest buildspec file, in bytes: what the agent's protocol answers at once.
const LARGEST_BUILDSPEC: u64 = 3 * CHUNK as u64;

impl Session<'_> {
    /// Ends DOWNLOAD_SOURCE with sources in place and the buildspec's text in the document.
    pub(super) async fn download(&mut self) -> Result<(), Halt> {
        let sources = self.sources()?;
        let directory = format!("CODEBUILD_SRC_DIR={}", sources[0].directory);
        self.say(&["Waiting for DOWNLOAD_SOURCE", "Phase is DOWNLOAD_SOURCE", &directory]);
        self.deliver(&sources).await?;
        kernel::crash_point!("codebuild_after_sources");
        let (text, place) = self.buildspec(&sources[0].directory).await?;
        let buildspec = parse(&text)?;
        self.refuse_unsupported(&buildspec)?;
        self.say(&opening(&buildspec, &place));
        let runtimes = self.runtimes(&buildspec, &sources).await?;
        let text = self.service().write_text(Some(text)).await?;
        let change = move |build: &mut crate::model::Build, now| {
            build.buildspec.clone_from(&text);
            build.runtimes.clone_from(&runtimes);
            build.life.end(Status::Succeeded, Context::default(), now);
        };
        self.step.record.change(change).await?;
        kernel::crash_point!("codebuild_after_buildspec");
        self.say_complete(PhaseType::DownloadSource, Status::Succeeded, &Context::default()).await;
        Ok(())
    }

    /// The build's sources.
    pub(super) fn sources(&self) -> Result<Vec<Source>, Halt> {
        sources::sources(self.build(), &self.step.record.scope().region).map_err(Halt::client_error)
    }

    fn refuse_unsupported(&self, buildspec: &Buildspec) -> Result<(), Halt> {
        let variables = self.build().plan.environment.environment_variables.as_deref().unwrap_or_default();
        let unsupported = environment::unsupported(&buildspec.env, variables);
        if unsupported.is_empty() {
            return Ok(());
        }
        Err(Halt::client_error(format!("this version of the server cannot fetch the {}", unsupported.join(", the "))))
    }

    /// Sends each source until the agent has unpacked all of them; after a lost connection those that it lacks.
    async fn deliver(&mut self, sources: &[Source]) -> Result<(), Halt> {
        self.greeted().await?;
        let (mut unpacked, mut sent) = (self.unpacked(), BTreeSet::new());
        loop {
            for source in sources {
                if !unpacked.contains(&source.index) && sent.insert(source.index) && !self.send_source(source).await? {
                    break;
                }
            }
            if sources.iter().all(|source| unpacked.contains(&source.index)) {
                return Ok(());
            }
            match self.hear().await? {
                Incoming::Connected(_) => (unpacked, sent) = (self.unpacked(), BTreeSet::new()),
                Incoming::Message(FromAgent::SourceUnpacked { index, error: None }) => drop(unpacked.insert(index)),
                Incoming::Message(FromAgent::SourceUnpacked { index, error: Some(error) }) => {
                    return Err(Halt::client_error(sources::unpack_error(sources, index, &error)));
                }
                Incoming::Message(other) => early(&other)?,
            }
        }
    }

    fn unpacked(&self) -> BTreeSet<u32> {
        self.hello.iter().flat_map(|hello| hello.sources.iter().copied()).collect()
    }

    /// Streams one source to the agent; `false` where the connection was lost.
    async fn send_source(&mut self, source: &Source) -> Result<bool, Halt> {
        let body = self.fetch(source).await?;
        let target = SourceTarget { index: source.index, path: source.directory.clone(), format: source.kind.format() };
        let link = &mut self.sockets.link;
        let stream = async move {
            let mut body = body;
            let mut offset = 0;
            while let Some(data) = body.next().await {
                let mut data: Bytes = data?;
                while !data.is_empty() {
                    let data = data.split_to(data.len().min(CHUNK));
                    let length = data.len() as u64;
                    if !link.stream(ToAgent::SourceChunk { target: target.clone(), offset, last: false, data }).await {
                        return Ok(false);
                    }
                    offset += length;
                }
            }
            Ok(link.stream(ToAgent::SourceChunk { target, offset, last: true, data: Bytes::new() }).await)
        };
        self.ends.unless(stream).await?.map_err(|error: std::io::Error| Halt::from(error))
    }

    /// The buildspec's text and where it was.
    async fn buildspec(&mut self, directory: &str) -> Result<(String, String), Halt> {
        if self.build().inline_buildspec {
            let text = self.service().read_text(self.build().buildspec.as_ref()).await?;
            return Ok((text.unwrap_or_default(), "inline".to_owned()));
        }
        match BuildspecLocation::of(self.build().plan.source.buildspec.as_deref()) {
            BuildspecLocation::Inline(text) => Ok((text, "inline".to_owned())),
            BuildspecLocation::File(path) => {
                let path = format!("{directory}/{path}");
                Ok((self.read_file(&path).await?, path))
            }
            BuildspecLocation::Object(object) => {
                let input = GetObject::new(&object.bucket, &object.key);
                let found = self.service().dependencies.s3.get_object(&self.role, input).await.map_err(refused)?;
                let data = found.body.collect(yaml::MAX_BYTES).await.map_err(|error| yaml_error(error.to_string()))?;
                Ok((text(&data)?, object.arn()))
            }
        }
    }

    /// The buildspec's file.
    async fn read_file(&mut self, path: &str) -> Result<String, Halt> {
        text(&self.file(path, LARGEST_BUILDSPEC).await?.map_err(yaml_error)?)
    }

    /// A file of the container, or why it cannot be had.
    pub(super) async fn file(&mut self, path: &str, limit: u64) -> Result<Result<Bytes, String>, Halt> {
        let ask = || ToAgent::FileRequest { request: 1, path: path.to_owned(), limit };
        self.sockets.link.send(ask()).await;
        loop {
            match self.hear().await? {
                Incoming::Connected(_) => drop(self.sockets.link.send(ask()).await),
                Incoming::Message(FromAgent::File { error: Some(error), .. }) => return Ok(Err(error)),
                Incoming::Message(FromAgent::File { data, .. }) => return Ok(Ok(data)),
                Incoming::Message(other) => early(&other)?,
            }
        }
    }
}

/// An agent that has no job yet has nothing to report.
fn early(message: &FromAgent) -> Result<(), Halt> {
    match message {
        FromAgent::Report { .. } => Err(Halt::Phase(
            Status::Fault,
            Context::internal("the build's agent reported before it had anything to do"),
        )),
        _ => Ok(()),
    }
}

pub(super) fn yaml_error(message: impl Into<String>) -> Halt {
    Halt::Phase(Status::Failed, Context::yaml_file_error(message))
}

fn text(data: &[u8]) -> Result<String, Halt> {
    String::from_utf8(data.to_vec()).map_err(|error| yaml_error(format!("YAML file is not UTF-8: {error}")))
}

/// Parses a buildspec.
pub(super) fn parse(text: &str) -> Result<Buildspec, Halt> {
    Buildspec::parse(text).map_err(|error| yaml_error(error.to_string()))
}

/// What CodeBuild's log says of the buildspec; the agent goes on with the phases.
fn opening(buildspec: &Buildspec, place: &str) -> Vec<String> {
    let mut lines = vec![format!("YAML location is {place}"), "Processing environment variables".to_owned()];
    lines.extend(buildspec.warnings.iter().cloned());
    lines
}
