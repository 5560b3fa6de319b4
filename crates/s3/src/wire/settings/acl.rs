//! Access control lists on the wire: the owner alone, and nothing else.

use crate::wire::convert::{caller, refused};
use crate::wire::operations::Adapter;
use aws::Error;
use aws::s3::{ObjectVersion, Setting, SettingKind, error};
use s3s::dto::*;
use s3s::{S3Request, S3Result};

impl Adapter {
    pub(in crate::wire) async fn put_bucket_acl(
        &self,
        request: S3Request<PutBucketAclInput>,
    ) -> S3Result<PutBucketAclOutput> {
        let owner = &caller(&request)?.account;
        let input = &request.input;
        let canned = input.acl.as_ref().map(BucketCannedACL::as_str);
        let setting = check(canned, input.access_control_policy.as_ref(), owner).map(|()| Setting::Acl);
        self.put_setting(&request, &input.bucket, setting).await?;
        Ok(PutBucketAclOutput::default())
    }

    pub(in crate::wire) async fn get_bucket_acl(
        &self,
        request: S3Request<GetBucketAclInput>,
    ) -> S3Result<GetBucketAclOutput> {
        self.setting(&request, &request.input.bucket, SettingKind::Acl).await?;
        let owner = caller(&request)?.account;
        Ok(GetBucketAclOutput { grants: Some(vec![full_control(&owner)]), owner: Some(named(&owner)) })
    }

    pub(in crate::wire) async fn put_object_acl(
        &self,
        request: S3Request<PutObjectAclInput>,
    ) -> S3Result<PutObjectAclOutput> {
        let caller = caller(&request)?;
        let input = request.input;
        let canned = input.acl.as_ref().map(ObjectCannedACL::as_str);
        check(canned, input.access_control_policy.as_ref(), &caller.account).map_err(refused(&caller))?;
        let object = ObjectVersion { bucket: input.bucket, key: input.key, version_id: input.version_id };
        self.settings.put_object_acl(&caller, &object).await.map_err(refused(&caller))?;
        Ok(PutObjectAclOutput::default())
    }

    pub(in crate::wire) async fn get_object_acl(
        &self,
        request: S3Request<GetObjectAclInput>,
    ) -> S3Result<GetObjectAclOutput> {
        let caller = caller(&request)?;
        let GetObjectAclInput { bucket, key, version_id, .. } = request.input;
        let object = ObjectVersion { bucket, key, version_id };
        self.settings.get_object_acl(&caller, &object).await.map_err(refused(&caller))?;
        let (grants, owner) = (Some(vec![full_control(&caller.account)]), Some(named(&caller.account)));
        Ok(GetObjectAclOutput { grants, owner, request_charged: None })
    }
}

/// Whether a list says no more than that the owner has everything. Canned lists were checked with the headers.
fn check(canned: Option<&str>, policy: Option<&AccessControlPolicy>, owner: &str) -> Result<(), Error> {
    let Some(policy) = policy else {
        return match canned {
            Some(_) => Ok(()),
            None => Err(error::invalid_request(
                "Your request was missing a required header: x-amz-acl, or an ACL in its body.",
            )),
        };
    };
    let whole = |grant: &Grant| {
        let grantee = grant.grantee.as_ref().and_then(|grantee| grantee.id.as_deref());
        let permission = grant.permission.as_ref().map(Permission::as_str);
        grantee == Some(owner) && permission == Some(Permission::FULL_CONTROL)
    };
    match policy.grants.as_deref() {
        Some([only]) if whole(only) => Ok(()),
        _ => Err(error::acl_not_supported()),
    }
}

fn named(owner: &str) -> Owner {
    Owner { id: Some(owner.to_owned()), display_name: None }
}

fn full_control(owner: &str) -> Grant {
    Grant {
        grantee: Some(Grantee {
            display_name: None,
            email_address: None,
            id: Some(owner.to_owned()),
            type_: Type::from_static(Type::CANONICAL_USER),
            uri: None,
        }),
        permission: Some(Permission::from_static(Permission::FULL_CONTROL)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_may_have_anything() {
        let code = |canned, policy: Option<AccessControlPolicy>| {
            check(canned, policy.as_ref(), "1").err().map_or_else(|| "ok".to_owned(), |error| error.code)
        };
        let of = |grants| Some(AccessControlPolicy { grants: Some(grants), owner: None });
        let table = [
            (Some("private"), None, "ok"),
            (None, None, "InvalidRequest"),
            (None, of(vec![full_control("1")]), "ok"),
            (None, of(vec![full_control("2")]), "AccessControlListNotSupported"),
            (None, of(vec![]), "AccessControlListNotSupported"),
            (None, of(vec![full_control("1"), full_control("2")]), "AccessControlListNotSupported"),
        ];
        for (canned, policy, expected) in table {
            assert_eq!(code(canned, policy), expected);
        }
    }
}
