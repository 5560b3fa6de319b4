//! What Landfall's console uses of CodePipeline and no public operation offers: in which regions an account has
//! pipelines.

use crate::{Error, Guard};
use async_trait::async_trait;
use kernel::Caller;
use std::sync::Arc;

/// Pipelines over all regions.
#[async_trait]
pub trait PipelineRegions: Send + Sync {
    /// The regions in which the caller's account has pipelines, sorted. Authorized as `codepipeline:ListPipelines`.
    ///
    /// # Errors
    /// Access denied.
    async fn regions(&self, caller: &Caller) -> Result<Vec<String>, Error>;
}

/// Pipelines behind their gate.
pub struct Gated {
    pipelines: Arc<dyn PipelineRegions>,
    guard: Guard,
}

impl Gated {
    /// Guards `pipelines`.
    pub fn new(pipelines: Arc<dyn PipelineRegions>, guard: Guard) -> Self {
        Self { pipelines, guard }
    }
}

#[async_trait]
impl PipelineRegions for Gated {
    async fn regions(&self, caller: &Caller) -> Result<Vec<String>, Error> {
        self.guard.pass(caller, "codepipeline", "ListPipelines", "codepipeline:ListPipelines", &[]).await?;
        self.pipelines.regions(caller).await
    }
}
