"""What the tests of S3 share."""

import uuid

import pytest
from botocore.exceptions import ClientError

MIB = 1024 * 1024


def new_bucket(s3, **arguments) -> str:
    """A bucket of a name that no other test has."""
    name = f"bucket-{uuid.uuid4()}"
    s3.create_bucket(Bucket=name, **arguments)
    return name


def refused(call, **arguments) -> tuple[str, int]:
    """The code and status of an error that must come."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def body(s3, bucket: str, key: str, **arguments) -> bytes:
    return s3.get_object(Bucket=bucket, Key=key, **arguments)["Body"].read()
