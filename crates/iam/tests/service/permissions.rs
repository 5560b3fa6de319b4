//! What policies allow, as the gates ask it.

use crate::ground::{ACCOUNT, Ground, policy, root, temporary};
use aws::Authorizer;
use aws::iam::{CreateUserInput, DeleteUserPolicyInput, Iam};
use aws::sts::{AssumeRoleInput, Sts};
use iam::Mode;
use kernel::Caller;

const READ_APP: &str = r#"{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::app/*"}"#;

/// `Ok`, or the end of the message.
async fn ask(ground: &Ground, caller: &Caller, action: &str, resource: &str) -> Result<(), String> {
    let policy = ground.service.policy();
    policy.authorize(caller, action, &[resource.to_owned()]).await.map_err(|error| error.message)
}

async fn user(ground: &Ground, name: &str) -> Caller {
    let key = ground.user_key(name).await;
    ground.call(&key, "s3").await.unwrap()
}

/// A session of role `name`, with this session policy.
async fn session(ground: &Ground, name: &str, statements: Option<&str>) -> Caller {
    let input = AssumeRoleInput {
        role_arn: Some(format!("arn:aws:iam::{ACCOUNT}:role/{name}")),
        role_session_name: Some("s".into()),
        policy: statements.map(policy),
        ..Default::default()
    };
    let output = ground.service.assume_role(&root(), input).await.unwrap();
    ground.call(&temporary(output.credentials.unwrap()), "s3").await.unwrap()
}

#[tokio::test]
async fn a_user_may_what_its_policies_allow_from_the_next_call_on() {
    let ground = Ground::new(Mode::Enforce).await;
    let jane = user(&ground, "jane").await;
    let read = async || ask(&ground, &jane, "s3:GetObject", "arn:aws:s3:::app/a").await;
    assert!(read().await.unwrap_err().ends_with("because no identity-based policy allows the s3:GetObject action"));
    ground.put_user_policy("jane", READ_APP).await;
    assert_eq!(read().await, Ok(()));
    assert!(ask(&ground, &jane, "s3:PutObject", "arn:aws:s3:::app/a").await.is_err());
    ground.put_user_policy("jane", &format!(r#"{READ_APP},{{"Effect":"Deny","Action":"*","Resource":"*"}}"#)).await;
    assert!(read().await.unwrap_err().ends_with("with an explicit deny in an identity-based policy"));
    let gone = DeleteUserPolicyInput { user_name: Some("jane".into()), policy_name: Some("p".into()) };
    ground.service.delete_user_policy(&root(), gone).await.unwrap();
    assert!(read().await.is_err());
}

#[tokio::test]
async fn a_role_without_policies_may_everything_and_one_with_them_what_they_allow() {
    let ground = Ground::new(Mode::Enforce).await;
    ground.role("build", &format!(r#"{{"AWS":"{ACCOUNT}"}}"#)).await;
    let build = session(&ground, "build", None).await;
    let write = async || ask(&ground, &build, "s3:PutObject", "arn:aws:s3:::app/a").await;
    assert_eq!(write().await, Ok(()));
    ground.put_role_policy("build", READ_APP).await;
    assert!(write().await.is_err());
    assert_eq!(ask(&ground, &build, "s3:GetObject", "arn:aws:s3:::app/a").await, Ok(()));
}

#[tokio::test]
async fn a_session_has_no_more_than_its_policy_leaves() {
    let ground = Ground::new(Mode::Enforce).await;
    ground.role("build", &format!(r#"{{"AWS":"{ACCOUNT}"}}"#)).await;
    let narrowed = session(&ground, "build", Some(READ_APP)).await;
    assert_eq!(ask(&ground, &narrowed, "s3:GetObject", "arn:aws:s3:::app/a").await, Ok(()));
    let refused = ask(&ground, &narrowed, "s3:PutObject", "arn:aws:s3:::app/a").await.unwrap_err();
    assert!(refused.ends_with("because no session policy allows the s3:PutObject action"), "{refused}");
    let shaken = AssumeRoleInput {
        role_arn: Some(format!("arn:aws:iam::{ACCOUNT}:role/build")),
        role_session_name: Some("free".into()),
        ..Default::default()
    };
    let refused = ground.service.assume_role(&narrowed, shaken).await.unwrap_err();
    assert_eq!(refused.code, "AccessDenied", "that would shake the policy off");
    ground.put_role_policy("build", r#"{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}"#).await;
    assert!(ask(&ground, &narrowed, "s3:GetObject", "arn:aws:s3:::app/a").await.is_err(), "both must allow it");
}

#[tokio::test]
async fn conditions_see_the_request() {
    let ground = Ground::new(Mode::Enforce).await;
    let jane = user(&ground, "jane").await;
    let allow =
        |condition: &str| format!(r#"{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{condition}}}"#);
    for (condition, allowed) in [
        (r#"{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}"#, true),
        (r#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#, false),
        (r#"{"Bool":{"aws:SecureTransport":"true"}}"#, false),
        (r#"{"StringEquals":{"aws:username":"jane"}}"#, true),
        (r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/j*"}}"#, true),
        (r#"{"DateLessThan":{"aws:CurrentTime":"2015-08-30T12:00:00Z"}}"#, false),
        (r#"{"DateGreaterThan":{"aws:CurrentTime":"2015-08-30T12:00:00Z"}}"#, true),
        (r#"{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}"#, true),
        (r#"{"StringLike":{"s3:prefix":"*"}}"#, false),
    ] {
        ground.put_user_policy("jane", &allow(condition)).await;
        let asked = ask(&ground, &jane, "s3:ListBucket", "arn:aws:s3:::app").await;
        assert_eq!(asked.is_ok(), allowed, "{condition}: {asked:?}");
    }
    ground
        .put_user_policy(
            "jane",
            &allow("{}").replace("Allow", "Deny").replace("{}", r#"{"StringLike":{"s3:prefix":"*"}}"#),
        )
        .await;
    let denied = ask(&ground, &jane, "s3:ListBucket", "arn:aws:s3:::app").await.unwrap_err();
    assert!(denied.ends_with("cannot evaluate: the condition key s3:prefix"), "{denied}");
}

#[tokio::test]
async fn a_permissions_boundary_that_is_not_served_allows_nothing() {
    let ground = Ground::new(Mode::Enforce).await;
    let input = CreateUserInput {
        user_name: Some("bound".into()),
        permissions_boundary: Some(format!("arn:aws:iam::{ACCOUNT}:policy/limit")),
        ..Default::default()
    };
    ground.service.create_user(&root(), input).await.unwrap();
    let made = aws::iam::CreateAccessKeyInput { user_name: Some("bound".into()) };
    let key = ground.service.create_access_key(&root(), made).await.unwrap().access_key.unwrap();
    let key = crate::ground::key(&key.access_key_id.unwrap(), &key.secret_access_key.unwrap());
    let bound = ground.call(&key, "s3").await.unwrap();
    ground.put_user_policy("bound", READ_APP).await;
    let refused = ask(&ground, &bound, "s3:GetObject", "arn:aws:s3:::app/a").await.unwrap_err();
    assert!(refused.contains("permissions boundary"), "{refused}");
}

#[tokio::test]
async fn whoever_is_gone_may_nothing() {
    let ground = Ground::new(Mode::Enforce).await;
    ground.role("build", &format!(r#"{{"AWS":"{ACCOUNT}"}}"#)).await;
    let build = session(&ground, "build", None).await;
    let gone = aws::iam::DeleteRoleInput { role_name: Some("build".into()) };
    ground.service.delete_role(&root(), gone).await.unwrap();
    assert!(ask(&ground, &build, "s3:PutObject", "arn:aws:s3:::app/a").await.is_err());
    ground.role("build", &format!(r#"{{"AWS":"{ACCOUNT}"}}"#)).await;
    assert!(ask(&ground, &build, "s3:PutObject", "arn:aws:s3:::app/a").await.is_err(), "another role of that name");
}
