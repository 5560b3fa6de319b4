//! A source's bytes, on their way to the agent.

use std::sync::Arc;

use aws::s3::{Body, GetObject, ListObjects, S3};
use kernel::Caller;
use tokio::fs::File;
use tokio_util::io::StreamReader;

use super::ends::Halt;
use super::job::ENDPOINT;
use super::session::{Session, refused};
use super::spool;
use crate::rules::source_location::S3Location;
use crate::rules::sources::{Source, SourceKind};

/// The most objects of a folder in S3 that a build downloads.
const MOST_OBJECTS: usize = 100_000;

impl Session<'_> {
    /// The source as an archive of [`SourceKind::format`]; its version is in the document then.
    pub(super) async fn fetch(&mut self, source: &Source) -> Result<Body, Halt> {
        match &source.kind {
            // The end of a tar: its two empty blocks alone.
            SourceKind::Nothing => Ok(Body::from(vec![0; 1_024])),
            SourceKind::Archive { object, version } => {
                let input = GetObject::new(&object.bucket, &object.key).version(version.clone());
                let found = self.service().dependencies.s3.get_object(&self.role, input).await.map_err(refused)?;
                Ok(found.body)
            }
            SourceKind::Folder(folder) => self.fetch_folder(folder).await,
            SourceKind::Repository { name, version, depth } => {
                // A version that was resolved before a restart stays the build's.
                let pinned = self.build().resolved_source_version.clone().filter(|_| source.index == 0);
                let version = pinned.or_else(|| version.clone());
                let codecommit = &self.service().dependencies.codecommit;
                // The working copy's origin is then where the build's own git finds this server.
                let reader = Caller { endpoint: Some(ENDPOINT.to_owned()), ..self.role.clone() };
                let checkout = codecommit.checkout(&reader, name, version.as_deref(), *depth).await;
                let checkout = checkout.map_err(refused)?;
                self.resolve(source, checkout.commit).await?;
                Ok(checkout.tar)
            }
        }
    }

    /// Keeps what the primary source's version turned out to be, before anything uses it.
    async fn resolve(&mut self, source: &Source, commit: Option<String>) -> Result<(), Halt> {
        if source.index > 0 || commit.is_none() || self.build().resolved_source_version == commit {
            return Ok(());
        }
        Ok(self.step.record.change(move |build, _| build.resolved_source_version.clone_from(&commit)).await?)
    }

    async fn fetch_folder(&mut self, folder: &S3Location) -> Result<Body, Halt> {
        let spool = spool::folder(self.service(), &self.build().container());
        spool::make(&spool).await?;
        let path = spool.join("source.tar");
        let s3 = Arc::clone(&self.service().dependencies.s3);
        let mut tar = tokio_tar::Builder::new(File::create(&path).await?);
        if pack_folder(&*s3, &self.role, folder, &mut tar).await? == 0 {
            return Err(Halt::client_error(format!("there is no object below {}", folder.arn())));
        }
        tar.into_inner().await?.sync_data().await?;
        Ok(Body::from_file(path).await?)
    }
}

/// Adds all objects below a prefix to a tar; answers how many.
async fn pack_folder(
    s3: &dyn S3,
    role: &Caller,
    folder: &S3Location,
    tar: &mut tokio_tar::Builder<File>,
) -> Result<usize, Halt> {
    let (mut from, mut count) = (None, 0);
    loop {
        let list =
            ListObjects { bucket: folder.bucket.clone(), prefix: folder.key.clone(), from, ..ListObjects::default() };
        let page = s3.list_objects(role, list).await.map_err(refused)?;
        for object in page.objects.iter().filter(|object| !object.key.ends_with('/')) {
            count += 1;
            if count > MOST_OBJECTS {
                return Err(Halt::client_error(format!("the source folder has more than {MOST_OBJECTS} objects")));
            }
            pack_object(s3, role, folder, &object.key, tar).await?;
        }
        from = page.next;
        if from.is_none() {
            return Ok(count);
        }
    }
}

async fn pack_object(
    s3: &dyn S3,
    role: &Caller,
    folder: &S3Location,
    key: &str,
    tar: &mut tokio_tar::Builder<File>,
) -> Result<(), Halt> {
    let found = s3.get_object(role, GetObject::new(&folder.bucket, key)).await.map_err(refused)?;
    let mut header = tokio_tar::Header::new_gnu();
    header.set_size(found.meta.size);
    header.set_mode(0o644);
    let name = key.strip_prefix(&folder.key).unwrap_or(key);
    Ok(tar.append_data(&mut header, name, StreamReader::new(found.body)).await?)
}
