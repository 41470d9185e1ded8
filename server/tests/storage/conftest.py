"""The S3 server that the tests share."""

from collections.abc import Iterator

import pytest

from tests.storage.buckets import Server, running


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    pytest.importorskip("swift", reason="the S3 server of the tests runs on Linux")
    with running(tmp_path_factory.mktemp("s3")) as server:
        yield server
