//! Access keys of users. The secret is shown once; what is kept is sealed.

use crate::api::errors::change;
use crate::api::listing::Listing;
use crate::api::users::named;
use crate::model::{AccessKey, Owner, User, scope};
use crate::service::Service;
use aws::Error;
use aws::iam::{
    self, AccessKeyMetadata, CreateAccessKeyInput, CreateAccessKeyOutput, DeleteAccessKeyInput, DeleteAccessKeyOutput,
    ListAccessKeysInput, ListAccessKeysOutput, UpdateAccessKeyInput, UpdateAccessKeyOutput, error, status_type,
};
use kernel::{Batch, Caller, Stored};

/// IAM's quota.
const KEYS_PER_USER: usize = 2;

/// `CreateAccessKey`.
pub(crate) async fn create(
    service: &Service,
    caller: &Caller,
    input: CreateAccessKeyInput,
) -> Result<CreateAccessKeyOutput, Error> {
    let mut user = named(service, caller, input.user_name).await?;
    if user.access_keys.len() >= KEYS_PER_USER {
        let text = format!("Cannot exceed quota for AccessKeysPerUser: {KEYS_PER_USER}");
        return Err(error::limit_exceeded_exception(text));
    }
    let name = user.identity.name.clone();
    let (key, secret) = service.keyring.new_key(&caller.account, Owner::User(name.clone()));
    user.access_keys.push(key.id.clone());
    let batch = Batch::new(&scope(&caller.account)).insert(&key).replace(&user);
    service.keyring.documents.commit(batch).await.map_err(change)?;
    let access_key = iam::AccessKey {
        user_name: Some(name),
        access_key_id: Some(key.id),
        status: Some(status_type::ACTIVE.into()),
        secret_access_key: Some(secret),
        create_date: Some(key.created),
    };
    Ok(CreateAccessKeyOutput { access_key: Some(access_key) })
}

/// `ListAccessKeys`.
pub(crate) async fn list(
    service: &Service,
    caller: &Caller,
    input: ListAccessKeysInput,
) -> Result<ListAccessKeysOutput, Error> {
    let user = named(service, caller, input.user_name).await?;
    let name = &user.identity.name;
    let listing = Listing::new(caller, &format!("ListAccessKeys/{name}"), input.marker.as_deref(), input.max_items)?;
    let mut ids = user.access_keys.clone();
    ids.sort_unstable();
    let (ids, marker) = listing.names(&ids);
    let keys = service.keyring.documents.get_many::<AccessKey>(&scope(&caller.account), &ids).await?;
    let keys = keys.into_iter().flatten().map(|key| metadata(&key, name)).collect();
    Ok(ListAccessKeysOutput { access_key_metadata: Some(keys), is_truncated: Some(marker.is_some()), marker })
}

/// `UpdateAccessKey`: switches a key on or off. An inactive key is refused from the next request on.
pub(crate) async fn update(
    service: &Service,
    caller: &Caller,
    input: UpdateAccessKeyInput,
) -> Result<UpdateAccessKeyOutput, Error> {
    let user = named(service, caller, input.user_name).await?;
    let mut key = key_of(service, caller, &user, input.access_key_id).await?;
    key.active = input.status.as_deref() == Some(status_type::ACTIVE);
    service.keyring.documents.replace(&scope(&caller.account), key).await.map_err(change)?;
    Ok(UpdateAccessKeyOutput {})
}

/// `DeleteAccessKey`.
pub(crate) async fn delete(
    service: &Service,
    caller: &Caller,
    input: DeleteAccessKeyInput,
) -> Result<DeleteAccessKeyOutput, Error> {
    let mut user = named(service, caller, input.user_name).await?;
    let key = key_of(service, caller, &user, input.access_key_id).await?;
    user.access_keys.retain(|id| *id != key.id);
    let batch = Batch::new(&scope(&caller.account)).remove(&key).replace(&user);
    service.keyring.documents.commit(batch).await.map_err(change)?;
    Ok(DeleteAccessKeyOutput {})
}

async fn key_of(
    service: &Service,
    caller: &Caller,
    user: &User,
    id: Option<String>,
) -> Result<Stored<AccessKey>, Error> {
    let id = id.unwrap_or_default();
    let key = service.keyring.documents.get::<AccessKey>(&scope(&caller.account), &id).await?;
    let key = key.filter(|key| user.access_keys.contains(&key.id));
    key.ok_or_else(|| error::no_such_entity_exception(format!("The Access Key with id {id} cannot be found.")))
}

fn metadata(key: &AccessKey, user: &str) -> AccessKeyMetadata {
    let status = if key.active { status_type::ACTIVE } else { status_type::INACTIVE };
    AccessKeyMetadata {
        user_name: Some(user.to_owned()),
        access_key_id: Some(key.id.clone()),
        status: Some(status.into()),
        create_date: Some(key.created),
    }
}
