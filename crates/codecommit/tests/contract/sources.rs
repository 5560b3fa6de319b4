//! What CodePipeline and CodeBuild read.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use aws::internal::codecommit::Sources;

use crate::server::{Clone, Server, caller, git_in};

/// A repository with an executable file, a symbolic link and a file that is marked not to be exported.
async fn pushed(server: &Server, work: &Clone) -> String {
    server.create("demo").await;
    work.commit("first", "1");
    std::fs::write(work.path().join("run"), "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(work.path().join("run"), PermissionsExt::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink("run", work.path().join("link")).unwrap();
    let tip = work.commit(".gitattributes", "* export-ignore\n");
    work.git(&["tag", "-a", "v1", "-m", "one"]);
    work.git(&["push", "--quiet", &server.url_of("demo"), "main", "v1"]);
    tip
}

fn check_files(dir: &Path) {
    assert_eq!(std::fs::read_link(dir.join("link")).unwrap(), Path::new("run"));
    assert_eq!(std::fs::metadata(dir.join("run")).unwrap().permissions().mode() & 0o111, 0o111);
    assert_eq!(std::fs::read_to_string(dir.join("first")).unwrap(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_holds_the_tree_with_modes_and_links() {
    let (dir, work, out) = (tempfile::tempdir().unwrap(), Clone::new(), tempfile::tempdir().unwrap());
    let server = Server::start(dir.path()).await;
    let tip = pushed(&server, &work).await;
    let zip = server.service.archive(&caller(), "demo", &tip).await.unwrap();
    zip.save(out.path().join("tree.zip")).await.unwrap();
    let script = "import zipfile,sys,os\nz=zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\n\
                  for i in z.infolist():\n mode=i.external_attr>>16\n print(i.filename, oct(mode))";
    let listed = Command::new("python3").args(["-c", script]).arg(out.path().join("tree.zip")).output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    for line in ["run 0o100755", "link 0o120", "first 0o"] {
        assert!(listed.contains(line), "{line}: {listed}");
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_is_a_working_copy_at_the_version_asked_for() {
    let (dir, work) = (tempfile::tempdir().unwrap(), Clone::new());
    let server = Server::start(dir.path()).await;
    let tip = pushed(&server, &work).await;
    for (version, depth, commits) in [
        (None, None, "2"),
        (Some("v1"), Some(1), "1"),
        (Some("refs/heads/main"), Some(9), "2"),
        (Some(&*tip), None, "2"),
    ] {
        let out = tempfile::tempdir().unwrap();
        let checkout = server.service.checkout(&caller(), "demo", version, depth).await.unwrap();
        assert_eq!(checkout.commit.as_ref(), Some(&tip));
        checkout.tar.save(out.path().join("copy.tar")).await.unwrap();
        let copy = out.path().join("copy");
        std::fs::create_dir(&copy).unwrap();
        assert!(Command::new("tar").args(["-xf", "../copy.tar"]).current_dir(&copy).status().unwrap().success());
        check_files(&copy);
        let text = |arguments: &[&str]| String::from_utf8(git_in(&copy, arguments).stdout).unwrap().trim().to_owned();
        assert_eq!(text(&["rev-parse", "HEAD"]), tip);
        assert_eq!(text(&["status", "--porcelain"]), "");
        assert_eq!(text(&["rev-list", "--count", "HEAD"]), commits, "{version:?}");
        assert_eq!(text(&["remote", "get-url", "origin"]), server.url_of("demo"));
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_working_copy_is_left_behind() {
    let (dir, work) = (tempfile::tempdir().unwrap(), Clone::new());
    let left = dir.path().join("git/new/left-by-a-crash");
    std::fs::create_dir_all(&left).unwrap();
    let server = Server::start(dir.path()).await;
    assert!(!left.exists());
    pushed(&server, &work).await;
    for read in [true, false] {
        let checkout = server.service.checkout(&caller(), "demo", None, None).await.unwrap();
        if read {
            checkout.tar.collect(10_000_000).await.unwrap();
        }
    }
    let emptied = async {
        while std::fs::read_dir(dir.path().join("git/new")).unwrap().count() > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), emptied).await.unwrap();
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_is_named() {
    let (dir, work) = (tempfile::tempdir().unwrap(), Clone::new());
    let server = Server::start(dir.path()).await;
    pushed(&server, &work).await;
    let nowhere = server.service.checkout(&caller(), "nowhere", None, None).await.err().unwrap();
    assert!(nowhere.is("RepositoryDoesNotExistException"), "{nowhere}");
    for version in ["none", &"1".repeat(40), "main~1", "--upload-pack=x"] {
        let error = server.service.checkout(&caller(), "demo", Some(version), None).await.err().unwrap();
        assert!(error.is("CommitDoesNotExistException"), "{version}: {error}");
    }
    assert!(server.service.archive(&caller(), "demo", &"2".repeat(40)).await.is_err());
    server.end().await;
}
