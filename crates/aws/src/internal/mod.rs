//! What AWS's own services use of each other and no public operation offers.
//!
//! Each method is authorized by AWS's permission-only action where there is one.

pub mod codebuild;
pub mod codecommit;
pub mod codepipeline;
