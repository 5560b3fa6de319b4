use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};

/// A socket before a daemon's own, which can go away and come again as a daemon does that is restarted.
pub(super) struct Proxy {
    path: PathBuf,
    daemon: PathBuf,
    serving: JoinHandle<()>,
}

impl Proxy {
    pub(super) fn start(path: PathBuf, daemon: PathBuf) -> Self {
        let listener = UnixListener::bind(&path).unwrap();
        let behind = daemon.clone();
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                let behind = behind.clone();
                connections.spawn(async move {
                    let mut daemon = UnixStream::connect(behind).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut daemon).await;
                });
            }
        });
        Self { path, daemon, serving }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Hangs up on everybody.
    pub(super) fn stop(&self) {
        self.serving.abort();
        std::fs::remove_file(&self.path).unwrap();
    }

    pub(super) fn start_again(&self) -> Self {
        Self::start(self.path.clone(), self.daemon.clone())
    }
}
