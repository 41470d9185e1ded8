"""Buckets of an S3 server that runs here."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import obstore
from obstore.store import S3Store
from pydantic import SecretStr

from bivelio_server.settings import Settings
from bivelio_server.storage.s3 import S3Storage

KEY, SECRET = "test:tester", "testing"


@dataclass(frozen=True)
class Server:
    address: str
    folder: Path

    def settings(self, bucket: str, **other: Any) -> Settings:
        given = {"s3_access_key_id": KEY, "s3_secret_access_key": SecretStr(SECRET), "s3_endpoint": self.address}
        return Settings(s3_bucket=bucket, **{**given, **other})

    def contents(self) -> int:
        """How many files it keeps, parts of uploads included."""
        return len([*(self.folder / "devices" / "disk" / "objects").rglob("*.data")])


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    program = [sys.executable, str(Path(__file__).with_name("swift_server.py")), str(folder)]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port, "the S3 server has not started"
        yield Server(f"http://127.0.0.1:{port}", folder)
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def fresh_bucket(server: Server) -> S3Storage:
    return S3Storage(server.settings(make_bucket(server)))


def make_bucket(server: Server) -> str:
    name = f"bivelio-{uuid4().hex[:12]}"
    store = S3Store(
        name, endpoint=server.address, access_key_id=KEY, secret_access_key=SECRET, region="us-east-1",
        virtual_hosted_style_request=False, client_options={"allow_http": True},
    )  # fmt: skip
    httpx2.put(obstore.sign(store, "PUT", "", timedelta(minutes=1))).raise_for_status()
    return name
