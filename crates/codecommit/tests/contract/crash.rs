//! A server that dies in the middle of a push: at the next start every change is announced, once.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::server::{Clone, Server};

const FOLDER: &str = "CODECOMMIT_CRASH_TEST_FOLDER";

/// The victim: a server in a process of its own, started and killed by the test.
#[test]
#[ignore = "run by the other test as a child process"]
fn victim() {
    let folder = std::env::var(FOLDER).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Server::start(Path::new(&folder)).await;
        println!("serving {}", server.url);
        std::future::pending::<()>().await;
    });
}

fn start_victim(folder: &Path, crash_point: &str) -> (Child, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "crash::victim", "--ignored", "--nocapture"]).env(FOLDER, folder);
    command.env(kernel::crash::VARIABLE, crash_point);
    let mut victim = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let url = lines.find_map(|line| line.unwrap().strip_prefix("serving ").map(str::to_owned));
    (victim, url.expect("the victim serves"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_cut_short_at_each_crash_point_is_told_exactly_once() {
    for point in ["codecommit_after_push_note", "codecommit_after_receive_pack", "codecommit_after_announcement"] {
        let (dir, work) = (tempfile::tempdir().unwrap(), Clone::new());
        let server = Server::start(dir.path()).await;
        server.store.bus().subscribe("test.events").await.unwrap();
        server.create("demo").await;
        let first = work.commit("file", "1");
        work.push(&server.url_of("demo"), "main");
        close(server).await;

        let second = work.commit("file", "2");
        let (mut victim, url) = start_victim(dir.path(), point);
        let pushed = work.try_git(&["push", "--quiet", &format!("{url}/v1/repos/demo"), "main"]);
        assert!(!pushed.status.success(), "{point}: the server died before it answered");
        assert!(!victim.wait().unwrap().success());

        let server = Server::start(dir.path()).await;
        work.push(&server.url_of("demo"), "main");
        until_tip(&server, &second).await;
        let mut events = server.store.bus().subscribe("test.events").await.unwrap();
        let mut told: BTreeMap<String, usize> = BTreeMap::new();
        while let Ok(batch) = tokio::time::timeout(Duration::from_millis(300), events.next_batch(100)).await {
            for delivered in batch.unwrap() {
                let commit = delivered.event.detail["commitId"].as_str().unwrap().to_owned();
                *told.entry(commit).or_default() += 1;
            }
        }
        drop(events);
        assert_eq!(told, BTreeMap::from([(first, 1), (second, 1)]), "{point}");
        close(server).await;
    }
}

/// Waits for the comparison at start to find what the dead server's Git had done.
async fn until_tip(server: &Server, commit: &str) {
    let found = async {
        while server.tip("demo", "main").await.as_deref() != Some(commit) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), found).await.expect("the pushed commit is the tip");
}

/// Ends the server so that its folder is free.
async fn close(server: Server) {
    let Server { service, store, .. } = &server;
    let (service, store) = (std::sync::Arc::downgrade(service), std::sync::Arc::downgrade(store));
    server.end().await;
    let gone = async {
        while service.strong_count() + store.strong_count() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.expect("nothing holds the store any more");
}
