"""Service roles with no more than AWS's own documentation gives them: a pipeline runs, and what is taken away is missed."""

import json

import pytest

import pipelines
from conftest import ACCOUNT, REGION, trust, working_copy

BUILDSPEC = "version: 0.2\nphases:\n  build:\n    commands:\n      - echo built by $(id -un)\nartifacts:\n  files: ['**/*']\n"


def put(server, role: str, *statements: tuple[list[str], list[str]]) -> None:
    document = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": actions, "Resource": resources} for actions, resources in statements]}
    server.client("iam").put_role_policy(RoleName=role, PolicyName="least", PolicyDocument=json.dumps(document))


def bucket(name: str) -> list[str]:
    return [f"arn:aws:s3:::{name}-artifacts", f"arn:aws:s3:::{name}-artifacts/*"]


def pipeline_may(name: str, *more: str) -> list[tuple[list[str], list[str]]]:
    """"Manage the CodePipeline service role", CodePipeline User Guide."""
    return [
        (["s3:GetObject", "s3:GetObjectVersion", "s3:GetBucketVersioning", "s3:GetBucketAcl", "s3:GetBucketLocation",
          "s3:PutObject", "s3:PutObjectAcl"], bucket(name)),
        (["codecommit:CancelUploadArchive", "codecommit:GetBranch", "codecommit:GetCommit", "codecommit:GetRepository",
          "codecommit:GetUploadArchiveStatus", "codecommit:UploadArchive"], [f"arn:aws:codecommit:{REGION}:{ACCOUNT}:{name}"]),
        (["codebuild:BatchGetBuilds", *more], [f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{name}"]),
    ]


def build_may(name: str) -> list[tuple[list[str], list[str]]]:
    """"Allow CodeBuild to interact with other AWS services", CodeBuild User Guide, as the console narrows it."""
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/codebuild/{name}"
    return [
        (["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], [group, f"{group}:*"]),
        (["s3:PutObject", "s3:GetObject", "s3:GetObjectVersion", "s3:GetBucketAcl", "s3:GetBucketLocation"], bucket(name)),
        (["codebuild:CreateReportGroup", "codebuild:CreateReport", "codebuild:UpdateReport"],
         [f"arn:aws:codebuild:{REGION}:{ACCOUNT}:report-group/{name}-*"]),
    ]


def make(server, name: str, tmp_path) -> None:
    """A repository, a project and a pipeline whose roles have these policies."""
    roles = {service: f"{name}-{service}" for service in ("codepipeline", "codebuild")}
    iam = server.client("iam")
    arns = {service: iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust(service))["Role"]["Arn"]
            for service, role in roles.items()}
    put(server, roles["codepipeline"], *pipeline_may(name, "codebuild:StartBuild"))
    put(server, roles["codebuild"], *build_may(name))
    server.client("codecommit").create_repository(repositoryName=name)
    working_copy(tmp_path / name, server.clone_url(name), {"buildspec.yml": BUILDSPEC})
    pipelines.project(server, name, serviceRole=arns["codebuild"])
    server.client("s3").create_bucket(Bucket=f"{name}-artifacts")
    server.client("codepipeline").create_pipeline(pipeline={
        "name": name, "roleArn": arns["codepipeline"], "artifactStore": {"type": "S3", "location": f"{name}-artifacts"},
        "stages": [pipelines.source(name, PollForSourceChanges="false"), pipelines.build(name)],
    })


def test_a_pipeline_runs_with_the_policies_of_the_documentation(enforcing, tmp_path):
    """Takes seconds: two real builds."""
    name = "least"
    make(enforcing, name, tmp_path)
    done = pipelines.finished(enforcing, name)
    assert done["status"] == "Succeeded", pipelines.actions(enforcing, name)
    assert "built by" in pipelines.log(enforcing, name)
    # Without the right to start builds, the action says which is missing.
    put(enforcing, f"{name}-codepipeline", *pipeline_may(name))
    enforcing.client("codepipeline").start_pipeline_execution(name=name)
    assert pipelines.finished(enforcing, name, 2)["status"] == "Failed"
    failed = pipelines.actions(enforcing, name)[-1]
    assert "codebuild:StartBuild" in json.dumps(failed, default=str), failed


@pytest.mark.parametrize("missing, phase", [("s3:GetObject", "DOWNLOAD_SOURCE"), ("s3:PutObject", "UPLOAD_ARTIFACTS")])
def test_a_build_that_may_not_fails_where_it_misses_the_right(enforcing, tmp_path, missing, phase):
    """Takes seconds: a real build."""
    name = f"less-{phase.split('_')[0].lower()}"
    make(enforcing, name, tmp_path)
    assert pipelines.finished(enforcing, name)["status"] == "Succeeded"
    statements = [([action for action in actions if action != missing], resources) for actions, resources in build_may(name)]
    put(enforcing, f"{name}-codebuild", *statements)
    enforcing.client("codepipeline").start_pipeline_execution(name=name)
    assert pipelines.finished(enforcing, name, 2)["status"] == "Failed"
    codebuild = enforcing.client("codebuild")
    newest = codebuild.list_builds_for_project(projectName=name)["ids"][0]
    phases = {found["phaseType"]: found for found in codebuild.batch_get_builds(ids=[newest])["builds"][0]["phases"]}
    assert phases[phase]["phaseStatus"] == "FAILED"
    assert f"not authorized to perform: {missing} on resource" in phases[phase]["contexts"][0]["message"]
