//! On-premises instances: registered, tagged, listed.

use super::{PAGE, batch, invalid_token, query};
use crate::Service;
use crate::model::{Identity, OnPremisesInstance};
use crate::rules::tags::{Filter, MAX_KEY, MAX_TAGS, MAX_VALUE, Selection};
use aws::Error;
use aws::codedeploy::error;
use aws::codedeploy::*;
use kernel::names::Rule;
use kernel::tags::Tags;
use kernel::{Arn, Batch, CommitError, Page, Scope, Stored, paging};

/// Most names in BatchGetOnPremisesInstances (the limits page) and in a change of tags.
const MOST: usize = 100;
/// What an instance may be called.
const NAME: Rule = Rule { length: 1..=100, besides: "+=,.@_-" };
/// The letters of the suffix in an instance's ARN.
const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

pub(super) async fn register(
    service: &Service,
    scope: &Scope,
    input: RegisterOnPremisesInstanceInput,
) -> Result<RegisterOnPremisesInstanceOutput, Error> {
    let name = named(input.instance_name)?;
    let identity = identity(input.iam_user_arn, input.iam_session_arn, &scope.account)?;
    let taken: Vec<Stored<OnPremisesInstance>> =
        service.documents.find(scope, "identity", identity.arn(), Page::first(1)).await?;
    if let Some(other) = taken.first() {
        let message = format!("{} is already registered for the instance {}.", identity.arn(), other.name);
        return Err(match identity {
            Identity::User(_) => error::iam_user_arn_already_registered_exception(message),
            Identity::Session(_) => error::iam_session_arn_already_registered_exception(message),
        });
    }
    let suffix = service.ids.token(ALPHABET, 10);
    let instance = OnPremisesInstance {
        arn: Arn::new("codedeploy", scope, format!("instance/{name}_{suffix}")).to_string(),
        name,
        identity,
        registered: service.now(),
        deregistered: None,
        tags: Tags::new(),
        last_seen: None,
    };
    write(service, scope, instance).await?;
    Ok(RegisterOnPremisesInstanceOutput {})
}

/// Writes a new registration, in the place of an old record of that name.
async fn write(service: &Service, scope: &Scope, instance: OnPremisesInstance) -> Result<(), Error> {
    let already = format!("An instance named {} is already registered.", instance.name);
    let batch = match service.documents.get::<OnPremisesInstance>(scope, &instance.name).await? {
        Some(record) if record.deregistered.is_none() => {
            return Err(error::instance_name_already_registered_exception(already));
        }
        Some(mut record) => {
            record.value = instance;
            Batch::new(scope).replace(&record)
        }
        None => Batch::new(scope).insert(&instance),
    };
    service.documents.commit(batch).await.map_err(|cause| match cause {
        CommitError::Exists { .. } | CommitError::Conflict { .. } => {
            error::instance_name_already_registered_exception(already)
        }
        cause => Error::internal(cause),
    })
}

fn named(name: Option<String>) -> Result<String, Error> {
    let name = name.unwrap_or_default();
    if name.is_empty() {
        return Err(error::instance_name_required_exception("The instance's name is missing."));
    }
    if name.starts_with("i-") || name.starts_with("mi-") {
        return Err(error::invalid_instance_name_exception(format!(
            "'{name}': names of on-premises instances must not begin with i- or mi-."
        )));
    }
    match NAME.check(&name) {
        Ok(()) => Ok(name),
        Err(broken) => Err(error::invalid_instance_name_exception(format!("The instance's name {broken}."))),
    }
}

/// Who the instance signs as: of the account that it is registered in.
fn identity(user: Option<String>, session: Option<String>, account: &str) -> Result<Identity, Error> {
    let is = |arn: &str, service: &str, kind: &str| {
        arn.parse::<Arn>()
            .is_ok_and(|arn| arn.service == service && arn.resource.starts_with(kind) && arn.account == account)
    };
    match (user, session) {
        (Some(_), Some(_)) => {
            Err(error::multiple_iam_arns_provided_exception("Give either iamUserArn or iamSessionArn, not both."))
        }
        (None, None) => {
            Err(error::iam_arn_required_exception("Give the iamUserArn or the iamSessionArn of the instance."))
        }
        (Some(user), None) if is(&user, "iam", "user/") => Ok(Identity::User(user)),
        (Some(user), None) => {
            Err(error::invalid_iam_user_arn_exception(format!("'{user}' is not the ARN of an IAM user of {account}.")))
        }
        (None, Some(session)) if is(&session, "sts", "assumed-role/") => Ok(Identity::Session(session)),
        (None, Some(session)) => Err(error::invalid_iam_session_arn_exception(format!(
            "'{session}' is not the ARN of an assumed role's session of {account}."
        ))),
    }
}

/// The record stays; the name is free again. No error if there is no such instance.
pub(super) async fn deregister(
    service: &Service,
    scope: &Scope,
    input: DeregisterOnPremisesInstanceInput,
) -> Result<DeregisterOnPremisesInstanceOutput, Error> {
    let (name, now) = (named(input.instance_name)?, service.now());
    let end = |instance: &mut OnPremisesInstance| {
        instance.deregistered.get_or_insert(now);
    };
    service.documents.update(scope, &name, end).await.map_err(Error::internal)?;
    Ok(DeregisterOnPremisesInstanceOutput {})
}

pub(super) async fn get(
    service: &Service,
    scope: &Scope,
    input: GetOnPremisesInstanceInput,
) -> Result<GetOnPremisesInstanceOutput, Error> {
    let name = named(input.instance_name)?;
    let instance: Stored<OnPremisesInstance> =
        service.documents.get(scope, &name).await?.ok_or_else(|| not_registered(&name))?;
    Ok(GetOnPremisesInstanceOutput { instance_info: Some(info(&instance)) })
}

fn not_registered(name: &str) -> Error {
    error::instance_not_registered_exception(format!("The on-premises instance {name} is not registered."))
}

/// Names that do not exist are left out.
pub(super) async fn batch_get(
    service: &Service,
    scope: &Scope,
    input: BatchGetOnPremisesInstancesInput,
) -> Result<BatchGetOnPremisesInstancesOutput, Error> {
    let names = batch(input.instance_names, MOST)?;
    let found: Vec<Option<Stored<OnPremisesInstance>>> = service.documents.get_many(scope, &names).await?;
    Ok(BatchGetOnPremisesInstancesOutput { instance_infos: Some(found.iter().flatten().map(|it| info(it)).collect()) })
}

/// Registered and deregistered ones, unless one of them is asked for. Tags are asked for of registered ones.
pub(super) async fn list(
    service: &Service,
    scope: &Scope,
    input: ListOnPremisesInstancesInput,
) -> Result<ListOnPremisesInstancesOutput, Error> {
    let filters = input.tag_filters.unwrap_or_default();
    if !filters.is_empty() {
        let deregistered = input.registration_status.as_deref() == Some(registration_status::DEREGISTERED);
        let names = if deregistered { Vec::new() } else { tagged(service, scope, &filters).await? };
        return Ok(ListOnPremisesInstancesOutput { instance_names: Some(names), next_token: None });
    }
    let query = query("ListOnPremisesInstances", scope, &input.registration_status);
    let after = paging::start(&query, input.next_token.as_deref()).map_err(invalid_token)?;
    let page = Page::first(PAGE + 1).after(after);
    let found: Vec<Stored<OnPremisesInstance>> = match &input.registration_status {
        Some(status) => service.documents.find(scope, "registration", status, page).await?,
        None => service.documents.list(scope, page).await?,
    };
    let (found, next_token) = paging::cut(found, PAGE, &query);
    let names = found.into_iter().map(|instance| instance.value.name).collect();
    Ok(ListOnPremisesInstancesOutput { instance_names: Some(names), next_token })
}

async fn tagged(service: &Service, scope: &Scope, filters: &[TagFilter]) -> Result<Vec<String>, Error> {
    let parse =
        |filter: &TagFilter| Filter::parse(filter.type_.as_deref(), filter.key.as_deref(), filter.value.as_deref());
    let filters: Result<Vec<Filter>, _> = filters.iter().map(parse).collect();
    let selection = filters.and_then(|filters| Selection::new(vec![filters]));
    let selection = selection.map_err(|broken| error::invalid_tag_filter_exception(broken.to_string()))?;
    Ok(service.chosen(scope, &selection).await?.into_keys().collect())
}

pub(super) async fn add_tags(
    service: &Service,
    scope: &Scope,
    input: AddTagsToOnPremisesInstancesInput,
) -> Result<AddTagsToOnPremisesInstancesOutput, Error> {
    let added = tags(input.tags)?;
    change_tags(service, scope, input.instance_names, |tags| {
        tags.extend(added.clone());
    })
    .await?;
    Ok(AddTagsToOnPremisesInstancesOutput {})
}

pub(super) async fn remove_tags(
    service: &Service,
    scope: &Scope,
    input: RemoveTagsFromOnPremisesInstancesInput,
) -> Result<RemoveTagsFromOnPremisesInstancesOutput, Error> {
    let removed = tags(input.tags)?;
    change_tags(service, scope, input.instance_names, |tags| {
        tags.retain(|key, value| removed.get(key) != Some(value));
    })
    .await?;
    Ok(RemoveTagsFromOnPremisesInstancesOutput {})
}

/// Changes the tags of all instances in one commit, or of none.
async fn change_tags(
    service: &Service,
    scope: &Scope,
    names: Option<Vec<String>>,
    change: impl Fn(&mut Tags),
) -> Result<(), Error> {
    let names = names.unwrap_or_default();
    if names.len() > MOST {
        let message = format!("At most {MOST} instances can be changed at once, not {}.", names.len());
        return Err(error::instance_limit_exceeded_exception(message));
    }
    loop {
        let found: Vec<Option<Stored<OnPremisesInstance>>> = service.documents.get_many(scope, &names).await?;
        let mut batch = Batch::new(scope);
        for (name, instance) in names.iter().zip(found) {
            let registered = instance.filter(|instance| instance.deregistered.is_none());
            let mut instance = registered.ok_or_else(|| not_registered(name))?;
            change(&mut instance.value.tags);
            if instance.tags.len() > MAX_TAGS {
                let message = format!("The instance {name} would have more than {MAX_TAGS} tags.");
                return Err(error::tag_limit_exceeded_exception(message));
            }
            batch = batch.replace(&instance);
        }
        match service.documents.commit(batch).await {
            Ok(()) => return Ok(()),
            Err(CommitError::Conflict { .. }) => {} // A host was seen meanwhile: try again.
            Err(cause) => return Err(Error::internal(cause)),
        }
    }
}

/// Tags of instances need a key and a value.
fn tags(tags: Option<Vec<Tag>>) -> Result<Tags, Error> {
    let tags = tags.unwrap_or_default();
    if tags.is_empty() {
        return Err(error::tag_required_exception("At least one tag is needed."));
    }
    let pair = |tag: Tag| match (tag.key, tag.value) {
        (Some(key), Some(value))
            if (1..=MAX_KEY).contains(&key.chars().count()) && value.chars().count() <= MAX_VALUE =>
        {
            Ok((key, value))
        }
        _ => Err(error::invalid_tag_exception(format!(
            "A tag needs a Key of 1 to {MAX_KEY} characters and a Value of at most {MAX_VALUE}."
        ))),
    };
    tags.into_iter().map(pair).collect()
}

fn info(instance: &OnPremisesInstance) -> InstanceInfo {
    let (user, session) = match &instance.identity {
        Identity::User(arn) => (Some(arn.clone()), None),
        Identity::Session(arn) => (None, Some(arn.clone())),
    };
    let tag = |(key, value): (&String, &String)| Tag { key: Some(key.clone()), value: Some(value.clone()) };
    InstanceInfo {
        instance_name: Some(instance.name.clone()),
        iam_session_arn: session,
        iam_user_arn: user,
        instance_arn: Some(instance.arn.clone()),
        register_time: Some(instance.registered),
        deregister_time: instance.deregistered,
        tags: Some(instance.tags.iter().map(tag).collect()),
    }
}
