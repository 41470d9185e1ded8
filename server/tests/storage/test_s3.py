"""What only a bucket does: a server that is away, keys that are refused, uploads that break off."""

from collections.abc import AsyncIterator
from typing import Any

import obstore
import pytest
from pydantic import SecretStr, ValidationError

from bivelio_server.kit.storage import StorageFailed, fetch
from bivelio_server.settings import Settings
from bivelio_server.storage import FilesOnDisk, storage_of
from bivelio_server.storage.s3 import S3Storage
from bivelio_server.upkeep.doctor import examine
from tests.storage.arranging import key, names
from tests.storage.buckets import Server, fresh_bucket, make_bucket

pytestmark = pytest.mark.anyio


def test_the_settings_say_where_files_are(s3_server: Server) -> None:
    assert isinstance(storage_of(s3_server.settings("some-bucket")), S3Storage)
    assert isinstance(storage_of(Settings()), FilesOnDisk)


@pytest.mark.parametrize(
    "wrong",
    [{"s3_endpoint": "example.com"}, {"s3_endpoint": "http://"}, {"s3_bucket": "No"}, {"s3_secret_access_key": None}],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, str | None]) -> None:
    right = {"s3_bucket": "bivelio", "s3_access_key_id": "a", "s3_secret_access_key": SecretStr("b")}

    with pytest.raises(ValidationError):
        Settings.model_validate({**right, **wrong})


async def test_a_large_upload_is_put_together_of_parts(s3_server: Server) -> None:
    async def content() -> AsyncIterator[bytes]:
        for number in range(40):
            yield bytes([number]) * 1_000_000

    files = fresh_bucket(s3_server)
    before = s3_server.contents()

    stored = await files.put(key("runs", "large"), content())

    assert await fetch(files, stored) == b"".join([piece async for piece in content()])
    assert s3_server.contents() - before > 2


async def test_an_upload_that_breaks_off_leaves_no_parts(s3_server: Server) -> None:
    async def broken() -> AsyncIterator[bytes]:
        for number in range(40):
            yield bytes([number]) * 1_000_000
        raise ZeroDivisionError

    files = fresh_bucket(s3_server)
    before = s3_server.contents()

    with pytest.raises(ZeroDivisionError):
        await files.put(key("runs", "a"), broken())

    assert s3_server.contents() == before


async def test_what_is_not_ours_in_the_bucket_is_left_alone(s3_server: Server) -> None:
    files = fresh_bucket(s3_server)
    stored = await files.put(key("runs", "a"), b"content")
    await obstore.put_async(files._store, "reports/2026.pdf", b"theirs")

    assert await names(files) == [stored.key]
    assert await files.delete_prefix("") == 1
    assert bytes(await (await obstore.get_async(files._store, "reports/2026.pdf")).bytes_async()) == b"theirs"


@pytest.mark.parametrize(
    "wrong",
    [{"s3_secret_access_key": SecretStr("wrong")}, {"s3_endpoint": "http://127.0.0.1:9"}, {"s3_bucket": "not-there"}],
)
async def test_a_server_that_refuses_or_is_away_is_a_failure(s3_server: Server, wrong: dict[str, Any]) -> None:
    files = S3Storage(s3_server.settings(make_bucket(s3_server)).model_copy(update=wrong))

    with pytest.raises(StorageFailed):
        await files.put(key("runs", "a"), b"content")
    with pytest.raises(StorageFailed) as failure:
        await names(files)
    assert "testing" not in str(failure.value)


def test_the_doctor_looks_at_the_bucket(s3_server: Server) -> None:
    good = s3_server.settings(make_bucket(s3_server))
    bad = good.model_copy(update={"s3_secret_access_key": SecretStr("wrong")})

    [found] = [finding for finding in examine(good) if finding.check == "storage"]
    [failed] = [finding for finding in examine(bad) if finding.check == "storage"]

    assert (found.level, found.what) == ("ok", f"s3://{good.s3_bucket}")
    assert (failed.level, failed.remedy) == ("error", "see BIVELIO_S3_BUCKET and the settings beside it")
