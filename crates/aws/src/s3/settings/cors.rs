//! Cross-origin rules.

use serde::{Deserialize, Serialize};

/// One rule (CORSRule). `*` stands for any text in an origin or a header, once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CorsRule {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Origins that may ask.
    pub origins: Vec<String>,
    /// `GET`, `PUT`, `HEAD`, `POST`, `DELETE`.
    pub methods: Vec<String>,
    /// Headers that a request may have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    /// Headers of the answer that a page may read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expose: Vec<String>,
    /// How long a browser may remember a preflight's answer, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<i32>,
}
