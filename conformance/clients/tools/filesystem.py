"""What programs do with s3fs: copy trees, read and write as with files, glob, move and remove."""

import os
import sys

import s3fs

bucket, there, back = sys.argv[1:]
s3 = s3fs.S3FileSystem(endpoint_url=os.environ["AWS_ENDPOINT_URL"], default_block_size=5 * 1024 * 1024)
s3.mkdir(bucket)
s3.put(f"{there}/", f"{bucket}/tree/", recursive=True)
s3.invalidate_cache()
s3.get(f"{bucket}/tree/", back, recursive=True)

with s3.open(f"{bucket}/lines.txt", "wb") as file:
    for number in range(1_000_000):
        file.write(b"line %7d\n" % number)
with s3.open(f"{bucket}/lines.txt", "rb") as file:
    file.seek(13 * 777_777)
    assert file.readline() == b"line  777777\n"
assert s3.info(f"{bucket}/lines.txt")["size"] == 13_000_000
s3.invalidate_cache()
assert s3.glob(f"{bucket}/*.txt") == [f"{bucket}/lines.txt"]
s3.mv(f"{bucket}/lines.txt", f"{bucket}/moved.txt")
assert not s3.exists(f"{bucket}/lines.txt") and s3.exists(f"{bucket}/moved.txt")
s3.rm(bucket, recursive=True)
print("done")
