"""Who is let in, and what a bad request is answered."""

import datetime
import http.client
import json
import socket
import threading
import time
import urllib.parse

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

TARGET = {"codebuild": "CodeBuild_20161006", "codepipeline": "CodePipeline_20150709", "codedeploy": "CodeDeploy_20141006"}


def post(server, service, target, body, key=None, change=None, when=None):
    """A signed JSON request, with `change(headers)` made after signing."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    access_key, secret = key or server.root_key()
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target}
    request = botocore.awsrequest.AWSRequest("POST", server.endpoint + "/", data=data, headers=headers)
    signer = botocore.auth.SigV4Auth(botocore.credentials.Credentials(access_key, secret), service, "us-east-1")
    if when:
        original, botocore.auth.get_current_datetime = botocore.auth.get_current_datetime, lambda: when
        try:
            signer.add_auth(request)
        finally:
            botocore.auth.get_current_datetime = original
    else:
        signer.add_auth(request)
    signed = dict(request.headers)
    if change:
        change(signed)
    address = urllib.parse.urlparse(server.endpoint)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    try:
        connection.request("POST", "/", data, signed)
        reply = connection.getresponse()
        return reply.status, dict(reply.getheaders()), reply.read()
    finally:
        connection.close()


def refused(reply):
    """The status, shape and message of an error answer."""
    status, headers, body = reply
    members = json.loads(body)
    assert headers["x-amzn-requestid"]
    return status, members["__type"], members["message"]


def list_builds(server, **settings):
    return post(server, "codebuild", "CodeBuild_20161006.ListBuilds", {}, **settings)


def test_a_signed_request_is_let_in(enforcing):
    status, _, body = list_builds(enforcing)
    assert status == 200 and "ids" in json.loads(body)


def test_a_wrong_secret(enforcing):
    access_key, _ = enforcing.root_key()
    status, code, _ = refused(list_builds(enforcing, key=(access_key, "wrong")))
    assert (status, code) == (400, "InvalidSignatureException")


def test_an_unknown_key(enforcing):
    status, code, _ = refused(list_builds(enforcing, key=("AKIAUNKNOWN000000000", "secret")))
    assert (status, code) == (400, "UnrecognizedClientException")


def test_no_signature(enforcing):
    status, code, _ = refused(list_builds(enforcing, change=lambda headers: headers.pop("Authorization")))
    assert (status, code) == (400, "MissingAuthenticationTokenException")


def test_a_changed_header(enforcing):
    def change(headers):
        headers["X-Amz-Target"] = "CodeBuild_20161006.ListProjects"

    status, code, _ = refused(list_builds(enforcing, change=change))
    assert (status, code) == (400, "InvalidSignatureException")


@pytest.mark.parametrize("minutes", [-20, 20])
def test_a_skewed_clock(enforcing, minutes):
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
    status, code, message = refused(list_builds(enforcing, when=when))
    assert (status, code) == (400, "InvalidSignatureException")
    assert "Signature" in message


def test_a_body_that_was_changed_on_the_way(enforcing):
    def change(headers):
        headers["X-Amz-Content-SHA256"] = "0" * 64

    status, code, _ = refused(list_builds(enforcing, change=change))
    assert (status, code) == (400, "InvalidSignatureException")


@pytest.mark.parametrize("service", TARGET)
def test_an_unknown_operation(landfall, service):
    status, code, _ = refused(post(landfall, service, f"{TARGET[service]}.MakeCoffee", {}))
    assert (status, code) == (404, "UnknownOperationException")


def test_an_operation_that_is_not_built_says_so(landfall):
    for service, target, name in [
        ("codebuild", "CodeBuild_20161006.CreateFleet", "codebuild:CreateFleet"),
        ("ecr", "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories", "ecr:DescribeRepositories"),
        ("events", "AWSEvents.PutRule", "events:PutRule"),
    ]:
        status, code, message = refused(post(landfall, service, target, {}))
        assert (status, code) == (501, "NotImplementedException")
        assert name in message


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[1]", b'"x"', b'{"projectName": 7}', b'{"projectName": {"a": 1}}'])
def test_bodies_that_are_not_the_operations(landfall, body):
    status, code, _ = refused(post(landfall, "codebuild", "CodeBuild_20161006.StartBuild", body))
    assert (status, code) == (400, "SerializationException")


def test_a_deeply_nested_body(landfall):
    status, code, _ = refused(post(landfall, "codebuild", "CodeBuild_20161006.StartBuild", b"[" * 100_000))
    assert (status, code) == (400, "SerializationException")


def test_a_body_over_the_limit(landfall):
    body = b'{"projectName": "' + b"x" * (17 * 1024 * 1024) + b'"}'
    try:
        status, code, _ = refused(post(landfall, "codebuild", "CodeBuild_20161006.StartBuild", body))
        assert (status, code) == (413, "RequestEntityTooLargeException")
    except (ConnectionResetError, BrokenPipeError):
        # The server may close while the client still sends.
        pass
    assert landfall.get("/healthz")[0] == 200


def test_constraints_are_checked_with_each_services_own_shape(client):
    with pytest.raises(ClientError) as caught:
        client("codepipeline").get_pipeline(name="no spaces allowed")
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert "at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern" in str(caught.value)
    with pytest.raises(ClientError) as caught:
        client("codebuild").batch_get_builds(ids=[f"p:{n}" for n in range(101)])
    assert caught.value.response["Error"]["Code"] == "InvalidInputException"
    with pytest.raises(ClientError) as caught:
        client("codedeploy").create_application(applicationName="no spaces allowed")
    assert caught.value.response["Error"]["Code"] == "InvalidApplicationNameException"


def test_accounts_see_only_their_own(landfall):
    """In open mode a key of twelve digits chooses the account."""
    name = "only-mine"
    mine = landfall.client("codecommit", key=("111111111111", "x"))
    mine.create_repository(repositoryName=name)
    assert mine.get_repository(repositoryName=name)["repositoryMetadata"]["accountId"] == "111111111111"
    with pytest.raises(ClientError) as caught:
        landfall.client("codecommit", key=("222222222222", "x")).get_repository(repositoryName=name)
    assert caught.value.response["Error"]["Code"] == "RepositoryDoesNotExistException"
    elsewhere = landfall.client("codecommit", key=("111111111111", "x"), region_name="eu-central-1")
    with pytest.raises(ClientError):
        elsewhere.get_repository(repositoryName=name)


def test_a_web_page_cannot_drive_an_open_server(landfall):
    for header in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        address = urllib.parse.urlparse(landfall.endpoint)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
        connection.request("GET", "/healthz", headers=header)
        assert connection.getresponse().status == 403, header
        connection.close()


def test_users_without_a_policy_are_denied(enforcing):
    iam = enforcing.client("iam")
    iam.create_user(UserName="stranger")
    key = iam.create_access_key(UserName="stranger")["AccessKey"]
    stranger = enforcing.client("codebuild", key=(key["AccessKeyId"], key["SecretAccessKey"]))
    with pytest.raises(ClientError) as caught:
        stranger.list_projects()
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    assert "user/stranger is not authorized to perform: codebuild:ListProjects" in str(caught.value)


def test_assumed_roles(enforcing):
    iam, sts = enforcing.client("iam"), enforcing.client("sts")
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "sts:AssumeRole"}]}
    role = iam.create_role(RoleName="assumed", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    credentials = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="me")["Credentials"]
    key = (credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])
    assert enforcing.client("sts", key=key).get_caller_identity()["Arn"] == "arn:aws:sts::000000000000:assumed-role/assumed/me"
    assert "projects" in enforcing.client("codebuild", key=key).list_projects()
    tampered = (*key[:2], key[2][:-4] + "AAAA")
    with pytest.raises(ClientError):
        enforcing.client("sts", key=tampered).get_caller_identity()


def test_the_audit_has_calls_and_no_secrets(enforcing):
    key_id, secret = enforcing.root_key()
    list_builds(enforcing)
    text = "".join(path.read_text() for path in (enforcing.data_dir / "audit").rglob("*") if path.is_file())
    assert '"ListBuilds"' in text
    assert secret not in text


def test_urls_in_replies_follow_the_way_the_client_came(landfall):
    name = "followed"
    created = landfall.client("codecommit").create_repository(repositoryName=name)["repositoryMetadata"]
    assert created["cloneUrlHttp"] == f"{landfall.endpoint}/v1/repos/{name}"
    port = landfall.endpoint.rsplit(":", 1)[1]
    elsewhere = boto3.client("codecommit", endpoint_url=f"http://localhost:{port}", region_name="us-east-1",
                             aws_access_key_id="test", aws_secret_access_key="test")
    found = elsewhere.get_repository(repositoryName=name)["repositoryMetadata"]
    assert found["cloneUrlHttp"] == f"http://localhost:{port}/v1/repos/{name}"


def raw(server, *parts: bytes, seconds: float = 20) -> socket.socket:
    """A connection on which this much was sent."""
    address = urllib.parse.urlparse(server.endpoint)
    connection = socket.create_connection((address.hostname, address.port), timeout=seconds)
    for part in parts:
        connection.sendall(part)
    return connection


def head(connection: socket.socket) -> str:
    """The head of the next reply."""
    got = b""
    while b"\r\n\r\n" not in got:
        more = connection.recv(65536)
        if not more:
            break
        got += more
    return got.decode(errors="replace")


def test_a_body_is_asked_for_before_it_is_sent(landfall):
    request = (b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: CodeBuild_20161006.ListBuilds\r\n"
               b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    with raw(landfall, request) as connection:
        assert head(connection).startswith("HTTP/1.1 100 Continue")
        connection.sendall(b"{}")
        assert head(connection).startswith("HTTP/1.1 200")


def test_a_body_that_is_refused_is_not_asked_for(enforcing):
    request = (b"PUT /some-bucket/key HTTP/1.1\r\nHost: localhost\r\nAuthorization: AWS4-HMAC-SHA256 Credential=x\r\n"
               b"Content-Length: 1000000000\r\nExpect: 100-continue\r\n\r\n")
    with raw(enforcing, request) as connection:
        answer = head(connection)
        assert answer.startswith("HTTP/1.1 400") and "100 Continue" not in answer


@pytest.mark.parametrize("headers", [
    b"".join(b"X-Number-%d: x\r\n" % number for number in range(200)),
    b"X-Large: " + b"x" * 1_000_000 + b"\r\n",
])
def test_headers_are_bounded(landfall, headers):
    address = urllib.parse.urlparse(landfall.endpoint)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        try:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + headers + b"\r\n")
            assert head(connection).startswith("HTTP/1.1 431")
        except (ConnectionResetError, BrokenPipeError):
            # The server may close while the client still sends.
            pass
    assert landfall.get("/healthz")[0] == 200


@pytest.mark.parametrize("start", [b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x00\xa5", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff"])
def test_what_is_no_http_hurts_nobody(landfall, start):
    with raw(landfall, start) as connection:
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    assert landfall.get("/healthz")[0] == 200


def test_idle_connections_keep_nobody_out(landfall):
    idle = [raw(landfall, b"GET /healthz HTT") for _ in range(200)]
    assert landfall.get("/healthz")[0] == 200
    for connection in idle:
        connection.close()


def test_more_connections_than_files_wait_instead_of_breaking_the_server(servers):
    """With 64 open files there is room for 48 connections; the 49th is served when one is closed."""
    server = servers("open", "dummy")
    server.stop()
    server.command = ["sh", "-c", 'ulimit -n 64 && exec "$@"', "sh", *server.command]
    server.start()
    idle = [raw(server) for _ in range(60)]
    last = raw(server, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    for connection in idle:
        connection.close()
    assert head(last).startswith("HTTP/1.1 200")
    last.close()
    server.stop()


def test_who_comes_while_the_server_starts_is_served(servers):
    """The port is open before the services are wired: an early client waits, and is answered as any other."""
    server = servers("enforce", "dummy")
    key, port = server.root_key(), urllib.parse.urlparse(server.endpoint).port
    server.stop()
    server.command = [argument.replace("127.0.0.1:0", f"127.0.0.1:{port}") for argument in server.command]
    answers: list[str] = []

    def early():
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                client = server.client("sts", key)
                answers.append(client.get_caller_identity()["Arn"])
                return
            except EndpointConnectionError:
                time.sleep(0.002)

    clients = [threading.Thread(target=early) for _ in range(8)]
    for client in clients:
        client.start()
    server.start()
    for client in clients:
        client.join()
    assert answers == ["arn:aws:iam::000000000000:root"] * 8
    server.stop()
