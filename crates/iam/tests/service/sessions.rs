//! STS: temporary credentials of roles and of users, and when they end.

use crate::ground::{ACCOUNT, Ground, policy, root, temporary};
use aws::Error;
use aws::iam::{DeleteAccessKeyInput, DeleteUserInput, Iam, UpdateAssumeRolePolicyInput};
use aws::sts::*;
use iam::Mode;
use kernel::{Caller, Credentials};
use std::time::Duration;

fn assume(role: &str) -> AssumeRoleInput {
    AssumeRoleInput {
        role_arn: Some(format!("arn:aws:iam::{ACCOUNT}:role/{role}")),
        role_session_name: Some("s".into()),
        ..Default::default()
    }
}

fn tag(key: &str, value: &str) -> Tag {
    Tag { key: Some(key.into()), value: Some(value.into()) }
}

/// A ground with role `open`, which trusts its account with everything.
async fn ground() -> Ground {
    let ground = Ground::new(Mode::Enforce).await;
    ground.role("open", &format!(r#"{{"AWS":"{ACCOUNT}"}}"#)).await;
    trust(&ground, "open", &format!(r#"{{"Effect":"Allow","Principal":{{"AWS":"{ACCOUNT}"}},"Action":"sts:*"}}"#))
        .await;
    ground
}

async fn trust(ground: &Ground, role: &str, statements: &str) {
    let input = UpdateAssumeRolePolicyInput { role_name: Some(role.into()), policy_document: Some(policy(statements)) };
    ground.service.update_assume_role_policy(&root(), input).await.unwrap();
}

/// The caller that assuming gives.
async fn take(ground: &Ground, caller: &Caller, input: AssumeRoleInput) -> Result<Caller, Error> {
    let key = key_of(ground.service.assume_role(caller, input).await?);
    ground.call(&key, "s3").await
}

fn key_of(output: AssumeRoleOutput) -> Credentials {
    temporary(output.credentials.unwrap())
}

fn code(result: Result<Caller, Error>) -> String {
    result.map_or_else(|error| error.code, |caller| caller.arn())
}

#[tokio::test]
async fn a_session_ends_when_it_says() {
    let ground = ground().await;
    let input = AssumeRoleInput { duration_seconds: Some(900), ..assume("open") };
    let key = key_of(ground.service.assume_role(&root(), input).await.unwrap());
    ground.clock.advance(Duration::from_secs(899));
    assert!(ground.call_at(&key, "s3", 899).await.is_ok());
    ground.clock.advance(Duration::from_secs(1));
    for (service, expected) in [
        ("s3", "ExpiredToken"),
        ("sts", "ExpiredToken"),
        ("codebuild", "ExpiredTokenException"),
        ("logs", "ExpiredTokenException"),
    ] {
        assert_eq!(code(ground.call_at(&key, service, 900).await), expected, "{service}");
    }
}

#[tokio::test]
async fn a_chain_is_an_hour_long_at_most() {
    let ground = ground().await;
    let first = take(&ground, &root(), assume("open")).await.unwrap();
    let long = AssumeRoleInput { duration_seconds: Some(3_601), ..assume("open") };
    assert_eq!(code(take(&ground, &first, long).await), "ValidationError");
    let hour = AssumeRoleInput { duration_seconds: Some(3_600), ..assume("open") };
    assert!(take(&ground, &first, hour).await.is_ok());
}

#[tokio::test]
async fn transitive_tags_and_the_source_identity_stay_for_the_whole_chain() {
    let ground = ground().await;
    let input = AssumeRoleInput {
        tags: Some(vec![tag("team", "a"), tag("stage", "test")]),
        transitive_tag_keys: Some(vec!["team".into()]),
        source_identity: Some("jane".into()),
        ..assume("open")
    };
    let first = take(&ground, &root(), input).await.unwrap();
    let with_more = AssumeRoleInput { tags: Some(vec![tag("more", "x")]), ..assume("open") };
    let second = take(&ground, &first, with_more).await.unwrap().session.unwrap();
    let tags: Vec<_> = second.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!((tags.join(" "), second.source_identity.as_deref()), ("more=x team=a".to_owned(), Some("jane")));
    for (change, expected) in [
        (AssumeRoleInput { tags: Some(vec![tag("Team", "b")]), ..assume("open") }, "InvalidParameterValue"),
        (AssumeRoleInput { source_identity: Some("joe".into()), ..assume("open") }, "AccessDenied"),
    ] {
        assert_eq!(code(take(&ground, &first, change).await), expected);
    }
}

#[tokio::test]
async fn tags_that_do_not_fit_are_refused() {
    let ground = ground().await;
    let twice = AssumeRoleInput { tags: Some(vec![tag("a", "1"), tag("A", "2")]), ..assume("open") };
    let foreign = AssumeRoleInput { transitive_tag_keys: Some(vec!["a".into()]), ..assume("open") };
    let many = (0..50).map(|n| tag(&format!("{n:0>100}"), "v")).collect();
    let large = AssumeRoleInput { tags: Some(many), ..assume("open") };
    for (input, expected) in
        [(twice, "InvalidParameterValue"), (foreign, "InvalidParameterValue"), (large, "PackedPolicyTooLarge")]
    {
        assert_eq!(code(take(&ground, &root(), input).await), expected);
    }
}

#[tokio::test]
async fn tags_and_source_identity_need_the_trust_policys_word() {
    let ground = ground().await;
    ground.role("plain", &format!(r#"{{"AWS":"{ACCOUNT}"}}"#)).await;
    let tagged = || AssumeRoleInput { tags: Some(vec![tag("team", "a")]), ..assume("plain") };
    let named = || AssumeRoleInput { source_identity: Some("jane".into()), ..assume("plain") };
    let refused = take(&ground, &root(), tagged()).await.unwrap_err();
    assert!(refused.message.contains("is not authorized to perform: sts:TagSession on resource:"), "{refused}");
    assert!(take(&ground, &root(), named()).await.unwrap_err().message.contains("sts:SetSourceIdentity"));
    let statement = format!(
        r#"{{"Effect":"Allow","Principal":{{"AWS":"{ACCOUNT}"}},"Action":["sts:AssumeRole","sts:TagSession"],
            "Condition":{{"StringEquals":{{"aws:RequestTag/team":["a"]}},"ForAllValues:StringEquals":{{"aws:TagKeys":["team"]}}}}}}"#
    );
    trust(&ground, "plain", &statement).await;
    assert!(take(&ground, &root(), tagged()).await.is_ok());
    let other = AssumeRoleInput { tags: Some(vec![tag("team", "a"), tag("x", "y")]), ..assume("plain") };
    assert_eq!(code(take(&ground, &root(), other).await), "AccessDenied");
    assert_eq!(code(take(&ground, &root(), assume("plain")).await), "AccessDenied", "the tag is asked for");
}

#[tokio::test]
async fn conditions_of_trust_see_the_request() {
    let ground = ground().await;
    let with = |condition: &str| {
        format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":"{ACCOUNT}"}},"Action":"sts:AssumeRole","Condition":{condition}}}"#
        )
    };
    for (condition, external_id, allowed) in [
        (r#"{"StringEquals":{"sts:ExternalId":"secret"}}"#, Some("secret"), true),
        (r#"{"StringEquals":{"sts:ExternalId":"secret"}}"#, Some("other"), false),
        (r#"{"StringEquals":{"sts:ExternalId":"secret"}}"#, None, false),
        (r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#, None, false),
        (r#"{"StringLike":{"sts:RoleSessionName":"s*"}}"#, None, true),
        (r#"{"StringLike":{"sts:RoleSessionName":"${aws:username}"}}"#, None, false),
        (r#"{"StringEquals":{"aws:PrincipalArn":"arn:aws:iam::000000000000:root"}}"#, None, true),
    ] {
        trust(&ground, "open", &with(condition)).await;
        let input = AssumeRoleInput { external_id: external_id.map(str::to_owned), ..assume("open") };
        let taken = take(&ground, &root(), input).await;
        assert_eq!(taken.is_ok(), allowed, "{condition} {external_id:?}");
    }
}

#[tokio::test]
async fn a_user_takes_a_role_that_its_policy_allows_or_that_names_it() {
    let ground = ground().await;
    let key = ground.user_key("jane").await;
    let jane = ground.call(&key, "sts").await.unwrap();
    assert_eq!(code(take(&ground, &jane, assume("open")).await), "AccessDenied");
    let allow = r#"{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::*:role/op*","Condition":{"StringEquals":{"sts:ExternalId":"x"}}}"#;
    ground.put_user_policy("jane", allow).await;
    assert_eq!(code(take(&ground, &jane, assume("open")).await), "AccessDenied");
    let input = AssumeRoleInput { external_id: Some("x".into()), ..assume("open") };
    assert!(take(&ground, &jane, input).await.is_ok());
    ground.role("hers", &format!(r#"{{"AWS":"arn:aws:iam::{ACCOUNT}:user/jane"}}"#)).await;
    assert!(take(&ground, &jane, assume("hers")).await.is_ok());
    ground.put_user_policy("jane", r#"{"Effect":"Deny","Action":"sts:*","Resource":"*"}"#).await;
    let denied = take(&ground, &jane, assume("hers")).await.unwrap_err();
    assert!(denied.message.ends_with("with an explicit deny in an identity-based policy"), "{denied}");
}

#[tokio::test]
async fn managed_session_policies_and_mfa_are_refused_by_name() {
    let ground = ground().await;
    let arn = PolicyDescriptorType { arn: Some("arn:aws:iam::aws:policy/ReadOnlyAccess".into()) };
    let managed = AssumeRoleInput { policy_arns: Some(vec![arn]), ..assume("open") };
    let refused = take(&ground, &root(), managed).await.unwrap_err();
    assert!(refused.message.starts_with("PolicyArns:"), "{refused}");
    let mfa = AssumeRoleInput { serial_number: Some("GAHT12345678".into()), ..assume("open") };
    assert!(take(&ground, &root(), mfa).await.unwrap_err().message.contains("no MFA devices"));
}

async fn session_token(ground: &Ground, caller: &Caller, seconds: Option<i32>) -> Result<Credentials, Error> {
    let input = GetSessionTokenInput { duration_seconds: seconds, ..Default::default() };
    Ok(temporary(ground.service.get_session_token(caller, input).await?.credentials.unwrap()))
}

#[tokio::test]
async fn get_session_token_is_for_long_term_keys() {
    let ground = ground().await;
    let jane = ground.call(&ground.user_key("jane").await, "sts").await.unwrap();
    let lifetime = |key: &Credentials| key.expiration.unwrap().since(ground.clock_now()).as_secs();
    for (caller, asked, given) in [
        (&jane, None, 43_200),
        (&jane, Some(129_600), 129_600),
        (&jane, Some(900), 900),
        (&root(), None, 3_600),
        (&root(), Some(129_600), 3_600),
    ] {
        let key = session_token(&ground, caller, asked).await.unwrap();
        assert_eq!(lifetime(&key), given);
        let temporary = ground.call(&key, "sts").await.unwrap();
        assert_eq!(temporary.arn(), caller.arn());
        assert_eq!(session_token(&ground, &temporary, None).await.unwrap_err().code, "AccessDenied");
    }
    let role = take(&ground, &root(), assume("open")).await.unwrap();
    assert_eq!(session_token(&ground, &role, None).await.unwrap_err().code, "AccessDenied");
    let mfa = GetSessionTokenInput { token_code: Some("123456".into()), ..Default::default() };
    assert_eq!(ground.service.get_session_token(&jane, mfa).await.unwrap_err().code, "AccessDenied");
}

#[tokio::test]
async fn a_users_temporary_credentials_end_with_the_user() {
    let ground = ground().await;
    let long_term = ground.user_key("jane").await;
    let jane = ground.call(&long_term, "sts").await.unwrap();
    let key = session_token(&ground, &jane, None).await.unwrap();
    let delete =
        DeleteAccessKeyInput { user_name: Some("jane".into()), access_key_id: Some(long_term.access_key_id.clone()) };
    ground.service.delete_access_key(&root(), delete).await.unwrap();
    assert!(ground.call(&key, "sts").await.is_ok());
    ground.service.delete_user(&root(), DeleteUserInput { user_name: Some("jane".into()) }).await.unwrap();
    assert_eq!(code(ground.call(&key, "sts").await), "InvalidClientTokenId");
    ground.user_key("jane").await;
    assert_eq!(code(ground.call(&key, "sts").await), "InvalidClientTokenId", "another user of that name");
}

#[tokio::test]
async fn an_access_key_tells_its_account() {
    let ground = ground().await;
    let info = async |id: &str| {
        let input = GetAccessKeyInfoInput { access_key_id: Some(id.into()) };
        ground.service.get_access_key_info(&root(), input).await.map(|output| output.account.unwrap())
    };
    assert_eq!(info(&ground.root_key().access_key_id).await.unwrap(), ACCOUNT);
    assert_eq!(info("ASIAQNZGKIQY56JQ7WML").await.unwrap(), "029608264753");
    assert_eq!(info("not-an-access-key-id").await.unwrap_err().code, "ValidationError");
}
