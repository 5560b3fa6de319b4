//! UPLOAD_ARTIFACTS: the agent's zips go into S3.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use agent::protocol::{ArtifactRequest, FromAgent, ToAgent};
use aws::s3::{Body, PutObject};
use zip::ZipArchive;

use super::ends::Halt;
use super::link::Incoming;
use super::session::Session;
use super::spool::{self, Arrived, Arriving};
use crate::model::{Context, PhaseType, Status, Upload};
use crate::rules::arns;
use crate::rules::artifact_location::ArtifactKey;
use crate::rules::uploads::{self, Planned};

/// The most files of an artifact that is stored as plain files.
const MOST_FILES: usize = 100_000;

impl Session<'_> {
    /// Uploads what the buildspec keeps, each artifact recorded once it is in its bucket.
    pub(super) async fn upload(&mut self) -> Result<(), Halt> {
        let buildspec = self.parsed_buildspec().await?;
        let planned = uploads::planned(self.build(), &buildspec).map_err(Halt::client_error)?;
        let mut names = self.build().artifact_names.clone().into_iter();
        for (planned, request) in planned.iter().zip(1..) {
            let name = planned.expression().and_then(|_| names.next().flatten());
            if self.build().uploads.iter().any(|upload| upload.identifier == self.identifier(planned)) {
                continue;
            }
            let file = self.collect(planned, request).await?;
            kernel::crash_point!("codebuild_after_spooling");
            let key = planned.key(self.build(), name.as_deref());
            let upload = self.store(planned, &key, &file).await?;
            kernel::crash_point!("codebuild_after_upload");
            self.step.record.change(move |build, _| build.uploads.push(upload.clone())).await?;
        }
        self.say_complete(PhaseType::UploadArtifacts, Status::Succeeded, &Context::default()).await;
        Ok(self.step.record.advance(Status::Succeeded, Context::default()).await?)
    }

    /// Under which identifier BatchGetBuilds shows the artifact: a lone pipeline output is the primary one.
    fn identifier(&self, planned: &Planned) -> Option<String> {
        let lone = self.build().pipeline.as_ref().is_some_and(|pipeline| pipeline.outputs.len() == 1);
        planned.identifier.clone().filter(|_| !lone)
    }

    /// Has the agent zip the files, and takes the zip in.
    async fn collect(&mut self, planned: &Planned, request: u64) -> Result<Arrived, Halt> {
        self.greeted().await?;
        let folder = spool::folder(self.service(), &self.build().container());
        spool::make(&folder).await?;
        let mut file = Arriving::create(folder.join(format!("artifact-{request}"))).await?;
        let ask = ToAgent::ArtifactRequest(ArtifactRequest {
            request,
            directory: self.sources()?[0].directory.clone(),
            base_directory: planned.set.base_directory.clone(),
            files: planned.set.files.clone(),
            exclude_paths: planned.set.exclude_paths.clone(),
            discard_paths: planned.set.discard_paths,
            enable_symlinks: planned.keeps_symlinks(),
        });
        self.sockets.link.send(ask.clone()).await;
        loop {
            match self.hear().await? {
                Incoming::Connected(_) => drop(self.sockets.link.send(ask.clone()).await),
                Incoming::Message(FromAgent::ArtifactChunk { request: of, offset, data }) if of == request => {
                    if !file.write(offset, &data).await? {
                        return Err(dishonest("sent pieces of an artifact that do not fit"));
                    }
                }
                Incoming::Message(FromAgent::ArtifactEnd { request: of, error, size, .. }) if of == request => {
                    if let Some(error) = error {
                        return Err(Halt::Phase(Status::Failed, Context::new(error.code, error.message)));
                    }
                    return arrived(file.finish().await?, size);
                }
                Incoming::Message(FromAgent::Report { sequence, report }) => self.record(sequence, report, &[]).await?,
                Incoming::Message(_) => {}
            }
        }
    }

    async fn store(&mut self, planned: &Planned, key: &ArtifactKey, file: &Arrived) -> Result<Upload, Halt> {
        let identifier = self.identifier(planned);
        let bucket = &planned.bucket;
        match key {
            ArtifactKey::Zip(key) => {
                let md5 = self.put(bucket, key, &file.path, Some("application/zip")).await?;
                let location = format!("arn:aws:s3:::{bucket}/{key}");
                Ok(Upload { identifier, location, sha256: Some(file.sha256.clone()), md5: Some(md5) })
            }
            ArtifactKey::Folder(prefix) => {
                self.put_files(bucket, prefix, &file.path).await?;
                let location = format!("arn:aws:s3:::{bucket}/{}", prefix.trim_end_matches('/'));
                Ok(Upload { identifier, location, ..Upload::default() })
            }
        }
    }

    /// Stores a file; answers its entity tag, the MD5 in hex.
    async fn put(&mut self, bucket: &str, key: &str, path: &Path, content_type: Option<&str>) -> Result<String, Halt> {
        let body = Body::from_file(path).await?;
        let mut object = PutObject::new(bucket, key, body);
        object.headers.content_type = content_type.map(str::to_owned);
        let arn = arns::build(self.step.record.scope(), &self.build().id);
        object.metadata = BTreeMap::from([("codebuild-buildarn".to_owned(), arn)]);
        let s3 = Arc::clone(&self.service().dependencies.s3);
        match self.ends.unless(s3.put_object(&self.role, object)).await? {
            Ok(put) => Ok(put.etag),
            Err(error) if error.status >= 500 => Err(Halt::from(error)),
            Err(error) => Err(Halt::client_error(format!("Failed to upload artifacts: {error}"))),
        }
    }

    /// Packaging NONE: the zip's files one by one.
    async fn put_files(&mut self, bucket: &str, prefix: &str, zip: &Path) -> Result<(), Halt> {
        let (from, entry) = (zip.to_owned(), zip.with_extension("entry"));
        let opened = tokio::task::spawn_blocking(move || Unpacking::open(&from)).await?;
        let mut unpacking = opened.map_err(|error| unpackable(&error))?;
        loop {
            let to = entry.clone();
            let (next, file) = tokio::task::spawn_blocking(move || {
                let file = unpacking.next(&to);
                (unpacking, file)
            })
            .await?;
            unpacking = next;
            match file.map_err(|error| unpackable(&error))? {
                Some(name) => drop(self.put(bucket, &format!("{prefix}{name}"), &entry, None).await?),
                None => return Ok(()),
            }
        }
    }
}

fn unpackable(error: &io::Error) -> Halt {
    Halt::client_error(format!("Failed to upload artifacts: {error}"))
}

fn dishonest(what: &str) -> Halt {
    Halt::Phase(Status::Fault, Context::internal(format!("the build's agent {what}")))
}

fn arrived(file: Arrived, size: u64) -> Result<Arrived, Halt> {
    if file.size == size {
        return Ok(file);
    }
    Err(dishonest(&format!("sent {} bytes of an artifact of {size}", file.size)))
}

/// A zip that a build's agent made, unpacked one file at a time, within bounds.
struct Unpacking {
    archive: ZipArchive<File>,
    index: usize,
    left: u64,
}

impl Unpacking {
    fn open(zip: &Path) -> io::Result<Self> {
        let archive = ZipArchive::new(File::open(zip)?)?;
        if archive.len() > MOST_FILES {
            return Err(io::Error::other(format!("more than {MOST_FILES} files")));
        }
        Ok(Self { archive, index: 0, left: spool::MOST_BYTES })
    }

    /// Unpacks the next file to `to` and answers its name. Names that would lead out of the folder are skipped.
    fn next(&mut self, to: &Path) -> io::Result<Option<String>> {
        while self.index < self.archive.len() {
            let entry = self.archive.by_index(self.index)?;
            self.index += 1;
            let name = entry.enclosed_name().and_then(|name| name.to_str().map(str::to_owned));
            let Some(name) = name.filter(|name| !entry.is_dir() && !name.is_empty()) else { continue };
            let size = io::copy(&mut entry.take(self.left + 1), &mut File::create(to)?)?;
            self.left = self.left.checked_sub(size).ok_or_else(|| io::Error::other("the files are too large"))?;
            return Ok(Some(name));
        }
        Ok(None)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    #[test]
    fn files_are_unpacked_one_by_one_and_bad_names_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let (zip, to) = (folder.path().join("a.zip"), folder.path().join("entry"));
        let mut writer = ZipWriter::new(File::create(&zip).unwrap());
        for name in ["d/a.txt", "../b.txt"] {
            writer.start_file(name, SimpleFileOptions::default()).unwrap();
            writer.write_all(name.as_bytes()).unwrap();
        }
        writer.finish().unwrap();
        let mut unpacking = Unpacking::open(&zip).unwrap();
        assert_eq!(unpacking.next(&to).unwrap().as_deref(), Some("d/a.txt"));
        assert_eq!(std::fs::read(&to).unwrap(), b"d/a.txt");
        assert_eq!(unpacking.next(&to).unwrap(), None);
        let mut unpacking = Unpacking { left: 3, ..Unpacking::open(&zip).unwrap() };
        assert!(unpacking.next(&to).unwrap_err().to_string().contains("too large"));
        std::fs::write(&zip, b"no zip").unwrap();
        assert!(Unpacking::open(&zip).is_err());
    }
}
