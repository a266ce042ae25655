"""A large object by boto3's transfer manager, there and back byte for byte, in memory that does not depend on it.

FOGBANK_LARGE_MIB makes it larger than the 192 MiB of every run: 20480 for 20 GiB, of which the server needs as much disk.
"""

import io
import os
import random
from pathlib import Path

import pytest
from support import Caller

MIB = 1024 * 1024
SIZE = int(os.environ.get("FOGBANK_LARGE_MIB", "192")) * MIB + 4711
NOISE = random.Random(1).randbytes(MIB)


def block(number):
    """A MiB of the object: no two are the same."""
    turn = number * 4099 % MIB
    return number.to_bytes(16, "big") + (NOISE[turn:] + NOISE[:turn])[16:]


class Made(io.RawIOBase):
    """A file of so many bytes that lies nowhere: reading makes them up, writing compares."""

    def __init__(self):
        self.place, self.written = 0, 0

    def seekable(self):
        return True

    readable = writable = seekable

    def tell(self):
        return self.place

    def seek(self, place, whence=io.SEEK_SET):
        self.place = place + {io.SEEK_SET: 0, io.SEEK_CUR: self.place, io.SEEK_END: SIZE}[whence]
        return self.place

    def pieces(self, count):
        while count:
            number, begin = divmod(self.place, MIB)
            piece = block(number)[begin : begin + count]
            self.place += len(piece)
            count -= len(piece)
            yield piece

    def read(self, count=-1):
        left = SIZE - self.place
        return b"".join(self.pieces(left if count is None or count < 0 else min(count, left)))

    def write(self, given):
        given = bytes(given)
        place = self.place
        assert b"".join(self.pieces(len(given))) == given, f"other bytes from {place} on"
        self.written += len(given)
        return len(given)


@pytest.fixture(scope="module")
def durable(start):
    """A server with its state on disk."""
    return start()


def most_resident(server):
    """The most memory that a server had since its start, in bytes."""
    status = Path(f"/proc/{server.process.pid}/status")
    if not status.exists():
        pytest.skip("SKIPPED: this system does not tell what memory a process had")
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) * 1024


def test_memory_does_not_depend_on_an_object(durable):
    s3 = Caller(durable.endpoint, "000000000000", "test", "test").client("s3")
    s3.create_bucket(Bucket="large")
    # What every server comes to need for ten requests at once.
    s3.upload_fileobj(io.BytesIO(NOISE * 40), "large", "first")
    before = most_resident(durable)
    s3.upload_fileobj(Made(), "large", "object")
    assert s3.head_object(Bucket="large", Key="object")["ContentLength"] == SIZE
    back = Made()
    s3.download_fileobj("large", "object", back)
    assert back.written == SIZE
    whole = Made()
    for chunk in s3.get_object(Bucket="large", Key="object")["Body"].iter_chunks(MIB):
        whole.write(chunk)
    assert whole.written == SIZE
    assert most_resident(durable) - before < 64 * MIB
    s3.delete_object(Bucket="large", Key="object")
