//! Deployment configurations: AWS's own are listed with the custom ones.

use super::{PAGE, invalid_token, query};
use crate::Service;
use crate::model::{DeploymentConfig, DeploymentGroup, PREDEFINED, Predefined, Traffic, predefined};
use crate::rules::wave::MinimumHealthy;
use aws::Error;
use aws::codedeploy::error;
use aws::codedeploy::*;
use kernel::tags::Tags;
use kernel::{Batch, CommitError, Page, Scope, Stored, paging};

/// Only AWS's own configurations may begin with this.
const RESERVED: &str = "CodeDeployDefault.";

pub(super) async fn create(
    service: &Service,
    scope: &Scope,
    input: CreateDeploymentConfigInput,
) -> Result<CreateDeploymentConfigOutput, Error> {
    let config = DeploymentConfig {
        minimum: minimum(&input)?,
        name: input.deployment_config_name.unwrap_or_default(),
        id: service.ids.uuid(),
        created: service.now(),
        tags: Tags::new(),
    };
    if config.name.starts_with(RESERVED) {
        let message = format!("Names that begin with {RESERVED} are AWS's own: {}", config.name);
        return Err(error::invalid_deployment_config_name_exception(message));
    }
    match service.documents.commit(Batch::new(scope).insert(&config)).await {
        Ok(()) => Ok(CreateDeploymentConfigOutput { deployment_config_id: Some(config.id) }),
        Err(CommitError::Exists { .. }) => {
            let message = format!("A deployment configuration with the name {} already exists", config.name);
            Err(error::deployment_config_already_exists_exception(message))
        }
        Err(cause) => Err(Error::internal(cause)),
    }
}

fn minimum(input: &CreateDeploymentConfigInput) -> Result<MinimumHealthy, Error> {
    if input.compute_platform.as_deref().unwrap_or(compute_platform::SERVER) != compute_platform::SERVER {
        let message = "Only deployment configurations of the compute platform Server are built.";
        return Err(error::invalid_compute_platform_exception(message));
    }
    if input.traffic_routing_config.is_some() {
        let message = "A configuration of the compute platform Server has no trafficRoutingConfig.";
        return Err(error::invalid_traffic_routing_configuration_exception(message));
    }
    if input.zonal_config.is_some() {
        let message = "Hosts of this server are in no Availability Zone, so zonalConfig cannot be kept.";
        return Err(error::invalid_zonal_deployment_configuration_exception(message));
    }
    let hosts = input.minimum_healthy_hosts.clone().unwrap_or_default();
    match (hosts.type_.as_deref(), hosts.value.and_then(|value| u32::try_from(value).ok())) {
        (Some(minimum_healthy_hosts_type::HOST_COUNT), Some(count)) => Ok(MinimumHealthy::HostCount(count)),
        (Some(minimum_healthy_hosts_type::FLEET_PERCENT), Some(percent @ 0..=99)) => {
            Ok(MinimumHealthy::FleetPercent(percent))
        }
        _ => {
            let message = "minimumHealthyHosts must have the type HOST_COUNT with a value of 0 or more, or FLEET_PERCENT with a value of 0 to 99.";
            Err(error::invalid_minimum_healthy_host_value_exception(message))
        }
    }
}

pub(super) async fn get(
    service: &Service,
    scope: &Scope,
    input: GetDeploymentConfigInput,
) -> Result<GetDeploymentConfigOutput, Error> {
    let name = input.deployment_config_name.unwrap_or_default();
    let info = match predefined(&name) {
        Some(config) => own(config),
        None => custom(service.custom_config(scope, &name).await?.value),
    };
    let info = DeploymentConfigInfo { deployment_config_name: Some(name), ..info };
    Ok(GetDeploymentConfigOutput { deployment_config_info: Some(info) })
}

fn custom(config: DeploymentConfig) -> DeploymentConfigInfo {
    DeploymentConfigInfo {
        deployment_config_id: Some(config.id),
        create_time: Some(config.created),
        ..own(Predefined::Server(config.minimum))
    }
}

fn own(config: Predefined) -> DeploymentConfigInfo {
    let (platform, hosts, routing) = match config {
        Predefined::Server(minimum) => (compute_platform::SERVER, Some(shown(minimum)), None),
        Predefined::Lambda(traffic) => (compute_platform::LAMBDA, None, Some(routing(traffic))),
        Predefined::Ecs(traffic) => (compute_platform::ECS, None, Some(routing(traffic))),
    };
    DeploymentConfigInfo {
        compute_platform: Some(platform.to_owned()),
        minimum_healthy_hosts: hosts,
        traffic_routing_config: routing,
        ..DeploymentConfigInfo::default()
    }
}

fn routing(traffic: Traffic) -> TrafficRoutingConfig {
    let of = |type_: &str| TrafficRoutingConfig { type_: Some(type_.to_owned()), ..TrafficRoutingConfig::default() };
    match traffic {
        Traffic::AllAtOnce => of(traffic_routing_type::ALL_AT_ONCE),
        Traffic::Canary(percent, minutes) => TrafficRoutingConfig {
            time_based_canary: Some(TimeBasedCanary {
                canary_percentage: Some(percent),
                canary_interval: Some(minutes),
            }),
            ..of(traffic_routing_type::TIME_BASED_CANARY)
        },
        Traffic::Linear(percent, minutes) => TrafficRoutingConfig {
            time_based_linear: Some(TimeBasedLinear {
                linear_percentage: Some(percent),
                linear_interval: Some(minutes),
            }),
            ..of(traffic_routing_type::TIME_BASED_LINEAR)
        },
    }
}

/// AWS shows OneAtATime with a type that its own enumeration does not have.
fn shown(minimum: MinimumHealthy) -> MinimumHealthyHosts {
    let (type_, value) = match minimum {
        MinimumHealthy::OneAtATime => ("MOST_CONCURRENCY", 1),
        MinimumHealthy::HostCount(count) => (minimum_healthy_hosts_type::HOST_COUNT, count),
        MinimumHealthy::FleetPercent(percent) => (minimum_healthy_hosts_type::FLEET_PERCENT, percent),
    };
    MinimumHealthyHosts { type_: Some(type_.to_owned()), value: i32::try_from(value).ok() }
}

pub(super) async fn list(
    service: &Service,
    scope: &Scope,
    input: ListDeploymentConfigsInput,
) -> Result<ListDeploymentConfigsOutput, Error> {
    let query = query("ListDeploymentConfigs", scope, ());
    let after = paging::start(&query, input.next_token.as_deref()).map_err(invalid_token)?;
    let own = if after.is_none() { &PREDEFINED[..] } else { &[] };
    let found: Vec<Stored<DeploymentConfig>> =
        service.documents.list(scope, Page::first(PAGE + 1).after(after)).await?;
    let (found, next_token) = paging::cut(found, PAGE, &query);
    let names = own.iter().map(|(name, _)| (*name).to_owned()).chain(found.into_iter().map(|config| config.value.name));
    Ok(ListDeploymentConfigsOutput { deployment_configs_list: Some(names.collect()), next_token })
}

/// No error if there is none.
pub(super) async fn delete(
    service: &Service,
    scope: &Scope,
    input: DeleteDeploymentConfigInput,
) -> Result<DeleteDeploymentConfigOutput, Error> {
    let name = input.deployment_config_name.unwrap_or_default();
    if name.starts_with(RESERVED) {
        return Err(error::invalid_operation_exception(format!("{name} is AWS's own and cannot be deleted.")));
    }
    let users: Vec<Stored<DeploymentGroup>> = service.documents.find(scope, "config", &name, Page::first(1)).await?;
    if let Some(group) = users.first() {
        let message = format!("{name} is in use by the deployment group {}.", group.name);
        return Err(error::deployment_config_in_use_exception(message));
    }
    if let Some(config) = service.documents.get::<DeploymentConfig>(scope, &name).await? {
        match service.documents.remove(scope, &config).await {
            Ok(()) | Err(CommitError::Conflict { .. }) => {}
            Err(cause) => return Err(Error::internal(cause)),
        }
    }
    Ok(DeleteDeploymentConfigOutput {})
}

impl Service {
    /// The custom configuration of that name; `DeploymentConfigDoesNotExistException` without one.
    pub(super) async fn custom_config(&self, scope: &Scope, name: &str) -> Result<Stored<DeploymentConfig>, Error> {
        let missing = || {
            error::deployment_config_does_not_exist_exception(format!(
                "No Deployment Configuration found for name: {name}"
            ))
        };
        self.documents.get(scope, name).await?.ok_or_else(missing)
    }

    /// The minimum of the configuration of that name; `DeploymentConfigDoesNotExistException` without one, and
    /// `InvalidDeploymentConfigNameException` for one that is not for hosts.
    pub(super) async fn minimum(&self, scope: &Scope, name: &str) -> Result<MinimumHealthy, Error> {
        match predefined(name) {
            Some(Predefined::Server(minimum)) => Ok(minimum),
            Some(Predefined::Lambda(_) | Predefined::Ecs(_)) => {
                let message = format!("{name} is not a deployment configuration of the compute platform Server.");
                Err(error::invalid_deployment_config_name_exception(message))
            }
            None => Ok(self.custom_config(scope, name).await?.value.minimum),
        }
    }
}
