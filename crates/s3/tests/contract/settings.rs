use crate::house::{BUCKET, House, code, service};
use aws::s3::{
    CorsRule, CreateBucket, Encryption, Lifecycle, LifecycleExpiry, LifecycleRule, Ownership, PublicAccessBlock, S3,
    Setting, SettingKind, Settings, Tags,
};

const PUBLIC: &str = r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::house/*"}}"#;

async fn put(house: &House, setting: Setting) -> Result<(), aws::Error> {
    house.s3.put_bucket_setting(&house.caller, BUCKET, setting).await
}

async fn get(house: &House, kind: SettingKind) -> Result<Setting, aws::Error> {
    house.s3.get_bucket_setting(&house.caller, BUCKET, kind).await
}

fn tags() -> Tags {
    Tags::from([("team".to_owned(), "core".to_owned())])
}

fn expiring() -> Lifecycle {
    let expiration = Some(LifecycleExpiry::Days(3));
    Lifecycle { rules: vec![LifecycleRule { enabled: true, expiration, ..LifecycleRule::default() }] }
}

#[tokio::test]
async fn a_new_bucket_is_closed_to_the_public_and_owned_by_its_owner() {
    let house = House::open().await;
    let block = get(&house, SettingKind::PublicAccessBlock).await.unwrap();
    assert_eq!(block, Setting::PublicAccessBlock(PublicAccessBlock::all()));
    let ownership = get(&house, SettingKind::Ownership).await.unwrap();
    assert_eq!(ownership, Setting::Ownership(Ownership::BucketOwnerEnforced));
    assert_eq!(code(get(&house, SettingKind::Tagging).await), "NoSuchTagSet");
}

#[tokio::test]
async fn settings_are_kept_over_a_restart_replaced_and_deleted() {
    let house = House::open().await;
    let cors = CorsRule { origins: vec!["*".into()], methods: vec!["GET".into()], ..CorsRule::default() };
    let all = [
        Setting::Cors(vec![cors]),
        Setting::Encryption(Encryption { algorithm: "aws:kms".into(), kms_key_id: None, bucket_key: Some(true) }),
        Setting::Ownership(Ownership::ObjectWriter),
        Setting::Policy(PUBLIC.replace("Allow", "Deny")),
        Setting::PublicAccessBlock(PublicAccessBlock::default()),
        Setting::Tagging(tags()),
    ];
    for setting in &all {
        put(&house, setting.clone()).await.unwrap();
        put(&house, setting.clone()).await.unwrap();
    }
    let restarted = service(&house.store, house.dir.path(), &house.clock);
    for setting in all {
        let kind = setting.kind();
        let found = restarted.get_bucket_setting(&house.caller, BUCKET, kind).await.unwrap();
        assert_eq!(found, setting);
        house.s3.delete_bucket_setting(&house.caller, BUCKET, kind).await.unwrap();
        house.s3.delete_bucket_setting(&house.caller, BUCKET, kind).await.unwrap();
        let after = get(&house, kind).await;
        assert_ne!(after.ok(), Some(setting));
    }
}

#[tokio::test]
async fn rules_without_a_name_get_one() {
    let house = House::open().await;
    put(&house, Setting::Lifecycle(expiring())).await.unwrap();
    let kept = get(&house, SettingKind::Lifecycle).await.unwrap();
    assert!(matches!(kept, Setting::Lifecycle(kept) if !kept.rules[0].id.is_empty()));
}

#[tokio::test]
async fn a_public_policy_waits_for_public_access() {
    let house = House::open().await;
    assert_eq!(code(put(&house, Setting::Policy(PUBLIC.to_owned())).await), "AccessDenied");
    let status = house.s3.get_bucket_policy_status(&house.caller, BUCKET).await;
    assert_eq!(code(status), "NoSuchBucketPolicy");
    house.s3.delete_bucket_setting(&house.caller, BUCKET, SettingKind::PublicAccessBlock).await.unwrap();
    put(&house, Setting::Policy(PUBLIC.to_owned())).await.unwrap();
    assert!(house.s3.get_bucket_policy_status(&house.caller, BUCKET).await.unwrap());
}

#[tokio::test]
async fn settings_go_with_their_bucket() {
    let house = House::open().await;
    put(&house, Setting::Tagging(tags())).await.unwrap();
    put(&house, Setting::Lifecycle(expiring())).await.unwrap();
    house.s3.delete_bucket(&house.caller, BUCKET).await.unwrap();
    assert_eq!(code(get(&house, SettingKind::Tagging).await), "NoSuchBucket");
    let again = CreateBucket { bucket: BUCKET.to_owned(), ..CreateBucket::default() };
    house.s3.create_bucket(&house.caller, again).await.unwrap();
    assert_eq!(code(get(&house, SettingKind::Tagging).await), "NoSuchTagSet");
    assert_eq!(code(get(&house, SettingKind::Lifecycle).await), "NoSuchLifecycleConfiguration");
}

#[tokio::test]
async fn a_bucket_is_made_with_tags_and_ownership() {
    let house = House::open().await;
    let input = CreateBucket {
        bucket: "tagged".to_owned(),
        tags: tags(),
        ownership: Ownership::BucketOwnerPreferred,
        ..CreateBucket::default()
    };
    house.s3.create_bucket(&house.caller, input).await.unwrap();
    let found = |kind| house.s3.get_bucket_setting(&house.caller, "tagged", kind);
    assert_eq!(found(SettingKind::Tagging).await.unwrap(), Setting::Tagging(tags()));
    let ownership = Setting::Ownership(Ownership::BucketOwnerPreferred);
    assert_eq!(found(SettingKind::Ownership).await.unwrap(), ownership);
}

#[tokio::test]
async fn a_setting_is_bounded() {
    let house = House::open().await;
    let rule = |id: usize| LifecycleRule { id: format!("{id:0>200}"), ..expiring().rules.remove(0) };
    let many = Lifecycle { rules: (0..400).map(rule).collect() };
    assert_eq!(code(put(&house, Setting::Lifecycle(many)).await), "InvalidRequest");
}
