//! What services and hosts may do.

use crate::ground::{ACCOUNT, Ground, root};
use async_trait::async_trait;
use aws::Authorizer;
use aws::codedeploy_commands::HostGrants;
use iam::Mode;
use kernel::{Caller, PrincipalError, Principals, Scope, Via};
use std::sync::Arc;
use std::time::Duration;

const BUILD: &str = "codebuild.amazonaws.com";

fn here() -> Scope {
    Scope::new(ACCOUNT, "eu-west-1")
}

#[tokio::test]
async fn a_service_gets_only_roles_that_trust_it() {
    let ground = Ground::new(Mode::Enforce).await;
    ground.role("build", &format!(r#"{{"Service":"{BUILD}"}}"#)).await;
    let role = "arn:aws:iam::000000000000:role/build";
    let caller = ground.service.assume(&here(), role, BUILD, "b").await.unwrap();
    assert_eq!(caller.arn(), "arn:aws:sts::000000000000:assumed-role/build/b");
    assert_eq!(caller.scope(), here());
    let refused = ground.service.assume(&here(), role, "codepipeline.amazonaws.com", "b").await;
    assert!(matches!(refused, Err(PrincipalError::NotTrusted { .. })));
    for missing in ["arn:aws:iam::000000000000:role/other", "arn:aws:iam::000000000000:role/path/build"] {
        let refused = ground.service.assume(&here(), missing, BUILD, "b").await;
        assert!(matches!(refused, Err(PrincipalError::NoSuchRole { .. })), "{missing}");
    }
    let foreign = ground.service.assume(&Scope::new("111111111111", "eu-west-1"), role, BUILD, "b").await;
    assert!(matches!(foreign, Err(PrincipalError::NoSuchRole { .. })));
    let malformed = ground.service.assume(&here(), "build", BUILD, "b").await;
    assert!(matches!(malformed, Err(PrincipalError::Invalid(_))));
    let root = ground.service.session_credentials(&root(), Duration::from_secs(900)).await;
    assert!(matches!(root, Err(PrincipalError::Invalid(_))));
}

#[tokio::test]
async fn open_mode_accepts_roles_that_were_never_created() {
    let ground = Ground::new(Mode::Open).await;
    ground.role("deploy", r#"{"Service":"codedeploy.amazonaws.com"}"#).await;
    let unknown = ground.service.assume(&here(), "arn:aws:iam::999999999999:role/x/build", BUILD, "b").await.unwrap();
    assert_eq!(unknown.arn(), "arn:aws:sts::000000000000:assumed-role/build/b");
    let known = ground.service.assume(&here(), "arn:aws:iam::000000000000:role/deploy", BUILD, "b").await;
    assert!(matches!(known, Err(PrincipalError::NotTrusted { .. })));
}

#[tokio::test]
async fn a_pipelines_role_takes_an_actions_role_that_trusts_it() {
    let ground = Ground::new(Mode::Enforce).await;
    ground.role("pipeline", r#"{"Service":"codepipeline.amazonaws.com"}"#).await;
    ground.role("deploy", r#"{"AWS":"arn:aws:iam::000000000000:role/pipeline"}"#).await;
    ground.role("account", r#"{"AWS":"arn:aws:iam::000000000000:root"}"#).await;
    ground.role("strange", r#"{"AWS":"arn:aws:iam::000000000000:role/other"}"#).await;
    let arn = |role: &str| format!("arn:aws:iam::000000000000:role/{role}");
    let via =
        Via { service: "codepipeline.amazonaws.com".into(), source_arn: Some("arn:p".into()), source_account: None };
    let pipeline = ground.service.assume(&here(), &arn("pipeline"), "codepipeline.amazonaws.com", "e-1").await.unwrap();
    let pipeline = pipeline.through(via.clone());
    for role in ["deploy", "account"] {
        let caller = ground.service.chain(&pipeline, &arn(role), "e-1").await.unwrap();
        assert_eq!(caller.arn(), format!("arn:aws:sts::000000000000:assumed-role/{role}/e-1"));
        assert_eq!((caller.scope(), caller.via), (here(), Some(via.clone())));
    }
    for role in ["strange", "missing"] {
        let refused = ground.service.chain(&pipeline, &arn(role), "e-1").await.unwrap_err();
        assert!(matches!(refused, PrincipalError::NotTrusted { .. }), "{refused}");
        assert!(refused.to_string().contains("assumed-role/pipeline/e-1 is not authorized to perform: sts:AssumeRole"));
    }
    assert!(matches!(ground.service.chain(&pipeline, "deploy", "e-1").await, Err(PrincipalError::Invalid(_))));
    // Once the pipeline's role has a policy, that must allow it.
    ground.put_role_policy("pipeline", r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#).await;
    assert!(ground.service.chain(&pipeline, &arn("account"), "e-1").await.is_err());
    assert!(
        ground.service.chain(&pipeline, &arn("deploy"), "e-1").await.is_ok(),
        "its trust policy names the role itself"
    );
    let allow = format!(r#"{{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"{}"}}"#, arn("account"));
    ground.put_role_policy("pipeline", &allow).await;
    assert!(ground.service.chain(&pipeline, &arn("account"), "e-1").await.is_ok());
}

#[tokio::test]
async fn in_open_mode_a_role_that_was_never_created_may_be_chained() {
    let ground = Ground::new(Mode::Open).await;
    let pipeline =
        ground.service.assume(&here(), "arn:aws:iam::999999999999:role/p", "codepipeline.amazonaws.com", "e").await;
    let caller = ground.service.chain(&pipeline.unwrap(), "arn:aws:iam::888888888888:role/x", "e").await.unwrap();
    assert_eq!(caller.arn(), "arn:aws:sts::000000000000:assumed-role/x/e");
}

/// CodeDeploy's answers for the host `known`, which installs `s3://b/app.zip`.
struct Hosts;

#[async_trait]
impl HostGrants for Hosts {
    async fn is_host(&self, caller: &Caller) -> Result<bool, aws::Error> {
        Ok(caller.arn().ends_with("user/known"))
    }

    async fn may_read_object(&self, caller: &Caller, bucket: &str, key: &str) -> Result<bool, aws::Error> {
        Ok(self.is_host(caller).await? && (bucket, key) == ("b", "app.zip"))
    }
}

#[tokio::test]
async fn a_user_may_do_what_codedeploy_grants_its_host() {
    let ground = Ground::new(Mode::Enforce).await;
    let policy = ground.service.policy();
    let mut users = std::collections::BTreeMap::new();
    for name in ["known", "stranger"] {
        let key = ground.user_key(name).await;
        users.insert(name, ground.call(&key, "s3").await.unwrap());
    }
    let user = |name: &str| users[name].clone();
    let poll = async |name: &str| policy.authorize(&user(name), "codedeploy-commands:PollHostCommand", &[]).await;
    assert!(poll("known").await.is_err(), "nobody is a host before the grants are wired");
    policy.set_host_grants(Arc::new(Hosts));
    assert!(poll("known").await.is_ok());
    let denied = poll("stranger").await.unwrap_err();
    assert!(denied.message.starts_with(
        "User: arn:aws:iam::000000000000:user/stranger is not authorized to perform: codedeploy-commands:PollHostCommand on resource: *"
    ));
    for (key, allowed) in [("app.zip", true), ("other.zip", false)] {
        let object = [format!("arn:aws:s3:::b/{key}")];
        assert_eq!(policy.authorize(&user("known"), "s3:GetObject", &object).await.is_ok(), allowed);
    }
}
