//! `landfall serve`: opens the data folder, wires the services, listens until told to
//! stop.

mod announce;
mod descriptors;
mod images;
mod inside;
mod options;
pub(crate) mod registry;
mod repositories;
mod services;
mod size;
mod tls;

pub(crate) use inside::InProcess;
pub(crate) use options::{Arguments, Auth, BuildNames, BuildNetwork, DATA_DIR, Engine, LISTEN, Options, address};
pub(crate) use services::{Inside, Services};

use services::Wiring;

use crate::exit::user_error;
use crate::listener::{BrowserGuard, Endpoints, Listener};
use crate::log;
use kernel::{OpenError, Stop, Store, StoreError, SystemClock, SystemIds};
use std::fs::DirBuilder;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

/// Reconcilers have this long to finish their step at the stop; what they leave is
/// taken up again at the next start.
const GRACE: Duration = Duration::from_secs(10);

/// Runs the server until SIGTERM or Ctrl-C.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    options.check()?;
    log::start(&options.log)?;
    descriptors::take_all();
    open_to_us_alone(&options.data_dir).map_err(|error| no_folder(&options.data_dir, &error))?;
    let options = Options { data_dir: options.data_dir.canonicalize()?, ..options };
    let stop = Stop::new();
    let store = Store::open(&options.data_dir, Arc::new(SystemClock)).map_err(explain)?;
    let port = TcpListener::bind(options.listen).await.map_err(|error| not_free(options.listen, &error))?;
    let address = port.local_addr()?;

    let guard = BrowserGuard::new(options.auth == Auth::Open, options.public_url.as_deref());
    let endpoints = Endpoints::new(options.public_url.as_deref());
    let tls = tls::of(&options, address.ip())?;
    let inside = tls::inside(&options);
    let listener = Listener::new(guard, endpoints, inside, Arc::new(SystemIds), stop.clone());
    let mut tasks = JoinSet::new();
    let url = format!("{}://{address}", options.scheme());
    let public_url = options.public_url.clone().unwrap_or_else(|| url.clone());
    let wiring = Wiring {
        options: &options,
        public_url: &public_url,
        store: &store,
        listener: &listener,
        stop: &stop,
        tasks: &mut tasks,
        collectors: Vec::new(),
        folders: None,
        cache: None,
    };
    listener.open(wiring.services().await?);

    // From here on, before anybody knows of us, a signal is a wish to stop.
    let signals = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
    let left = announce::announce(&options, address)?;
    println!("listening on {url}");
    std::io::stdout().flush()?;
    tokio::spawn(stop_on_signal(stop.clone(), signals));
    let whole = serve_whole(listener.serve(port, tls), &mut tasks, &stop, store.failed()).await;
    drop(left);
    drain(tasks).await;
    tracing::info!("stopped");
    whole
}

/// Serves until the stop. A reconciler that ends before it has panicked: half a server would promise what nobody does,
/// so the whole of it stops, and whoever supervises it starts it again. So it does where the store writes nothing any more.
async fn serve_whole(
    listening: impl Future<Output = ()>,
    tasks: &mut JoinSet<()>,
    stop: &Stop,
    failed: impl Future<Output = StoreError>,
) -> anyhow::Result<()> {
    tokio::pin!(listening, failed);
    loop {
        tokio::select! {
            () = &mut listening => return Ok(()),
            failure = &mut failed => {
                tracing::error!(%failure, "stopping");
                stop.trigger();
                listening.await;
                return Err(user_error(failure.to_string()));
            }
            Some(ended) = tasks.join_next(), if !stop.is_stopped() => {
                if stop.is_stopped() {
                    continue;
                }
                stop.trigger();
                listening.await;
                anyhow::bail!("a reconciler ended before the server was to stop: {ended:?}");
            }
        }
    }
}

fn no_folder(folder: &Path, error: &io::Error) -> anyhow::Error {
    let shown = folder.display();
    match error.kind() {
        io::ErrorKind::AlreadyExists => {
            user_error(format!("--data-dir {shown} is a file; name a folder, new or of Landfall"))
        }
        io::ErrorKind::PermissionDenied => user_error(format!(
            "--data-dir {shown}: {error}; name a folder that this user may write, or start the server with sudo"
        )),
        _ => user_error(format!("--data-dir {shown}: {error}")),
    }
}

fn not_free(address: SocketAddr, error: &io::Error) -> anyhow::Error {
    let step = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; end the program that has it, or choose another with --listen (port 0 takes a free one)"
        }
        io::ErrorKind::PermissionDenied => "; ports below 1024 are for root",
        io::ErrorKind::AddrNotAvailable => "; this machine has no such address",
        _ => "",
    };
    user_error(format!("--listen {address}: {error}{step}"))
}

/// Makes the data folder, for no other user's eyes: in it are all repositories, artifacts and logs. One that is there
/// already keeps the mode that somebody gave it.
fn open_to_us_alone(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    if std::fs::metadata(folder)?.permissions().mode() & 0o007 != 0 {
        let folder = folder.display();
        tracing::warn!("every user of this machine may look into {folder}; `chmod 700 {folder}` ends that");
    }
    Ok(())
}

fn explain(error: OpenError) -> anyhow::Error {
    // All of them are about the folder that the user named.
    user_error(error.to_string())
}

/// Waits for SIGTERM or Ctrl-C.
async fn stop_on_signal(stop: Stop, mut signals: [Signal; 2]) {
    let [terminated, interrupted] = &mut signals;
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    tracing::info!("stopping");
    announce::tell_systemd("STOPPING=1");
    stop.trigger();
}

async fn drain(mut tasks: JoinSet<()>) {
    let all = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, all).await.is_err() {
        tracing::warn!("a reconciler was still busy at the stop; its work goes on at the next start");
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_new_data_folder_is_ours_alone_and_an_old_one_is_left_as_it_is() {
        let home = tempfile::tempdir().expect("a folder");
        let mode = |folder: &Path| std::fs::metadata(folder).expect("it is there").permissions().mode() & 0o777;
        let folder = home.path().join("new/data");
        open_to_us_alone(&folder).expect("a new folder");
        assert_eq!(mode(&folder), 0o700);
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).expect("its mode");
        open_to_us_alone(&folder).expect("an old folder");
        assert_eq!(mode(&folder), 0o755);
    }

    #[tokio::test]
    async fn a_reconciler_that_panics_stops_the_whole_server() {
        let (stop, mut tasks) = (Stop::new(), JoinSet::new());
        tasks.spawn(async { panic!("a fault") });
        let error =
            serve_whole(stop.stopped(), &mut tasks, &stop, std::future::pending()).await.expect_err("half a server");
        assert!(error.to_string().contains("a fault"), "{error}");
        assert!(stop.is_stopped());
    }

    #[tokio::test]
    async fn a_store_that_writes_nothing_any_more_stops_the_whole_server() {
        let (stop, mut tasks) = (Stop::new(), JoinSet::new());
        let failed = async { StoreError::Unsynced { dir: "/data".into(), reason: "fsync".to_owned() } };
        let error = serve_whole(stop.stopped(), &mut tasks, &stop, failed).await.expect_err("a dead disk");
        assert!(error.to_string().contains("the disk of /data does not keep"), "{error}");
    }

    #[tokio::test]
    async fn reconcilers_that_end_at_the_stop_are_as_they_should_be() {
        let (stop, mut tasks) = (Stop::new(), JoinSet::new());
        let (reconciler, listener) = (stop.clone(), stop.clone());
        tasks.spawn(async move { reconciler.stopped().await });
        stop.trigger();
        serve_whole(listener.stopped(), &mut tasks, &stop, std::future::pending()).await.expect("a clean stop");
    }
}
