//! DownloadBundle: fetches a deployment's bundle from S3 and unpacks it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::io::AsyncWriteExt;
use tokio::task::spawn_blocking;
use tokio::time::{Duration, timeout};

use super::aws_client::{AwsClient, Call, body, refused};
use super::specification::{BundleType, S3Revision};
use super::state::Deployment;
use crate::archive::unpack_file;
use crate::protocol::ArchiveFormat;

/// How long a transfer may stand still.
const STALLED: Duration = Duration::from_secs(60);

/// Fetches and unpacks the bundle into the deployment's folder, in place of what may be there.
///
/// # Errors
/// A sentence with the bundle's place and what is wrong.
pub(super) async fn download(client: &AwsClient, revision: &S3Revision, to: &Deployment) -> Result<(), String> {
    let place = format!("s3://{}/{}", revision.bucket, revision.key);
    let named = |error: String| format!("bundle {place}: {error}");
    fs::create_dir_all(to.folder()).map_err(|error| format!("{}: {error}", to.folder().display()))?;
    fetch(client, revision, &to.bundle()).await.map_err(named)?;
    let (bundle, archive, format) = (to.bundle(), to.archive(), format(revision.bundle_type));
    let unpacked = spawn_blocking(move || unpack(&bundle, &archive, format)).await;
    unpacked.map_err(|error| named(format!("unpacking broke off: {error}")))?.map_err(named)
}

fn format(bundle: BundleType) -> ArchiveFormat {
    match bundle {
        BundleType::Zip => ArchiveFormat::Zip,
        BundleType::Tar => ArchiveFormat::Tar,
        BundleType::Tgz => ArchiveFormat::TarGz,
    }
}

async fn fetch(client: &AwsClient, revision: &S3Revision, to: &Path) -> Result<(), String> {
    let target = target(revision);
    let call = Call { service: "s3", method: "GET", target: &target, headers: &[], body: Bytes::new() };
    let answer = client.send(call).await.map_err(|error| error.to_string())?;
    if !answer.status().is_success() {
        let status = answer.status();
        let said = body(answer).await.map_err(|error| error.to_string())?;
        return Err(refused(status, &said).to_string());
    }
    let etag = answer.headers().get("etag").and_then(|value| value.to_str().ok()).map(str::to_owned);
    check_etag(revision.etag.as_deref(), etag.as_deref())?;
    save(answer.into_body(), to).await
}

/// Path-style: works with addresses that no bucket's name can be put before.
fn target(revision: &S3Revision) -> String {
    let encoded: Vec<String> = revision.key.split('/').map(|part| sigv4::uri_encode(part.as_bytes())).collect();
    let version =
        revision.version.as_deref().map(|version| format!("?versionId={}", sigv4::uri_encode(version.as_bytes())));
    format!("/{}/{}{}", revision.bucket, encoded.join("/"), version.unwrap_or_default())
}

/// ETags are opaque: those of multipart uploads are no digest. Quotes do not count.
fn check_etag(expected: Option<&str>, got: Option<&str>) -> Result<(), String> {
    let plain = |etag: &str| etag.trim_matches('"').to_owned();
    match (expected.map(plain), got.map(plain)) {
        (Some(expected), Some(got)) if expected != got => {
            Err(format!("its ETag is {got}, but the deployment was made for {expected}"))
        }
        _ => Ok(()),
    }
}

async fn save(mut body: Incoming, to: &Path) -> Result<(), String> {
    let named = |error: io::Error| format!("{}: {error}", to.display());
    let mut file = tokio::fs::File::create(to).await.map_err(named)?;
    while let Some(frame) = timeout(STALLED, body.frame()).await.map_err(|_| "the transfer stands still")? {
        let frame = frame.map_err(|error| format!("the transfer broke off: {error}"))?;
        if let Ok(data) = frame.into_data() {
            file.write_all(&data).await.map_err(named)?;
        }
    }
    file.flush().await.map_err(named)
}

fn unpack(bundle: &Path, archive: &Path, format: ArchiveFormat) -> Result<(), String> {
    if archive.exists() {
        fs::remove_dir_all(archive).map_err(|error| format!("{}: {error}", archive.display()))?;
    }
    let file = File::open(bundle).map_err(|error| format!("{}: {error}", bundle.display()))?;
    unpack_file(file, format, archive).map_err(|error| error.to_string())?;
    strip_top_folder(archive).map_err(|error| error.to_string())
}

/// An archive of one folder that holds the appspec (as GitHub packs them) counts as that folder's content.
fn strip_top_folder(archive: &Path) -> io::Result<()> {
    let entries: Vec<PathBuf> = fs::read_dir(archive)?.flatten().map(|entry| entry.path()).collect();
    let [top] = &entries[..] else { return Ok(()) };
    if !top.is_dir() || !(top.join("appspec.yml").exists() || top.join("appspec.yaml").exists()) {
        return Ok(());
    }
    let aside = archive.with_extension("top");
    fs::rename(top, &aside)?;
    fs::remove_dir(archive)?;
    fs::rename(aside, archive)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn keys_and_versions_are_encoded() {
        let mut revision = S3Revision {
            bucket: "b".into(),
            key: "a dir/x+y.zip".into(),
            bundle_type: BundleType::Zip,
            version: None,
            etag: None,
        };
        assert_eq!(target(&revision), "/b/a%20dir/x%2By.zip");
        revision.version = Some("v/1".into());
        assert_eq!(target(&revision), "/b/a%20dir/x%2By.zip?versionId=v%2F1");
    }

    #[test]
    fn etags_are_compared_without_quotes() {
        assert_eq!(check_etag(Some("abc-4"), Some("\"abc-4\"")), Ok(()));
        assert_eq!(check_etag(None, Some("\"x\"")), Ok(()));
        assert_eq!(check_etag(Some("abc"), None), Ok(()));
        assert!(check_etag(Some("abc"), Some("def")).unwrap_err().contains("def"));
    }

    #[test]
    fn one_top_folder_with_an_appspec_is_stripped() {
        for (appspec, expected) in [("appspec.yml", "file"), ("other", "top/file")] {
            let folder = tempfile::tempdir().unwrap();
            let archive = folder.path().join("deployment-archive");
            fs::create_dir_all(archive.join("top")).unwrap();
            fs::write(archive.join("top/file"), "").unwrap();
            fs::write(archive.join("top").join(appspec), "").unwrap();
            strip_top_folder(&archive).unwrap();
            assert!(archive.join(expected).exists(), "{appspec}");
        }
    }
}
