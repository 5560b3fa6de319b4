use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::{ContainerSpec, Engine, EngineKind, EngineOptions, Exec, OutputStream};
use futures::StreamExt;
use tempfile::TempDir;

/// An engine on a data folder of its own.
pub(crate) struct Bench {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) options: EngineOptions,
    pub(crate) folder: TempDir,
}

impl Bench {
    pub(crate) async fn sandbox() -> Self {
        Self::in_folder(EngineKind::Sandbox, Path::new(env!("CARGO_TARGET_TMPDIR")), Vec::new()).await
    }

    pub(crate) async fn dummy() -> Self {
        Self::in_folder(EngineKind::Dummy, Path::new(env!("CARGO_TARGET_TMPDIR")), Vec::new()).await
    }

    /// A bench whose data folder is under `parent`.
    pub(crate) async fn in_folder(kind: EngineKind, parent: &Path, host_share: Vec<PathBuf>) -> Self {
        let folder = tempfile::tempdir_in(parent).unwrap();
        let options =
            EngineOptions { host_share, trust_host_image: true, ..EngineOptions::new(kind, folder.path(), program()) };
        Self { engine: engine::open(options.clone()).await.unwrap(), options, folder }
    }

    /// Drops the engine and opens another one on the same data folder.
    pub(crate) async fn restart(&mut self) {
        // First a stand-in, so that the old engine is gone before the new one opens.
        let elsewhere = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let data_dir = elsewhere.path().to_path_buf();
        self.engine = engine::open(EngineOptions { data_dir, ..self.options.clone() }).await.unwrap();
        self.engine = engine::open(self.options.clone()).await.unwrap();
    }

    /// Runs a shell script in the sandbox to its end: exit and output.
    pub(crate) async fn run(&self, script: &str) -> (engine::Exit, String) {
        self.run_spec(ContainerSpec::new("job", ["sh", "-c", script])).await
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
