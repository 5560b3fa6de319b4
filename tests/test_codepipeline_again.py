"""Approving, retrying, rolling back, holding back: what people do to pipelines by hand. No build runs here."""

import concurrent.futures
import io
import json
import uuid
import zipfile

import pytest
from botocore.exceptions import ClientError

import pipelines
from conftest import ACCOUNT, REGION, code, commit_and_push, eventually, git, working_copy
from pipelines import state, upload

APPROVE = {"status": "Approved", "summary": "fine"}
REJECT = {"status": "Rejected", "summary": "not today"}


@pytest.fixture
def name(landfall):
    """An inbox with a site in version 1, and a bucket that is deployed to, NAME-site."""
    name = f"g-{uuid.uuid4().hex[:8]}"
    s3 = landfall.client("s3")
    for bucket in (f"{name}-inbox", f"{name}-site"):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=f"{name}-inbox", VersioningConfiguration={"Status": "Enabled"})
    upload(landfall, name, {"index.html": "one"})
    return name


def gate(**members) -> dict:
    return {"name": "Gate", "actions": [{**pipelines.action("Ask", "Approval", "Manual", {}), **members}]}


def site(name: str, **configuration: str) -> dict:
    settings = {"BucketName": f"{name}-site", "Extract": "true", **configuration}
    return {"name": "Site", "actions": [pipelines.action("Publish", "Deploy", "S3", settings, ["Source"])]}


def published(landfall, name: str, key: str = "index.html") -> str | None:
    s3 = landfall.client("s3")
    try:
        return s3.get_object(Bucket=f"{name}-site", Key=key)["Body"].read().decode()
    except s3.exceptions.NoSuchKey:
        return None


def token(landfall, name: str) -> str:
    def found():
        return state(landfall, name)["Gate"]["actionStates"][0].get("latestExecution", {}).get("token")

    return eventually(found, what="the approval's token")


def answer(landfall, name: str, result: dict, its_token: str | None = None):
    return landfall.client("codepipeline").put_approval_result(
        pipelineName=name, stageName="Gate", actionName="Ask", result=result, token=its_token or token(landfall, name))


def newest(landfall, name: str) -> str:
    return pipelines.executions(landfall, name)[0]["pipelineExecutionId"]


def test_nothing_is_published_before_somebody_approves(landfall, name):
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:ask"
    asked = gate(configuration={"CustomData": "Publish #{SourceVariables.VersionId}?", "NotificationArn": topic})
    pipelines.create(landfall, name, [pipelines.inbox(name), asked, site(name)])
    its_token = token(landfall, name)
    assert published(landfall, name) is None
    latest = state(landfall, name)["Gate"]["actionStates"][0]["latestExecution"]
    assert latest["status"] == "InProgress" and topic in latest["summary"], latest
    approved = answer(landfall, name, APPROVE)
    assert pipelines.finished(landfall, name)["status"] == "Succeeded", pipelines.actions(landfall, name)
    assert published(landfall, name) == "one"
    latest = state(landfall, name)["Gate"]["actionStates"][0]["latestExecution"]
    assert (latest["summary"], latest["lastUpdatedBy"]) == ("fine", f"arn:aws:iam::{ACCOUNT}:root")
    assert latest["lastStatusChange"] == approved["approvedAt"] and "token" not in latest
    ask = pipelines.actions(landfall, name)[1]
    version = pipelines.executions(landfall, name)[0]["sourceRevisions"][0]["revisionId"]
    assert ask["input"]["resolvedConfiguration"]["CustomData"] == f"Publish {version}?"
    assert ask["updatedBy"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert code(answer, landfall, name, REJECT, its_token) == "ApprovalAlreadyCompletedException"


def test_a_rejected_execution_can_be_asked_again(landfall, name):
    codepipeline = landfall.client("codepipeline")
    pipelines.create(landfall, name, [pipelines.inbox(name), gate(), site(name)])
    first = token(landfall, name)
    answer(landfall, name, REJECT)
    assert pipelines.finished(landfall, name)["status"] == "Failed"
    again = {"pipelineName": name, "stageName": "Gate", "pipelineExecutionId": newest(landfall, name)}
    retried = codepipeline.retry_stage_execution(**again, retryMode="FAILED_ACTIONS")
    assert retried["pipelineExecutionId"] == again["pipelineExecutionId"]
    second = token(landfall, name)
    assert second != first
    assert code(answer, landfall, name, APPROVE, str(uuid.uuid4())) == "InvalidApprovalTokenException"
    assert code(codepipeline.retry_stage_execution, **again, retryMode="ALL_ACTIONS") == "StageNotRetryableException"
    answer(landfall, name, APPROVE)
    assert pipelines.finished(landfall, name)["status"] == "Succeeded"
    asked = [action for action in pipelines.actions(landfall, name) if action["actionName"] == "Ask"]
    assert [action["status"] for action in asked] == ["Failed", "Succeeded"]
    assert state(landfall, name)["Gate"]["retryStageMetadata"]["manualStageRetryAttempt"] == 1
    latest = {"latestInPipelineExecution": {"pipelineExecutionId": newest(landfall, name), "startTimeRange": "Latest"}}
    last = codepipeline.list_action_executions(pipelineName=name, filter=latest)["actionExecutionDetails"]
    assert [action["status"] for action in last] == ["Succeeded"] * 3


def test_of_two_who_answer_at_once_one_is_heard(landfall, name):
    pipelines.create(landfall, name, [pipelines.inbox(name), gate(), site(name)])
    its_token = token(landfall, name)
    clients = [landfall.client("codepipeline") for _ in range(6)]

    def put(number: int) -> str:
        try:
            clients[number].put_approval_result(
                pipelineName=name, stageName="Gate", actionName="Ask", result=[APPROVE, REJECT][number % 2], token=its_token)
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "heard"

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        said = sorted(pool.map(put, range(6)))
    assert said == ["ApprovalAlreadyCompletedException"] * 5 + ["heard"]


def test_a_stopped_approval_is_over_and_places_that_are_not_there_are_named(landfall, name):
    codepipeline = landfall.client("codepipeline")
    pipelines.create(landfall, name, [pipelines.inbox(name), gate(timeoutInMinutes=5), site(name)])
    its_token = token(landfall, name)
    codepipeline.stop_pipeline_execution(pipelineName=name, pipelineExecutionId=newest(landfall, name), abandon=True)
    assert code(answer, landfall, name, APPROVE, its_token) == "InvalidApprovalTokenException"
    call = {"pipelineName": name, "stageName": "Gate", "actionName": "Ask", "result": APPROVE, "token": its_token}
    for member, expected in {"pipelineName": "Pipeline", "stageName": "Stage", "actionName": "Action"}.items():
        assert code(codepipeline.put_approval_result, **{**call, member: "nobody"}) == f"{expected}NotFoundException"
    assert code(codepipeline.put_approval_result, **{**call, "token": "1"}) == "ValidationException"


def test_an_approval_survives_a_kill(servers, tmp_path):
    """Two starts of a server."""
    server = servers("open", "dummy")
    s3 = server.client("s3")
    for bucket in ("k-inbox", "k-site"):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket="k-inbox", VersioningConfiguration={"Status": "Enabled"})
    upload(server, "k", {"index.html": "one"})
    pipelines.create(server, "k", [pipelines.inbox("k"), gate(), site("k")])
    its_token = token(server, "k")
    server.kill()
    server.start()
    assert token(server, "k") == its_token
    answer(server, "k", REJECT)
    server.client("codepipeline").retry_stage_execution(
        pipelineName="k", stageName="Gate", pipelineExecutionId=newest(server, "k"), retryMode="FAILED_ACTIONS")
    server.kill()
    server.start()
    answer(server, "k", APPROVE)
    assert pipelines.finished(server, "k")["status"] == "Succeeded"
    assert [action["status"] for action in pipelines.actions(server, "k")] == ["Succeeded", "Failed", "Succeeded", "Succeeded"]


def test_a_stage_is_rolled_back_to_what_was_published_before(landfall, name):
    codepipeline = landfall.client("codepipeline")
    pipelines.create(landfall, name, [pipelines.inbox(name), site(name)], pipelineType="V2")
    first = pipelines.finished(landfall, name)["pipelineExecutionId"]
    upload(landfall, name, {"index.html": "two"})
    pipelines.finished(landfall, name, 2)
    assert published(landfall, name) == "two"
    passed = codepipeline.list_pipeline_executions(pipelineName=name, filter={"succeededInStage": {"stageName": "Site"}})
    assert [execution["pipelineExecutionId"] for execution in passed["pipelineExecutionSummaries"]][1] == first
    back = {"pipelineName": name, "stageName": "Site", "targetPipelineExecutionId": first}
    rollback = codepipeline.rollback_stage(**back)["pipelineExecutionId"]
    assert pipelines.finished(landfall, name, 3)["status"] == "Succeeded"
    assert published(landfall, name) == "one"
    shown = codepipeline.get_pipeline_execution(pipelineName=name, pipelineExecutionId=rollback)["pipelineExecution"]
    assert (shown["executionType"], shown["rollbackMetadata"]) == ("ROLLBACK", {"rollbackTargetPipelineExecutionId": first})
    assert shown["trigger"] == {"triggerType": "ManualRollback", "triggerDetail": f"arn:aws:iam::{ACCOUNT}:root"}
    assert [action["actionName"] for action in pipelines.actions(landfall, name, rollback)] == ["Publish"]
    assert state(landfall, name)["Site"]["latestExecution"]["type"] == "ROLLBACK"
    assert code(codepipeline.rollback_stage, **{**back, "targetPipelineExecutionId": rollback}) == "UnableToRollbackStageException"
    assert code(codepipeline.rollback_stage, **{**back, "stageName": "Source"}) == "UnableToRollbackStageException"
    assert code(codepipeline.rollback_stage, **{**back, "stageName": "Nobody"}) == "StageNotFoundException"
    nobody = str(uuid.uuid4())
    assert code(codepipeline.rollback_stage, **{**back, "targetPipelineExecutionId": nobody}) == "PipelineExecutionNotFoundException"
    codepipeline.update_pipeline(pipeline=codepipeline.get_pipeline(name=name)["pipeline"])
    assert code(codepipeline.rollback_stage, **back) == "PipelineExecutionOutdatedException"


def test_a_failing_stage_rolls_itself_back(landfall, name):
    stage = {**site(name), "onFailure": {"result": "ROLLBACK"}}
    pipelines.create(landfall, name, [pipelines.inbox(name), stage])
    assert pipelines.finished(landfall, name)["status"] == "Succeeded"
    landfall.client("s3").put_object(Bucket=f"{name}-inbox", Key="site.zip", Body=b"no zip")
    assert pipelines.finished(landfall, name, 3)["status"] == "Succeeded"
    rollback, failed, _ = pipelines.executions(landfall, name)
    assert (failed["status"], rollback["executionType"]) == ("Failed", "ROLLBACK")
    assert rollback["trigger"]["triggerType"] == "AutomatedRollback"
    assert failed["pipelineExecutionId"] in rollback["trigger"]["triggerDetail"]
    assert published(landfall, name) == "one"


def test_a_stage_retries_itself_once(landfall, name):
    stage = {**site(name), "onFailure": {"result": "RETRY", "retryConfiguration": {"retryMode": "ALL_ACTIONS"}}}
    landfall.client("s3").put_object(Bucket=f"{name}-inbox", Key="site.zip", Body=b"no zip")
    pipelines.create(landfall, name, [pipelines.inbox(name), stage])
    assert pipelines.finished(landfall, name)["status"] == "Failed"
    assert [action["status"] for action in pipelines.actions(landfall, name)] == ["Succeeded", "Failed", "Failed"]
    metadata = state(landfall, name)["Site"]["retryStageMetadata"]
    assert metadata == {"autoStageRetryAttempt": 1, "latestRetryTrigger": "AutomatedStageRetry"}


def test_a_closed_transition_holds_the_newest_back(landfall, name):
    codepipeline = landfall.client("codepipeline")
    pipelines.create(landfall, name, [pipelines.inbox(name), site(name)])
    pipelines.finished(landfall, name)
    transition = {"pipelineName": name, "stageName": "Site", "transitionType": "Inbound"}
    codepipeline.disable_stage_transition(**transition, reason="freeze (it is Friday)")
    second, third = (upload(landfall, name, {"index.html": text}) and start(codepipeline, name) for text in ("two", "three"))
    eventually(lambda: statuses(landfall, name)[1:].count("Superseded") >= 1, what="the superseding")
    closed = state(landfall, name)["Site"]["inboundTransitionState"]
    assert (closed["enabled"], closed["disabledReason"]) == (False, "freeze (it is Friday)")
    assert closed["lastChangedBy"] == f"arn:aws:iam::{ACCOUNT}:root" and closed["lastChangedAt"]
    waiting = eventually(lambda: state(landfall, name)["Site"].get("inboundExecution"), what="the waiting execution")
    assert waiting["pipelineExecutionId"] != second and published(landfall, name) == "one"
    codepipeline.enable_stage_transition(**transition)
    eventually(lambda: published(landfall, name) == "three", what="the newest to be published")
    assert state(landfall, name)["Site"]["inboundTransitionState"]["enabled"]
    assert third in {execution["pipelineExecutionId"] for execution in pipelines.executions(landfall, name)}
    for wrong, expected in [
        ({**transition, "stageName": "Nobody"}, "StageNotFoundException"),
        ({**transition, "pipelineName": "nobody"}, "PipelineNotFoundException"),
        ({**transition, "stageName": "Source"}, "ValidationException"),
        ({**transition, "transitionType": "Outbound"}, "ValidationException"),
        ({**transition, "transitionType": "Sideways"}, "ValidationException"),
    ]:
        assert code(codepipeline.enable_stage_transition, **wrong) == expected, wrong
    assert code(codepipeline.disable_stage_transition, **transition, reason="<b>") == "ValidationException"


def start(codepipeline, name: str, **members) -> str:
    return codepipeline.start_pipeline_execution(name=name, **members)["pipelineExecutionId"]


def statuses(landfall, name: str) -> list[str]:
    """Oldest first."""
    return [execution["status"] for execution in pipelines.executions(landfall, name)][::-1]


def test_an_inbound_execution_can_be_stopped_and_not_retried(landfall, name):
    codepipeline = landfall.client("codepipeline")
    pipelines.create(landfall, name, [pipelines.inbox(name), site(name)])
    pipelines.finished(landfall, name)
    codepipeline.disable_stage_transition(pipelineName=name, stageName="Source", transitionType="Outbound", reason="freeze")
    second = start(codepipeline, name)
    eventually(lambda: state(landfall, name)["Site"].get("inboundExecution"), what="the waiting execution")
    codepipeline.stop_pipeline_execution(pipelineName=name, pipelineExecutionId=second, reason="never mind")
    stopped = pipelines.finished(landfall, name, 2)
    assert (stopped["status"], stopped["stopTrigger"]) == ("Stopped", {"reason": "never mind"})
    retry = {"pipelineName": name, "stageName": "Site", "pipelineExecutionId": second, "retryMode": "ALL_ACTIONS"}
    assert code(codepipeline.retry_stage_execution, **retry) == "StageNotRetryableException"


def test_a_start_chooses_variables_and_revisions(landfall, name):
    codepipeline, s3 = landfall.client("codepipeline"), landfall.client("s3")
    first = s3.head_object(Bucket=f"{name}-inbox", Key="site.zip")["VersionId"]
    upload(landfall, name, {"index.html": "two"})
    upload(landfall, name, {"index.html": "other"}, "other.zip")
    inbox = pipelines.inbox(name, AllowOverrideForS3ObjectKey="true", PollForSourceChanges="false")
    pipelines.create(landfall, name, [inbox, site(name, ObjectKey="#{variables.folder}")],
                     pipelineType="V2", variables=[{"name": "folder", "defaultValue": "main"}])
    assert pipelines.finished(landfall, name)["sourceRevisions"][0]["revisionId"] != first
    assert published(landfall, name, "main/index.html") == "two"
    older = {"actionName": "Object", "revisionType": "S3_OBJECT_VERSION_ID", "revisionValue": first}
    start(codepipeline, name, sourceRevisions=[older], variables=[{"name": "folder", "value": "old"}])
    assert pipelines.finished(landfall, name, 2)["sourceRevisions"][0]["revisionId"] == first
    assert published(landfall, name, "old/index.html") == "one"
    other = {**older, "revisionType": "S3_OBJECT_KEY", "revisionValue": "other.zip"}
    third = start(codepipeline, name, sourceRevisions=[other], variables=[{"name": "folder", "value": "other"}])
    assert pipelines.finished(landfall, name, 3)["status"] == "Succeeded"
    assert published(landfall, name, "other/index.html") == "other"
    shown = codepipeline.get_pipeline_execution(pipelineName=name, pipelineExecutionId=third)["pipelineExecution"]
    assert shown["variables"] == [{"name": "folder", "resolvedValue": "other"}]
    for wrong in [
        {"variables": [{"name": "unknown", "value": "x"}]},
        {"sourceRevisions": [{**older, "actionName": "Nobody"}]},
        {"sourceRevisions": [{**older, "revisionType": "COMMIT_ID"}]},
        {"sourceRevisions": [{**older, "revisionType": "IMAGE_DIGEST"}]},
        {"sourceRevisions": [older, other]},
    ]:
        assert code(codepipeline.start_pipeline_execution, name=name, **wrong) == "ValidationException", wrong


def test_history_is_paged_without_loss(landfall, name):
    codepipeline = landfall.client("codepipeline")
    pipelines.create(landfall, name, [pipelines.inbox(name, PollForSourceChanges="false"), site(name)])
    for count in range(1, 4):
        pipelines.finished(landfall, name, count)
        if count < 3:
            start(codepipeline, name)
    for operation, items, key in [
        ("list_action_executions", "actionExecutionDetails", "actionExecutionId"),
        ("list_pipeline_executions", "pipelineExecutionSummaries", "pipelineExecutionId"),
    ]:
        whole = [item[key] for item in getattr(codepipeline, operation)(pipelineName=name)[items]]
        pages = codepipeline.get_paginator(operation).paginate(pipelineName=name, PaginationConfig={"PageSize": 2})
        assert [item[key] for page in pages for item in page[items]] == whole
        assert code(getattr(codepipeline, operation), pipelineName=name, nextToken="nonsense") == "InvalidNextTokenException"
    both = {"pipelineExecutionId": newest(landfall, name), "latestInPipelineExecution": {"pipelineExecutionId": newest(landfall, name), "startTimeRange": "All"}}
    assert code(codepipeline.list_action_executions, pipelineName=name, filter=both) == "ValidationException"
    nobody = {"pipelineExecutionId": str(uuid.uuid4())}
    assert code(codepipeline.list_action_executions, pipelineName=name, filter=nobody) == "PipelineExecutionNotFoundException"


def test_tags_and_action_types(landfall, name):
    codepipeline = landfall.client("codepipeline")
    pipelines.create(landfall, name, [pipelines.inbox(name), site(name)])
    arn = codepipeline.get_pipeline(name=name)["metadata"]["pipelineArn"]
    codepipeline.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "a"}, {"key": "cost", "value": "1"}])
    codepipeline.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "b"}])
    pages = codepipeline.get_paginator("list_tags_for_resource").paginate(resourceArn=arn, PaginationConfig={"PageSize": 1})
    assert [tag for page in pages for tag in page["tags"]] == [{"key": "cost", "value": "1"}, {"key": "team", "value": "b"}]
    codepipeline.untag_resource(resourceArn=arn, tagKeys=["team", "absent"])
    assert codepipeline.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "cost", "value": "1"}]
    assert code(codepipeline.tag_resource, resourceArn=arn, tags=[{"key": "aws:x", "value": ""}]) == "InvalidTagsException"
    many = [{"key": str(number), "value": ""} for number in range(50)]
    assert code(codepipeline.tag_resource, resourceArn=arn, tags=many) == "TooManyTagsException"
    assert code(codepipeline.list_tags_for_resource, resourceArn=f"{arn}-not") == "ResourceNotFoundException"
    foreign = f"arn:aws:codepipeline:{REGION}:999999999999:{name}"
    assert code(codepipeline.untag_resource, resourceArn=foreign, tagKeys=["a"]) == "InvalidArnException"
    types = codepipeline.list_action_types(actionOwnerFilter="AWS")["actionTypes"]
    listed = {(kind["id"]["category"], kind["id"]["provider"]) for kind in types}
    assert {("Approval", "Manual"), ("Deploy", "S3"), ("Source", "CodeCommit")} <= listed
    assert ("Deploy", "OpsWorks") not in listed, "only what runs here is listed"


def test_conditions_that_nobody_evaluates_are_refused_by_name(landfall, name):
    rule = {"name": "r", "ruleTypeId": {"category": "Rule", "owner": "AWS", "provider": "VariableCheck", "version": "1"}}
    for member, value in {
        "beforeEntry": {"conditions": [{"result": "FAIL", "rules": [rule]}]},
        "onSuccess": {"conditions": [{"result": "FAIL", "rules": [rule]}]},
        "onFailure": {"conditions": [{"result": "ROLLBACK", "rules": [rule]}]},
    }.items():
        with pytest.raises(ClientError, match=f"InvalidStageDeclaration.*{member}"):
            pipelines.create(landfall, f"{name}-{member.lower()}", [pipelines.inbox(name), {**site(name), member: value}])


def test_files_are_published_with_their_types_and_nothing_leaves_the_bucket(landfall, name):
    s3 = landfall.client("s3")
    upload(landfall, name, {"index.html": "<p>", "css\\site.css": "p{}", "empty/": "", "LICENSE": "free"})
    settings = {"ObjectKey": "v/{datetime}", "CacheControl": "max-age=60", "CannedACL": "bucket-owner-full-control"}
    pipelines.create(landfall, name, [pipelines.inbox(name), site(name, **settings)])
    assert pipelines.finished(landfall, name)["status"] == "Succeeded", pipelines.actions(landfall, name)
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=f"{name}-site")["Contents"]]
    assert [key.split("/", 2)[2] for key in keys] == ["LICENSE", "css/site.css", "index.html"]
    assert len(keys[0].split("/")[1]) == len("2026-01-31_23-59-00")
    heads = [s3.head_object(Bucket=f"{name}-site", Key=key) for key in keys]
    assert [head["ContentType"] for head in heads] == ["application/octet-stream", "text/css", "text/html"]
    assert {head["CacheControl"] for head in heads} == {"max-age=60"}
    upload(landfall, name, {"../../evil": "x"})
    assert pipelines.finished(landfall, name, 2)["status"] == "Failed"
    failure = state(landfall, name)["Site"]["actionStates"][0]["latestExecution"]["errorDetails"]
    assert failure["code"] == "JobFailed" and "leads out of the artifact" in failure["message"]


def test_an_artifact_is_published_whole(landfall, name):
    s3 = landfall.client("s3")
    settings = {"Extract": "false", "ObjectKey": "app-#{SourceVariables.VersionId}.zip", "KMSEncryptionKeyARN": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k"}
    pipelines.create(landfall, name, [pipelines.inbox(name), site(name, **settings)])
    assert pipelines.finished(landfall, name)["status"] == "Succeeded", pipelines.actions(landfall, name)
    [item] = s3.list_objects_v2(Bucket=f"{name}-site")["Contents"]
    version = pipelines.executions(landfall, name)[0]["sourceRevisions"][0]["revisionId"]
    assert item["Key"] == f"app-{version}.zip"
    content = s3.get_object(Bucket=f"{name}-site", Key=item["Key"])["Body"].read()
    assert zipfile.ZipFile(io.BytesIO(content)).read("index.html") == b"one"
    summary = state(landfall, name)["Site"]["actionStates"][0]["latestExecution"]["summary"]
    assert summary.startswith("Deployment Succeeded") and "no AWS KMS yet" in summary


def test_a_wrong_deployment_says_what_would_be_right(landfall, name):
    for settings, expected in [
        ({"BucketName": "no-such-bucket"}, ("ConfigurationError", "NoSuchBucket")),
        ({"CannedACL": "public-read"}, ("ConfigurationError", "AccessControlListNotSupported")),
    ]:
        pipeline = f"{name}-{list(settings)[0].lower()}"
        pipelines.create(landfall, pipeline, [pipelines.inbox(name), site(name, **settings)])
        assert pipelines.finished(landfall, pipeline)["status"] == "Failed"
        failure = state(landfall, pipeline)["Site"]["actionStates"][0]["latestExecution"]["errorDetails"]
        assert failure["code"] == expected[0] and expected[1] in failure["message"], failure
    with pytest.raises(ClientError, match="InvalidActionDeclaration.*ObjectKey"):
        pipelines.create(landfall, f"{name}-whole", [pipelines.inbox(name), site(name, Extract="false")])


def test_a_start_chooses_a_commit(landfall, name, tmp_path):
    codepipeline = landfall.client("codepipeline")
    landfall.client("codecommit").create_repository(repositoryName=name)
    working_copy(tmp_path / "work", landfall.clone_url(name), {"index.html": "first"})
    first = git(tmp_path / "work", "rev-parse", "HEAD").stdout.strip()
    commit_and_push(tmp_path / "work", {"index.html": "second"})
    pipelines.create(landfall, name, [pipelines.source(name, PollForSourceChanges="false"), site(name)], pipelineType="V2")
    pipelines.finished(landfall, name)
    assert published(landfall, name) == "second"
    asked = {"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": first}
    token = str(uuid.uuid4())
    ids = {start(codepipeline, name, sourceRevisions=[asked], clientRequestToken=token) for _ in range(2)}
    assert len(ids) == 1
    assert pipelines.finished(landfall, name, 2)["sourceRevisions"][0]["revisionId"] == first
    assert published(landfall, name) == "first"
    assert codepipeline.get_pipeline(name=name, version=1)["pipeline"]["pipelineType"] == "V2"
    assert code(codepipeline.get_pipeline, name=name, version=2) == "PipelineVersionNotFoundException"


def test_an_action_takes_its_role_through_the_pipelines(enforcing):
    name, iam, s3 = f"r-{uuid.uuid4().hex[:8]}", enforcing.client("iam"), enforcing.client("s3")
    for bucket in (f"{name}-inbox", f"{name}-site"):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=f"{name}-inbox", VersioningConfiguration={"Status": "Enabled"})
    upload(enforcing, name, {"index.html": "one"})
    pipeline_role = f"arn:aws:iam::{ACCOUNT}:role/{name}-pipeline"
    trusting = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": pipeline_role}, "Action": "sts:AssumeRole"}]}
    publisher = iam.create_role(RoleName=f"{name}-publisher", AssumeRolePolicyDocument=json.dumps(trusting))["Role"]["Arn"]
    stage = site(name)
    stage["actions"][0]["roleArn"] = publisher
    pipelines.create(enforcing, name, [pipelines.inbox(name), stage])
    assert pipelines.finished(enforcing, name)["status"] == "Succeeded", pipelines.actions(enforcing, name)
    assert published(enforcing, name) == "one"
    assert pipelines.actions(enforcing, name)[1]["input"]["roleArn"] == publisher
    trusting["Statement"][0]["Principal"] = {"Service": "codebuild.amazonaws.com"}
    iam.update_assume_role_policy(RoleName=f"{name}-publisher", PolicyDocument=json.dumps(trusting))
    enforcing.client("codepipeline").start_pipeline_execution(name=name)
    assert pipelines.finished(enforcing, name, 2)["status"] == "Failed"
    failure = state(enforcing, name)["Site"]["actionStates"][0]["latestExecution"]["errorDetails"]
    assert failure["code"] == "PermissionError" and publisher in failure["message"]
