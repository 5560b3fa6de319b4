//! The gate: validate → authorize → audit → call, for every call of every service,
//! from outside and from sister services alike.

use crate::{Error, Model, Operation, Protocol, Shape, Violation, not_implemented, validate, validation_message};
use async_trait::async_trait;
use kernel::{Arn, Caller};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The action of [`Passing`].
pub const PASS_ROLE: &str = "iam:PassRole";

/// An operation's authorization row: it makes the operation built.
pub struct Authorization {
    /// The operation, e.g. `StartBuild`.
    pub operation: &'static str,
    /// The IAM action, e.g. `codebuild:StartBuild`.
    pub action: &'static str,
    /// The ARNs that the call touches, from the input in wire form; empty means `*`.
    pub resources: fn(&Caller, &Value) -> Vec<String>,
}

/// The roles that calls hand to a service, which then acts as them: who hands one over must be allowed `iam:PassRole` on it.
/// Source: "Grant a user permissions to pass a role to an AWS service", IAM User Guide.
#[derive(Clone, Copy)]
pub struct Passing {
    /// The service that takes the roles, e.g. `codebuild.amazonaws.com`.
    pub service: &'static str,
    /// The ARNs that an operation's input, in wire form, hands over.
    pub roles: fn(&str, &Value) -> Vec<String>,
}

/// A row of an authorization table.
pub const fn row(
    operation: &'static str,
    action: &'static str,
    resources: fn(&Caller, &Value) -> Vec<String>,
) -> Authorization {
    Authorization { operation, action, resources }
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

    /// Allows or denies to hand `role` to `service`.
    ///
    /// # Errors
    /// As [`Authorizer::authorize`].
    async fn authorize_passing(&self, caller: &Caller, role: &str, _service: &str) -> Result<(), Error> {
        self.authorize(caller, PASS_ROLE, &[role.to_owned()]).await
    }
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
        self.write_down(AuditEntry { service, operation, action, resources, caller, denied: None }, decision)
    }

    /// Lets `caller` hand `role` over in a call.
    async fn pass_role(
        &self,
        caller: &Caller,
        (service, operation): (&str, &str),
        role: String,
        taker: &str,
    ) -> Result<(), Error> {
        let decision = self.authorizer.authorize_passing(caller, &role, taker).await;
        let (action, resources) = (PASS_ROLE, &[role][..]);
        self.write_down(AuditEntry { service, operation, action, resources, caller, denied: None }, decision)
    }

    fn write_down(&self, entry: AuditEntry<'_>, decision: Result<(), Error>) -> Result<(), Error> {
        let denied = decision.as_ref().err().map(|error| error.code.as_str());
        self.audit.record(&AuditEntry { denied, ..entry });
        decision
    }
}

/// One service's gate.
pub struct Gate {
    model: &'static Model,
    rows: BTreeMap<&'static str, &'static Authorization>,
    violation: fn(&str, &[Violation]) -> Error,
    passing: Option<Passing>,
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
        Ok(Self { model, rows: table, violation, passing: None, guard })
    }

    /// With the service's own errors for constraint violations (operation, violations).
    #[must_use]
    pub fn violations(mut self, violation: fn(&str, &[Violation]) -> Error) -> Self {
        self.violation = violation;
        self
    }

    /// With the roles that the service's calls hand over.
    #[must_use]
    pub fn passing(mut self, passing: Passing) -> Self {
        self.passing = Some(passing);
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
        self.guard.pass(caller, self.model.id, operation, row.action, &resources).await?;
        let Some(Passing { service, roles }) = self.passing else { return Ok(()) };
        // A role of another account is never taken, so that there is nothing to hand over: the service says what is wrong.
        let own = |role: &String| role.parse().is_ok_and(|arn: Arn| arn.account == caller.account);
        for role in roles(operation, input).into_iter().filter(own) {
            self.guard.pass_role(caller, (self.model.id, operation), role, service).await?;
        }
        Ok(())
    }
}
