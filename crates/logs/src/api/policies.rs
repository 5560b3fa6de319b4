//! Resource policies: kept for who puts them. No service here needs one, because services write as their roles.

use crate::api::errors::{commit_failed, invalid, invalid_token};
use crate::model::ResourcePolicy;
use crate::service::Service;
use aws::Error;
use aws::logs::error::{limit_exceeded_exception, resource_not_found_exception};
use aws::logs::{
    DeleteResourcePolicyInput, DeleteResourcePolicyOutput, DescribeResourcePoliciesInput,
    DescribeResourcePoliciesOutput, PutResourcePolicyInput, PutResourcePolicyOutput, ResourcePolicy as Shape,
    policy_scope,
};
use kernel::{Caller, CommitError, Page, Stored, paging};

/// Most policies of an account in one region.
const MOST: usize = 10;
/// Longest policy of an account, in bytes. The model's 51,200 are for those of resources.
const LONGEST: usize = 5_120;

/// `PutResourcePolicy`: makes or replaces one.
pub(super) async fn put(
    service: &Service,
    caller: &Caller,
    input: PutResourcePolicyInput,
) -> Result<PutResourcePolicyOutput, Error> {
    of_account(input.resource_arn.as_deref(), input.expected_revision_id.as_deref())?;
    let name = input.policy_name.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| invalid("The policyName of the resource policy is missing."))?;
    let document = input.policy_document.unwrap_or_default();
    check(&document)?;
    let (scope, now) = (caller.scope(), service.clock.now());
    let policy = ResourcePolicy { name: name.clone(), document, updated: now };
    for _ in 0..2 {
        let new = policy.clone();
        let replaced = service.documents.update(&scope, &name, |known: &mut ResourcePolicy| *known = new.clone()).await;
        if replaced.map_err(commit_failed)?.is_some() {
            break;
        }
        if service.documents.list::<ResourcePolicy>(&scope, Page::first(MOST)).await?.len() >= MOST {
            return Err(limit_exceeded_exception(format!(
                "Resource limit exceeded: at most {MOST} resource policies."
            )));
        }
        match service.documents.insert(&scope, policy.clone()).await {
            // Somebody else was first: replace theirs.
            Err(CommitError::Exists { .. }) => {}
            inserted => {
                inserted.map_err(commit_failed)?;
                break;
            }
        }
    }
    Ok(PutResourcePolicyOutput { resource_policy: Some(shape(&policy)), revision_id: None })
}

/// `DescribeResourcePolicies`.
pub(super) async fn describe(
    service: &Service,
    caller: &Caller,
    input: DescribeResourcePoliciesInput,
) -> Result<DescribeResourcePoliciesOutput, Error> {
    let scope = caller.scope();
    let query = format!("DescribeResourcePolicies/{scope}/{:?}/{:?}", input.policy_scope, input.resource_arn);
    let after = paging::start(&query, input.next_token.as_deref()).map_err(|_| invalid_token())?;
    if input.policy_scope.as_deref() == Some(policy_scope::RESOURCE) || input.resource_arn.is_some() {
        return Ok(DescribeResourcePoliciesOutput { resource_policies: Some(Vec::new()), next_token: None });
    }
    let limit = usize::try_from(input.limit.unwrap_or(super::groups::DEFAULT_LIMIT)).unwrap_or(1);
    let read = service.documents.list::<ResourcePolicy>(&scope, Page::first(limit + 1).after(after)).await?;
    let (page, next_token): (Vec<Stored<ResourcePolicy>>, _) = paging::cut(read, limit, &query);
    let policies = page.iter().map(|policy| shape(policy)).collect();
    Ok(DescribeResourcePoliciesOutput { resource_policies: Some(policies), next_token })
}

/// `DeleteResourcePolicy`.
pub(super) async fn delete(
    service: &Service,
    caller: &Caller,
    input: DeleteResourcePolicyInput,
) -> Result<DeleteResourcePolicyOutput, Error> {
    of_account(input.resource_arn.as_deref(), input.expected_revision_id.as_deref())?;
    let name = input.policy_name.unwrap_or_default();
    let policy = service.documents.get::<ResourcePolicy>(&caller.scope(), &name).await?;
    let absent = || resource_not_found_exception(format!("Policy with name [{name}] does not exist."));
    service.documents.remove(&caller.scope(), &policy.ok_or_else(absent)?).await.map_err(commit_failed)?;
    Ok(DeleteResourcePolicyOutput {})
}

/// Policies of single log groups are not built.
fn of_account(arn: Option<&str>, revision: Option<&str>) -> Result<(), Error> {
    match (arn, revision) {
        (None, None) => Ok(()),
        _ => Err(invalid("Resource policies with a resourceArn or an expectedRevisionId are not served yet.")),
    }
}

fn check(document: &str) -> Result<(), Error> {
    if document.len() > LONGEST {
        return Err(invalid(format!("The policyDocument has {} bytes; the limit is {LONGEST}.", document.len())));
    }
    let value: serde_json::Value =
        serde_json::from_str(document).map_err(|cause| invalid(format!("The policyDocument is not JSON: {cause}")))?;
    match value.get("Statement") {
        Some(serde_json::Value::Array(_) | serde_json::Value::Object(_)) => Ok(()),
        _ => Err(invalid("The policyDocument has no Statement.")),
    }
}

fn shape(policy: &ResourcePolicy) -> Shape {
    Shape {
        policy_name: Some(policy.name.clone()),
        policy_document: Some(policy.document.clone()),
        last_updated_time: Some(policy.updated.millis()),
        policy_scope: Some(policy_scope::ACCOUNT.to_owned()),
        ..Default::default()
    }
}
