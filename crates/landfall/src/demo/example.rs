//! The application that is pushed: `examples/hello-service`, carried in this program.

use anyhow::ensure;
use std::path::PathBuf;
use tokio::process::Command;

/// The files of the example; the executable ones end in `.sh`.
const FILES: &[(&str, &str)] = &[
    (".gitignore", include_str!("../../../../examples/hello-service/.gitignore")),
    ("Cargo.toml", include_str!("../../../../examples/hello-service/Cargo.toml")),
    ("Cargo.lock", include_str!("../../../../examples/hello-service/Cargo.lock")),
    ("README.md", include_str!("../../../../examples/hello-service/README.md")),
    ("appspec.yml", include_str!("../../../../examples/hello-service/appspec.yml")),
    ("buildspec.yml", include_str!("../../../../examples/hello-service/buildspec.yml")),
    ("src/lib.rs", include_str!("../../../../examples/hello-service/src/lib.rs")),
    ("src/main.rs", include_str!("../../../../examples/hello-service/src/main.rs")),
    ("src/page.rs", include_str!("../../../../examples/hello-service/src/page.rs")),
    ("src/probe.rs", include_str!("../../../../examples/hello-service/src/probe.rs")),
    ("src/request.rs", include_str!("../../../../examples/hello-service/src/request.rs")),
    ("src/server.rs", include_str!("../../../../examples/hello-service/src/server.rs")),
    ("tests/serve.rs", include_str!("../../../../examples/hello-service/tests/serve.rs")),
    ("scripts/check.sh", include_str!("../../../../examples/hello-service/scripts/check.sh")),
    ("scripts/prepare.sh", include_str!("../../../../examples/hello-service/scripts/prepare.sh")),
    ("scripts/start.sh", include_str!("../../../../examples/hello-service/scripts/start.sh")),
    ("scripts/stop.sh", include_str!("../../../../examples/hello-service/scripts/stop.sh")),
    ("scripts/validate.sh", include_str!("../../../../examples/hello-service/scripts/validate.sh")),
];

/// `examples/hello-service/pipeline.json`.
pub(super) const PIPELINE: &str = include_str!("../../../../examples/hello-service/pipeline.json");

/// A working copy.
pub(super) struct Example {
    folder: PathBuf,
}

impl Example {
    /// Writes the files and makes them a Git repository whose origin is `url`.
    pub(super) async fn new(folder: PathBuf, url: &str) -> anyhow::Result<Self> {
        for (path, text) in FILES {
            let path = folder.join(path);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(&path, text)?;
            if path.extension().is_some_and(|extension| extension == "sh") {
                std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
            }
        }
        let example = Self { folder };
        example.git(&["init", "--quiet", "--initial-branch=main"]).await?;
        example.git(&["remote", "add", "origin", url]).await?;
        Ok(example)
    }

    /// Commits a version and pushes it.
    pub(super) async fn push(&self, version: &str, message: &str) -> anyhow::Result<()> {
        std::fs::write(self.folder.join("VERSION"), format!("{version}\n"))?;
        self.git(&["add", "--all"]).await?;
        self.git(&["commit", "--quiet", "--message", message]).await?;
        self.git(&["push", "--quiet", "origin", "main"]).await
    }

    async fn git(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let output = Command::new("git")
            .args(["-c", "user.name=Demo", "-c", "user.email=demo@example.org", "-c", "commit.gpgsign=false"])
            .args(arguments)
            .current_dir(&self.folder)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .await?;
        ensure!(output.status.success(), "git {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}
