"""Pipelines as tests make and follow them."""

import io
import json
import zipfile

from conftest import eventually, trust


def role(server, name: str, service: str) -> str:
    """A role that a service may assume, with everything allowed."""
    iam = server.client("iam")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(service))["Role"]["Arn"]
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="everything", PolicyDocument=json.dumps(everything))
    return arn


def action(name, category, provider, configuration, inputs=(), outputs=(), order=1, namespace=None) -> dict:
    """An action declaration."""
    declared = {
        "name": name,
        "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
        "configuration": configuration,
        "inputArtifacts": [{"name": artifact} for artifact in inputs],
        "outputArtifacts": [{"name": artifact} for artifact in outputs],
        "runOrder": order,
    }
    return {**declared, "namespace": namespace} if namespace else declared


def source(repository: str, **configuration: str) -> dict:
    settings = {"RepositoryName": repository, "BranchName": "main", **configuration}
    return {"name": "Source", "actions": [action("Source", "Source", "CodeCommit", settings, outputs=["Source"], namespace="SourceVariables")]}


def build(project: str, name: str = "Build", **configuration: str) -> dict:
    settings = {"ProjectName": project, **configuration}
    return {"name": name, "actions": [action(name, "Build", "CodeBuild", settings, ["Source"], ["Release"])]}


def create(server, name: str, stages: list[dict], **members) -> None:
    """Makes a pipeline with a role and an artifact bucket of its own."""
    bucket = f"{name}-artifacts"
    server.client("s3").create_bucket(Bucket=bucket)
    server.client("codepipeline").create_pipeline(pipeline={
        "name": name,
        "roleArn": role(server, f"{name}-pipeline", "codepipeline"),
        "artifactStore": {"type": "S3", "location": bucket},
        "stages": stages,
        **members,
    })


def project(server, name: str, **members) -> None:
    """Makes a CodeBuild project for a pipeline."""
    server.client("codebuild").create_project(**{
        "name": name,
        "source": {"type": "CODEPIPELINE"},
        "artifacts": {"type": "CODEPIPELINE"},
        "environment": {"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL"},
        "serviceRole": role(server, f"{name}-build", "codebuild"),
        **members,
    })


def executions(server, name: str) -> list[dict]:
    """Newest first."""
    return server.client("codepipeline").list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"]


def finished(server, name: str, count: int = 1, seconds: float = 120) -> dict:
    """The newest execution, once there are `count` and it has ended."""
    def ended():
        found = executions(server, name)
        return len(found) >= count and found[0]["status"] not in ("InProgress", "Stopping") and found[0]

    try:
        return eventually(ended, seconds, f"the end of execution {count} of {name}")
    except AssertionError:
        raise AssertionError(f"{executions(server, name)}\n{actions(server, name)}\n{server.tail()}") from None


def actions(server, name: str, execution: str | None = None) -> list[dict]:
    """Action executions in the order of their start."""
    chosen = {"filter": {"pipelineExecutionId": execution}} if execution else {}
    found = server.client("codepipeline").list_action_executions(pipelineName=name, **chosen)["actionExecutionDetails"]
    return found[::-1]


def log(server, project_name: str) -> str:
    """Everything that a project's builds have logged."""
    logs = server.client("logs")
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/codebuild/{project_name}")
    return "".join(event["message"] for page in pages for event in page["events"])




def inbox(name: str, **configuration: str) -> dict:
    """A source stage on site.zip in the bucket NAME-inbox."""
    settings = {"S3Bucket": f"{name}-inbox", "S3ObjectKey": "site.zip", **configuration}
    return {"name": "Source", "actions": [action("Object", "Source", "S3", settings, outputs=["Source"], namespace="SourceVariables")]}


def upload(server, name: str, files: dict[str, str], key: str = "site.zip") -> str:
    """Puts a zip of these files into NAME-inbox; its version."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return server.client("s3").put_object(Bucket=f"{name}-inbox", Key=key, Body=content.getvalue())["VersionId"]


def state(server, name: str) -> dict:
    """Stage name → stage state."""
    found = server.client("codepipeline").get_pipeline_state(name=name)["stageStates"]
    return {stage["stageName"]: stage for stage in found}
