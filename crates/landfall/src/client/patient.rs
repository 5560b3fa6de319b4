//! A client that outlives a restart of the server, for commands that follow something.

use super::{CallError, Client, ServerArguments};
use aws::Model;
use serde_json::Value;
use std::time::{Duration, Instant};

/// No call of a follower takes longer: they ask for little.
const TIMEOUT: Duration = Duration::from_secs(15);
/// For so long a server that was there is waited for.
const PATIENCE: Duration = Duration::from_secs(300);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(300);

/// Asks again while the server that it has once reached is away. It may come back at another port, so it is looked for
/// each time.
pub(crate) struct Patient {
    arguments: ServerArguments,
    client: Client,
    reached: bool,
}

impl Patient {
    /// A patient client of the server that `arguments` find.
    ///
    /// # Errors
    /// As [`ServerArguments::connect`].
    pub(crate) fn connect(arguments: &ServerArguments) -> anyhow::Result<Self> {
        let client = arguments.connect()?.within(TIMEOUT);
        Ok(Self { arguments: arguments.clone(), client, reached: false })
    }

    /// Calls an operation of a JSON service that only reads.
    ///
    /// # Errors
    /// What the server refuses; that it is not there, if it never was or stays away.
    pub(crate) async fn call(&mut self, model: &Model, operation: &str, input: &Value) -> Result<Value, CallError> {
        let mut away: Option<Instant> = None;
        loop {
            match self.client.call(model, operation, input.clone()).await {
                Ok(answer) => {
                    self.reached = true;
                    if away.is_some() {
                        eprintln!("landfall: the server is back");
                    }
                    return Ok(answer);
                }
                Err(error) if error.is_transient() && self.reached => {
                    let since = *away.get_or_insert_with(|| {
                        eprintln!("landfall: the server is away ({error}); waiting for it");
                        Instant::now()
                    });
                    if since.elapsed() > PATIENCE {
                        return Err(error);
                    }
                    tokio::time::sleep(PAUSE).await;
                    if let Ok(client) = self.arguments.connect() {
                        self.client = client.within(TIMEOUT);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }
}
