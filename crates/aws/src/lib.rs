//! AWS's API as Landfall's services see it.
//!
//! One module per service with its types and its trait ([`codebuild::CodeBuild`], …),
//! generated from AWS's models; [`s3`] and [`codedeploy_commands`] written by hand
//! beside them; [`internal`] for what AWS's own services use of each other and no
//! public operation offers; [`protocol`] for the wire forms.

#![forbid(unsafe_code)]

pub mod authorization;
pub mod codedeploy_commands;
pub mod internal;
pub mod protocol;
pub mod s3;

pub use aws_model_catalogue as catalogue;
pub use aws_model_codebuild as codebuild;
pub use aws_model_codecommit as codecommit;
pub use aws_model_codedeploy as codedeploy;
pub use aws_model_codepipeline as codepipeline;
pub use aws_model_iam as iam;
pub use aws_model_logs as logs;
pub use aws_model_sts as sts;
pub use aws_shape::{
    Answer, Audit, AuditEntry, Authorization, Authorizer, Constraint, Dispatch, Error, EventStream, Field, Gate, Guard,
    Mismatch, Model, Operation, Output, PASS_ROLE, Passing, Protocol, Shape, Violation, not_implemented,
    validation_message,
};
