//! The gate: validate → authorize → audit → call, for every call of every service,
//! from outside and from sister services alike.

use crate::{Error, Model, Operation, Protocol, Shape, Violation, not_implemented, validate, validation_message};
use async_trait::async_trait;
use kernel::Caller;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An operation's authorization row: it makes the operation built.
pub struct Authorization {
    /// The operation, e.g. `StartBuild`.
    pub operation: &'static str,
    /// The IAM action, e.g. `codebuild:StartBuild`.
    pub action: &'static str,
    /// The ARNs that the call touches, from the input in wire form; empty means `*`.
    pub resources: fn(&Caller, &Value) -> Vec<String>,
}

/// The text of an input's member, or "" where it is none: for resource ARNs.
pub fn text<'v>(input: &'v Value, member: &str) -> &'v str {
    input.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// Decides whether a caller may do something; implemented by `iam`.
#[async_trait]
pub trait Authorizer: Send + Sync {
    /// Allows or denies `action` on `resources` (empty: `*`).
    ///
    /// # Errors
    /// `AccessDeniedException` in AWS's words.
    async fn authorize(&self, caller: &Caller, action: &str, resources: &[String]) -> Result<(), Error>;
}

/// What is written down of a call.
#[derive(Debug, Clone)]
pub struct AuditEntry<'a> {
    /// The service in botocore's name.
    pub service: &'a str,
    /// The operation.
    pub operation: &'a str,
    /// The IAM action.
    pub action: &'a str,
    /// The ARNs that it touches.
    pub resources: &'a [String],
    /// Who called.
    pub caller: &'a Caller,
    /// The error code of a denied call.
    pub denied: Option<&'a str>,
}

/// Where calls are written down; implemented by `iam`.
pub trait Audit: Send + Sync {
    /// Records one admitted or denied call.
    fn record(&self, entry: &AuditEntry<'_>);
}

/// Authorizes and audits: the gate of traits that are written by hand, and a part of
/// every generated one's.
#[derive(Clone)]
pub struct Guard {
    authorizer: Arc<dyn Authorizer>,
    audit: Arc<dyn Audit>,
}

impl Guard {
    /// A guard that asks `authorizer` and tells `audit`.
    pub fn new(authorizer: Arc<dyn Authorizer>, audit: Arc<dyn Audit>) -> Self {
        Self { authorizer, audit }
    }

    /// Lets `caller` do `action` on `resources` (empty: `*`), or answers why not.
    ///
    /// # Errors
    /// Access denied, in AWS's words.
    pub async fn pass(
        &self,
        caller: &Caller,
        service: &str,
        operation: &str,
        action: &str,
        resources: &[String],
    ) -> Result<(), Error> {
        let decision = self.authorizer.authorize(caller, action, resources).await;
        let denied = decision.as_ref().err().map(|error| error.code.as_str());
        self.audit.record(&AuditEntry { service, operation, action, resources, caller, denied });
        decision
    }
}

/// One service's gate.
pub struct Gate {
    model: &'static Model,
    rows: BTreeMap<&'static str, &'static Authorization>,
    violation: fn(&str, &[Violation]) -> Error,
    guard: Guard,
}

impl Gate {
    /// The gate of a service with its authorization rows.
    ///
    /// # Errors
    /// A sentence where a row names no operation that has types, or two name the same.
    pub fn new(
        model: &'static Model,
        operations: &'static [Operation],
        rows: &'static [Authorization],
        guard: Guard,
    ) -> Result<Self, String> {
        let mut table = BTreeMap::new();
        for row in rows {
            let (service, operation) = (model.id, row.operation);
            if !operations.iter().any(|operation| operation.name == row.operation) {
                return Err(format!("{service}: the authorization row {operation} names no operation of the model"));
            }
            if table.insert(row.operation, row).is_some() {
                return Err(format!("{service}: {operation} has two authorization rows"));
            }
        }
        let violation = match model.protocol {
            Protocol::Query { .. } => {
                |_: &str, violations: &[Violation]| Error::new("ValidationError", validation_message(violations))
            }
            _ => |_: &str, violations: &[Violation]| Error::new("ValidationException", validation_message(violations)),
        };
        Ok(Self { model, rows: table, violation, guard })
    }

    /// With the service's own errors for constraint violations (operation, violations).
    #[must_use]
    pub fn violations(mut self, violation: fn(&str, &[Violation]) -> Error) -> Self {
        self.violation = violation;
        self
    }

    /// The operations with a row.
    pub fn built(&self) -> Vec<&'static str> {
        self.rows.keys().copied().collect()
    }

    /// Lets a call in, or answers why not.
    ///
    /// # Errors
    /// Not implemented, a constraint violation, or access denied.
    pub async fn admit(
        &self,
        operation: &str,
        caller: &Caller,
        shape: &'static Shape,
        input: &Value,
    ) -> Result<(), Error> {
        let row = self.rows.get(operation).ok_or_else(|| not_implemented(self.model, operation))?;
        let violations = validate(shape, input);
        if !violations.is_empty() {
            return Err((self.violation)(operation, &violations));
        }
        let resources = (row.resources)(caller, input);
        self.guard.pass(caller, self.model.id, operation, row.action, &resources).await
    }
}
