//! Pipelines and their versions.

use std::sync::{Arc, OnceLock};

use aws::codepipeline::{PipelineDeclaration, Tag};
use kernel::{Document, Index, Large, Scope, Timestamp};
use serde::{Deserialize, Serialize};

use crate::rules::definition::{Definition, ExecutionMode};
use crate::rules::flow::{Board, Ordinal};
use crate::rules::sources::{WatchedSource, watched_sources};

/// A pipeline. Its name is unique in its account and region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    /// The name.
    pub name: String,
    /// A UUID that is never used again, unlike the name.
    pub id: String,
    /// Number of the current version, from 1.
    pub current_version: i32,
    /// `V1` or `V2`.
    pub pipeline_type: String,
    /// The current version's mode.
    pub mode: ExecutionMode,
    /// The places whose changes start it.
    pub watches: Vec<String>,
    /// When it was created.
    pub created: Timestamp,
    /// When its current version was written.
    pub updated: Timestamp,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// The newest execution's number, 0 before the first.
    pub newest: Ordinal,
    /// Who is where in its stages.
    pub board: Board,
}

impl Document for Pipeline {
    const KIND: &'static str = "codepipeline.pipeline";

    fn key(&self) -> String {
        self.name.clone()
    }

    fn indexes(&self) -> Vec<Index> {
        self.watches.iter().map(|place| Index::new(Self::WATCHES, place)).collect()
    }
}

impl Pipeline {
    /// Index of the places that it watches.
    pub const WATCHES: &'static str = "watches";

    /// A new pipeline of this definition.
    #[must_use]
    pub fn new(id: String, definition: &Definition, tags: Vec<Tag>, now: Timestamp) -> Self {
        let mut pipeline = Self {
            name: definition.name.clone(),
            id,
            current_version: 0,
            pipeline_type: String::new(),
            mode: ExecutionMode::default(),
            watches: Vec::new(),
            created: now,
            updated: now,
            tags,
            newest: 0,
            board: Board::default(),
        };
        pipeline.adopt(definition, now);
        pipeline
    }

    /// Makes `definition` the current one.
    pub fn adopt(&mut self, definition: &Definition, now: Timestamp) {
        self.current_version = definition.version;
        self.pipeline_type = definition.pipeline_type().to_owned();
        self.mode = definition.mode;
        self.watches = watched_sources(definition).into_iter().map(|WatchedSource(place)| place).collect();
        self.updated = now;
    }

    /// The pipeline's ARN.
    #[must_use]
    pub fn arn(&self, scope: &Scope) -> String {
        pipeline_arn(scope, &self.name)
    }
}

/// The ARN of a pipeline of that name.
#[must_use]
pub fn pipeline_arn(scope: &Scope, name: &str) -> String {
    format!("arn:aws:codepipeline:{}:{}:{name}", scope.region, scope.account)
}

/// One version of a pipeline's structure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PipelineVersion {
    /// The pipeline's id.
    pub pipeline_id: String,
    /// The version's number.
    pub version: i32,
    /// The `PipelineDeclaration` as JSON; secret settings are sealed in it.
    pub declaration: Large,
    /// When it was written.
    pub created: Timestamp,
    /// `declaration`, read: once for the document and its copies, since a version never changes.
    #[serde(skip)]
    pub read: Arc<OnceLock<PipelineDeclaration>>,
}

impl Document for PipelineVersion {
    const KIND: &'static str = "codepipeline.version";

    fn key(&self) -> String {
        Self::key_of(&self.pipeline_id, self.version)
    }
}

impl PipelineVersion {
    /// The key of a pipeline's version.
    #[must_use]
    pub fn key_of(pipeline_id: &str, version: i32) -> String {
        format!("{pipeline_id}/{version:08}")
    }

    /// Reads the stored text of [`PipelineVersion::declaration`].
    ///
    /// # Errors
    /// Text that is no declaration: the store was changed from outside.
    pub fn parse(text: &str) -> Result<PipelineDeclaration, serde_json::Error> {
        serde_json::from_str(text)
    }
}
