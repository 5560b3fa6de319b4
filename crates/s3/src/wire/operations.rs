//! The operations that s3s calls, each by name.

use aws::s3::S3;
use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result};
use std::sync::Arc;

/// S3's operations that are built here.
pub const BUILT_OPERATIONS: &[&str] = &[
    "AbortMultipartUpload",
    "CompleteMultipartUpload",
    "CopyObject",
    "CreateBucket",
    "CreateMultipartUpload",
    "DeleteBucket",
    "DeleteObject",
    "DeleteObjects",
    "GetBucketLocation",
    "GetBucketVersioning",
    "GetObject",
    "HeadBucket",
    "HeadObject",
    "ListBuckets",
    "ListMultipartUploads",
    "ListObjectVersions",
    "ListObjects",
    "ListObjectsV2",
    "ListParts",
    "PutBucketVersioning",
    "PutObject",
    "UploadPart",
    "UploadPartCopy",
];

/// s3s's side of the trait: what is not here, s3s answers with `NotImplemented`.
pub(super) struct Adapter(pub(super) Arc<dyn S3>);

/// Hands operations to the adapter's methods of another name.
macro_rules! operations {
    ($($operation:ident => $method:ident: $input:ident -> $output:ident;)*) => {
        #[async_trait::async_trait]
        impl s3s::S3 for Adapter {
            $(
                async fn $operation(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                    self.$method(request).await.map(S3Response::new)
                }
            )*
        }
    };
}

operations! {
    abort_multipart_upload => abort_upload: AbortMultipartUploadInput -> AbortMultipartUploadOutput;
    complete_multipart_upload => complete_upload: CompleteMultipartUploadInput -> CompleteMultipartUploadOutput;
    copy_object => copy: CopyObjectInput -> CopyObjectOutput;
    create_bucket => make_bucket: CreateBucketInput -> CreateBucketOutput;
    create_multipart_upload => open_upload: CreateMultipartUploadInput -> CreateMultipartUploadOutput;
    delete_bucket => remove_bucket: DeleteBucketInput -> DeleteBucketOutput;
    delete_object => delete: DeleteObjectInput -> DeleteObjectOutput;
    delete_objects => delete_many: DeleteObjectsInput -> DeleteObjectsOutput;
    get_bucket_location => bucket_location: GetBucketLocationInput -> GetBucketLocationOutput;
    get_bucket_versioning => versioning: GetBucketVersioningInput -> GetBucketVersioningOutput;
    get_object => get: GetObjectInput -> GetObjectOutput;
    head_bucket => look_at_bucket: HeadBucketInput -> HeadBucketOutput;
    head_object => head: HeadObjectInput -> HeadObjectOutput;
    list_buckets => buckets: ListBucketsInput -> ListBucketsOutput;
    list_multipart_uploads => uploads: ListMultipartUploadsInput -> ListMultipartUploadsOutput;
    list_object_versions => versions: ListObjectVersionsInput -> ListObjectVersionsOutput;
    list_objects => objects: ListObjectsInput -> ListObjectsOutput;
    list_objects_v2 => objects_v2: ListObjectsV2Input -> ListObjectsV2Output;
    list_parts => parts: ListPartsInput -> ListPartsOutput;
    put_bucket_versioning => set_versioning: PutBucketVersioningInput -> PutBucketVersioningOutput;
    put_object => put: PutObjectInput -> PutObjectOutput;
    upload_part => put_part: UploadPartInput -> UploadPartOutput;
    upload_part_copy => copy_part: UploadPartCopyInput -> UploadPartCopyOutput;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_operations_is_the_table() {
        let source = include_str!("operations.rs");
        let table = source.split("operations! {\n").nth(1).unwrap_or_default();
        let rows = table.lines().take_while(|line| *line != "}").count();
        assert_eq!(rows, BUILT_OPERATIONS.len());
        assert!(BUILT_OPERATIONS.is_sorted());
    }
}
