"""A body is never held in memory, however large."""

import hashlib
import io
import pathlib

from boto3.s3.transfer import TransferConfig

from buckets import MIB, new_bucket

SIZE = 256 * MIB
"""Takes some seconds: less would not stand out of what the allocator keeps anyway."""

MOST = 64 * MIB
"""How much more the server may take for it: ten connections with their buffers."""


class Zeros(io.RawIOBase):
    """A large file that takes no room."""

    def __init__(self, size: int):
        self.size, self.place = size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, place: int, whence: int = 0) -> int:
        self.place = place + {0: 0, 1: self.place, 2: self.size}[whence]
        return self.place

    def tell(self) -> int:
        return self.place

    def read(self, size: int = -1) -> bytes:
        left = max(0, self.size - self.place)
        count = left if size < 0 else min(size, left)
        self.place += count
        return bytes(count)


def peak(server) -> int:
    """The most memory that the server had at once, in bytes."""
    lines = pathlib.Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


class Digest:
    """A file that only remembers what a download wrote, in order."""

    def __init__(self):
        self.size = 0
        self.hash = hashlib.md5()

    def write(self, content: bytes) -> int:
        self.size += len(content)
        self.hash.update(content)
        return len(content)


def test_large_files_up_and_down_with_flat_memory(servers):
    server = servers("open", "dummy")
    s3 = server.client("s3")
    bucket = new_bucket(s3)
    s3.put_object(Bucket=bucket, Key="warm", Body=bytes(MIB))
    before = peak(server)
    s3.upload_fileobj(Zeros(SIZE), bucket, "parts", Config=TransferConfig(multipart_chunksize=32 * MIB))
    s3.put_object(Bucket=bucket, Key="whole", Body=Zeros(SIZE // 2))
    for key, size in [("parts", SIZE), ("whole", SIZE // 2)]:
        found = Digest()
        for chunk in s3.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(MIB):
            found.write(chunk)
        assert (found.size, found.hash.hexdigest()) == (size, hashlib.md5(bytes(size)).hexdigest())
    assert peak(server) - before < MOST
