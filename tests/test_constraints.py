"""Every constraint of every built operation, broken: AWS's error shape, a sentence that names the member, no 5xx, and
nothing written.

The cases come from botocore's own service models (models.py).
"""

import json
import re

import pytest

from models import MODELS, Raw, built, declared, sample, services, state, violations

STRINGS = ["", " ", "x" * 20_000, "../../etc/passwd", "a/../b", "\u0000", "line\nline", "ü€😀", "arn:aws:s3:::", "$(id)", "-rf", "%2e%2e", "'; --"]
"""Strings that have broken other servers."""


def cases(service: str, operations: list[str]):
    """(operation, declared codes, what is wrong, input)."""
    model = MODELS.get_service_model(service)
    for name in operations:
        operation = model.operation_model(name)
        if operation.input_shape:
            for what, value in violations(operation.input_shape):
                yield name, declared(operation), what, value


@pytest.fixture(scope="module")
def quiet(servers):
    """A server of its own: what slips through starts no container."""
    return servers("open", "dummy")


@pytest.mark.parametrize("service", services("json"))
def test_every_member_of_every_built_operation_is_checked(quiet, service):
    raw, wrong, before = Raw(quiet), [], state(quiet)
    for operation, codes, what, value in cases(service, built()[service]):
        status, answer = raw.ask(service, operation, value)
        code, message = answer.get("__type", ""), answer.get("message", answer.get("Message", ""))
        # The sentence names the member, so that nothing passes by being refused for another reason.
        member = re.findall(r"[A-Za-z]\w*", what.split(":")[0])[-1:] or [""]
        explained = code == "SerializationException" or member[0].lower() in message.lower()
        if not (400 <= status < 500 and code in codes and message and explained):
            wrong.append(f"{operation}{what} → {status} {code} {message[:100]}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:40])
    assert state(quiet) == before
    assert quiet.get("/healthz")[0] == 200


@pytest.mark.parametrize("service", services("query"))
def test_every_member_of_every_built_query_operation_is_checked(quiet, service):
    raw, wrong, before = Raw(quiet), [], state(quiet)
    for operation, codes, what, value in cases(service, built()[service]):
        # A form has texts only, and cannot say that a list is empty or that something is null.
        if what.endswith(("a list", "wrong type", "too few", "null", "a text")):
            continue
        status, code, message = raw.query(service, operation, value)
        if not (400 <= status < 500 and code in codes and message):
            wrong.append(f"{operation}{what} → {status} {code} {message[:100]}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:40])
    assert state(quiet) == before


@pytest.mark.parametrize("service", services("query"))
def test_hostile_texts_never_break_a_query_operation(quiet, service):
    raw, model = Raw(quiet), MODELS.get_service_model(service)
    for operation in built()[service]:
        shape = model.operation_model(operation).input_shape
        for text in STRINGS:
            status, code, _ = raw.query(service, operation, texts(shape, text) if shape else {})
            assert status < 500, (operation, text, code)
    assert quiet.get("/healthz")[0] == 200


def texts(shape, value: str):
    """A value of this shape in which every string, and every number, is hostile."""
    match shape.type_name:
        case "structure":
            return {name: texts(member, value) for name, member in shape.members.items() if member.type_name in ("string", "integer", "long", "structure")}
        case "string":
            return value
        case "integer" | "long":
            return 2**31 - 1
        case _:
            return sample(shape)


@pytest.mark.parametrize("service", services("json"))
def test_hostile_texts_never_break_an_operation(quiet, service):
    raw, model, wrong = Raw(quiet), MODELS.get_service_model(service), []
    for name in built()[service]:
        shape, codes = model.operation_model(name).input_shape, declared(model.operation_model(name))
        for text in STRINGS:
            bodies = [{member: text} for member, kind in shape.members.items() if kind.type_name == "string"]
            for body in [texts(shape, text), *({**sample(shape), **body} for body in bodies)]:
                status, answer = raw.ask(service, name, body)
                if status >= 400 and not (status < 500 and answer.get("__type") in codes):
                    wrong.append(f"{name} {json.dumps(body)[:120]} → {status} {answer}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:40])
    assert quiet.get("/healthz")[0] == 200
