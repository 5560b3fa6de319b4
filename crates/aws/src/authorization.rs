//! What authorization rows are written with.

pub use aws_shape::{Authorization, row, text};
