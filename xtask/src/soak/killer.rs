//! Strikes as the seed says, and has what was struck started again at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testbed::kept::Kept;
use tokio::sync::watch;

use super::hosts::{self, Host};
use super::ledger::{Fact, Ledger};
use super::schedule::{Stroke, Strokes, Victim};
use super::victims;

/// How long a server may take to end after SIGTERM.
const ENDING: Duration = Duration::from_secs(60);

/// All that can be struck.
pub(super) struct Killer {
    pub(super) server: Kept,
    pub(super) hosts: Vec<Host>,
    pub(super) ledger: Arc<Ledger>,
    /// Arguments of the server that never change.
    pub(super) arguments: Vec<String>,
    /// Whether containers are real.
    pub(super) contained: bool,
    /// Counts the server's starts, for those who look after each of them.
    pub(super) lives: watch::Sender<u64>,
}

impl Killer {
    /// Strikes until `end`. Blocks.
    ///
    /// # Errors
    /// The server does not start, or does not end when it is asked to.
    pub(super) fn rage(&mut self, strokes: Strokes, end: Instant) -> anyhow::Result<()> {
        for stroke in strokes {
            if Instant::now() + stroke.after > end {
                break;
            }
            std::thread::sleep(stroke.after);
            self.strike(&stroke)?;
        }
        Ok(())
    }

    fn strike(&mut self, stroke: &Stroke) -> anyhow::Result<()> {
        match stroke.victim {
            Victim::Server => {
                self.note(stroke.victim, "server");
                self.server.kill()?;
                self.serve(stroke)
            }
            Victim::ServerAsked => {
                self.note(stroke.victim, "server");
                self.end_server()?;
                self.serve(stroke)
            }
            Victim::ServerPaused => {
                self.note(stroke.victim, "server");
                self.signal(Signal::SIGSTOP)?;
                std::thread::sleep(stroke.pause);
                self.signal(Signal::SIGCONT)
            }
            Victim::Host => self.strike_host(stroke),
            Victim::Shim | Victim::Container => {
                if let Some(id) = victims::strike(&self.server.data, stroke.victim, stroke.pick) {
                    self.note(stroke.victim, &id);
                }
                Ok(())
            }
        }
    }

    fn strike_host(&mut self, stroke: &Stroke) -> anyhow::Result<()> {
        let number = stroke.pick % self.hosts.len();
        // Before, so that what it breaks comes after it.
        self.note(stroke.victim, &hosts::name(number));
        self.hosts[number].kill()?;
        self.hosts[number].start()
    }

    /// Starts the server as this stroke says.
    pub(super) fn serve(&mut self, stroke: &Stroke) -> anyhow::Result<()> {
        let mut arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let pool = stroke.pool.to_string();
        if self.contained {
            arguments.extend(["--pool", &pool, "--build-network", if stroke.way_out { "auto" } else { "none" }]);
        }
        self.server.start(&arguments).context("the server was killed and does not start again")?;
        self.ledger.note(Fact::Serves);
        self.lives.send_modify(|lives| *lives += 1);
        Ok(())
    }

    /// SIGTERM, and the end.
    pub(super) fn end_server(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::SIGTERM)?;
        let status = self.server.wait(ENDING)?;
        ensure!(status.is_some(), "the server does not end within {ENDING:?} after SIGTERM");
        Ok(())
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let id = self.server.id().context("the server does not run")?;
        kill(Pid::from_raw(id.try_into()?), signal)?;
        Ok(())
    }

    fn note(&self, victim: Victim, whom: &str) {
        self.ledger.note(Fact::Struck { victim: victim.name(), whom: whom.to_owned() });
    }
}
