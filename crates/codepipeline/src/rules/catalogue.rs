//! The action types that pipelines may name: how many artifacts each takes and makes, and which settings. Facts of the
//! user guide's "Action structure reference"; whether Landfall can run one is another question (`actions`).

use super::definition::ActionKind;

/// One action type.
#[derive(Debug)]
pub struct ActionType {
    /// `Source`, `Build`, `Test`, `Deploy`, `Approval`, `Invoke` or `Compute`.
    pub category: &'static str,
    /// `AWS` or `ThirdParty`.
    pub owner: &'static str,
    /// For example `CodeBuild`.
    pub provider: &'static str,
    /// Least and greatest number of input artifacts.
    pub inputs: (usize, usize),
    /// Least and greatest number of output artifacts.
    pub outputs: (usize, usize),
    /// Settings that must be there.
    pub required: &'static [&'static str],
    /// Settings that may be there.
    pub optional: Settings,
}

/// Which settings besides the required ones an action type knows.
#[derive(Debug)]
pub enum Settings {
    /// These.
    Only(&'static [&'static str]),
    /// More than the guide tells: any is accepted.
    Open,
}

use Settings::{Only, Open};

const AWS: &str = "AWS";
const THIRD_PARTY: &str = "ThirdParty";

const fn aws(
    category: &'static str,
    provider: &'static str,
    inputs: (usize, usize),
    outputs: (usize, usize),
    required: &'static [&'static str],
    optional: Settings,
) -> ActionType {
    ActionType { category, owner: AWS, provider, inputs, outputs, required, optional }
}

const CODEBUILD_OPTIONAL: Settings =
    Only(&["PrimarySource", "BatchEnabled", "CombineArtifacts", "EnvironmentVariables"]);
const STACK_OPTIONAL: Settings = Only(&[
    "StackName",
    "ChangeSetName",
    "TemplatePath",
    "TemplateConfiguration",
    "ParameterOverrides",
    "Capabilities",
    "OutputFileName",
    "RoleArn",
]);

/// All action types.
pub static CATALOGUE: &[ActionType] = &[
    aws(
        "Source",
        "S3",
        (0, 0),
        (1, 1),
        &["S3Bucket", "S3ObjectKey"],
        Only(&["PollForSourceChanges", "AllowOverrideForS3ObjectKey"]),
    ),
    aws(
        "Source",
        "CodeCommit",
        (0, 0),
        (1, 1),
        &["RepositoryName", "BranchName"],
        Only(&["PollForSourceChanges", "OutputArtifactFormat"]),
    ),
    aws(
        "Source",
        "CodeStarSourceConnection",
        (0, 0),
        (1, 1),
        &["ConnectionArn", "FullRepositoryId", "BranchName"],
        Only(&["OutputArtifactFormat", "DetectChanges"]),
    ),
    aws("Source", "ECR", (0, 0), (1, 1), &["RepositoryName"], Only(&["ImageTag"])),
    ActionType {
        category: "Source",
        owner: THIRD_PARTY,
        provider: "GitHub",
        inputs: (0, 0),
        outputs: (1, 1),
        required: &["Owner", "Repo", "Branch", "OAuthToken"],
        optional: Only(&["PollForSourceChanges"]),
    },
    aws("Build", "CodeBuild", (1, 5), (0, 5), &["ProjectName"], CODEBUILD_OPTIONAL),
    aws("Test", "CodeBuild", (1, 5), (0, 5), &["ProjectName"], CODEBUILD_OPTIONAL),
    aws(
        "Build",
        "ECRBuildAndPublish",
        (1, 1),
        (0, 0),
        &["ECRRepositoryName"],
        Only(&["DockerFilePath", "ImageTags", "RegistryType"]),
    ),
    aws("Test", "DeviceFarm", (1, 1), (0, 0), &[], Open),
    aws(
        "Compute",
        "Commands",
        (1, 10),
        (0, 1),
        &[],
        Only(&["EnvironmentType", "ComputeType", "VpcId", "Subnets", "SecurityGroupIds"]),
    ),
    aws(
        "Deploy",
        "S3",
        (1, 1),
        (0, 0),
        &["BucketName", "Extract"],
        Only(&["ObjectKey", "KMSEncryptionKeyARN", "CannedACL", "CacheControl"]),
    ),
    aws("Deploy", "CodeDeploy", (1, 1), (0, 0), &["ApplicationName", "DeploymentGroupName"], Only(&[])),
    aws(
        "Deploy",
        "CodeDeployToECS",
        (1, 5),
        (0, 0),
        &["ApplicationName", "DeploymentGroupName", "TaskDefinitionTemplateArtifact", "AppSpecTemplateArtifact"],
        Only(&[
            "AppSpecTemplatePath",
            "TaskDefinitionTemplatePath",
            "Image1ArtifactName",
            "Image1ContainerName",
            "Image2ArtifactName",
            "Image2ContainerName",
            "Image3ArtifactName",
            "Image3ContainerName",
            "Image4ArtifactName",
            "Image4ContainerName",
        ]),
    ),
    aws("Deploy", "ECS", (1, 1), (0, 0), &["ClusterName", "ServiceName"], Only(&["FileName", "DeploymentTimeout"])),
    aws("Deploy", "EKS", (1, 1), (0, 0), &["ClusterName"], Open),
    aws("Deploy", "EC2", (1, 1), (0, 0), &["InstanceTagKey", "InstanceType"], Open),
    aws("Deploy", "Lambda", (0, 1), (0, 0), &["FunctionName"], Open),
    aws("Deploy", "CloudFormation", (0, 10), (0, 1), &["ActionMode"], STACK_OPTIONAL),
    aws("Deploy", "CloudFormationStackSet", (1, 3), (0, 0), &["StackSetName", "TemplatePath"], Open),
    aws("Deploy", "CloudFormationStackInstances", (0, 3), (0, 0), &["StackSetName"], Open),
    aws("Deploy", "ElasticBeanstalk", (1, 1), (0, 0), &["ApplicationName", "EnvironmentName"], Only(&[])),
    aws("Deploy", "ServiceCatalog", (1, 1), (0, 0), &[], Open),
    aws("Deploy", "AppConfig", (1, 1), (0, 0), &["Application", "Environment", "ConfigurationProfile"], Open),
    aws("Deploy", "OpsWorks", (1, 1), (0, 0), &[], Open),
    aws("Approval", "Manual", (0, 0), (0, 0), &[], Only(&["NotificationArn", "CustomData", "ExternalEntityLink"])),
    aws("Invoke", "Lambda", (0, 5), (0, 5), &["FunctionName"], Only(&["UserParameters"])),
    aws(
        "Invoke",
        "StepFunctions",
        (0, 1),
        (0, 1),
        &["StateMachineArn"],
        Only(&["ExecutionNamePrefix", "InputType", "Input"]),
    ),
    aws("Invoke", "CodePipeline", (0, 0), (0, 0), &["PipelineName"], Only(&["SourceRevisions", "Variables"])),
    aws("Invoke", "InspectorScan", (0, 1), (0, 1), &["InspectorRunMode"], Open),
];

/// The action type of that identity, all of which have version `1`.
#[must_use]
pub fn find(kind: &ActionKind) -> Option<&'static ActionType> {
    let same = |candidate: &&ActionType| {
        candidate.category == kind.category && candidate.owner == kind.owner && candidate.provider == kind.provider
    };
    CATALOGUE.iter().find(same).filter(|_| kind.version == "1")
}

impl ActionType {
    /// Whether the action type knows a setting of that key.
    #[must_use]
    pub fn knows(&self, key: &str) -> bool {
        match self.optional {
            Open => true,
            Only(keys) => keys.contains(&key) || self.required.contains(&key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(category: &str, owner: &str, provider: &str, version: &str) -> ActionKind {
        ActionKind {
            category: category.into(),
            owner: owner.into(),
            provider: provider.into(),
            version: version.into(),
        }
    }

    #[test]
    fn identity_is_all_four_parts() {
        assert!(find(&kind("Source", "AWS", "S3", "1")).is_some());
        assert!(find(&kind("Source", "AWS", "S3", "2")).is_none());
        assert!(find(&kind("Source", "Custom", "S3", "1")).is_none());
        assert!(find(&kind("Build", "AWS", "S3", "1")).is_none());
    }

    #[test]
    fn no_type_is_listed_twice_and_every_range_is_a_range() {
        for (index, one) in CATALOGUE.iter().enumerate() {
            assert!(one.inputs.0 <= one.inputs.1 && one.outputs.0 <= one.outputs.1, "{one:?}");
            let again = CATALOGUE[index + 1..]
                .iter()
                .any(|other| (other.category, other.owner, other.provider) == (one.category, one.owner, one.provider));
            assert!(!again, "{one:?}");
        }
    }

    #[test]
    fn a_closed_type_knows_its_required_and_optional_settings_only() {
        let source = find(&kind("Source", "AWS", "CodeCommit", "1")).unwrap();
        assert!(source.knows("BranchName") && source.knows("PollForSourceChanges"));
        assert!(!source.knows("S3Bucket"));
    }
}
