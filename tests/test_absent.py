"""Names of what is not there, and of what is another account's: the service's own "not found", and nothing written.

Every built operation is asked for a resource `sample` that exists in one account, by callers of another account and of
another region, and by its owner with ARNs of elsewhere. The inputs come from the models (models.py); here is only what
a model cannot say: what a valid name looks like, and which operations do not mind.
"""

import re
import uuid

import pytest

import pipelines
from conftest import ACCOUNT, REGION
from models import MODELS, Raw, built, declared, sample, services, state

STRANGER, ELSEWHERE = "999999999999", "eu-west-1"

UUID = str(uuid.UUID(int=7))

NOT_FOUND = re.compile(r"(DoesNotExist|NotFound|NoSuch|NotRegistered|AccessDenied)")
"""How AWS's codes for what is not there look; where a role is assumed, it is a denial."""

VALID = {
    "*": {"S3Uri": "s3://sample/key", "resourceArn": None, "ResourceArn": None, "resourceARN": None},
    "codebuild": {
        "id": f"sample:{UUID}", "ids": [f"sample:{UUID}"], "projectName": "sample", "name": "sample",
        "environment": {"type": "LINUX_CONTAINER", "image": "x", "computeType": "BUILD_GENERAL1_SMALL"},
        "source": {"type": "NO_SOURCE", "buildspec": "version: 0.2\n"}, "artifacts": {"type": "NO_ARTIFACTS"}},
    "codecommit": {
        "repositoryName": "sample", "branchName": "main", "defaultBranchName": "main", "commitSpecifier": "main", "commitId": "d" * 40,
        "oldName": "sample", "newName": "renamed"},
    "codedeploy": {
        "deploymentId": "d-AAAAAAAAA", "deploymentIds": ["d-AAAAAAAAA"], "applicationName": "sample", "instanceName": "sample",
        "deploymentGroupName": "sample", "currentDeploymentGroupName": "sample", "targetId": "sample", "instanceId": "sample",
        "deploymentConfigName": "sample", "iamUserArn": f"arn:aws:iam::{ACCOUNT}:user/sample", "tokenName": "sample",
        "newApplicationName": "renamed", "minimumHealthyHosts": {"type": "HOST_COUNT", "value": 1},
        "serviceRoleArn": f"arn:aws:iam::{ACCOUNT}:role/sample", "Tags": [{"Key": "a", "Value": "b"}],
        "tags": [{"Key": "a", "Value": "b"}],
        "revision": {"revisionType": "S3", "s3Location": {"bucket": "sample", "key": "k", "bundleType": "zip"}},
        "revisions": [{"revisionType": "S3", "s3Location": {"bucket": "sample", "key": "k", "bundleType": "zip"}}]},
    "codepipeline": {
        "pipelineExecutionId": UUID, "pipelineName": "sample", "name": "sample", "stageName": "Source", "actionName": "Source",
        "token": UUID, "targetPipelineExecutionId": UUID},
    "iam": {"PolicyDocument": '{"Version":"2012-10-17","Statement":[]}', "RoleName": "sample", "UserName": "sample"},
    "logs": {
        "logGroupName": "sample", "logStreamName": "sample", "logGroupNamePrefix": None, "logStreamNames": None,
        "logEvents": [{"timestamp": 1_700_000_000_000, "message": "x"}], "queryString": "fields @message"},
    "sts": {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/sample"},
}
"""Members that name something, or that must look like something; `None`: not given unless required."""

ARNS = {
    "codebuild": "arn:aws:codebuild:{region}:{account}:project/sample",
    "codecommit": "arn:aws:codecommit:{region}:{account}:sample",
    "codedeploy": "arn:aws:codedeploy:{region}:{account}:application:sample",
    "codepipeline": "arn:aws:codepipeline:{region}:{account}:sample",
    "logs": "arn:aws:logs:{region}:{account}:log-group:sample",
}
"""What a member whose name says ARN of a resource is given."""

UNMINDFUL = {
    "codebuild": {
        "BatchGetBuilds", "BatchGetProjects", "BatchDeleteBuilds", "DeleteProject",  # what is missing is listed
        "CreateProject", "ListBuilds", "ListProjects", "ListCuratedEnvironmentImages"},
    "codecommit": {"BatchGetRepositories", "CreateRepository", "DeleteRepository", "ListRepositories"},
    "codedeploy": {
        "BatchGetApplications", "BatchGetDeployments", "BatchGetOnPremisesInstances", "CreateApplication", "CreateDeploymentConfig",
        "DeleteApplication", "DeleteDeploymentConfig", "DeleteDeploymentGroup", "DeregisterOnPremisesInstance",
        "ListApplications", "ListDeploymentConfigs", "ListDeployments", "ListGitHubAccountTokenNames", "ListOnPremisesInstances",
        "RegisterOnPremisesInstance",
        "ListTagsForResource"},  # its model has only InvalidArn
    "codepipeline": {"CreatePipeline", "DeletePipeline", "ListPipelines", "ListActionTypes"},
    "iam": {"CreateUser", "CreateRole", "ListUsers", "ListRoles", "CreateAccessKey", "GetUser"},
    "logs": {"CreateLogGroup", "DescribeLogGroups", "DescribeResourcePolicies", "ListLogGroups", "PutResourcePolicy"},
    "sts": {"GetAccessKeyInfo", "GetCallerIdentity", "GetSessionToken"},
}
"""Operations that succeed, or do not say, when what they name is not there: as on AWS."""


def members(service: str, operation: str, account: str = STRANGER, region: str = REGION) -> dict:
    """A valid input that names `sample` everywhere; ARNs are of this account and region."""
    model = MODELS.get_service_model(service).operation_model(operation)
    known = {**VALID["*"], **VALID.get(service, {})}
    arn = ARNS.get(service, "").format(account=account, region=region)
    known = {name: value or arn for name, value in known.items() if value or is_required(model.input_shape, name)}
    return sample(model.input_shape, "", known) if model.input_shape else {}


def is_required(shape, name: str) -> bool:
    return shape is not None and name in shape.required_members


@pytest.fixture(scope="module")
def owned(servers):
    """A server whose own account has a `sample` of everything."""
    server = servers("open", "dummy")
    codebuild, codedeploy, iam, logs = (server.client(service) for service in ("codebuild", "codedeploy", "iam", "logs"))
    codedeploy.create_application(applicationName="sample")
    codedeploy.create_deployment_config(deploymentConfigName="sample", minimumHealthyHosts={"type": "HOST_COUNT", "value": 1})
    iam.create_user(UserName="sample")
    role = pipelines.role(server, "sample", "codedeploy")
    codedeploy.create_deployment_group(applicationName="sample", deploymentGroupName="sample", serviceRoleArn=role)
    codedeploy.register_on_premises_instance(instanceName="sample", iamUserArn=f"arn:aws:iam::{ACCOUNT}:user/sample")
    codebuild.create_project(
        name="sample", source={"type": "NO_SOURCE", "buildspec": "version: 0.2\n"}, artifacts={"type": "NO_ARTIFACTS"},
        environment=VALID["codebuild"]["environment"], serviceRole=role)
    server.client("codecommit").create_repository(repositoryName="sample")
    logs.create_log_group(logGroupName="sample")
    logs.create_log_stream(logGroupName="sample", logStreamName="sample")
    return server


def everything(protocols=("json", "query")) -> list[str]:
    return [f"{service} {operation}" for protocol in protocols for service in services(protocol) for operation in built()[service]]


def may_succeed(name: str) -> bool:
    service, operation = name.split()
    return operation in UNMINDFUL.get(service, ())


@pytest.mark.parametrize("where", ["another account", "another region"])
def test_what_is_another_s_does_not_exist(owned, where):
    account, region = (STRANGER, REGION) if where == "another account" else (ACCOUNT, ELSEWHERE)
    raw, wrong = Raw(owned, account, region), []
    # What may succeed comes last, for it may make something.
    for name in sorted(everything(), key=may_succeed):
        service, operation = name.split()
        if where == "another region" and service in ("iam", "sts"):
            continue
        before = {row for row in state(owned) if row[1:3] == (ACCOUNT, REGION)}
        status, code, message = raw.call(service, operation, members(service, operation, account, region))
        if may_succeed(name):
            right = status < 500 and (status < 400 or code in declared(MODELS.get_service_model(service).operation_model(operation)))
        else:
            right = 400 <= status < 500 and NOT_FOUND.search(code) and message
        if not right or {row for row in state(owned) if row[1:3] == (ACCOUNT, REGION)} != before:
            wrong.append(f"{name} → {status} {code} {message[:120]}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong)


def test_arns_of_elsewhere_are_refused_by_their_owner_s_operations(owned):
    """Also those that name a resource of the same name here."""
    raw, wrong, tried = Raw(owned), [], 0
    for name in everything(("json",)):
        service, operation = name.split()
        model = MODELS.get_service_model(service).operation_model(operation)
        if not any(is_required(model.input_shape, member) for member in VALID["*"]):
            continue
        for account, region in ((STRANGER, REGION), (ACCOUNT, ELSEWHERE)):
            tried += 1
            before = state(owned)
            status, code, message = raw.call(service, operation, members(service, operation, account, region))
            if not (400 <= status < 500 and code in declared(model) and message and state(owned) == before):
                wrong.append(f"{name} of {account} {region} → {status} {code} {message[:120]}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong)
    assert tried >= 6


def test_projects_and_roles_are_not_taken_from_other_accounts(owned):
    raw = Raw(owned)
    there = f"arn:aws:codebuild:{REGION}:{STRANGER}:project/sample"
    for operation, body in [
        ("StartBuild", {"projectName": there}), ("ListBuildsForProject", {"projectName": there}),
        ("BatchGetProjects", {"names": [there]}), ("StopBuild", {"id": f"arn:aws:codebuild:{REGION}:{STRANGER}:build/sample:{UUID}"}),
    ]:
        before = state(owned)
        status, answer = raw.ask("codebuild", operation, body)
        assert answer.get("projectsNotFound") == [there] or \
            (status == 400 and answer["__type"] in ("ResourceNotFoundException", "InvalidInputException")), (operation, answer)
        assert state(owned) == before
    role = f"arn:aws:iam::{STRANGER}:role/sample"
    status, answer = raw.ask("codedeploy", "CreateDeploymentGroup", {
        "applicationName": "sample", "deploymentGroupName": "other", "serviceRoleArn": role})
    assert (status, answer["__type"]) == (400, "InvalidRoleException"), answer


def test_each_exception_names_an_operation_that_is_built():
    left = {f"{service} {operation}" for service, operations in UNMINDFUL.items() for operation in operations} - set(everything())
    assert not left
