//! Two hosts: sandboxes of their own, each with `landfall-agent host` as its first
//! process. They have no network; the server is reached through a socket in the folder
//! that is mounted into them, as a build reaches it.

use super::account::HostKey;
use super::server::{REGION, Server};
use crate::agent_binary;
use anyhow::{Context, ensure};
use engine::{AGENT_IN_CONTAINER, ContainerSpec, Engine, EngineKind, EngineOptions, Exec, ImageRequest, Mount};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::{TcpStream, UnixListener};

/// The hosts' names.
pub(super) const NAMES: [&str; 2] = ["host-1", "host-2"];
/// A page is small.
const LARGEST_PAGE: usize = 64 * 1024;

/// The hosts' engine and folders.
pub(super) struct Hosts {
    engine: Arc<dyn Engine>,
    folder: PathBuf,
    authority: String,
}

impl Hosts {
    /// An engine beside the server's own.
    pub(super) async fn open(folder: &Path, server: &Server) -> anyhow::Result<Self> {
        let data_dir = folder.join("hosts");
        std::fs::create_dir_all(&data_dir)?;
        let agent = agent_binary::locate(&data_dir)?;
        let options = EngineOptions {
            masked: vec![folder.join("data")],
            trust_host_image: true,
            ..EngineOptions::new(EngineKind::Sandbox, data_dir, agent)
        };
        Ok(Self {
            engine: engine::open(options).await?,
            folder: folder.to_owned(),
            authority: server.authority().to_owned(),
        })
    }

    /// Starts a host that signs with the keys of its user.
    pub(super) async fn start(&self, name: &str, host: &HostKey) -> anyhow::Result<()> {
        let folder = self.folder.join(name);
        std::fs::create_dir_all(&folder)?;
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700))?;
        let configuration = format!(
            "---\nregion: {REGION}\niam_user_arn: {}\naws_access_key_id: {}\naws_secret_access_key: {}\n",
            host.user_arn, host.key.id, host.key.secret
        );
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(folder.join("host.yml"))?;
        std::io::Write::write_all(&mut file, configuration.as_bytes())?;
        let socket = UnixListener::bind(folder.join("aws.sock"))?;
        tokio::spawn(forward(socket, self.authority.clone()));

        let mut spec = ContainerSpec::new(name, [AGENT_IN_CONTAINER, "host", "--config", "/landfall/host.yml"]);
        spec.mounts = vec![Mount { host: folder, container: "/landfall".into(), read_only: false }];
        self.engine.prepare(&ImageRequest::of(&spec.image)).await?;
        self.engine.start(&spec).await?;
        Ok(())
    }

    /// The page that the host serves on its own loopback.
    pub(super) async fn fetch(&self, name: &str) -> anyhow::Result<String> {
        let exec = Exec::new(["/opt/hello-service/hello-service", "fetch", "127.0.0.1:8080"]);
        let output = self.engine.exec(name, &exec, LARGEST_PAGE).await.with_context(|| format!("fetch in {name}"))?;
        let page = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.succeeded(), "{name} serves nothing: {}", String::from_utf8_lossy(&output.stderr));
        Ok(page)
    }

    /// Ends and removes the hosts.
    pub(super) async fn stop(&self) {
        for name in NAMES {
            if let Err(error) = self.engine.remove(name).await {
                tracing::warn!(%error, name, "cannot remove the host");
            }
        }
    }
}

/// Carries a host's connections to the server's port.
async fn forward(socket: UnixListener, authority: String) {
    while let Ok((inside, _)) = socket.accept().await {
        let authority = authority.clone();
        tokio::spawn(async move {
            if let Ok(server) = TcpStream::connect(authority).await {
                agent::forward::join(inside, server).await;
            }
        });
    }
}
