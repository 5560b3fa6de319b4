use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::{ContainerSpec, Engine, EngineKind, EngineOptions, Exec, ImageRequest, OutputStream};
use futures::StreamExt;
use tempfile::TempDir;

/// An engine on a data folder of its own.
pub(crate) struct Bench {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) options: EngineOptions,
    pub(crate) folder: TempDir,
    /// The id of the image that [`Bench::container`] names.
    pub(crate) image: String,
}

impl Bench {
    pub(crate) async fn sandbox() -> Self {
        Self::in_folder(EngineKind::Sandbox, Path::new(env!("CARGO_TARGET_TMPDIR")), Vec::new()).await
    }

    pub(crate) async fn dummy() -> Self {
        Self::in_folder(EngineKind::Dummy, Path::new(env!("CARGO_TARGET_TMPDIR")), Vec::new()).await
    }

    /// A bench over a daemon that `scripts/with-daemons` started; `None` where it did not, which CI does not let pass.
    pub(crate) async fn daemon(variable: &str) -> Option<Self> {
        let Ok(socket) = std::env::var(variable) else {
            assert!(std::env::var_os("CI").is_none(), "{variable} is not set: run tests by scripts/with-daemons");
            eprintln!("passed over: run tests by scripts/with-daemons to have a daemon in {variable}");
            return None;
        };
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let options = EngineOptions {
            docker_host: Some(socket),
            trust_host_image: true,
            ..EngineOptions::new(EngineKind::Docker, folder.path(), program())
        };
        let engine = engine::open(options.clone()).await.unwrap();
        let image = std::env::var("LANDFALL_TEST_IMAGE").unwrap();
        let image = engine.prepare(&ImageRequest::of(image)).await.unwrap();
        Some(Self { engine, options, folder, image })
    }

    /// A bench whose data folder is under `parent`.
    pub(crate) async fn in_folder(kind: EngineKind, parent: &Path, host_share: Vec<PathBuf>) -> Self {
        let folder = tempfile::tempdir_in(parent).unwrap();
        let options =
            EngineOptions { host_share, trust_host_image: true, ..EngineOptions::new(kind, folder.path(), program()) };
        Self { engine: engine::open(options.clone()).await.unwrap(), options, folder, image: "host".to_owned() }
    }

    /// Drops the engine and opens another one on the same data folder.
    pub(crate) async fn restart(&mut self) {
        // First a stand-in, so that the old engine is gone before the new one opens.
        let elsewhere = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let data_dir = elsewhere.path().to_path_buf();
        self.engine = engine::open(EngineOptions { data_dir, ..self.options.clone() }).await.unwrap();
        self.engine = engine::open(self.options.clone()).await.unwrap();
    }

    /// Whether its daemon is Podman's.
    pub(crate) fn is_podman(&self) -> bool {
        self.options.docker_host.is_some() && self.options.docker_host == std::env::var("LANDFALL_TEST_PODMAN").ok()
    }

    /// A container of the bench's image that does what the script says.
    pub(crate) fn container(&self, id: &str, script: Script) -> ContainerSpec {
        let mut spec = script.container(id);
        spec.image.clone_from(&self.image);
        spec
    }

    /// A container of the bench's image that runs a shell script.
    pub(crate) fn shell(&self, id: &str, script: &str) -> ContainerSpec {
        let mut spec = ContainerSpec::new(id, ["sh", "-c", script]);
        spec.image.clone_from(&self.image);
        spec
    }

    /// Runs a shell script to its end: exit and output.
    pub(crate) async fn run(&self, script: &str) -> (engine::Exit, String) {
        self.run_spec(self.shell("job", script)).await
    }

    pub(crate) async fn run_spec(&self, spec: ContainerSpec) -> (engine::Exit, String) {
        self.engine.start(&spec).await.unwrap();
        let exit = self.engine.wait(&spec.id).await.unwrap();
        let output = text(self.engine.output(&spec.id, 0).await.unwrap()).await;
        self.engine.remove(&spec.id).await.unwrap();
        (exit, output)
    }
}

/// The program beside these tests, which is also a shim.
fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_engine-test-program"))
}

/// All of a container's output to its end.
pub(crate) async fn text(mut stream: OutputStream) -> String {
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend(chunk.unwrap());
    }
    String::from_utf8(bytes).unwrap()
}

/// What a process does, said so that each engine understands it: as a shell script and in the dummy's variables.
#[derive(Default, Clone, Copy)]
pub(crate) struct Script {
    pub(crate) output: &'static str,
    pub(crate) sleep_ms: u64,
    pub(crate) exit: i32,
    pub(crate) killed_by: Option<i32>,
    pub(crate) exit_on_term: Option<i32>,
}

impl Script {
    pub(crate) fn sleeps() -> Self {
        Self { sleep_ms: 30_000, ..Self::default() }
    }

    pub(crate) fn container(self, id: &str) -> ContainerSpec {
        let mut spec = ContainerSpec::new(id, ["sh", "-c", &self.shell()]);
        spec.environment.extend(self.variables());
        spec
    }

    pub(crate) fn exec(self) -> Exec {
        let mut exec = Exec::new(["sh", "-c", &self.shell()]);
        exec.environment.extend(self.variables());
        exec
    }

    fn shell(self) -> String {
        let trap = self.exit_on_term.map(|code| format!("trap 'exit {code}' TERM; ")).unwrap_or_default();
        let sleep = format!("sleep {} & wait; ", self.sleep_ms as f64 / 1000.0);
        let end = match self.killed_by {
            // The first process of a container cannot be killed by a signal of its own, so a child is.
            Some(signal) => format!("exec /bin/sh -c 'kill -{signal} $$'"),
            None => format!("exit {}", self.exit),
        };
        let sleep = if self.sleep_ms > 0 { sleep } else { String::new() };
        format!("{trap}printf %s '{}'; {sleep}{end}", self.output)
    }

    fn variables(self) -> Vec<(String, String)> {
        let mut variables = vec![
            ("LANDFALL_DUMMY_OUTPUT".to_owned(), self.output.to_owned()),
            ("LANDFALL_DUMMY_SLEEP_MS".to_owned(), self.sleep_ms.to_string()),
            ("LANDFALL_DUMMY_EXIT".to_owned(), self.exit.to_string()),
        ];
        let more = [("LANDFALL_DUMMY_KILL", self.killed_by), ("LANDFALL_DUMMY_ON_TERM", self.exit_on_term)];
        for (name, value) in more {
            variables.extend(value.map(|value| (name.to_owned(), value.to_string())));
        }
        variables
    }
}
