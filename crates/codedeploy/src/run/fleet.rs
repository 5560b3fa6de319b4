//! Which hosts a group has now, and what is known of each.

use crate::Service;
use crate::model::{Deployment, DeploymentGroup, DeploymentTarget, OnPremisesInstance, revision_id};
use crate::rules::tags::{Filter, Selection};
use crate::rules::wave::{Progress, Standing};
use aws::codedeploy::{DeploymentGroupInfo, TagFilter};
use kernel::{Page, Scope, StepError, Stored};
use std::collections::BTreeMap;

/// How many of a host's last targets are looked at for one that was not skipped.
const HISTORY: usize = 10;

/// The on-premises instances that a group's settings choose.
pub(crate) fn selection(info: &DeploymentGroupInfo) -> Result<Selection, crate::rules::tags::FilterError> {
    let lists: Vec<Vec<TagFilter>> = match (&info.on_premises_tag_set, &info.on_premises_instance_tag_filters) {
        (Some(set), _) if set.on_premises_tag_set_list.is_some() => {
            set.on_premises_tag_set_list.clone().unwrap_or_default()
        }
        (_, Some(filters)) => vec![filters.clone()],
        _ => Vec::new(),
    };
    let parse =
        |filter: &TagFilter| Filter::parse(filter.type_.as_deref(), filter.key.as_deref(), filter.value.as_deref());
    let lists: Result<Vec<Vec<Filter>>, _> = lists.iter().map(|list| list.iter().map(parse).collect()).collect();
    Selection::new(lists?)
}

impl Service {
    /// The hosts of a deployment, with what is known of each.
    pub(super) async fn fleet(
        &self,
        scope: &Scope,
        deployment: &Deployment,
        group: &DeploymentGroup,
    ) -> Result<Vec<(Stored<OnPremisesInstance>, Standing)>, StepError> {
        let mut fleet = Vec::new();
        for (_, instance) in self.chosen(scope, &selection(&group.info)?).await? {
            let standing = self.standing(scope, group, &instance.name).await?;
            if !(deployment.update_outdated_instances_only && standing == Standing::CurrentRevision) {
                fleet.push((instance, standing));
            }
        }
        Ok(fleet)
    }

    /// The registered instances that a selection chooses, by name. Found through the tags' index rows.
    pub(crate) async fn chosen(
        &self,
        scope: &Scope,
        selection: &Selection,
    ) -> Result<BTreeMap<String, Stored<OnPremisesInstance>>, kernel::StoreError> {
        let mut chosen = BTreeMap::new();
        for filter in selection.first() {
            let (index, value) = OnPremisesInstance::index_of(filter);
            let mut page = Page::default();
            loop {
                let found: Vec<Stored<OnPremisesInstance>> =
                    self.documents.find(scope, index, &value, page.clone()).await?;
                page.after = found.last().map(|last| last.position().to_owned());
                let whole = found.len() < page.limit;
                let matching = found.into_iter().filter(|instance| selection.matches(&instance.tags));
                chosen.extend(matching.map(|instance| (instance.name.clone(), instance)));
                if whole {
                    break;
                }
            }
        }
        Ok(chosen)
    }

    /// What the last deployments of the group left on a host.
    async fn standing(&self, scope: &Scope, group: &DeploymentGroup, instance: &str) -> Result<Standing, StepError> {
        let of_instance = format!("{}/{instance}", group.id);
        let history: Vec<Stored<DeploymentTarget>> =
            self.documents.find(scope, "instance", &of_instance, Page::first(HISTORY).descending()).await?;
        let last = history.iter().find(|target| matches!(target.progress, Progress::Succeeded | Progress::Failed));
        Ok(match last {
            Some(target) if target.progress == Progress::Succeeded => {
                let current =
                    group.target_revision().is_some_and(|revision| revision_id(revision) == target.revision_id);
                if current { Standing::CurrentRevision } else { Standing::OldRevision }
            }
            _ => Standing::Unhealthy,
        })
    }
}
