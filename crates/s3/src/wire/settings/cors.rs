//! Cross-origin rules on the wire.

use super::another;
use crate::wire::operations::Adapter;
use aws::s3::{CorsRule as Rule, Setting, SettingKind};
use s3s::dto::*;
use s3s::{S3Request, S3Result};

impl Adapter {
    pub(in crate::wire) async fn put_cors(
        &self,
        request: S3Request<PutBucketCorsInput>,
    ) -> S3Result<PutBucketCorsOutput> {
        let rules = request.input.cors_configuration.cors_rules.iter().map(read).collect();
        self.put_setting(&request, &request.input.bucket, Ok(Setting::Cors(rules))).await?;
        Ok(PutBucketCorsOutput::default())
    }

    pub(in crate::wire) async fn get_cors(
        &self,
        request: S3Request<GetBucketCorsInput>,
    ) -> S3Result<GetBucketCorsOutput> {
        let setting = self.setting(&request, &request.input.bucket, SettingKind::Cors).await?;
        let Setting::Cors(rules) = setting else { return Err(another(&setting)) };
        Ok(GetBucketCorsOutput { cors_rules: Some(rules.into_iter().map(write).collect()) })
    }

    pub(in crate::wire) async fn delete_cors(
        &self,
        request: S3Request<DeleteBucketCorsInput>,
    ) -> S3Result<DeleteBucketCorsOutput> {
        self.delete_setting(&request, &request.input.bucket, SettingKind::Cors).await?;
        Ok(DeleteBucketCorsOutput::default())
    }
}

fn read(rule: &CORSRule) -> Rule {
    Rule {
        id: rule.id.clone(),
        origins: rule.allowed_origins.clone(),
        methods: rule.allowed_methods.clone(),
        headers: rule.allowed_headers.clone().unwrap_or_default(),
        expose: rule.expose_headers.clone().unwrap_or_default(),
        max_age: rule.max_age_seconds,
    }
}

fn write(rule: Rule) -> CORSRule {
    let some = |list: Vec<String>| (!list.is_empty()).then_some(list);
    CORSRule {
        id: rule.id,
        allowed_origins: rule.origins,
        allowed_methods: rule.methods,
        allowed_headers: some(rule.headers),
        expose_headers: some(rule.expose),
        max_age_seconds: rule.max_age,
    }
}
