//! Calls to a server that may die at any moment.

use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::Value;
use testbed::client::{Client, Connection, Refused};
use tokio::time::{sleep, timeout};

/// The longest that an answer may take before the call counts as lost. A server that is stopped answers later.
const LONGEST: Duration = Duration::from_secs(20);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// A JSON service: its name for signatures, and the prefix of its operations.
#[derive(Debug, Clone, Copy)]
pub(super) struct Service(&'static str, &'static str);

pub(super) const PIPELINE: Service = Service("codepipeline", "CodePipeline_20150709");
pub(super) const BUILD: Service = Service("codebuild", "CodeBuild_20161006");
pub(super) const COMMIT: Service = Service("codecommit", "CodeCommit_20150413");
pub(super) const DEPLOY: Service = Service("codedeploy", "CodeDeploy_20141006");
pub(super) const LOGS: Service = Service("logs", "Logs_20140328");

/// Why a call has no good answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Nobody knows whether it was done.
    Lost(String),
    /// It was not done.
    Refused(Refused),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lost(text) => write!(f, "no answer: {text}"),
            Self::Refused(refused) => write!(f, "{refused}"),
        }
    }
}

impl std::error::Error for Trouble {}

impl Trouble {
    /// Whether it is a refusal of this name.
    pub(super) fn is(&self, code: &str) -> bool {
        matches!(self, Self::Refused(refused) if refused.code() == code)
    }

    fn of(error: anyhow::Error) -> Self {
        match error.downcast_ref::<Refused>() {
            // A server that is ending, or that failed in the middle, may have done it.
            Some(refused) if refused.status.is_server_error() => Self::Lost(refused.to_string()),
            Some(refused) => Self::Refused(refused.clone()),
            None => Self::Lost(format!("{error:#}")),
        }
    }
}

/// One caller.
pub(super) struct Api {
    client: Client,
    connection: Connection,
    until: Option<Instant>,
}

impl Api {
    pub(super) fn new(client: &Client) -> Self {
        Self { client: client.clone(), connection: client.connection(), until: None }
    }

    /// Where it asks.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Lets [`Api::insist`] give up at that time.
    pub(super) fn give_up_at(&mut self, time: Instant) {
        self.until = Some(time);
    }

    /// Asks once.
    pub(super) async fn ask(&mut self, service: Service, operation: &str, input: &Value) -> Result<Value, Trouble> {
        let target = format!("{}.{operation}", service.1);
        let answer = timeout(LONGEST, self.connection.json(service.0, &target, input)).await;
        self.judged(answer)
    }

    /// Asks until there is an answer: for what may be asked twice.
    pub(super) async fn insist(&mut self, service: Service, operation: &str, input: &Value) -> anyhow::Result<Value> {
        loop {
            match self.ask(service, operation, input).await {
                Err(Trouble::Lost(text)) => self.breathe(&text).await?,
                Err(refused) => return Err(anyhow::Error::new(refused).context(format!("{operation} {input}"))),
                Ok(answer) => return Ok(answer),
            }
        }
    }

    /// Puts an object, until that is acknowledged; answers its version.
    pub(super) async fn put(&mut self, target: &str, content: &[u8]) -> anyhow::Result<Option<String>> {
        loop {
            let answer = timeout(LONGEST, self.connection.put_object(target, content)).await;
            match self.judged(answer) {
                Err(Trouble::Lost(text)) => self.breathe(&text).await?,
                answer => return Ok(answer?),
            }
        }
    }

    /// A request of S3's.
    pub(super) async fn s3(&mut self, method: &str, target: &str) -> Result<Vec<u8>, Trouble> {
        let answer = timeout(LONGEST, self.connection.s3(method, target, b"")).await;
        self.judged(answer).map(|bytes| bytes.to_vec())
    }

    /// A request of IAM's.
    pub(super) async fn iam(&mut self, action: &str, fields: &str) -> anyhow::Result<String> {
        let answer = self.connection.query("iam", action, "2010-05-08", fields).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// After an answer that did not come the connection is of no use.
    fn judged<T>(&mut self, answer: Result<anyhow::Result<T>, tokio::time::error::Elapsed>) -> Result<T, Trouble> {
        let trouble = match answer {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Trouble::of(error),
            Err(late) => Trouble::Lost(late.to_string()),
        };
        if matches!(trouble, Trouble::Lost(_)) {
            self.connection = self.client.connection();
        }
        Err(trouble)
    }

    /// Waits a moment before another try.
    pub(super) async fn breathe(&self, text: &str) -> anyhow::Result<()> {
        if self.until.is_some_and(|until| Instant::now() > until) {
            bail!("the server does not answer any more: {text}");
        }
        sleep(PAUSE).await;
        Ok(())
    }
}
