//! Settings of buckets.

use super::bucket::{aborted, conflict};
use super::change::Attempt;
use crate::Service;
use crate::model::{BucketRecord, LifecycleWalk, SettingRecord, scope};
use crate::rules::{policy, settings};
use aws::Error;
use aws::s3::{CorsRule, PublicAccessBlock, Setting, SettingKind, error};
use kernel::{Batch, Caller, Page, Stored};

/// How often a change is tried where the bucket was changed meanwhile.
const ATTEMPTS: usize = 4;

impl Service {
    pub(crate) async fn put_setting(&self, caller: &Caller, name: &str, setting: Setting) -> Result<(), Error> {
        let setting = self.with_ids(setting);
        settings::check(&setting, name)?;
        let size = serde_json::to_vec(&setting).map_err(Error::internal)?.len();
        if size > settings::LARGEST {
            let most = settings::LARGEST;
            return Err(error::invalid_request(format!("This setting takes {size} bytes; at most {most} are kept.")));
        }
        let kept = settings::is_kept(&setting);
        self.change_setting(caller, name, setting.kind(), kept.then_some(&setting)).await
    }

    pub(crate) async fn delete_setting(&self, caller: &Caller, name: &str, kind: SettingKind) -> Result<(), Error> {
        self.change_setting(caller, name, kind, None).await
    }

    async fn change_setting(
        &self,
        caller: &Caller,
        name: &str,
        kind: SettingKind,
        setting: Option<&Setting>,
    ) -> Result<(), Error> {
        let _turn = self.locks.lock(&format!("{name}?settings")).await;
        for _ in 0..ATTEMPTS {
            let bucket = self.bucket_to_write(caller, name).await?;
            if let Some(setting) = setting {
                settings::check_public(setting, self.public_access(name).await?, name)?;
            }
            let batch = self.with_setting(bucket, kind, setting).await?;
            if let Attempt::Done(()) = self.commit_once(batch).await? {
                return Ok(());
            }
        }
        Err(aborted(name))
    }

    /// The commit that puts or removes a setting, with what depends on it.
    async fn with_setting(
        &self,
        mut bucket: Stored<BucketRecord>,
        kind: SettingKind,
        setting: Option<&Setting>,
    ) -> Result<Batch, Error> {
        let name = bucket.name.clone();
        let mut batch = Batch::new(&scope());
        if kind == SettingKind::Lifecycle {
            batch = self.with_walk(&name, setting.is_some(), batch).await?;
        }
        if kind == SettingKind::Notification {
            bucket.eventbridge = matches!(setting, Some(Setting::Notification(told)) if told.eventbridge);
            batch = batch.replace(&bucket);
        } else {
            batch = batch.require(&bucket);
        }
        Ok(match (self.setting(&name, kind).await?, setting) {
            (Some(mut stored), Some(setting)) => {
                stored.setting = setting.clone();
                batch.replace(&stored)
            }
            (Some(stored), None) => batch.remove(&stored),
            (None, Some(setting)) => batch.insert(&SettingRecord { bucket: name, setting: setting.clone() }),
            (None, None) => batch,
        })
    }

    /// Rules that are put are carried out at once; without rules there is no walk.
    async fn with_walk(&self, bucket: &str, wanted: bool, batch: Batch) -> Result<Batch, Error> {
        let walk = LifecycleWalk::at(bucket, self.clock.now());
        Ok(match (self.documents.get::<LifecycleWalk>(&scope(), bucket).await?, wanted) {
            (Some(mut stored), true) => {
                stored.value = walk;
                batch.replace(&stored)
            }
            (Some(stored), false) => batch.remove(&stored),
            (None, true) => batch.insert(&walk),
            (None, false) => batch,
        })
    }

    /// Rules and notifications without a name get one, as on AWS.
    fn with_ids(&self, mut setting: Setting) -> Setting {
        let ids: Vec<&mut String> = match &mut setting {
            Setting::Lifecycle(lifecycle) => lifecycle.rules.iter_mut().map(|rule| &mut rule.id).collect(),
            Setting::Notification(told) => told.targets.iter_mut().map(|target| &mut target.id).collect(),
            _ => Vec::new(),
        };
        ids.into_iter().filter(|id| id.is_empty()).for_each(|id| *id = self.ids.uuid());
        setting
    }

    pub(crate) async fn stored_setting(
        &self,
        caller: &Caller,
        name: &str,
        kind: SettingKind,
    ) -> Result<Setting, Error> {
        self.bucket(caller, name).await?;
        match self.setting(name, kind).await? {
            Some(stored) => Ok(stored.value.setting),
            None => settings::unset(kind, name),
        }
    }

    pub(crate) async fn policy_is_public(&self, caller: &Caller, name: &str) -> Result<bool, Error> {
        match self.stored_setting(caller, name, SettingKind::Policy).await? {
            Setting::Policy(text) => Ok(policy::is_public(&text)),
            other => Err(Error::internal(format!("a policy is stored as {:?}", other.kind()))),
        }
    }

    /// The bucket's cross-origin rules, for whoever asks; none of a bucket that is not there.
    pub(crate) async fn rules_of_origin(&self, bucket: &str) -> Result<Vec<CorsRule>, Error> {
        Ok(match self.setting(bucket, SettingKind::Cors).await?.map(|stored| stored.value.setting) {
            Some(Setting::Cors(rules)) => rules,
            _ => Vec::new(),
        })
    }

    pub(crate) async fn setting(
        &self,
        bucket: &str,
        kind: SettingKind,
    ) -> Result<Option<Stored<SettingRecord>>, Error> {
        Ok(self.documents.get(&scope(), &SettingRecord::key_of(bucket, kind)).await?)
    }

    async fn public_access(&self, bucket: &str) -> Result<PublicAccessBlock, Error> {
        Ok(match self.setting(bucket, SettingKind::PublicAccessBlock).await?.map(|stored| stored.value.setting) {
            Some(Setting::PublicAccessBlock(block)) => block,
            _ => PublicAccessBlock::default(),
        })
    }

    /// Removes a closed, empty bucket with its settings in one commit.
    pub(super) async fn forget_bucket(&self, bucket: &Stored<BucketRecord>) -> Result<(), Error> {
        let mut batch = Batch::new(&scope()).remove(bucket);
        let all = Page::default().prefix(SettingRecord::prefix(&bucket.name));
        for setting in self.documents.list::<SettingRecord>(&scope(), all).await? {
            batch = batch.remove(&setting);
        }
        let batch = self.with_walk(&bucket.name, false, batch).await?;
        self.documents.commit(batch).await.map_err(|failure| conflict(failure, &bucket.name))
    }
}
