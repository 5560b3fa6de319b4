"""IAM and STS through boto3: users, keys, roles, sessions, and what they may do."""

import datetime
import http.client
import json
import urllib.error
import urllib.parse
import urllib.request

import pytest
from botocore.exceptions import ClientError

from conftest import ACCOUNT, trust

POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


def refused(call, *arguments, **parameters) -> str:
    with pytest.raises(ClientError) as error:
        call(*arguments, **parameters)
    return error.value.response["Error"]["Code"]


def test_a_user_with_its_keys_and_policies(enforcing):
    iam = enforcing.client("iam")
    user = iam.create_user(UserName="Ines", Path="/team/", Tags=[{"Key": "a", "Value": "b"}])["User"]
    assert user["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/team/Ines"
    assert iam.get_user(UserName="ines")["User"]["UserId"] == user["UserId"]
    assert refused(iam.create_user, UserName="INES") == "EntityAlreadyExists"
    assert [user["UserName"] for user in iam.list_users(PathPrefix="/team/")["Users"]] == ["Ines"]
    iam.put_user_policy(UserName="Ines", PolicyName="p", PolicyDocument=json.dumps(POLICY))
    assert iam.get_user_policy(UserName="Ines", PolicyName="p")["PolicyDocument"] == POLICY
    assert iam.list_user_policies(UserName="Ines")["PolicyNames"] == ["p"]
    assert refused(iam.put_user_policy, UserName="Ines", PolicyName="q", PolicyDocument="{") == "MalformedPolicyDocument"
    key = iam.create_access_key(UserName="Ines")["AccessKey"]
    sts = enforcing.client("sts", (key["AccessKeyId"], key["SecretAccessKey"]))
    assert sts.get_caller_identity()["Arn"] == user["Arn"]
    iam.update_access_key(UserName="Ines", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert iam.list_access_keys(UserName="Ines")["AccessKeyMetadata"][0]["Status"] == "Inactive"
    assert refused(sts.get_caller_identity) == "InvalidClientTokenId"
    assert refused(iam.delete_user, UserName="Ines") == "DeleteConflict"
    iam.delete_access_key(UserName="Ines", AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName="Ines", PolicyName="p")
    iam.delete_user(UserName="Ines")
    assert refused(iam.get_user, UserName="Ines") == "NoSuchEntity"


def test_a_role_with_its_trust_and_policies(client):
    iam = client("iam")
    iam.create_role(RoleName="Carver", AssumeRolePolicyDocument=trust("codebuild"), MaxSessionDuration=7200)
    role = iam.get_role(RoleName="carver")["Role"]
    assert role["AssumeRolePolicyDocument"] == json.loads(trust("codebuild"))
    assert (role["Arn"], role["MaxSessionDuration"]) == (f"arn:aws:iam::{ACCOUNT}:role/Carver", 7200)
    iam.update_assume_role_policy(RoleName="Carver", PolicyDocument=trust("codedeploy"))
    assert iam.get_role(RoleName="Carver")["Role"]["AssumeRolePolicyDocument"] == json.loads(trust("codedeploy"))
    iam.put_role_policy(RoleName="Carver", PolicyName="p", PolicyDocument=json.dumps(POLICY))
    assert iam.get_role_policy(RoleName="Carver", PolicyName="p")["PolicyDocument"] == POLICY
    assert refused(iam.delete_role, RoleName="Carver") == "DeleteConflict"
    iam.delete_role_policy(RoleName="Carver", PolicyName="p")
    assert iam.list_role_policies(RoleName="Carver")["PolicyNames"] == []
    iam.delete_role(RoleName="Carver")
    assert refused(iam.get_role, RoleName="Carver") == "NoSuchEntity"


def key_of(iam, name: str) -> tuple[str, str]:
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def test_a_key_works_only_while_it_and_its_user_are_there(enforcing):
    iam = enforcing.client("iam")
    key = key_of(iam, "leaver")
    sts, codebuild = enforcing.client("sts", key), enforcing.client("codebuild", key)
    assert sts.get_caller_identity()["UserId"] == iam.get_user(UserName="leaver")["User"]["UserId"]
    assert refused(codebuild.list_projects) == "AccessDeniedException", "known, but nobody allowed it anything"
    iam.update_access_key(UserName="leaver", AccessKeyId=key[0], Status="Inactive")
    assert refused(codebuild.list_projects) == "UnrecognizedClientException"
    assert refused(enforcing.client("s3", key).list_buckets) == "InvalidAccessKeyId"
    iam.update_access_key(UserName="leaver", AccessKeyId=key[0], Status="Active")
    assert sts.get_caller_identity()["Account"] == ACCOUNT
    iam.delete_access_key(UserName="leaver", AccessKeyId=key[0])
    iam.delete_user(UserName="leaver")
    assert refused(codebuild.list_projects) == "UnrecognizedClientException"
    assert refused(sts.get_caller_identity) == "InvalidClientTokenId"
    again = key_of(iam, "leaver")
    assert refused(sts.get_caller_identity) == "InvalidClientTokenId", "an old key is not a new user's"
    assert enforcing.client("sts", again).get_caller_identity()["Account"] == ACCOUNT


def allowing(action: str, effect: str = "Allow") -> str:
    statement = {"Effect": effect, "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_what_is_taken_away_is_gone_with_the_answer(servers):
    """However often a key, its user and policies were read before, and over a restart."""
    server = servers("enforce", "dummy")
    iam = server.client("iam")
    key = key_of(iam, "reader")
    codebuild = server.client("codebuild", key)
    for _ in range(5):
        iam.put_user_policy(UserName="reader", PolicyName="p", PolicyDocument=allowing("codebuild:*"))
        assert [codebuild.list_projects()["projects"] for _ in range(5)] == [[]] * 5
        iam.put_user_policy(UserName="reader", PolicyName="p", PolicyDocument=allowing("codebuild:*", "Deny"))
        assert refused(codebuild.list_projects) == "AccessDeniedException"
    iam.put_user_policy(UserName="reader", PolicyName="p", PolicyDocument=allowing("codebuild:*"))
    user = f"arn:aws:iam::{ACCOUNT}:user/reader"
    iam.put_user_policy(UserName="reader", PolicyName="take", PolicyDocument=allowing("sts:AssumeRole"))
    trusting = json.loads(trust("codebuild"))
    trusting["Statement"][0]["Principal"] = {"AWS": user}
    role = iam.create_role(RoleName="taken", AssumeRolePolicyDocument=json.dumps(trusting))["Role"]
    taken = server.client("sts", key).assume_role(RoleArn=role["Arn"], RoleSessionName="session")["Credentials"]
    session = server.client("codebuild", (taken["AccessKeyId"], taken["SecretAccessKey"], taken["SessionToken"]))
    assert [session.list_projects()["projects"] for _ in range(3)] == [[]] * 3
    iam.put_role_policy(RoleName="taken", PolicyName="no", PolicyDocument=allowing("*", "Deny"))
    assert refused(session.list_projects) == "AccessDeniedException"
    iam.delete_role_policy(RoleName="taken", PolicyName="no")
    assert session.list_projects()["projects"] == []
    iam.delete_role(RoleName="taken")
    assert refused(session.list_projects) == "UnrecognizedClientException"
    assert codebuild.list_projects()["projects"] == []
    iam.delete_access_key(UserName="reader", AccessKeyId=key[0])
    assert refused(codebuild.list_projects) == "UnrecognizedClientException"
    server.kill()
    server.start()
    for client, whose in (("codebuild", key), ("codebuild", tuple(taken[part] for part in ("AccessKeyId", "SecretAccessKey", "SessionToken")))):
        assert refused(server.client(client, whose).list_projects) == "UnrecognizedClientException"


def test_a_user_has_two_keys_at_most_and_secrets_are_shown_once(enforcing):
    iam = enforcing.client("iam")
    first = key_of(iam, "rotating")
    second = iam.create_access_key(UserName="rotating")["AccessKey"]
    assert refused(iam.create_access_key, UserName="rotating") == "LimitExceeded"
    listed = iam.list_access_keys(UserName="rotating")["AccessKeyMetadata"]
    assert {key["AccessKeyId"] for key in listed} == {first[0], second["AccessKeyId"]}
    assert first[1] not in str(listed) and second["SecretAccessKey"] not in str(listed)
    stored = b"".join(path.read_bytes() for path in enforcing.data_dir.rglob("*") if path.is_file())
    assert first[0].encode() in stored and first[1].encode() not in stored and second["SecretAccessKey"].encode() not in stored
    assert first[1] not in enforcing.tail(10_000)
    assert refused(iam.update_access_key, UserName="rotating", AccessKeyId="AKIAUNKNOWN000000000", Status="Active") == "NoSuchEntity"


def test_keys_outlive_kill_minus_9(servers):
    server = servers("enforce", "dummy")
    key, dropped = key_of(server.client("iam"), "kept"), key_of(server.client("iam"), "dropped")
    server.client("iam").update_access_key(UserName="dropped", AccessKeyId=dropped[0], Status="Inactive")
    root = server.root_key()
    server.kill()
    server.start()
    assert server.root_key() == root
    assert server.client("sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert server.client("sts", key).get_caller_identity()["Arn"].endswith(":user/kept")
    assert refused(server.client("sts", dropped).get_caller_identity) == "InvalidClientTokenId"
    assert (server.data_dir / "root-credentials").stat().st_mode & 0o777 == 0o600
    assert (server.data_dir / "master.key").stat().st_mode & 0o777 == 0o600


def test_who_may_assume_a_role_is_said_by_its_trust(enforcing):
    iam, sts = enforcing.client("iam"), enforcing.client("sts")
    iam.create_role(RoleName="for-builds", AssumeRolePolicyDocument=trust("codebuild"))
    arn = f"arn:aws:iam::{ACCOUNT}:role/for-builds"
    assert refused(sts.assume_role, RoleArn=arn, RoleSessionName="me") == "AccessDenied"
    own = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}]}
    iam.update_assume_role_policy(RoleName="for-builds", PolicyDocument=json.dumps(own))
    session = sts.assume_role(RoleArn=arn, RoleSessionName="me", DurationSeconds=900)
    assert session["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/for-builds/me"
    remaining = session["Credentials"]["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
    assert 800 < remaining.total_seconds() <= 900
    assert refused(sts.assume_role, RoleArn=arn, RoleSessionName="me", DurationSeconds=7200) == "ValidationError"
    credentials = session["Credentials"]
    triple = (credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])
    assert refused(enforcing.client("sts", triple[:2]).get_caller_identity) == "InvalidClientTokenId"
    iam.delete_role(RoleName="for-builds")
    assert refused(enforcing.client("codebuild", triple).list_projects) == "UnrecognizedClientException"


def test_lists_go_on_page_by_page(client):
    iam = client("iam")
    for number in range(5):
        iam.create_role(RoleName=f"page-{number}", Path="/pages/", AssumeRolePolicyDocument=trust("codebuild"))
    pages = iam.get_paginator("list_roles").paginate(PathPrefix="/pages/", PaginationConfig={"PageSize": 2})
    assert [role["RoleName"] for page in pages for role in page["Roles"]] == [f"page-{number}" for number in range(5)]


def test_a_session_is_bound_to_its_key_and_cannot_be_changed(enforcing):
    iam, sts = enforcing.client("iam"), enforcing.client("sts")
    own = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}]}
    iam.create_role(RoleName="session", AssumeRolePolicyDocument=json.dumps(own))
    arn = f"arn:aws:iam::{ACCOUNT}:role/session"
    one, two = (sts.assume_role(RoleArn=arn, RoleSessionName=name)["Credentials"] for name in ("one", "two"))
    triple = lambda a, b: (a["AccessKeyId"], a["SecretAccessKey"], b["SessionToken"])
    identity = enforcing.client("sts", triple(one, one)).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/session/one"
    assert refused(enforcing.client("sts", triple(one, two)).get_caller_identity) == "InvalidClientTokenId"
    changed = {"SessionToken": one["SessionToken"][:-2] + "xx"}
    assert refused(enforcing.client("sts", triple(one, changed)).get_caller_identity) == "InvalidClientTokenId"
    assert refused(enforcing.client("codebuild", triple(one, changed)).list_projects) == "UnrecognizedClientException"
    assert refused(sts.assume_role, RoleArn=arn + "x", RoleSessionName="session") == "AccessDenied"


def test_a_presigned_url_is_let_in_and_a_changed_one_is_not(enforcing):
    s3 = enforcing.client("s3", signature_version="s3v4")
    s3.create_bucket(Bucket="presigned-iam")
    s3.put_object(Bucket="presigned-iam", Key="a b/ü.txt", Body=b"hello")
    url = s3.generate_presigned_url("get_object", {"Bucket": "presigned-iam", "Key": "a b/ü.txt"}, ExpiresIn=60)
    assert urllib.request.urlopen(url, timeout=10).read() == b"hello"
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(url.replace("X-Amz-Expires=60", "X-Amz-Expires=61"), timeout=10)
    assert error.value.code == 403 and b"SignatureDoesNotMatch" in error.value.read()


def fetched(url: str, method: str = "GET", content: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(url, content, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_urls_presigned_as_boto3_does_by_default(enforcing):
    """By S3's first signature, unless `signature_version` says otherwise."""
    s3 = enforcing.client("s3")
    s3.create_bucket(Bucket="presigned-v2")
    names = {"Bucket": "presigned-v2", "Key": "a b/ü+.txt"}
    put = s3.generate_presigned_url("put_object", Params={**names, "ContentType": "text/css"})
    assert "AWSAccessKeyId=" in put
    assert fetched(put, "PUT", b"hello", **{"Content-Type": "text/plain"})[0] == 403
    assert fetched(put, "PUT", b"hello", **{"Content-Type": "text/css"})[0] == 200
    get = s3.generate_presigned_url("get_object", Params={**names, "ResponseContentType": "text/x"})
    assert fetched(get) == (200, b"hello")
    for changed in (get.replace("presigned-v2", "presigned-iam"), get.replace("Expires=1", "Expires=2"), get.replace("text%2Fx", "text%2Fhtml")):
        status, text = fetched(changed)
        assert status == 403 and b"SignatureDoesNotMatch" in text, changed
    assert fetched(get, "DELETE")[0] == 403
    status, text = fetched(s3.generate_presigned_url("get_object", Params=names, ExpiresIn=-5))
    assert status == 403 and b"Request has expired" in text
    status, text = fetched(get.replace(enforcing.root_key()[0], "AKIAIOSFODNN7EXAMPLE"))
    assert status == 403 and b"InvalidAccessKeyId" in text


def sent(enforcing, url: str, method: str = "GET", content: bytes = b"", host: str | None = None) -> tuple[int, bytes]:
    """With no header but the host: urllib adds a content type, which is signed."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(enforcing.endpoint).netloc, timeout=10)
    target = urllib.parse.urlsplit(url)._replace(scheme="", netloc="").geturl()
    connection.request(method, target, content, {"Host": host} if host else {})
    reply = connection.getresponse()
    return reply.status, reply.read()


def test_a_url_presigned_by_the_first_signature_is_for_one_object_and_operation(enforcing):
    s3 = enforcing.client("s3")
    for bucket, key in (("signed-for", "k"), ("not-signed-for", "signed-for/k")):
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key=key, Body=b"old")
    names = {"Bucket": "signed-for", "Key": "k"}
    get, put = (s3.generate_presigned_url(operation, Params=names) for operation in ("get_object", "put_object"))
    assert sent(enforcing, get) == (200, b"old")
    # The host is not signed, and names another bucket.
    for host in ("not-signed-for.localhost", "not-signed-for.s3.amazonaws.com"):
        assert sent(enforcing, get, host=host)[0] == 403
        assert sent(enforcing, put, "PUT", b"new", host)[0] == 403
        # Where it names the right one, the path need not.
        assert sent(enforcing, get.replace("/signed-for/", "/"), host=host.removeprefix("not-")) == (200, b"old")
    tags = b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
    for name in ("&tagging", "&%74agging"):
        assert sent(enforcing, get + name)[0] == 403
        assert sent(enforcing, put + name, "PUT", tags)[0] == 403
    told = s3.generate_presigned_url("put_object", Params={**names, "Metadata": {"a": "b"}})
    assert sent(enforcing, told.replace("?", "?x-amz-meta-a=c&"), "PUT", b"new")[0] == 403
    assert s3.get_object(Bucket="not-signed-for", Key="signed-for/k")["Body"].read() == b"old"
    assert s3.get_object_tagging(**names)["TagSet"] == []
    # A list's page is not signed, the bucket is.
    listed = s3.generate_presigned_url("list_objects_v2", Params={"Bucket": "signed-for", "Prefix": "k"})
    assert sent(enforcing, listed)[0] == 200 and sent(enforcing, listed, host="not-signed-for.localhost")[0] == 403


def test_a_role_is_handed_only_to_whom_one_may_pass_it(enforcing):
    """Else whoever may make a project could do all that any role may do."""
    iam = enforcing.client("iam")
    roles = {name: iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust("codebuild"))["Role"]["Arn"]
             for name in ("passed", "precious")}
    iam.create_user(UserName="maker")
    key = iam.create_access_key(UserName="maker")["AccessKey"]
    key = key["AccessKeyId"], key["SecretAccessKey"]
    to = {"StringEquals": {"iam:PassedToService": "codebuild.amazonaws.com"}}
    iam.put_user_policy(UserName="maker", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["codebuild:*", "codepipeline:*", "codedeploy:*"], "Resource": "*"},
        {"Effect": "Allow", "Action": "iam:PassRole", "Resource": roles["passed"], "Condition": to}]}))
    codebuild, codepipeline, codedeploy = (enforcing.client(name, key) for name in ("codebuild", "codepipeline", "codedeploy"))
    project = {
        "name": "handed", "source": {"type": "NO_SOURCE", "buildspec": "version: 0.2"}, "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": {"type": "LINUX_CONTAINER", "image": "host", "computeType": "BUILD_GENERAL1_SMALL"}}
    with pytest.raises(ClientError, match=f"not authorized to perform: iam:PassRole on resource: {roles['precious']}") as error:
        codebuild.create_project(**project, serviceRole=roles["precious"])
    assert error.value.response["Error"]["Code"] == "AccessDeniedException"
    codebuild.create_project(**project, serviceRole=roles["passed"])
    codebuild.update_project(name="handed", description="needs no role")
    denied = "AccessDeniedException"
    assert refused(codebuild.update_project, name="handed", serviceRole=roles["precious"]) == denied
    assert refused(codebuild.start_build, projectName="handed", serviceRoleOverride=roles["precious"]) == denied
    codedeploy.create_application(applicationName="handed")
    group = {"applicationName": "handed", "deploymentGroupName": "g", "serviceRoleArn": roles["passed"]}
    # May be passed, but to another service.
    assert refused(codedeploy.create_deployment_group, **group) == denied
    action = {"name": "a", "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "CodeCommit", "version": "1"}}
    declaration = {"name": "handed", "roleArn": roles["passed"], "artifactStore": {"type": "S3", "location": "bucket"},
                   "stages": [{"name": "s", "actions": [action]}, {"name": "t", "actions": [action]}]}
    assert refused(codepipeline.create_pipeline, pipeline=declaration) == denied
    assert refused(codepipeline.update_pipeline, pipeline=declaration) == denied


def test_the_command_line_presigns(enforcing):
    s3 = enforcing.client("s3")
    s3.create_bucket(Bucket="presigned-cli")
    s3.put_object(Bucket="presigned-cli", Key="k", Body=b"hello")
    url = enforcing.aws("s3", "presign", "s3://presigned-cli/k", "--expires-in", "60").stdout.strip()
    assert fetched(url) == (200, b"hello")


def test_a_session_presigns(enforcing):
    s3 = enforcing.client("s3")
    s3.create_bucket(Bucket="presigned-session")
    s3.put_object(Bucket="presigned-session", Key="k", Body=b"hello")
    given = enforcing.client("sts").get_session_token()["Credentials"]
    key = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    for version in ("s3", "s3v4"):
        url = enforcing.client("s3", key, signature_version=version).generate_presigned_url(
            "get_object", Params={"Bucket": "presigned-session", "Key": "k"})
        assert fetched(url) == (200, b"hello"), version


def test_deploy_register_and_deregister(enforcing, tmp_path, monkeypatch):
    """What `aws deploy register` does: an IAM user, its key and policy, and the instance of that user."""
    iam = enforcing.client("iam")
    monkeypatch.chdir(tmp_path)  # The command leaves the host's settings here.
    enforcing.aws("deploy", "register", "--instance-name", "cli-host", "--tags", "Key=role,Value=web")
    user = iam.get_user(UserName="cli-host")["User"]
    assert user["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/AWS/CodeDeploy/cli-host"
    instance = enforcing.client("codedeploy").get_on_premises_instance(instanceName="cli-host")["instanceInfo"]
    assert instance["iamUserArn"] == user["Arn"]
    enforcing.aws("deploy", "deregister", "--instance-name", "cli-host")
    assert refused(iam.get_user, UserName="cli-host") == "NoSuchEntity"
