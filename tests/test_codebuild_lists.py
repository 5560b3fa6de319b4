"""CodeBuild's lists and batches: pages, orders, names and ARNs, and what a console shows of a build."""

import json

import pytest

import pipelines
from conftest import ACCOUNT, REGION, code, eventually

BUILDS = 105
"""A page of ids and five more."""


@pytest.fixture(scope="module")
def codebuild(servers):
    """A server with projects `a` … `c` and builds of `a` that have all ended; their containers are played."""
    server = servers("open", "dummy", "--image-map", "*=dummy")
    codebuild, role = server.client("codebuild"), pipelines.role(server, "lists", "codebuild")
    for name in ("ab", "aa", "ac"):
        codebuild.create_project(
            name=name, description=f"project {name}", source={"type": "NO_SOURCE", "buildspec": "version: 0.2\nphases: {build: {commands: ['true']}}\n"},
            artifacts={"type": "NO_ARTIFACTS"}, serviceRole=role, tags=[{"key": "team", "value": name}],
            environment={"type": "LINUX_CONTAINER", "image": "x", "computeType": "BUILD_GENERAL1_SMALL"})
    codebuild.update_project(name="ab", description="changed")
    for _ in range(BUILDS):
        codebuild.start_build(projectName="aa")
    codebuild.start_build(projectName="ab")
    ended = lambda: all(build["buildComplete"] for build in codebuild.batch_get_builds(ids=codebuild.list_builds()["ids"])["builds"])
    eventually(ended, 60, "the end of all builds")
    return codebuild


def pages(codebuild, operation: str, member: str, **members) -> list[list[str]]:
    return [page[member] for page in codebuild.get_paginator(operation).paginate(**members)]


# A hundred builds, each with a commit for each of its phases.
def test_builds_are_listed_in_pages_newest_first_or_last(codebuild):
    for operation, members in (("list_builds_for_project", {"projectName": "aa"}), ("list_builds", {})):
        newest, oldest = (pages(codebuild, operation, "ids", sortOrder=order, **members) for order in ("DESCENDING", "ASCENDING"))
        assert [len(page) for page in newest] == [100, BUILDS - 100 + (not members)]
        flat = [one for page in newest for one in page]
        assert flat == [one for page in oldest for one in page][::-1] and len(set(flat)) == len(flat)
        assert flat == [one for page in pages(codebuild, operation, "ids", **members) for one in page], "newest first by default"
    [ids, rest] = pages(codebuild, "list_builds_for_project", "ids", projectName=f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/aa")
    builds = codebuild.batch_get_builds(ids=ids)["builds"]
    assert [build["id"] for build in builds] == ids
    assert [build["buildNumber"] for build in builds] == list(range(BUILDS, BUILDS - 100, -1))
    assert code(codebuild.batch_get_builds, ids=ids + rest) == "InvalidInputException"
    token = codebuild.list_builds()["nextToken"]
    assert code(codebuild.list_builds, nextToken=token, sortOrder="ASCENDING") == "InvalidInputException", "of another list"
    assert code(codebuild.list_builds_for_project, projectName="absent") == "ResourceNotFoundException"


def test_projects_are_sorted_and_found_by_name_or_arn(codebuild):
    listed = lambda **members: codebuild.list_projects(**members)["projects"]
    assert listed() == listed(sortBy="NAME", sortOrder="ASCENDING") == ["aa", "ab", "ac"]
    assert listed(sortBy="NAME", sortOrder="DESCENDING") == ["ac", "ab", "aa"]
    assert listed(sortBy="CREATED_TIME", sortOrder="ASCENDING") == ["ab", "aa", "ac"]
    assert listed(sortBy="LAST_MODIFIED_TIME", sortOrder="DESCENDING")[0] == "ab"
    arn = lambda name, account=ACCOUNT: f"arn:aws:codebuild:{REGION}:{account}:project/{name}"
    found = codebuild.batch_get_projects(names=["ac", arn("ab"), arn("aa", "999999999999"), "absent"])
    assert [project["name"] for project in found["projects"]] == ["ac", "ab"]
    assert found["projectsNotFound"] == [arn("aa", "999999999999"), "absent"]
    changed = found["projects"][1]
    assert changed["description"] == "changed" and changed["tags"] == [{"key": "team", "value": "ab"}]
    assert changed["lastModified"] > changed["created"]


def test_a_build_shows_all_that_a_console_needs(codebuild):
    [build] = codebuild.batch_get_builds(ids=codebuild.list_builds_for_project(projectName="ab")["ids"])["builds"]
    assert build["arn"] == f"arn:aws:codebuild:{REGION}:{ACCOUNT}:build/{build['id']}"
    assert codebuild.batch_get_builds(ids=[build["arn"], "absent:x"])["buildsNotFound"] == ["absent:x"]
    assert (build["buildStatus"], build["currentPhase"], build["buildComplete"], build["initiator"]) == ("SUCCEEDED", "COMPLETED", True, "root")
    assert build["startTime"] <= build["endTime"]
    for phase in build["phases"][:-1]:
        assert phase["phaseStatus"] == "SUCCEEDED" and phase["startTime"] <= phase["endTime"] and phase["durationInSeconds"] >= 0, phase
        assert phase["contexts"] == [{"statusCode": "", "message": ""}], phase
    assert set(build["phases"][-1]) == {"phaseType", "startTime"}
    logs, stream = build["logs"], build["id"].split(":")[1]
    assert (logs["groupName"], logs["streamName"]) == ("/aws/codebuild/ab", stream)
    assert logs["deepLink"].endswith(f"#logEvent:group=/aws/codebuild/ab;stream={stream}")
    assert logs["cloudWatchLogsArn"] == f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/codebuild/ab:log-stream:{stream}"
    assert build["environment"]["computeType"] == "BUILD_GENERAL1_SMALL" and build["artifacts"] == {"location": ""}
    assert build["source"]["buildspec"].startswith("version: 0.2")
    assert json.dumps(build, default=str)
