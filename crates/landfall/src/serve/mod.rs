//! `landfall serve`: opens the data folder, wires the services, listens until told to
//! stop.

mod options;
pub(crate) mod registry;
mod repositories;
mod services;

pub(crate) use options::{Auth, Options};
pub(crate) use services::Services;

use services::Wiring;

use crate::exit::user_error;
use crate::listener::{BrowserGuard, Listener};
use crate::log;
use kernel::{OpenError, Stop, Store, SystemClock, SystemIds};
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

/// Reconcilers have this long to finish their step at the stop; what they leave is
/// taken up again at the next start.
const GRACE: Duration = Duration::from_secs(10);

/// Runs the server until SIGTERM or Ctrl-C.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    options.check()?;
    log::start();
    std::fs::create_dir_all(&options.data_dir)
        .map_err(|error| user_error(format!("--data-dir {}: {error}", options.data_dir.display())))?;
    let options = Options { data_dir: options.data_dir.canonicalize()?, ..options };
    let stop = Stop::new();
    let store = Store::open(&options.data_dir, Arc::new(SystemClock)).map_err(explain)?;
    let port = TcpListener::bind(options.listen)
        .await
        .map_err(|error| user_error(format!("--listen {}: {error}", options.listen)))?;
    let address = port.local_addr()?;

    let guard = BrowserGuard::new(options.auth == Auth::Open, options.public_url.as_deref());
    let listener = Listener::new(guard, Arc::new(SystemIds), stop.clone());
    let mut tasks = JoinSet::new();
    let public_url = options.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
    let wiring = Wiring {
        options: &options,
        public_url: &public_url,
        store: &store,
        listener: &listener,
        stop: &stop,
        tasks: &mut tasks,
    };
    listener.open(wiring.services().await?);

    println!("listening on http://{address}");
    std::io::stdout().flush()?;
    tokio::spawn(stop_on_signal(stop.clone()));
    listener.serve(port).await;
    drain(tasks).await;
    tracing::info!("stopped");
    Ok(())
}

fn explain(error: OpenError) -> anyhow::Error {
    // All of them are about the folder that the user named.
    user_error(error.to_string())
}

async fn stop_on_signal(stop: Stop) {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(error) => {
                tracing::error!(%error, "cannot listen for SIGTERM");
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = terminated => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    tracing::info!("stopping");
    stop.trigger();
}

async fn drain(mut tasks: JoinSet<()>) {
    let all = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, all).await.is_err() {
        tracing::warn!("a reconciler was still busy at the stop; its work goes on at the next start");
    }
}
