"""What whoever runs the server asks of it: `POST /_landfall/operator/OPERATION`."""

import json
import urllib.error
import urllib.request

import botocore.auth
import botocore.awsrequest
import botocore.credentials


def ask(server, operation: str, key=None, **body):
    """A signed operator call: (status, JSON)."""
    url = f"{server.endpoint}/_landfall/operator/{operation}"
    request = botocore.awsrequest.AWSRequest("POST", url, data=json.dumps(body).encode(), headers={})
    access_key, secret, *token = key or server.root_key()
    credentials = botocore.credentials.Credentials(access_key, secret, *token)
    botocore.auth.SigV4Auth(credentials, "landfall", "us-east-1").add_auth(request)
    sent = urllib.request.Request(url, data=request.data, headers=dict(request.headers))
    try:
        with urllib.request.urlopen(sent, timeout=60) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_describe_server(enforcing):
    status, about = ask(enforcing, "DescribeServer")
    assert status == 200
    assert about["pid"] == enforcing.process.pid
    assert about["auth"] == "enforce" and about["dataDir"] == str(enforcing.data_dir)


def test_only_a_root_key_may_ask(enforcing):
    status, error = ask(enforcing, "DescribeServer", ("AKIAIOSFODNN7EXAMPLE", "wrong"))
    assert (status, error["__type"]) == (400, "UnrecognizedClientException"), error
    iam = enforcing.client("iam")
    iam.create_user(UserName="operator")
    made = iam.create_access_key(UserName="operator")["AccessKey"]
    status, error = ask(enforcing, "DescribeServer", (made["AccessKeyId"], made["SecretAccessKey"]))
    assert (status, error["__type"]) == (403, "AccessDeniedException"), error


def test_an_unknown_operation_is_refused_by_name(enforcing):
    status, error = ask(enforcing, "MakeCoffee")
    assert status == 404 and "landfall:MakeCoffee" in error["message"]
