//! Buckets on the wire.

use super::convert::{caller, refused, time};
use super::operations::Adapter;
use super::request::unsigned;
use super::settings::ownership;
use aws::Error;
use aws::s3::{self as ours, Versioning};
use s3s::dto::*;
use s3s::{S3Request, S3Result};

/// The region whose buckets have no LocationConstraint.
const FIRST_REGION: &str = "us-east-1";

impl Adapter {
    pub(super) async fn make_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<CreateBucketOutput> {
        let caller = caller(&request)?;
        let configuration = request.input.create_bucket_configuration.unwrap_or_default();
        let constraint = configuration.location_constraint;
        let region = region_of(constraint, &caller.region).map_err(refused(&caller))?;
        let ownership = request.input.object_ownership.as_ref().map(ownership).transpose().map_err(refused(&caller))?;
        let (bucket, ownership) = (request.input.bucket, ownership.unwrap_or_default());
        // Tags in the configuration, as newer clients send them, are refused by s3s: it does not know them.
        let input = ours::CreateBucket { bucket, region: Some(region), ownership, tags: ours::Tags::new() };
        let bucket = self.s3.create_bucket(&caller, input).await.map_err(refused(&caller))?;
        Ok(CreateBucketOutput { location: Some(format!("/{}", bucket.name)) })
    }

    pub(super) async fn look_at_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<HeadBucketOutput> {
        let caller = caller(&request)?;
        let bucket = self.s3.head_bucket(&caller, &request.input.bucket).await.map_err(refused(&caller))?;
        Ok(HeadBucketOutput { bucket_region: Some(bucket.region), ..HeadBucketOutput::default() })
    }

    pub(super) async fn bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<GetBucketLocationOutput> {
        let caller = caller(&request)?;
        let region = self.s3.get_bucket_location(&caller, &request.input.bucket).await.map_err(refused(&caller))?;
        let location_constraint = (region != FIRST_REGION).then(|| BucketLocationConstraint::from(region));
        Ok(GetBucketLocationOutput { location_constraint })
    }

    pub(super) async fn remove_bucket(&self, request: S3Request<DeleteBucketInput>) -> S3Result<DeleteBucketOutput> {
        let caller = caller(&request)?;
        self.s3.delete_bucket(&caller, &request.input.bucket).await.map_err(refused(&caller))?;
        Ok(DeleteBucketOutput::default())
    }

    pub(super) async fn buckets(&self, request: S3Request<ListBucketsInput>) -> S3Result<ListBucketsOutput> {
        let caller = caller(&request)?;
        let input = request.input;
        let asked = ours::ListBuckets {
            prefix: input.prefix.clone(),
            region: input.bucket_region,
            after: input.continuation_token,
            limit: unsigned("max-buckets", input.max_buckets).map_err(refused(&caller))?,
        };
        let page = self.s3.list_buckets(&caller, asked).await.map_err(refused(&caller))?;
        let buckets = page.buckets.into_iter().map(|bucket| Bucket {
            name: Some(bucket.name),
            bucket_region: Some(bucket.region),
            creation_date: Some(time(bucket.created)),
        });
        Ok(ListBucketsOutput {
            buckets: Some(buckets.collect()),
            continuation_token: page.next,
            owner: Some(Owner { id: Some(caller.account.clone()), display_name: None }),
            prefix: input.prefix,
        })
    }

    pub(super) async fn set_versioning(
        &self,
        request: S3Request<PutBucketVersioningInput>,
    ) -> S3Result<PutBucketVersioningOutput> {
        let caller = caller(&request)?;
        let configuration = request.input.versioning_configuration;
        let versioning = match configuration.status.as_ref().map(BucketVersioningStatus::as_str) {
            Some("Enabled") => Versioning::Enabled,
            Some("Suspended") => Versioning::Suspended,
            _ => return Err(refused(&caller)(Error::new("IllegalVersioningConfigurationException", STATUS))),
        };
        let set = self.s3.put_bucket_versioning(&caller, &request.input.bucket, versioning).await;
        set.map_err(refused(&caller))?;
        Ok(PutBucketVersioningOutput::default())
    }

    pub(super) async fn versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<GetBucketVersioningOutput> {
        let caller = caller(&request)?;
        let versioning =
            self.s3.get_bucket_versioning(&caller, &request.input.bucket).await.map_err(refused(&caller))?;
        let status = match versioning {
            Versioning::Unversioned => None,
            Versioning::Enabled => Some(BucketVersioningStatus::from_static(BucketVersioningStatus::ENABLED)),
            Versioning::Suspended => Some(BucketVersioningStatus::from_static(BucketVersioningStatus::SUSPENDED)),
        };
        Ok(GetBucketVersioningOutput { status, mfa_delete: None })
    }
}

const STATUS: &str = "The versioning status must be Enabled or Suspended.";

/// The region of a new bucket. As on AWS, only the first region may be left unsaid.
fn region_of(constraint: Option<BucketLocationConstraint>, asked: &str) -> Result<String, Error> {
    match constraint.as_ref().map(BucketLocationConstraint::as_str) {
        None | Some("") if asked == FIRST_REGION => Ok(asked.to_owned()),
        None | Some("") => Err(Error::new(
            "IllegalLocationConstraintException",
            format!(
                "The unspecified location constraint is incompatible for the region {asked} that this request was sent to."
            ),
        )),
        Some(FIRST_REGION) => Err(error_in("InvalidLocationConstraint", FIRST_REGION)),
        Some("EU") => Ok("eu-west-1".to_owned()),
        Some(region) if !is_region(region) => Err(error_in("InvalidLocationConstraint", region)),
        Some(region) if region == asked || asked == FIRST_REGION => Ok(region.to_owned()),
        Some(region) => Err(error_in("IllegalLocationConstraintException", region)),
    }
}

/// Whether a text has the form of a region's name: `eu-west-1`, `us-gov-east-1`, `eusc-de-east-1`.
fn is_region(name: &str) -> bool {
    let labels: Vec<&str> = name.split('-').collect();
    let letters = |label: &&str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_lowercase());
    match labels.split_last() {
        Some((number, [land, rest @ ..])) => {
            let numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            numbered && letters(land) && land.len() <= 4 && !rest.is_empty() && rest.iter().all(letters)
        }
        _ => false,
    }
}

fn error_in(code: &str, region: &str) -> Error {
    match code {
        "InvalidLocationConstraint" => Error::new(
            code,
            format!("The specified location-constraint {region} is not valid; us-east-1 is left unsaid."),
        ),
        _ => Error::new(
            code,
            format!("The {region} location constraint is incompatible for the region that this request was sent to."),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_made_where_it_is_asked_for() {
        let table = [
            (None, "us-east-1", Ok("us-east-1")),
            (Some(""), "us-east-1", Ok("us-east-1")),
            (Some("eu-west-1"), "us-east-1", Ok("eu-west-1")),
            (Some("eu-west-1"), "eu-west-1", Ok("eu-west-1")),
            (Some("EU"), "eu-west-1", Ok("eu-west-1")),
            (Some("eusc-de-east-1"), "us-east-1", Ok("eusc-de-east-1")),
            (None, "eu-west-1", Err("IllegalLocationConstraintException")),
            (Some("eu-west-1"), "eu-central-1", Err("IllegalLocationConstraintException")),
            (Some("us-east-1"), "us-east-1", Err("InvalidLocationConstraint")),
            (Some("atlantis-1"), "us-east-1", Err("InvalidLocationConstraint")),
            (Some("eu--1"), "us-east-1", Err("InvalidLocationConstraint")),
            (Some("eu-west-"), "us-east-1", Err("InvalidLocationConstraint")),
        ];
        for (constraint, asked, expected) in table {
            let given = constraint.map(|name| BucketLocationConstraint::from(name.to_owned()));
            let region = region_of(given, asked).map_err(|error| error.code);
            assert_eq!(region.as_deref().map_err(String::as_str), expected, "{constraint:?} in {asked}");
        }
    }
}
