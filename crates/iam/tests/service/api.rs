//! IAM's and STS's operations, each seen through another.

use crate::ground::{ACCOUNT, Ground, root};
use aws::iam::*;
use aws::sts::{AssumeRoleInput, GetCallerIdentityInput, Sts};
use iam::Mode;
use kernel::{Caller, Credentials, Scope};

const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;

fn named(name: &str) -> Option<String> {
    Some(name.to_owned())
}

fn user(name: &str, path: Option<&str>) -> CreateUserInput {
    CreateUserInput { user_name: named(name), path: path.map(str::to_owned), ..Default::default() }
}

#[tokio::test]
async fn a_user_is_created_listed_by_path_and_deleted_when_empty() {
    let ground = Ground::new(Mode::Enforce).await;
    let (iam, root) = (&ground.service, root());
    let made = iam.create_user(&root, user("Host", Some("/AWS/CodeDeploy/"))).await.unwrap().user.unwrap();
    assert_eq!(made.arn.as_deref(), Some("arn:aws:iam::000000000000:user/AWS/CodeDeploy/Host"));
    assert!(made.user_id.unwrap().starts_with("AIDA"));
    iam.create_user(&root, user("jane", None)).await.unwrap();
    let twice = iam.create_user(&root, user("HOST", None)).await.unwrap_err();
    assert_eq!((twice.code.as_str(), twice.status), ("EntityAlreadyExists", 409));
    let list = async |prefix: &str| {
        let input = ListUsersInput { path_prefix: named(prefix), ..Default::default() };
        let users = iam.list_users(&root, input).await.unwrap().users.unwrap();
        users.into_iter().map(|user| user.user_name.unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(list("/AWS/").await, ["Host"]);
    assert_eq!(list("/").await, ["Host", "jane"]);
    let key = iam.create_access_key(&root, CreateAccessKeyInput { user_name: named("host") }).await.unwrap();
    let delete = || DeleteUserInput { user_name: named("Host") };
    assert_eq!(iam.delete_user(&root, delete()).await.unwrap_err().code, "DeleteConflict");
    let access_key_id = key.access_key.unwrap().access_key_id;
    iam.delete_access_key(&root, DeleteAccessKeyInput { user_name: named("Host"), access_key_id }).await.unwrap();
    iam.delete_user(&root, delete()).await.unwrap();
    let gone = iam.get_user(&root, GetUserInput { user_name: named("Host") }).await.unwrap_err();
    assert_eq!(gone.message, "The user with name Host cannot be found.");
}

#[tokio::test]
async fn lists_go_on_where_they_stopped() {
    let ground = Ground::new(Mode::Enforce).await;
    for name in ["a", "b", "c"] {
        ground.service.create_user(&root(), user(name, None)).await.unwrap();
    }
    let list = async |marker| {
        let input = ListUsersInput { max_items: Some(2), marker, ..Default::default() };
        ground.service.list_users(&root(), input).await.unwrap()
    };
    let first = list(None).await;
    assert_eq!((first.users.unwrap().len(), first.is_truncated), (2, Some(true)));
    let last = list(first.marker).await;
    assert_eq!((last.users.unwrap().len(), last.is_truncated, last.marker), (1, Some(false), None));
}

#[tokio::test]
async fn a_user_has_at_most_two_keys() {
    let ground = Ground::new(Mode::Enforce).await;
    ground.user_key("jane").await;
    let input = || CreateAccessKeyInput { user_name: named("jane") };
    ground.service.create_access_key(&root(), input()).await.unwrap();
    assert_eq!(ground.service.create_access_key(&root(), input()).await.unwrap_err().code, "LimitExceeded");
    let list = ListAccessKeysInput { user_name: named("jane"), ..Default::default() };
    let keys = ground.service.list_access_keys(&root(), list).await.unwrap().access_key_metadata.unwrap();
    assert_eq!(keys.iter().filter(|key| key.status.as_deref() == Some("Active")).count(), 2);
    let nameless = ground.service.create_access_key(&root(), CreateAccessKeyInput::default()).await.unwrap_err();
    assert_eq!(nameless.code, "ValidationError");
}

#[tokio::test]
async fn secrets_are_nowhere_in_the_data_folder() {
    let ground = Ground::new(Mode::Enforce).await;
    let key = ground.user_key("jane").await;
    for file in ["landfall.db", "landfall.db-wal"] {
        let bytes = std::fs::read(ground.folder.path().join(file)).unwrap();
        let secret = key.secret_access_key.as_bytes();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{file}");
    }
}

#[tokio::test]
async fn inline_policies_are_kept_as_given() {
    let ground = Ground::new(Mode::Enforce).await;
    let (iam, root) = (&ground.service, root());
    ground.user_key("jane").await;
    let put = |document: &str| PutUserPolicyInput {
        user_name: named("Jane"),
        policy_name: named("deploy"),
        policy_document: named(document),
    };
    iam.put_user_policy(&root, put(POLICY)).await.unwrap();
    iam.put_user_policy(&root, put(POLICY)).await.unwrap();
    assert_eq!(iam.put_user_policy(&root, put("{}")).await.unwrap_err().code, "MalformedPolicyDocument");
    let get = || GetUserPolicyInput { user_name: named("jane"), policy_name: named("deploy") };
    let document = iam.get_user_policy(&root, get()).await.unwrap().policy_document.unwrap();
    assert!(document.starts_with("%7B%22Version%22"), "{document}");
    let list = || ListUserPoliciesInput { user_name: named("jane"), ..Default::default() };
    assert_eq!(iam.list_user_policies(&root, list()).await.unwrap().policy_names.unwrap(), ["deploy"]);
    let delete = DeleteUserPolicyInput { user_name: named("jane"), policy_name: named("deploy") };
    iam.delete_user_policy(&root, delete).await.unwrap();
    assert!(iam.list_user_policies(&root, list()).await.unwrap().policy_names.unwrap().is_empty());
    assert_eq!(iam.get_user_policy(&root, get()).await.unwrap_err().code, "NoSuchEntity");
}

#[tokio::test]
async fn a_role_is_kept_with_its_trust_and_policies() {
    let ground = Ground::new(Mode::Enforce).await;
    let (iam, root) = (&ground.service, root());
    ground.role("build", r#"{"Service":"codebuild.amazonaws.com"}"#).await;
    let get = async || iam.get_role(&root, GetRoleInput { role_name: named("build") }).await.unwrap().role.unwrap();
    assert!(get().await.assume_role_policy_document.unwrap().contains("codebuild.amazonaws.com"));
    assert_eq!(get().await.max_session_duration, Some(3_600));
    let trust = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}}"#;
    let update =
        |document: &str| UpdateAssumeRolePolicyInput { role_name: named("build"), policy_document: named(document) };
    iam.update_assume_role_policy(&root, update(trust)).await.unwrap();
    assert!(!get().await.assume_role_policy_document.unwrap().contains("codebuild"));
    assert_eq!(iam.update_assume_role_policy(&root, update(POLICY)).await.unwrap_err().code, "MalformedPolicyDocument");
    let (role_name, policy_name) = (named("build"), named("p"));
    let put = PutRolePolicyInput {
        role_name: role_name.clone(),
        policy_name: policy_name.clone(),
        policy_document: named(POLICY),
    };
    iam.put_role_policy(&root, put).await.unwrap();
    let read = GetRolePolicyInput { role_name: role_name.clone(), policy_name: policy_name.clone() };
    assert_eq!(iam.get_role_policy(&root, read).await.unwrap().role_name, role_name);
    let delete_role = || DeleteRoleInput { role_name: named("build") };
    assert_eq!(iam.delete_role(&root, delete_role()).await.unwrap_err().code, "DeleteConflict");
    let list = ListRolePoliciesInput { role_name: role_name.clone(), ..Default::default() };
    assert_eq!(iam.list_role_policies(&root, list).await.unwrap().policy_names.unwrap(), ["p"]);
    iam.delete_role_policy(&root, DeleteRolePolicyInput { role_name, policy_name }).await.unwrap();
    iam.delete_role(&root, delete_role()).await.unwrap();
    assert!(iam.list_roles(&root, ListRolesInput::default()).await.unwrap().roles.unwrap().is_empty());
}

#[tokio::test]
async fn accounts_do_not_see_each_other() {
    let ground = Ground::new(Mode::Enforce).await;
    ground.user_key("jane").await;
    let foreign = Caller::root(&Scope::new("111111111111", "us-east-1"), "r");
    let error = ground.service.get_user(&foreign, GetUserInput { user_name: named("jane") }).await.unwrap_err();
    assert_eq!(error.code, "NoSuchEntity");
}

fn assume(role: &str) -> AssumeRoleInput {
    let role_arn = Some(format!("arn:aws:iam::{ACCOUNT}:role/{role}"));
    AssumeRoleInput { role_arn, role_session_name: named("me"), ..Default::default() }
}

#[tokio::test]
async fn an_assumed_role_is_who_it_says() {
    let ground = Ground::new(Mode::Enforce).await;
    ground.role("deploy", &format!(r#"{{"AWS":"arn:aws:iam::{ACCOUNT}:root"}}"#)).await;
    let trust = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":["sts:AssumeRole","sts:TagSession"]}}"#;
    let update = UpdateAssumeRolePolicyInput { role_name: named("deploy"), policy_document: named(trust) };
    ground.service.update_assume_role_policy(&root(), update).await.unwrap();
    let tags = vec![aws::sts::Tag { key: named("team"), value: named("a") }];
    let input = AssumeRoleInput { policy: named(POLICY), tags: Some(tags), ..assume("deploy") };
    let output = ground.service.assume_role(&root(), input).await.unwrap();
    let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/deploy/me");
    assert_eq!(output.assumed_role_user.unwrap().arn.as_deref(), Some(arn.as_str()));
    let given = output.credentials.unwrap();
    let key = Credentials {
        access_key_id: given.access_key_id.unwrap(),
        secret_access_key: given.secret_access_key.unwrap(),
        session_token: given.session_token,
        expiration: given.expiration,
    };
    let caller = ground.call(&key, "sts").await.unwrap();
    let session = caller.session.as_ref().unwrap();
    assert_eq!((session.policy.as_deref(), session.tags["team"].as_str()), (Some(POLICY), "a"));
    let identity = ground.service.get_caller_identity(&caller, GetCallerIdentityInput {}).await.unwrap();
    assert_eq!((identity.arn, identity.account.as_deref()), (Some(arn), Some(ACCOUNT)));
    assert!(identity.user_id.unwrap().ends_with(":me"));
}

#[tokio::test]
async fn a_role_that_is_missing_or_does_not_trust_the_caller_is_denied_alike() {
    let ground = Ground::new(Mode::Enforce).await;
    ground.role("build", r#"{"Service":"codebuild.amazonaws.com"}"#).await;
    ground.role("deploy", r#"{"AWS":"000000000000"}"#).await;
    for role in ["build", "missing"] {
        let error = ground.service.assume_role(&root(), assume(role)).await.unwrap_err();
        assert_eq!((error.code.as_str(), error.status), ("AccessDenied", 403));
        assert!(error.message.ends_with(&format!("sts:AssumeRole on resource: arn:aws:iam::{ACCOUNT}:role/{role}")));
    }
    let long = AssumeRoleInput { duration_seconds: Some(7_200), ..assume("deploy") };
    assert_eq!(ground.service.assume_role(&root(), long).await.unwrap_err().code, "ValidationError");
    let malformed = AssumeRoleInput { policy: named("{"), ..assume("deploy") };
    assert_eq!(ground.service.assume_role(&root(), malformed).await.unwrap_err().code, "MalformedPolicyDocument");
}
