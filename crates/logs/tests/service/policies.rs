use crate::ground::{Ground, NOW, caller};
use aws::Error;
use aws::logs::*;

const DOCUMENT: &str = r#"{"Version":"2012-10-17","Statement":[]}"#;

async fn put(ground: &Ground, name: &str, document: &str) -> Result<PutResourcePolicyOutput, Error> {
    let input = PutResourcePolicyInput {
        policy_name: Some(name.into()),
        policy_document: Some(document.into()),
        ..Default::default()
    };
    ground.service.put_resource_policy(&caller(), input).await
}

async fn names(ground: &Ground) -> Vec<String> {
    let (mut names, mut next_token) = (Vec::new(), None);
    loop {
        let input = DescribeResourcePoliciesInput { limit: Some(3), next_token, ..Default::default() };
        let output = ground.service.describe_resource_policies(&caller(), input).await.unwrap();
        names.extend(output.resource_policies.unwrap().into_iter().map(|policy| policy.policy_name.unwrap()));
        next_token = output.next_token;
        if next_token.is_none() {
            return names;
        }
    }
}

#[tokio::test]
async fn policies_are_put_replaced_listed_and_deleted() {
    let ground = Ground::new();
    for number in 0..10 {
        put(&ground, &format!("p{number}"), DOCUMENT).await.unwrap();
    }
    assert_eq!(names(&ground).await.len(), 10);
    assert_eq!(put(&ground, "more", DOCUMENT).await.unwrap_err().code, "LimitExceededException");
    let other = r#"{"Statement":{}}"#;
    let replaced = put(&ground, "p3", other).await.unwrap().resource_policy.unwrap();
    assert_eq!((replaced.policy_document.as_deref(), replaced.last_updated_time), (Some(other), Some(NOW)));
    let delete = || DeleteResourcePolicyInput { policy_name: Some("p3".into()), ..Default::default() };
    ground.service.delete_resource_policy(&caller(), delete()).await.unwrap();
    let error = ground.service.delete_resource_policy(&caller(), delete()).await.unwrap_err();
    assert_eq!(error.message, "Policy with name [p3] does not exist.");
    assert_eq!(names(&ground).await.len(), 9);
}

#[tokio::test]
async fn what_is_no_policy_is_refused() {
    let ground = Ground::new();
    let long = format!("{{\"Statement\":[],\"x\":\"{}\"}}", "x".repeat(5_120));
    for (name, document) in [("", DOCUMENT), ("p", "{"), ("p", "[]"), ("p", "{}"), ("p", &long)] {
        assert_eq!(put(&ground, name, document).await.unwrap_err().code, "InvalidParameterException", "{document}");
    }
    assert!(names(&ground).await.is_empty());
}
