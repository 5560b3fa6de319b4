//! Unmodified git: push, clone, fetch.

use crate::server::{Clone, Server, git_in};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_is_cloned_and_the_first_branch_becomes_the_default() {
    let (dir, work) = (tempfile::tempdir().unwrap(), Clone::new());
    let server = Server::start(dir.path()).await;
    server.create("demo").await;
    let url = server.url_of("demo");
    let elsewhere = tempfile::tempdir().unwrap();
    assert!(git_in(elsewhere.path(), &["clone", "--quiet", &url]).status.success(), "an empty repository is cloned");

    let tip = work.commit("src/größe.txt", "hello\n");
    work.push(&url, "main:trunk");
    assert_eq!(server.tip("demo", "trunk").await, Some(tip.clone()));
    assert_eq!(server.metadata("demo").await.default_branch.as_deref(), Some("trunk"));

    work.git(&["clone", "--quiet", &url, "copy"]);
    let copy = work.path().join("copy");
    assert_eq!(std::fs::read_to_string(copy.join("src/größe.txt")).unwrap(), "hello\n");
    let branch = git_in(&copy, &["rev-parse", "--abbrev-ref", "HEAD"]);
    assert_eq!(String::from_utf8_lossy(&branch.stdout).trim(), "trunk");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_pushes_go_chunked_and_come_back_whole() {
    let (dir, work) = (tempfile::tempdir().unwrap(), Clone::new());
    let server = Server::start(dir.path()).await;
    server.create("large").await;
    // What does not compress: above git's http.postBuffer of 1 MB, so that it probes first and sends chunks.
    let mut state = 1u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(5_000_000)
    .collect();
    work.commit("noise", &noise);
    work.push(&server.url_of("large"), "main");
    work.git(&["clone", "--quiet", &server.url_of("large"), "copy"]);
    assert_eq!(std::fs::read(work.path().join("copy/noise")).unwrap(), noise);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_negotiations_shallow_and_partial_clones_work_in_each_protocol_version() {
    let (dir, work) = (tempfile::tempdir().unwrap(), Clone::new());
    let server = Server::start(dir.path()).await;
    server.create("history").await;
    let url = server.url_of("history");
    for n in 0..60 {
        work.commit("file", format!("{n}"));
        work.git(&["tag", &format!("v{n}")]);
    }
    work.git(&["push", "--quiet", "--tags", &url, "main"]);
    let first = work.git(&["rev-parse", "v0"]);
    for version in ["0", "1", "2"] {
        let protocol = format!("protocol.version={version}");
        work.git(&["-c", &protocol, "clone", "--quiet", "--depth=1", &url, &format!("shallow{version}")]);
        work.git(&["-c", &protocol, "clone", "--quiet", "--filter=blob:none", &url, &format!("partial{version}")]);
        let shallow = work.path().join(format!("shallow{version}"));
        assert_eq!(std::fs::read_to_string(shallow.join("file")).unwrap(), "59");
        assert!(git_in(&shallow, &["-c", &protocol, "fetch", "--quiet", "--depth=1", &url, &first]).status.success());
        assert!(git_in(&shallow, &["-c", &protocol, "fetch", "--quiet", "--unshallow"]).status.success());
        let log = git_in(&shallow, &["rev-list", "--count", "HEAD"]);
        assert_eq!(String::from_utf8_lossy(&log.stdout).trim(), "60");
    }
    // Many commits of its own make the client's requests long: it compresses them.
    let other = Clone::new();
    for n in 0..40 {
        other.commit("mine", format!("{n}"));
    }
    other.git(&["fetch", "--quiet", &url, "main"]);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_git_refuses_changes_nothing_and_says_why() {
    let (dir, work) = (tempfile::tempdir().unwrap(), Clone::new());
    let server = Server::start(dir.path()).await;
    server.create("demo").await;
    server.create("readonly").await;
    let url = server.url_of("demo");
    let old = work.commit("file", "1");
    work.push(&url, "main");
    work.commit("file", "2");
    work.push(&url, "main");
    let newest = server.tip("demo", "main").await;

    let backwards = work.try_git(&["push", &url, &format!("{old}:refs/heads/main")]);
    assert!(!backwards.status.success());
    let deleted = work.try_git(&["push", &url, ":main"]);
    assert!(String::from_utf8_lossy(&deleted.stderr).contains("refusing to delete the current branch"));
    let hidden = work.try_git(&["push", &url, "main:refs/internal/x"]);
    assert!(!hidden.status.success());
    assert_eq!(server.tip("demo", "main").await, newest);

    let missing = work.try_git(&["ls-remote", &server.url_of("nowhere")]);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("not found"), "{missing:?}");
    let denied = work.try_git(&["push", &server.url_of("readonly"), "main"]);
    assert!(String::from_utf8_lossy(&denied.stderr).contains("403"), "{denied:?}");
    let locked = work.try_git(&["ls-remote", &format!("{}/locked", server.url)]);
    assert!(String::from_utf8_lossy(&locked.stderr).contains("terminal prompts disabled"), "{locked:?}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_to_different_branches_at_once_all_arrive() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    server.create("busy").await;
    let url = server.url_of("busy");
    let pushes = (0..6).map(|n| {
        let url = url.clone();
        tokio::task::spawn_blocking(move || {
            let work = Clone::new();
            let tip = work.commit(&format!("file{n}"), "x");
            work.push(&url, &format!("main:branch{n}"));
            tip
        })
    });
    let tips = futures::future::try_join_all(pushes).await.unwrap();
    for (n, tip) in tips.into_iter().enumerate() {
        assert_eq!(server.tip("busy", &format!("branch{n}")).await, Some(tip));
    }
    server.end().await;
}
