//! In which regions an account has pipelines.

use async_trait::async_trait;
use aws::Error;
use aws::internal::codepipeline::PipelineRegions;
use kernel::Caller;

use crate::model::Pipeline;
use crate::service::Service;

#[async_trait]
impl PipelineRegions for Service {
    async fn regions(&self, caller: &Caller) -> Result<Vec<String>, Error> {
        let scopes = self.documents.scopes::<Pipeline>().await?;
        let own = scopes.into_iter().filter(|scope| scope.account == caller.account);
        let mut regions: Vec<String> = own.map(|scope| scope.region).collect();
        regions.sort_unstable();
        Ok(regions)
    }
}
