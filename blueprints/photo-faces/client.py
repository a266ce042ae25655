#!/usr/bin/env python3
"""A small client of a deployed photo-faces: uploads photos and shows what was found in them.

    ./client.py --bucket BUCKET --api URL [PHOTO ...]

BUCKET and URL are what deploy.sh prints. Without photos it only shows the table.
"""

import argparse
import json
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import boto3


def get(url):
    """Gets JSON from the API and returns (status, body).

    A name under .localhost means this machine, which browsers know and many resolvers do not.
    """
    parts = urlsplit(url)
    request = urllib.request.Request(url)
    if (parts.hostname or "").endswith(".localhost"):
        port = f":{parts.port}" if parts.port else ""
        here = urlunsplit(parts._replace(netloc=f"127.0.0.1{port}"))
        request = urllib.request.Request(here, headers={"Host": parts.netloc})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        body = error.read()
        try:
            return error.code, json.loads(body)
        except ValueError:
            return error.code, {"message": body.decode(errors="replace")}


def photos(api):
    """Lists every photo that the API knows, page by page."""
    found, after = [], None
    while True:
        status, body = get(f"{api}/photos" + (f"?after={after}" if after else ""))
        if status != 200:
            raise RuntimeError(f"GET /photos answered {status}: {body}")
        found += body["photos"]
        after = body.get("next")
        if after is None:
            return found


def upload(bucket, path):
    """Puts a file under photos/ and returns its key."""
    key = f"photos/{path.name}"
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
    return key


def wait_for(api, keys, seconds=120):
    """Waits until the API shows all of these keys and returns all photos."""
    deadline = time.monotonic() + seconds
    while True:
        found = photos(api)
        missing = set(keys) - {photo["key"] for photo in found}
        if not missing:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds} seconds the API does not show {sorted(missing)}")
        time.sleep(0.2)


def table(rows):
    """Lays out what was found, one line a face."""
    lines = [("PHOTO", "STATUS", "LEFT", "TOP", "WIDTH", "HEIGHT", "CONFIDENCE")]
    for photo in rows:
        name, status = photo["key"].removeprefix("photos/"), photo["status"]
        if status == "INVALID":
            status = f"INVALID ({photo['error'].split(':')[0]})"
        for face in photo["faces"] or [None]:
            box = face["boundingBox"] if face else {}
            sides = [f"{box[side]:.2f}" if face else "-" for side in ("Left", "Top", "Width", "Height")]
            lines.append((name, status, *sides, f"{face['confidence']:.2f} %" if face else "-"))
            name = status = ""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines
    )


def main():
    """Reads the command line, uploads and shows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--api", required=True)
    parser.add_argument("photo", nargs="*", type=Path)
    options = parser.parse_args()
    keys = [upload(options.bucket, path) for path in options.photo]
    try:
        print(table(wait_for(options.api, keys)))
    except (TimeoutError, RuntimeError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
