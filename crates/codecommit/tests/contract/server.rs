//! The service behind a small HTTP server of its own, and a real git client.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use async_trait::async_trait;
use aws::codecommit::*;
use aws::{Audit, AuditEntry, Authorizer, Error, Guard};
use codecommit::{Dependencies, Service};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use kernel::{Caller, Clock, Scope, Stop, Store, SystemClock, SystemIds};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// Denies pushes to one repository.
pub struct Policy;

#[async_trait]
impl Authorizer for Policy {
    async fn authorize(&self, _: &Caller, action: &str, resources: &[String]) -> Result<(), Error> {
        let denied = action == "codecommit:GitPush" && resources.iter().any(|arn| arn.ends_with(":readonly"));
        if denied {
            Err(Error::new("AccessDeniedException", "not authorized to perform: codecommit:GitPush"))
        } else {
            Ok(())
        }
    }
}

impl Audit for Policy {
    fn record(&self, _: &AuditEntry<'_>) {}
}

pub struct Server {
    pub service: Arc<Service>,
    pub store: Arc<Store>,
    pub url: String,
    pub stop: Stop,
    pub dir: PathBuf,
    running: tokio::task::JoinHandle<()>,
    listening: tokio::task::JoinHandle<()>,
}

pub fn scope() -> Scope {
    Scope::new("000000000000", "us-east-1")
}

pub fn caller() -> Caller {
    Caller::root(&scope(), "request")
}

impl Server {
    /// Serves the data folder `dir` on a free port.
    pub async fn start(dir: &Path) -> Self {
        Self::with_clock(dir, Arc::new(SystemClock)).await
    }

    pub async fn with_clock(dir: &Path, clock: Arc<dyn Clock>) -> Self {
        let store = Store::open(dir, Arc::clone(&clock)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = Service::new(Dependencies {
            documents: store.service("codecommit"),
            data_dir: dir.to_owned(),
            clock,
            ids: Arc::new(SystemIds),
            guard: Guard::new(Arc::new(Policy), Arc::new(Policy)),
            public_url: url.clone(),
        });
        let stop = Stop::new();
        let running = tokio::spawn(Arc::clone(&service).run(stop.clone()));
        let listening = tokio::spawn(listen(listener, Arc::clone(&service), stop.clone()));
        Self { service, store, url, stop, dir: dir.to_owned(), running, listening }
    }

    pub async fn create(&self, name: &str) {
        let input = CreateRepositoryInput { repository_name: Some(name.to_owned()), ..Default::default() };
        self.service.create_repository(&caller(), input).await.unwrap();
    }

    pub fn url_of(&self, name: &str) -> String {
        format!("{}/v1/repos/{name}", self.url)
    }

    pub async fn metadata(&self, name: &str) -> RepositoryMetadata {
        let input = GetRepositoryInput { repository_name: Some(name.to_owned()) };
        self.service.get_repository(&caller(), input).await.unwrap().repository_metadata.unwrap()
    }

    pub async fn tip(&self, name: &str, branch: &str) -> Option<String> {
        let input = GetBranchInput { repository_name: Some(name.to_owned()), branch_name: Some(branch.to_owned()) };
        let found = self.service.get_branch(&caller(), input).await;
        found.ok().and_then(|output| output.branch).and_then(|branch| branch.commit_id)
    }

    /// Where the repository lies.
    pub async fn folder(&self, name: &str) -> PathBuf {
        let id = self.metadata(name).await.repository_id.unwrap();
        self.dir.join("git").join(format!("{id}.git"))
    }

    /// Ends it, with all its connections.
    pub async fn end(self) {
        self.stop.trigger();
        self.running.await.unwrap();
        self.listening.await.unwrap();
    }
}

async fn listen(listener: TcpListener, service: Arc<Service>, stop: Stop) {
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted.unwrap(),
            () = stop.stopped() => return,
        };
        let service = Arc::clone(&service);
        let answer = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let service = Arc::clone(&service);
            async move {
                if request.uri().path() == "/locked/info/refs" {
                    return Ok::<_, Infallible>(codecommit::unauthorized());
                }
                let name = request.uri().path().split('/').nth(3).unwrap_or_default().to_owned();
                Ok(service.serve_git(&caller(), &name, request).await)
            }
        });
        let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
        let stop = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                served = server.serve_connection(TokioIo::new(stream), answer) => drop(served),
                () = stop.stopped() => {}
            }
        });
    }
}

/// A user's working copy.
pub struct Clone {
    pub dir: TempDir,
}

impl Clone {
    pub fn new() -> Self {
        let clone = Self { dir: tempfile::tempdir().unwrap() };
        clone.git(&["init", "--quiet", "--initial-branch=main"]);
        clone
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Commits a file; gives the commit's id.
    pub fn commit(&self, file: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", &format!("Write {file}")]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub fn push(&self, url: &str, what: &str) {
        self.git(&["push", "--quiet", url, what]);
    }

    /// Runs git, which must succeed; gives what it printed.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = self.try_git(arguments);
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub fn try_git(&self, arguments: &[&str]) -> Output {
        git_in(self.path(), arguments)
    }
}

/// Runs the real git as a user without any settings of the machine would.
pub fn git_in(dir: &Path, arguments: &[&str]) -> Output {
    let mut git = Command::new("git");
    git.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", dir).env("GIT_TERMINAL_PROMPT", "0");
    git.args(["-c", "user.name=Jane Doe", "-c", "user.email=jane@example.org"]);
    git.args(arguments).current_dir(dir).output().unwrap()
}
