"""Reading back everything that a server keeps, by its public operations: what a fixture folder must still give."""

import hashlib
import json

from conftest import Server

NOT_KEPT = ("ResponseMetadata", "nextToken", "NextToken", "nextBackwardToken", "nextForwardToken", "cloneUrlHttp", "cloneUrlSsh")
"""Members that tell of the answer or of where the server is, not of what is kept."""


def pages(client, operation: str, member: str, **arguments) -> list:
    """All items of a list."""
    if client.can_paginate(operation):
        return [item for page in client.get_paginator(operation).paginate(**arguments) for item in page.get(member, [])]
    return getattr(client, operation)(**arguments).get(member, [])


def read(server: Server) -> dict:
    """Everything, as JSON has it."""
    parts = {part.__name__: part(server) for part in (people, objects, lines, repositories, builds, pipelines, deployments)}
    text = json.dumps(kept(parts), default=lambda value: value.isoformat())
    return json.loads(text.replace(server.endpoint, "http://landfall.example"))


def kept(value):
    if isinstance(value, dict):
        return {name: kept(member) for name, member in value.items() if name not in NOT_KEPT}
    return [kept(item) for item in value] if isinstance(value, list) else value


def people(server: Server) -> dict:
    iam = server.client("iam")
    users = sorted(pages(iam, "list_users", "Users"), key=lambda user: user["UserName"])
    keys = {user["UserName"]: pages(iam, "list_access_keys", "AccessKeyMetadata", UserName=user["UserName"]) for user in users}
    return {"users": users, "keys": keys, "roles": sorted(pages(iam, "list_roles", "Roles"), key=lambda role: role["RoleName"])}


def objects(server: Server) -> dict:
    s3 = server.client("s3")
    found = {}
    for bucket in s3.list_buckets()["Buckets"]:
        versions = []
        for version in pages(s3, "list_object_versions", "Versions", Bucket=bucket["Name"]):
            which = {"Bucket": bucket["Name"], "Key": version["Key"], "VersionId": version["VersionId"]}
            body = s3.get_object(**which)["Body"].read()
            versions.append({**version, "sha256": hashlib.sha256(body).hexdigest()})
        found[bucket["Name"]] = versions
    return found


def lines(server: Server) -> dict:
    logs = server.client("logs")
    found = {}
    for group in pages(logs, "describe_log_groups", "logGroups"):
        name = group["logGroupName"]
        for stream in pages(logs, "describe_log_streams", "logStreams", logGroupName=name):
            events = logs.get_log_events(logGroupName=name, logStreamName=stream["logStreamName"], startFromHead=True)["events"]
            found[f"{name} {stream['logStreamName']}"] = [(event["timestamp"], event["message"]) for event in events]
    return found


def repositories(server: Server) -> dict:
    codecommit = server.client("codecommit")
    found = {}
    for repository in pages(codecommit, "list_repositories", "repositories"):
        name = repository["repositoryName"]
        branches = {}
        for branch in sorted(pages(codecommit, "list_branches", "branches", repositoryName=name)):
            tip = codecommit.get_branch(repositoryName=name, branchName=branch)["branch"]["commitId"]
            branches[branch] = codecommit.get_commit(repositoryName=name, commitId=tip)["commit"]
        metadata = codecommit.get_repository(repositoryName=name)["repositoryMetadata"]
        found[name] = {"metadata": metadata, "branches": branches}
    return found


def builds(server: Server) -> dict:
    codebuild = server.client("codebuild")
    names, ids = pages(codebuild, "list_projects", "projects"), pages(codebuild, "list_builds", "ids")
    return {
        "projects": codebuild.batch_get_projects(names=names)["projects"] if names else [],
        "builds": codebuild.batch_get_builds(ids=ids)["builds"] if ids else [],
    }


def pipelines(server: Server) -> dict:
    codepipeline = server.client("codepipeline")
    found = {}
    for pipeline in pages(codepipeline, "list_pipelines", "pipelines"):
        name = pipeline["name"]
        found[name] = {
            "pipeline": codepipeline.get_pipeline(name=name)["pipeline"],
            "executions": pages(codepipeline, "list_pipeline_executions", "pipelineExecutionSummaries", pipelineName=name),
            "actions": pages(codepipeline, "list_action_executions", "actionExecutionDetails", pipelineName=name),
        }
    return found


def deployments(server: Server) -> dict:
    codedeploy = server.client("codedeploy")
    found = {"instances": pages(codedeploy, "list_on_premises_instances", "instanceNames")}
    for application in pages(codedeploy, "list_applications", "applications"):
        groups = pages(codedeploy, "list_deployment_groups", "deploymentGroups", applicationName=application)
        found[application] = [
            codedeploy.get_deployment_group(applicationName=application, deploymentGroupName=group)["deploymentGroupInfo"]
            for group in groups]
    ids = sorted(pages(codedeploy, "list_deployments", "deployments"))
    found["deployments"] = [codedeploy.get_deployment(deploymentId=id)["deploymentInfo"] for id in ids]
    return found


def missing(expected, actual, place: str = "") -> list[str]:
    """What of `expected` is not in `actual`; a newer release may tell more."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return [
            difference for name, value in expected.items()
            for difference in (missing(value, actual[name], f"{place}.{name}") if name in actual else [f"{place}.{name} is gone"])]
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        return [difference for number, pair in enumerate(zip(expected, actual)) for difference in missing(*pair, f"{place}[{number}]")]
    return [] if expected == actual else [f"{place}: {expected!r} has become {actual!r}"]
