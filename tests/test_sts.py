"""STS and what sessions may do, through boto3 in enforce mode."""

import datetime
import json
import uuid

import pytest
from botocore.exceptions import ClientError

from conftest import ACCOUNT


def refused(call, *arguments, **parameters) -> tuple[str, str]:
    """Code and message."""
    with pytest.raises(ClientError) as error:
        call(*arguments, **parameters)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def policy(*statements: dict) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def allow(actions, resource="*", **more) -> dict:
    return {"Effect": "Allow", "Action": actions, "Resource": resource, **more}


def deny(actions, resource="*", **more) -> dict:
    return {**allow(actions, resource, **more), "Effect": "Deny"}


def trust(*actions: str, principal=None, **more) -> str:
    return policy({"Effect": "Allow", "Principal": principal or {"AWS": ACCOUNT}, "Action": actions or ["sts:AssumeRole"], **more})


def role(enforcing, document: str | None = None, **more) -> str:
    """The ARN of a new role."""
    made = enforcing.client("iam").create_role(
        RoleName=f"role-{uuid.uuid4().hex[:8]}", AssumeRolePolicyDocument=document or trust(), **more
    )
    return made["Role"]["Arn"]


def key_of(credentials: dict) -> tuple[str, str, str]:
    return credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]


def session(enforcing, arn: str, key=None, **parameters) -> tuple[str, str, str]:
    return key_of(enforcing.client("sts", key).assume_role(RoleArn=arn, RoleSessionName="me", **parameters)["Credentials"])


def user(enforcing, *statements: dict) -> tuple[str, tuple[str, str]]:
    """Name and key of a new user with this inline policy, if any."""
    iam, name = enforcing.client("iam"), f"user-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy(*statements))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return name, (key["AccessKeyId"], key["SecretAccessKey"])


@pytest.fixture(scope="module")
def bucket(enforcing) -> str:
    name = f"sts-{uuid.uuid4().hex[:8]}"
    s3 = enforcing.client("s3")
    s3.create_bucket(Bucket=name)
    for key in ("public/a", "private/a"):
        s3.put_object(Bucket=name, Key=key, Body=b"text")
    return name


def remaining(credentials: dict) -> float:
    return (credentials["Expiration"] - datetime.datetime.now(datetime.timezone.utc)).total_seconds()


def test_durations_are_bounded(enforcing):
    sts = enforcing.client("sts")
    arn = role(enforcing, MaxSessionDuration=7200)
    given = sts.assume_role(RoleArn=arn, RoleSessionName="me", DurationSeconds=7200)["Credentials"]
    assert 7100 < remaining(given) <= 7200
    assert refused(sts.assume_role, RoleArn=arn, RoleSessionName="me", DurationSeconds=7201)[0] == "ValidationError"
    code, message = refused(enforcing.client("sts", key_of(given)).assume_role, RoleArn=arn, RoleSessionName="me", DurationSeconds=3601)
    assert code == "ValidationError" and "role chaining" in message


def test_a_chain_of_roles_keeps_its_tags(enforcing):
    first, second = (role(enforcing, trust("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")) for _ in range(2))
    key = session(enforcing, first, Tags=[{"Key": "team", "Value": "a"}], TransitiveTagKeys=["team"], SourceIdentity="jane")
    chained = enforcing.client("sts", key).assume_role(RoleArn=second, RoleSessionName="next")
    assert chained["SourceIdentity"] == "jane"
    identity = enforcing.client("sts", key_of(chained["Credentials"])).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{second.rsplit('/', 1)[1]}/next"
    code, message = refused(
        enforcing.client("sts", key).assume_role, RoleArn=second, RoleSessionName="me", Tags=[{"Key": "team", "Value": "b"}]
    )
    assert code == "InvalidParameterValue" and "transitive" in message


def test_tags_of_the_principal_are_condition_keys(enforcing, bucket):
    arn = role(enforcing, trust("sts:AssumeRole", "sts:TagSession"))
    condition = {"StringEquals": {"aws:PrincipalTag/team": "a"}}
    enforcing.client("iam").put_role_policy(
        RoleName=arn.rsplit("/", 1)[1], PolicyName="p", PolicyDocument=policy(allow("s3:GetObject", Condition=condition)))
    for team, allowed in (("a", True), ("b", False)):
        s3 = enforcing.client("s3", session(enforcing, arn, Tags=[{"Key": "team", "Value": team}]))
        if allowed:
            assert s3.get_object(Bucket=bucket, Key="public/a")["Body"].read() == b"text"
        else:
            assert refused(s3.get_object, Bucket=bucket, Key="public/a")[0] == "AccessDenied"


def test_an_external_id_is_asked_for(enforcing):
    arn = role(enforcing, trust(Condition={"StringEquals": {"sts:ExternalId": "only-you-know"}}))
    sts = enforcing.client("sts")
    assert refused(sts.assume_role, RoleArn=arn, RoleSessionName="me")[0] == "AccessDenied"
    assert refused(sts.assume_role, RoleArn=arn, RoleSessionName="me", ExternalId="guess")[0] == "AccessDenied"
    assert sts.assume_role(RoleArn=arn, RoleSessionName="me", ExternalId="only-you-know")["Credentials"]


def test_mfa_and_managed_session_policies_are_refused_by_name(enforcing):
    sts = enforcing.client("sts")
    arn = role(enforcing)
    guarded = role(enforcing, trust(Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}))
    assert refused(sts.assume_role, RoleArn=guarded, RoleSessionName="me")[0] == "AccessDenied"
    code, message = refused(sts.assume_role, RoleArn=arn, RoleSessionName="me",
                            PolicyArns=[{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}])
    assert code == "ValidationError" and "PolicyArns" in message
    assert "MFA" in refused(sts.get_session_token, SerialNumber="arn:aws:iam::000000000000:mfa/jane", TokenCode="123456")[1]


def test_a_session_policy_leaves_only_what_it_says(enforcing, bucket):
    narrow = policy(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"), deny("s3:*", f"arn:aws:s3:::{bucket}/private/*"))
    key = session(enforcing, role(enforcing), Policy=narrow)
    s3 = enforcing.client("s3", key)
    assert s3.get_object(Bucket=bucket, Key="public/a")["Body"].read() == b"text"
    for call, parameters in [
        (s3.get_object, {"Key": "private/a"}), (s3.put_object, {"Key": "public/b", "Body": b""}), (s3.delete_object, {"Key": "public/a"}),
    ]:
        assert refused(call, Bucket=bucket, **parameters)[0] == "AccessDenied"
    code, message = refused(enforcing.client("codebuild", key).list_projects)
    assert code == "AccessDeniedException" and "no session policy allows the codebuild:ListProjects action" in message
    assert enforcing.client("sts", key).get_caller_identity()["Account"] == ACCOUNT


def test_a_users_policy_allows_what_it_says_and_a_denial_wins(enforcing, bucket):
    name, key = user(enforcing, allow("s3:*", f"arn:aws:s3:::{bucket}/*"), deny("s3:DeleteObject"))
    s3 = enforcing.client("s3", key)
    s3.put_object(Bucket=bucket, Key="public/by-user", Body=b"x")
    assert s3.get_object(Bucket=bucket, Key="public/by-user")["Body"].read() == b"x"
    code, message = refused(s3.delete_object, Bucket=bucket, Key="public/by-user")
    assert code == "AccessDenied" and "explicit deny in an identity-based policy" in message
    assert refused(s3.list_objects_v2, Bucket=bucket)[0] == "AccessDenied", "that is the bucket's, not its objects'"
    enforcing.client("iam").delete_user_policy(UserName=name, PolicyName="p")
    assert refused(s3.get_object, Bucket=bucket, Key="public/by-user")[0] == "AccessDenied"


def test_wildcards_and_variables(enforcing, bucket):
    _, key = user(enforcing, allow(["s3:Get*", "s3:PutObject"], f"arn:aws:s3:::{bucket}/home/${{aws:username}}/*"))
    name = enforcing.client("sts", key).get_caller_identity()["Arn"].rsplit("/", 1)[1]
    s3 = enforcing.client("s3", key)
    s3.put_object(Bucket=bucket, Key=f"home/{name}/a", Body=b"mine")
    assert refused(s3.put_object, Bucket=bucket, Key="home/somebody/a", Body=b"theirs")[0] == "AccessDenied"


@pytest.mark.parametrize("condition, allowed", [
    ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, True),
    ({"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, False),
    ({"Bool": {"aws:SecureTransport": "true"}}, False),
    ({"StringEquals": {"aws:RequestedRegion": ["us-east-1", "eu-west-1"]}}, True),
    ({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, True),
    ({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, False),
    ({"StringEqualsIfExists": {"aws:PrincipalTag/team": "a"}}, True),
    ({"Null": {"aws:PrincipalTag/team": "false"}}, False),
    ({"StringEquals": {"aws:Unheard": "of"}}, False),
    ({"StringNotEquals": {"aws:Unheard": "of"}}, False),
])
def test_conditions(enforcing, condition, allowed):
    _, key = user(enforcing, allow("codebuild:ListProjects", Condition=condition))
    codebuild = enforcing.client("codebuild", key)
    if allowed:
        assert "projects" in codebuild.list_projects()
    else:
        assert refused(codebuild.list_projects)[0] == "AccessDeniedException"


def test_a_denial_under_a_condition_that_is_not_known_denies_and_says_so(enforcing):
    _, key = user(enforcing, allow("*"), deny("codebuild:*", Condition={"StringEquals": {"aws:Unheard": "of"}}))
    code, message = refused(enforcing.client("codebuild", key).list_projects)
    assert code == "AccessDeniedException" and "cannot evaluate: the condition key aws:Unheard" in message


def test_a_role_with_policies_may_what_they_allow(enforcing, bucket):
    arn = role(enforcing)
    key = session(enforcing, arn)
    s3 = enforcing.client("s3", key)
    s3.put_object(Bucket=bucket, Key="public/by-role", Body=b"x")
    enforcing.client("iam").put_role_policy(
        RoleName=arn.rsplit("/", 1)[1], PolicyName="p", PolicyDocument=policy(allow("s3:GetObject")))
    assert s3.get_object(Bucket=bucket, Key="public/by-role")["Body"].read() == b"x"
    assert refused(s3.put_object, Bucket=bucket, Key="public/by-role", Body=b"y")[0] == "AccessDenied"


def test_a_user_assumes_what_its_policy_and_the_trust_allow(enforcing):
    arn, other = role(enforcing), role(enforcing, trust(principal={"Service": "codebuild.amazonaws.com"}))
    name, key = user(enforcing)
    sts = enforcing.client("sts", key)
    assert refused(sts.assume_role, RoleArn=arn, RoleSessionName="me")[0] == "AccessDenied"
    named = role(enforcing, trust(principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/{name}"}))
    assert sts.assume_role(RoleArn=named, RoleSessionName="me")["Credentials"], "the role names her"
    enforcing.client("iam").put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy(allow("sts:AssumeRole")))
    assert sts.assume_role(RoleArn=arn, RoleSessionName="me")["Credentials"]
    assert refused(sts.assume_role, RoleArn=other, RoleSessionName="me")[0] == "AccessDenied"


def test_get_session_token(enforcing, bucket):
    name, long_term = user(enforcing, allow(["s3:GetObject", "iam:*", "sts:*"]))
    given = enforcing.client("sts", long_term).get_session_token()["Credentials"]
    assert 43100 < remaining(given) <= 43200
    key = key_of(given)
    assert enforcing.client("sts", key).get_caller_identity()["Arn"].endswith(f":user/{name}")
    assert enforcing.client("s3", key).get_object(Bucket=bucket, Key="public/a")["Body"].read() == b"text"
    assert refused(enforcing.client("iam", key).list_users)[0] == "AccessDenied"
    assert refused(enforcing.client("sts", key).get_session_token)[0] == "AccessDenied"
    root = enforcing.client("sts").get_session_token(DurationSeconds=7200)["Credentials"]
    assert remaining(root) <= 3600
    assert enforcing.client("codebuild", key_of(root)).list_projects()["projects"] is not None


def test_an_access_key_tells_its_account(enforcing):
    sts = enforcing.client("sts")
    assert sts.get_access_key_info(AccessKeyId=enforcing.root_key()[0])["Account"] == ACCOUNT
    assert refused(sts.get_access_key_info, AccessKeyId="not-an-access-key")[0] == "ValidationError"


def test_malformed_policies_are_refused(enforcing):
    sts, arn = enforcing.client("sts"), role(enforcing)
    for document in ("{", '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*"}]}'):
        assert refused(sts.assume_role, RoleArn=arn, RoleSessionName="me", Policy=document)[0] == "MalformedPolicyDocument"
    large = policy(allow("s3:*", [f"arn:aws:s3:::{'b' * 60}/{n}" for n in range(40)]))
    assert refused(sts.assume_role, RoleArn=arn, RoleSessionName="me", Policy=large[:2048] + " ")[0] in ("ValidationError", "MalformedPolicyDocument")


def test_who_is_named_only_to_be_denied_needs_a_policy_of_their_own(enforcing):
    """A trust policy's denial of somebody, where it does not apply, allows nothing."""
    name, key = user(enforcing)
    person = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{name}"}
    elsewhere = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    arn = role(enforcing, policy(
        {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"},
        {"Effect": "Deny", "Principal": person, "Action": "sts:AssumeRole", "Condition": elsewhere}))
    sts = enforcing.client("sts", key)
    assert refused(sts.assume_role, RoleArn=arn, RoleSessionName="me")[0] == "AccessDenied"
    allowed = policy(allow("sts:AssumeRole", arn))
    enforcing.client("iam").put_user_policy(UserName=name, PolicyName="p", PolicyDocument=allowed)
    sts.assume_role(RoleArn=arn, RoleSessionName="me")


def test_a_denial_cannot_be_passed_by_naming_another_partition(enforcing):
    group = f"denied-{uuid.uuid4().hex[:8]}"
    enforcing.client("logs").create_log_group(logGroupName=group)
    _, key = user(enforcing, allow("logs:*"), deny("logs:*", f"arn:aws:logs:*:*:log-group:{group}*"))
    logs = enforcing.client("logs", key)
    for partition in ("aws", "aws-cn", "x"):
        arn = f"arn:{partition}:logs:us-east-1:{ACCOUNT}:log-group:{group}"
        assert refused(logs.filter_log_events, logGroupIdentifier=arn)[0] == "AccessDeniedException"
