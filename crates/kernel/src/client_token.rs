//! Client tokens: a request sent twice is done once and answered alike.

use std::time::Duration;

use ring::digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Batch, Document, Documents, Scope, StoreError, Stored, Timestamp};

/// What was answered to a request with a client token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClientToken {
    operation: String,
    token: String,
    fingerprint: String,
    answer: Value,
    expires: Timestamp,
}

impl Document for ClientToken {
    const KIND: &'static str = "kernel.client-token";

    fn key(&self) -> String {
        key(&self.operation, &self.token)
    }

    /// When [`tidy`](crate::tidy::run) removes it.
    fn due(&self) -> Option<Timestamp> {
        Some(self.expires)
    }
}

fn key(operation: &str, token: &str) -> String {
    format!("{operation}/{token}")
}

/// What is known of a client token.
pub enum Lookup {
    /// Not seen, or too long ago: do the request and [`Pending::record`] its answer in the same commit.
    New(Box<Pending>),
    /// The same request was answered so.
    Done(Value),
    /// The token was used with other parameters; most services have an error of their own for it.
    Mismatch,
}

/// A client token whose request is about to be done.
pub struct Pending {
    record: ClientToken,
    expired: Option<Stored<ClientToken>>,
}

/// Looks `token` up. `operation` is `service:Operation`, `input` the request without the token, `lifetime` how
/// long AWS remembers it (CodeBuild: 5 minutes).
pub async fn look_up(
    documents: &Documents,
    scope: &Scope,
    operation: &str,
    token: &str,
    input: &impl Serialize,
    (now, lifetime): (Timestamp, Duration),
) -> Result<Lookup, StoreError> {
    let stored = documents.get::<ClientToken>(scope, &key(operation, token)).await?;
    let record = ClientToken {
        operation: operation.to_owned(),
        token: token.to_owned(),
        fingerprint: fingerprint(operation, token, input)?,
        answer: Value::Null,
        expires: now + lifetime,
    };
    Ok(match stored {
        Some(known) if known.expires > now && known.fingerprint == record.fingerprint => {
            Lookup::Done(known.value.answer)
        }
        Some(known) if known.expires > now => Lookup::Mismatch,
        expired => Lookup::New(Box::new(Pending { record, expired })),
    })
}

impl Pending {
    /// Adds the answer to the commit that does the request. If the same request is being done beside this
    /// one, the commit fails with `Exists` or `Conflict`, and looking up again gives its answer.
    pub fn record(self, batch: Batch, answer: Value) -> Batch {
        let record = ClientToken { answer, ..self.record };
        match self.expired {
            Some(stored) => batch.replace(&Stored { value: record, ..stored }),
            None => batch.insert(&record),
        }
    }
}

fn fingerprint(operation: &str, token: &str, input: &impl Serialize) -> Result<String, StoreError> {
    let input = serde_json::to_vec(input).map_err(|error| StoreError::Encode {
        kind: ClientToken::KIND.to_owned(),
        key: key(operation, token),
        reason: error.to_string(),
    })?;
    Ok(hex::encode(digest::digest(&digest::SHA256, &input)))
}
