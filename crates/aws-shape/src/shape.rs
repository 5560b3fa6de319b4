//! Member tables: what AWS's model says of a shape, as static data.

use regex::Regex;
use std::sync::OnceLock;

/// One shape of a service's model with its constraints.
pub struct Shape {
    /// The model's name of it.
    pub name: &'static str,
    /// What a value of it is.
    pub kind: Kind,
    /// Smallest length (characters, items, bytes) or number.
    pub min: Option<f64>,
    /// Largest length or number.
    pub max: Option<f64>,
    /// The values of an enumeration; empty: any.
    pub values: &'static [&'static str],
    /// Whether values must not be shown in errors, logs and debug output.
    pub sensitive: bool,
    pattern: Option<&'static str>,
    regex: OnceLock<Option<Regex>>,
}

/// What a value is.
pub enum Kind {
    /// Text.
    String,
    /// A 32-bit integer.
    Integer,
    /// A 64-bit integer.
    Long,
    /// A floating-point number.
    Double,
    /// True or false.
    Boolean,
    /// A point in time; epoch seconds in [`serde_json::Value`]s, whatever the protocol.
    Timestamp,
    /// Bytes; base64 in [`serde_json::Value`]s.
    Blob,
    /// Items of one shape.
    List {
        /// Each item's shape.
        item: &'static Shape,
        /// An item's element name in the query protocol.
        wire: &'static str,
        /// Whether the query protocol leaves the item's name out.
        flattened: bool,
    },
    /// Keys and values.
    Map {
        /// Each key's shape.
        key: &'static Shape,
        /// Each value's shape.
        value: &'static Shape,
        /// A key's element name in the query protocol.
        key_wire: &'static str,
        /// A value's element name in the query protocol.
        value_wire: &'static str,
        /// Whether the query protocol leaves `entry` out.
        flattened: bool,
    },
    /// Named members.
    Structure(&'static [Member]),
}

/// One member of a structure.
pub struct Member {
    /// Its name on the wire.
    pub wire: &'static str,
    /// Its shape.
    pub shape: &'static Shape,
    /// Whether it must be given.
    pub required: bool,
}

impl Member {
    /// A member; `required` as the model says.
    pub const fn new(wire: &'static str, shape: &'static Shape, required: bool) -> Self {
        Self { wire, shape, required }
    }
}

impl Shape {
    /// A shape without constraints.
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, min: None, max: None, values: &[], sensitive: false, pattern: None, regex: OnceLock::new() }
    }

    /// With a smallest and largest length or number.
    #[must_use]
    pub const fn bounds(mut self, min: Option<f64>, max: Option<f64>) -> Self {
        self.min = min;
        self.max = max;
        self
    }

    /// With a pattern that the whole text must match.
    #[must_use]
    pub const fn pattern(mut self, pattern: &'static str) -> Self {
        self.pattern = Some(pattern);
        self
    }

    /// With the values of an enumeration.
    #[must_use]
    pub const fn values(mut self, values: &'static [&'static str]) -> Self {
        self.values = values;
        self
    }

    /// With values that must not be shown.
    #[must_use]
    pub const fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// The pattern that `text` does not match as a whole, if any.
    pub fn mismatched_pattern(&self, text: &str) -> Option<&'static str> {
        let pattern = self.pattern?;
        // The generator leaves out patterns that the regex crate cannot compile.
        let regex = self.regex.get_or_init(|| Regex::new(&format!("^(?:{pattern})$")).ok());
        regex.as_ref().is_some_and(|regex| !regex.is_match(text)).then_some(pattern)
    }
}

/// A generated structure.
pub trait Structure {
    /// Its member table.
    const SHAPE: &'static Shape;
}

/// How a service speaks on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// AWS JSON: the operation is in `X-Amz-Target`, the body is JSON.
    Json {
        /// `1.0` or `1.1`.
        version: &'static str,
    },
    /// AWS query: the operation is the form field `Action`, replies are XML.
    Query {
        /// The reply's XML namespace.
        namespace: &'static str,
        /// The form field `Version`.
        api_version: &'static str,
    },
    /// REST with JSON bodies.
    RestJson,
}

/// One service of AWS's API.
pub struct Model {
    /// Its name in botocore and the aws CLI.
    pub id: &'static str,
    /// The service of a signature's credential scope.
    pub signing_name: &'static str,
    /// What stands before `.Operation` in `X-Amz-Target`; empty without one.
    pub target_prefix: &'static str,
    /// How it speaks.
    pub protocol: Protocol,
    /// Every operation of AWS's model, built or not.
    pub operations: &'static [&'static str],
}
