//! What the pipeline has deployed to its buckets, put into the user's folder: a folder for each bucket.

use super::super::home::Home;
use super::super::out::{Out, Placed};
use super::super::session::Session;
use super::super::{call, user_error};
use agent::archive::Place;
use aws::s3::{GetObject, ListObjects};
use futures::StreamExt as _;
use std::collections::BTreeSet;
use std::path::Path;
use tokio::io::AsyncWriteExt as _;

/// Puts the buckets' objects into the user's folder.
///
/// # Errors
/// The user's: a key that can be no file, or something is in the way.
pub(super) async fn take(
    session: &Session,
    home: &Home,
    buckets: &BTreeSet<String>,
    out: &Out,
) -> anyhow::Result<Vec<Placed>> {
    let fresh = home.path().join("fresh");
    let mut count = 0;
    for bucket in buckets {
        let folder = fresh.join(bucket);
        tokio::fs::create_dir_all(&folder).await?;
        count += take_bucket(session, bucket, &folder).await?;
    }
    if count == 0 {
        return Ok(Vec::new());
    }
    let out = Out::new(out.folder())?;
    tokio::task::spawn_blocking(move || out.replace(&fresh)).await?
}

/// Answers how many objects there were.
async fn take_bucket(session: &Session, bucket: &str, folder: &Path) -> anyhow::Result<usize> {
    let (mut from, mut count) = (None, 0);
    loop {
        let list = ListObjects { bucket: bucket.to_owned(), from, ..ListObjects::default() };
        let page = call(session.services().s3.list_objects(&session.caller(), list).await)?;
        for object in page.objects.iter().filter(|object| !object.key.ends_with('/')) {
            take_object(session, bucket, &object.key, folder).await?;
            count += 1;
        }
        from = page.next;
        if from.is_none() {
            return Ok(count);
        }
    }
}

async fn take_object(session: &Session, bucket: &str, key: &str, folder: &Path) -> anyhow::Result<()> {
    let bad =
        |error: &dyn std::fmt::Display| user_error(format!("the object {key} of bucket {bucket} is no file: {error}"));
    let object = call(session.services().s3.get_object(&session.caller(), GetObject::new(bucket, key)).await)?;
    let Some(place) = Place::new(folder, key.as_bytes()).map_err(|error| bad(&error))? else { return Ok(()) };
    let mut file = tokio::fs::File::from_std(place.file(0o644).map_err(|error| bad(&error))?);
    let mut body = object.body;
    while let Some(piece) = body.next().await {
        file.write_all(&piece?).await?;
    }
    Ok(file.flush().await?)
}
