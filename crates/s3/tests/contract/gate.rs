use crate::house::{BUCKET, House, code};
use async_trait::async_trait;
use aws::s3::{
    CopyObject, DeleteObjects, Gated, GetObject, ListObjects, ObjectIdentifier, ObjectVersion, PutObject, S3, Setting,
    SettingKind, Settings, Tags,
};
use aws::{Audit, AuditEntry, Authorizer, Error, Guard};
use kernel::Caller;
use std::sync::{Arc, Mutex};

/// Denies what ends in `secret`, and remembers what was written down.
#[derive(Default)]
struct Policy(Mutex<Vec<String>>);

#[async_trait]
impl Authorizer for Policy {
    async fn authorize(&self, _: &Caller, _: &str, resources: &[String]) -> Result<(), Error> {
        match resources.iter().any(|resource| resource.ends_with("secret")) {
            true => Err(Error::new("AccessDeniedException", "no")),
            false => Ok(()),
        }
    }
}

impl Audit for Policy {
    fn record(&self, entry: &AuditEntry<'_>) {
        let denied = entry.denied.map_or("", |_| " denied");
        self.0.lock().unwrap().push(format!("{} {}{denied}", entry.action, entry.resources.join(",")));
    }
}

#[tokio::test]
async fn every_call_is_asked_for_and_written_down() {
    let house = House::open().await;
    let policy = Arc::new(Policy::default());
    let guard = Guard::new(Arc::clone(&policy) as _, Arc::clone(&policy) as _);
    let gated = Gated::new(Arc::clone(&house.s3), guard);
    gated.put_object(&house.caller, PutObject::new(BUCKET, "open", "x")).await.unwrap();
    assert_eq!(code(gated.get_object(&house.caller, GetObject::new(BUCKET, "secret")).await), "AccessDenied");
    let version = GetObject::new(BUCKET, "open").version(Some("null".to_owned()));
    gated.get_object(&house.caller, version).await.unwrap();
    let list = ListObjects { bucket: BUCKET.to_owned(), ..ListObjects::default() };
    gated.list_objects(&house.caller, list).await.unwrap();
    let copy = CopyObject {
        source_bucket: BUCKET.to_owned(),
        source_key: "open".to_owned(),
        bucket: BUCKET.to_owned(),
        key: "secret".to_owned(),
        ..CopyObject::default()
    };
    assert_eq!(code(gated.copy_object(&house.caller, copy).await), "AccessDenied");
    let name = |key: &str| ObjectIdentifier { key: key.to_owned(), ..ObjectIdentifier::default() };
    let delete = DeleteObjects { bucket: BUCKET.to_owned(), objects: vec![name("secret"), name("open")] };
    let output = gated.delete_objects(&house.caller, delete).await.unwrap();
    assert_eq!((output.deleted.len(), output.failed.len()), (1, 1));
    let expected = [
        "s3:PutObject arn:aws:s3:::house/open",
        "s3:GetObject arn:aws:s3:::house/secret denied",
        "s3:GetObjectVersion arn:aws:s3:::house/open",
        "s3:ListBucket arn:aws:s3:::house",
        "s3:GetObject arn:aws:s3:::house/open",
        "s3:PutObject arn:aws:s3:::house/secret denied",
        "s3:DeleteObject arn:aws:s3:::house/secret denied",
        "s3:DeleteObject arn:aws:s3:::house/open",
    ];
    assert_eq!(*policy.0.lock().unwrap(), expected);
}

#[tokio::test]
async fn settings_and_tags_have_actions_of_their_own() {
    let house = House::open().await;
    let policy = Arc::new(Policy::default());
    let guard = Guard::new(Arc::clone(&policy) as _, Arc::clone(&policy) as _);
    let gated = Gated::new(Arc::clone(&house.s3), guard);
    let tags = Tags::from([("a".to_owned(), "b".to_owned())]);
    let caller = &house.caller;
    gated.put_bucket_setting(caller, BUCKET, Setting::Tagging(tags.clone())).await.unwrap();
    gated.get_bucket_setting(caller, BUCKET, SettingKind::Encryption).await.unwrap();
    gated.delete_bucket_setting(caller, BUCKET, SettingKind::Lifecycle).await.unwrap();
    let tagged = PutObject { tags: tags.clone(), ..PutObject::new(BUCKET, "k", "x") };
    gated.put_object(caller, tagged).await.unwrap();
    let object = |version_id| ObjectVersion { bucket: BUCKET.to_owned(), key: "k".to_owned(), version_id };
    gated.get_object_attributes(caller, &object(None)).await.unwrap();
    gated.put_object_tagging(caller, &object(None), Tags::new()).await.unwrap();
    gated.get_object_tagging(caller, &object(Some("null".to_owned()))).await.unwrap();
    let secret = ObjectVersion { key: "secret".to_owned(), ..object(None) };
    assert_eq!(code(gated.get_object_acl(caller, &secret).await), "AccessDenied");
    let expected = [
        "s3:PutBucketTagging arn:aws:s3:::house",
        "s3:GetEncryptionConfiguration arn:aws:s3:::house",
        "s3:PutLifecycleConfiguration arn:aws:s3:::house",
        "s3:PutObject arn:aws:s3:::house/k",
        "s3:PutObjectTagging arn:aws:s3:::house/k",
        "s3:GetObject arn:aws:s3:::house/k",
        "s3:GetObjectAttributes arn:aws:s3:::house/k",
        "s3:DeleteObjectTagging arn:aws:s3:::house/k",
        "s3:GetObjectVersionTagging arn:aws:s3:::house/k",
        "s3:GetObjectAcl arn:aws:s3:::house/secret denied",
    ];
    assert_eq!(*policy.0.lock().unwrap(), expected);
}
