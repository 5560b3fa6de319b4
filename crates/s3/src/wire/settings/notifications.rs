//! Event notifications on the wire.

use super::another;
use crate::wire::operations::Adapter;
use aws::Error;
use aws::s3::{NotificationTarget, Notifications, Setting, SettingKind, TargetKind, error};
use s3s::dto::*;
use s3s::{S3Request, S3Result};

impl Adapter {
    pub(in crate::wire) async fn put_notifications(
        &self,
        request: S3Request<PutBucketNotificationConfigurationInput>,
    ) -> S3Result<PutBucketNotificationConfigurationOutput> {
        let unchecked = request.input.skip_destination_validation.unwrap_or_default();
        let notifications = read(&request.input.notification_configuration);
        let setting = notifications.map(|told| Setting::Notification(Notifications { unchecked, ..told }));
        self.put_setting(&request, &request.input.bucket, setting).await?;
        Ok(PutBucketNotificationConfigurationOutput::default())
    }

    pub(in crate::wire) async fn get_notifications(
        &self,
        request: S3Request<GetBucketNotificationConfigurationInput>,
    ) -> S3Result<GetBucketNotificationConfigurationOutput> {
        let setting = self.setting(&request, &request.input.bucket, SettingKind::Notification).await?;
        let Setting::Notification(notifications) = setting else { return Err(another(&setting)) };
        Ok(write(notifications))
    }
}

fn read(configuration: &NotificationConfiguration) -> Result<Notifications, Error> {
    let queues = configuration.queue_configurations.iter().flatten();
    let queues = queues.map(|one| target(TargetKind::Queue, &one.id, &one.queue_arn, &one.events, &one.filter));
    let topics = configuration.topic_configurations.iter().flatten();
    let topics = topics.map(|one| target(TargetKind::Topic, &one.id, &one.topic_arn, &one.events, &one.filter));
    let functions = configuration.lambda_function_configurations.iter().flatten();
    let functions =
        functions.map(|one| target(TargetKind::Function, &one.id, &one.lambda_function_arn, &one.events, &one.filter));
    Ok(Notifications {
        eventbridge: configuration.event_bridge_configuration.is_some(),
        targets: queues.chain(topics).chain(functions).collect::<Result<_, _>>()?,
        unchecked: false,
    })
}

fn target(
    kind: TargetKind,
    id: &Option<String>,
    arn: &str,
    events: &[Event],
    filter: &Option<NotificationConfigurationFilter>,
) -> Result<NotificationTarget, Error> {
    let mut target = NotificationTarget {
        id: id.clone().unwrap_or_default(),
        kind,
        arn: arn.to_owned(),
        events: events.iter().map(|event| event.as_ref().to_owned()).collect(),
        prefix: None,
        suffix: None,
    };
    let rules = filter.as_ref().and_then(|filter| filter.key.as_ref()).and_then(|key| key.filter_rules.as_ref());
    for rule in rules.into_iter().flatten() {
        let name = rule.name.as_ref().map(|name| name.as_str().to_ascii_lowercase()).unwrap_or_default();
        let end = match name.as_str() {
            FilterRuleName::PREFIX => &mut target.prefix,
            FilterRuleName::SUFFIX => &mut target.suffix,
            _ => return Err(error::invalid_argument("filter rule name must be either prefix or suffix")),
        };
        if end.replace(rule.value.clone().unwrap_or_default()).is_some() {
            return Err(error::invalid_argument(format!("Cannot specify more than one {name} rule in a filter.")));
        }
    }
    Ok(target)
}

fn write(notifications: Notifications) -> GetBucketNotificationConfigurationOutput {
    let (mut queues, mut topics, mut functions) = (Vec::new(), Vec::new(), Vec::new());
    for target in notifications.targets {
        let (id, filter) = (Some(target.id.clone()), filter(&target));
        let NotificationTarget { arn, events, kind, .. } = target;
        let events = events.into_iter().map(Event::from).collect();
        match kind {
            TargetKind::Queue => queues.push(QueueConfiguration { events, filter, id, queue_arn: arn }),
            TargetKind::Topic => topics.push(TopicConfiguration { events, filter, id, topic_arn: arn }),
            TargetKind::Function => {
                functions.push(LambdaFunctionConfiguration { events, filter, id, lambda_function_arn: arn });
            }
        }
    }
    GetBucketNotificationConfigurationOutput {
        event_bridge_configuration: notifications.eventbridge.then(EventBridgeConfiguration::default),
        queue_configurations: (!queues.is_empty()).then_some(queues),
        topic_configurations: (!topics.is_empty()).then_some(topics),
        lambda_function_configurations: (!functions.is_empty()).then_some(functions),
    }
}

/// AWS writes the names with a capital letter.
fn filter(target: &NotificationTarget) -> Option<NotificationConfigurationFilter> {
    let rule = |name: &'static str, value: &Option<String>| {
        value.clone().map(|value| FilterRule { name: Some(FilterRuleName::from_static(name)), value: Some(value) })
    };
    let rules: Vec<FilterRule> =
        [rule("Prefix", &target.prefix), rule("Suffix", &target.suffix)].into_iter().flatten().collect();
    let key = S3KeyFilter { filter_rules: Some(rules) };
    key.filter_rules
        .as_ref()
        .is_some_and(|rules| !rules.is_empty())
        .then_some(NotificationConfigurationFilter { key: Some(key) })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn ends(rules: &[(&str, &str)]) -> Option<NotificationConfigurationFilter> {
        let rule = |(name, value): &(&str, &str)| FilterRule {
            name: Some(FilterRuleName::from((*name).to_owned())),
            value: Some((*value).to_owned()),
        };
        let filter_rules = Some(rules.iter().map(rule).collect());
        Some(NotificationConfigurationFilter { key: Some(S3KeyFilter { filter_rules }) })
    }

    #[test]
    fn filters_are_a_prefix_and_a_suffix() {
        let read = |filter| target(TargetKind::Topic, &None, "arn", &[], &filter);
        let both = read(ends(&[("prefix", "a"), ("Suffix", "b")])).unwrap();
        assert_eq!((both.prefix.as_deref(), both.suffix.as_deref()), (Some("a"), Some("b")));
        assert_eq!(filter(&both), ends(&[("Prefix", "a"), ("Suffix", "b")]));
        assert_eq!(filter(&read(None).unwrap()), None);
        assert!(read(ends(&[("infix", "a")])).unwrap_err().is("InvalidArgument"));
        assert!(read(ends(&[("prefix", "a"), ("prefix", "b")])).unwrap_err().is("InvalidArgument"));
    }
}
