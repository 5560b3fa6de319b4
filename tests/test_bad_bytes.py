"""Bodies that are not what their headers say: cut, nested, doubled, endless, not text. Bounded and with a fixed seed."""

import json
import random
import urllib.parse

import pytest

from models import MODELS, Raw, built, declared, sample, services, state

SEED = 20_161_006
CUTS = 4
"""Places at which each operation's body is cut, and mutations of its bytes."""

DEEP = 20_000
HUGE = "9" * 10_000
REFUSED = {"SerializationException", "ValidationException"}


@pytest.fixture(scope="module")
def quiet(servers):
    return servers("open", "dummy")


def whole(service: str, operation: str) -> dict:
    shape = MODELS.get_service_model(service).operation_model(operation).input_shape
    return sample(shape) if shape else {}


def no_json(body: str, chance: random.Random) -> dict[str, bytes]:
    """What no reader of JSON takes."""
    cut = [chance.randrange(1, len(body)) if len(body) > 1 else 1 for _ in range(CUTS)]
    return {
        **{f"cut at {place}": body.encode()[:place] for place in cut if place < len(body)},
        "nested": b'{"a":' * DEEP, "nested lists": b"[" * DEEP, "nested and closed": b"[" * DEEP + b"]" * DEEP,
        "invalid UTF-8": b'{"a": "\xff\xfe"}', "half a surrogate pair": b'{"a": "\\ud800"}', "a lone quote": b'"', "NaN": b'{"a": NaN}',
        "infinite": b'{"a": -Infinity}', "a comment": b'{} // x', "two bodies": body.encode() * 2, "UTF-16": body.encode("utf-16"),
        "bytes": chance.randbytes(200), "nothing but spaces": b"  \n", "a zero": b"\0", "a comma": b'{"a": 1,}', "single quotes": b"{'a': 1}",
        "unquoted": b"{a: 1}", "an escape": b'{"a": "\\x"}', "a newline in a text": b'{"a": "\n"}',
    }


def no_object(_: str) -> dict[str, bytes]:
    """JSON, but no structure."""
    return {name: text.encode() for name, text in {
        "a list": "[]", "a list of objects": "[{}]", "a number": "1", "a text": '"x"', "true": "true", "null": "null",
        "a huge number": HUGE, "a huge exponent": "1e400000"}.items()}


# Some thousand requests; a service with many operations takes longer than 2 s on a busy machine.
@pytest.mark.parametrize("service", services("json"))
def test_bodies_that_are_no_json_or_no_structure_are_a_serialization_error(quiet, service):
    raw, chance, before, wrong = Raw(quiet), random.Random(SEED), state(quiet), []
    for operation in built()[service]:
        body = json.dumps(whole(service, operation))
        for what, text in (no_json(body, chance) | no_object(body)).items():
            status, answer = raw.ask(service, operation, text)
            if what in ("null", "nothing but spaces"):
                # An empty structure, which lacks its required members.
                right = status < 400 or answer.get("__type") in declared(MODELS.get_service_model(service).operation_model(operation))
            else:
                right = status == 400 and answer.get("__type") in REFUSED and answer.get("message", answer.get("Message"))
            if not right:
                wrong.append(f"{operation}, {what} → {status} {str(answer)[:120]}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:40])
    assert state(quiet) == before
    assert quiet.get("/healthz")[0] == 200


@pytest.mark.parametrize("service", services("json"))
def test_strange_numbers_doubled_members_and_changed_bytes_are_answered(quiet, service):
    raw, model, chance, wrong = Raw(quiet), MODELS.get_service_model(service), random.Random(SEED), []
    for operation in built()[service]:
        body = json.dumps(whole(service, operation))
        for text in strange(model.operation_model(operation).input_shape, body, chance):
            status, answer = raw.ask(service, operation, text)
            if status >= 400 and not (status < 500 and answer.get("__type") in declared(model.operation_model(operation))):
                wrong.append(f"{operation} {text[:80]} → {status} {str(answer)[:120]}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:40])
    assert quiet.get("/healthz")[0] == 200


def strange(shape, body: str, chance: random.Random):
    """JSON that is legal, or nearly."""
    inner = body.strip()[1:-1]
    yield f"{{{inner}{', ' if inner else ''}{inner}}}".encode()
    yield f'{{{inner}{", " if inner else ""}"unknown": {{"member": [1, 2, {{}}]}}, "": 0, "__type": "x", "constructor": null}}'.encode()
    for name, member in (shape.members.items() if shape else ()):
        if member.type_name in ("integer", "long", "timestamp", "double", "float"):
            for number in (HUGE, "1e308", "-1e308", "1e-400", "-0", "0.1", "1E+2", str(2**63), str(-(2**63)), "253402300800", "-62135596801"):
                yield f'{{"{name}": {number}{", " if inner else ""}{inner}}}'.encode()
    for _ in range(CUTS):
        changed = bytearray(body.encode())
        changed[chance.randrange(len(changed))] = chance.randrange(256)
        yield bytes(changed)


def test_headers_that_contradict_the_body(quiet):
    raw, wrong = Raw(quiet), []
    good = raw.headers("codedeploy", "ListApplications")
    target = {name: value for name, value in good.items() if name != "Content-Type"}
    cases = {
        "no content type": (b"{}", target), "an empty body": (b"", good), "plain text": (b"{}", {**target, "Content-Type": "text/plain"}),
        "a form": (b"Action=ListApplications", {**target, "Content-Type": "application/x-www-form-urlencoded"}),
        "another version": (b"{}", {**target, "Content-Type": "application/x-amz-json-1.9"}),
        "a charset": (b"{}", {**target, "Content-Type": "application/x-amz-json-1.1; charset=utf-16"}),
        "a long content type": (b"{}", {**target, "Content-Type": "x" * 5_000}),
        "no operation": (b"{}", {**good, "X-Amz-Target": "CodeDeploy_20141006."}),
        "an unknown operation": (b"{}", {**good, "X-Amz-Target": "CodeDeploy_20141006.NoSuch"}),
        "an unknown service": (b"{}", {**good, "X-Amz-Target": "NoSuch_20141006.ListApplications"}),
        "a target of dots": (b"{}", {**good, "X-Amz-Target": "." * 500}),
        "another service's target": (b"{}", {**good, "X-Amz-Target": "CodeBuild_20161006.ListProjects"}),
        "an encoding that is not there": (b"{}", {**good, "Content-Encoding": "gzip"}),
        "no signature": (b"{}", {name: value for name, value in good.items() if name != "Authorization"}),
        "a signature of nothing": (b"{}", {**good, "Authorization": "AWS4-HMAC-SHA256 Credential="}),
        "a scope of slashes": (b"{}", {**good, "Authorization": "AWS4-HMAC-SHA256 Credential=////////, SignedHeaders=;;;, Signature="}),
        "another kind of signature": (b"{}", {**good, "Authorization": "Basic =="}),
        "a date of long ago": (b"{}", {**good, "X-Amz-Date": "00000000T000000Z"}),
    }
    for what, (body, headers) in cases.items():
        status, text = raw.send(body, headers)
        if status >= 500 and status != 501 or not text.strip() and status >= 400:
            wrong.append(f"{what} → {status} {text[:120]}")
    assert not wrong, "\n".join(wrong)
    assert quiet.get("/healthz")[0] == 200


FORMS = {
    "nothing": "", "no action": "Version=2010-05-08", "an empty action": "Action=&Version=2010-05-08",
    "an unknown action": "Action=NoSuch&Version=2010-05-08", "two actions": "Action=ListUsers&Action=ListRoles&Version=2010-05-08",
    "another version": "Action=ListUsers&Version=1999-01-01", "bad escapes": "Action=ListUsers&Version=2010-05-08&PathPrefix=%zz%",
    "no UTF-8": "Action=ListUsers&Version=2010-05-08&PathPrefix=%ff%fe", "zero bytes": "Action=ListUsers%00&Version=2010-05-08",
    "ampersands": "&" * 5_000, "equals signs": "=" * 5_000, "a number that is none": "Action=ListUsers&Version=2010-05-08&MaxItems=1e3",
    "a number beyond": f"Action=ListUsers&Version=2010-05-08&MaxItems={HUGE}",
    "many fields": "Action=ListUsers&Version=2010-05-08&" + "&".join(f"a{number}=b" for number in range(5_000)),
}


def test_forms_of_all_kinds_are_answered_in_xml(quiet):
    raw, before = Raw(quiet), state(quiet)
    for what, form in FORMS.items():
        status, code, message = raw.form("iam", form)
        assert status < 500 or status == 501, (what, status, code, message)
        assert status == 200 or code, (what, status)
    assert state(quiet) == before


def test_lists_in_forms_with_holes_repetitions_and_endless_numbers(quiet):
    raw = Raw(quiet)
    head = {"Action": "CreateUser", "Version": "2010-05-08"}
    wrong = []
    for index, fields in enumerate([
        {"Tags.member.1.Key": "a", "Tags.member.1.Value": "b", "Tags.member.3.Key": "c", "Tags.member.3.Value": "d"},
        {"Tags.member.0.Key": "a", "Tags.member.0.Value": "b"}, {"Tags.member.-1.Key": "a"}, {"Tags.member.x.Key": "a"},
        {f"Tags.member.{2**64}.Key": "a"}, {"Tags.member.999999999.Key": "a", "Tags.member.999999999.Value": "b"},
        {"Tags": "a"}, {"Tags.member": "a"}, {"Tags.member.1": "a"}, {"Tags.member.1.Key.x": "a"}, {"Tags.1.Key": "a"},
        {"Tags.member.1.Key": "a", "Tags.member.01.Key": "b"}, {"Tags.member.1.Key." * 200: "a"}, {"Tags.": "a"}, {".": "a"},
    ]):
        form = urllib.parse.urlencode({**head, "UserName": f"list-{index}", **fields})
        status, code, _ = raw.form("iam", form)
        if not (status < 400 or status < 500 and code in declared(MODELS.get_service_model("iam").operation_model("CreateUser"))):
            wrong.append(f"{fields} → {status} {code}")
    status, code, _ = raw.form("iam", "Action=CreateUser&Version=2010-05-08&UserName=twice&UserName=again")
    assert status < 500 and not wrong, "\n".join(wrong)
    assert quiet.get("/healthz")[0] == 200
