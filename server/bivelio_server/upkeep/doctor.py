"""What is wrong with an installation, and what to do about it."""

import asyncio
import os
import shutil
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import urlopen

import psycopg

from bivelio_server.installation import InstallationError, installation
from bivelio_server.kit.embedded_postgres import EmbeddedPostgresError
from bivelio_server.kit.storage import Storage, StorageFailed
from bivelio_server.settings import Settings
from bivelio_server.storage import storage_of
from bivelio_server.upkeep.database_doctor import examine_database
from bivelio_server.upkeep.findings import Finding, error, ok, warning

_MIB: Final = 1 << 20
_LITTLE_ROOM: Final = 2048 * _MIB
_NO_ROOM: Final = 256 * _MIB
_METADATA_SERVICE: Final = ip_address("169.254.169.254")
_LOOPBACK: Final = (ip_address("127.0.0.1"), ip_address("::1"))
_WIDEST_PRIVATE_PREFIX: Final = {4: 8, 6: 7}


def examine(settings: Settings) -> Iterator[Finding]:
    """Everything that can be looked at; what is broken keeps nothing else from being looked at."""
    yield from _data_folder(settings.data_dir)
    yield from _storage(settings)
    yield _key_file(settings)
    yield _public_url(settings)
    yield _private_networks(settings)
    yield _metrics(settings)
    yield _port(settings)
    yield from _database(settings)


def _data_folder(folder: Path) -> Iterator[Finding]:
    yield _writable("data folder", folder, "BIVELIO_DATA_DIR")
    yield _room("disk space", folder, "make room now: without it the database stops")


def _storage(settings: Settings) -> Iterator[Finding]:
    if settings.s3_bucket is not None:
        yield _reachable(settings)
        return
    folder = settings.storage_folder
    yield _writable("storage", folder, "BIVELIO_STORAGE_DIR")
    if _existing(folder).stat().st_dev != _existing(settings.data_dir).stat().st_dev:
        yield _room("storage space", folder, "make room now: without it workflow runs with large outputs stand still")


def _reachable(settings: Settings) -> Finding:
    try:
        asyncio.run(_first_of(storage_of(settings)))
    except StorageFailed as failure:
        return error("storage", str(failure), "see BIVELIO_S3_BUCKET and the settings beside it")
    return ok("storage", settings.storage_place)


async def _first_of(storage: Storage) -> None:
    async for _ in storage.walk():
        return


def _writable(check: str, folder: Path, setting: str) -> Finding:
    existing = _existing(folder)
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return ok(check, str(folder.absolute()) + ("" if folder.exists() else " (not made yet)"))
    remedy = f"give it to the account that runs the server, or name another folder in {setting}"
    return error(check, f"{existing} cannot be written to", remedy)


def _room(check: str, folder: Path, consequence: str) -> Finding:
    free = shutil.disk_usage(_existing(folder)).free
    what = f"{free // _MIB} MiB free"
    if free < _NO_ROOM:
        return error(check, what, consequence)
    if free < _LITTLE_ROOM:
        return warning(check, what, "make room, or move the folder")
    return ok(check, what)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())


def _key_file(settings: Settings) -> Finding:
    check = "secret key"
    if settings.secret_key is not None:
        return ok(check, "given by BIVELIO_SECRET_KEY")
    path = settings.data_dir / "secret.key"
    if not path.exists():
        if (settings.data_dir / "postgres" / "cluster").exists():
            return error(check, f"{path} is missing", "restore it from a backup: nothing else opens stored secrets")
        return ok(check, "will be made at the first start")
    if path.stat().st_mode & 0o077:
        return error(check, f"others may read {path}", f"chmod 600 {path}, and change it: bivelio-server rotate-key")
    if not os.access(path, os.R_OK):
        return error(check, f"{path} cannot be read", "give it to the account that runs the server")
    return ok(check, str(path))


def _public_url(settings: Settings) -> Finding:
    check = "public address"
    if settings.public_url is None:
        if _is_loopback(settings.host):
            return ok(check, f"{settings.address}, this machine only")
        return warning(check, "BIVELIO_PUBLIC_URL is not set", "set it to the address that clients use")
    parts = urlsplit(settings.public_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return error(check, f"{settings.public_url!r} is no address", "write it as https://api.example.com")
    if parts.query or parts.fragment or settings.public_url.endswith("/"):
        return error(check, f"{settings.public_url!r} has more than an address", "leave out the end after the host")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        return warning(check, "keys and tokens travel unencrypted", "put a proxy with TLS in front, use https://")
    return ok(check, settings.public_url)


def _private_networks(settings: Settings) -> Finding:
    check = "private networks"
    if not settings.private_networks:
        return ok(check, "outgoing calls reach public addresses only")
    shown = ", ".join(map(str, settings.private_networks))
    for network in settings.private_networks:
        if network.prefixlen < _WIDEST_PRIVATE_PREFIX[network.version] or _METADATA_SERVICE in network:
            return error(
                check, f"outgoing calls may reach {network}, the cloud's metadata service among it",
                "allow single networks only",
            )  # fmt: skip
    if any(here in network for network in settings.private_networks for here in _LOOPBACK):
        return warning(check, f"outgoing calls may reach this machine ({shown})", "leave it out unless you need it")
    return ok(check, f"outgoing calls may also reach {shown}")


def _metrics(settings: Settings) -> Finding:
    if settings.metrics_token is None and not _is_loopback(settings.host):
        return warning(
            "metrics", "behind a proxy on this machine everybody could read them", "set BIVELIO_METRICS_TOKEN"
        )
    return ok("metrics", "for this machine only" if settings.metrics_token is None else "with a token")


def _port(settings: Settings) -> Finding:
    check, where = "port", f"{settings.host}, port {settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        with socket.create_server((settings.host, settings.port), family=family):
            return ok(check, f"{where} is free")
    except OSError as failure:
        if _is_ours(settings):
            return ok(check, f"a server answers on {where}")
        remedy = "end what listens there, or choose another with BIVELIO_PORT"
        return error(check, f"cannot listen on {where}: {failure.strerror}", remedy)


def _is_ours(settings: Settings) -> bool:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - compared, not bound
    try:
        with urlopen(f"http://{host}:{settings.port}/livez", timeout=2) as reply:
            return b"alive" in reply.read(200)
    except (OSError, ValueError):
        return False


def _database(settings: Settings) -> Iterator[Finding]:
    embedded = settings.database_url is None
    if embedded and not (settings.data_dir / "postgres" / "cluster").exists():
        yield warning("database", "there is none yet", "start the server: bivelio-server serve")
        return
    if settings.secret_key is None and not (settings.data_dir / "secret.key").exists():
        yield warning("database", "not looked at: opening it would make a new secret key", "mend the secret key first")
        return
    try:
        with installation(settings) as place:
            yield ok("database", "embedded, running" if embedded else "the operator's own")
            yield from examine_database(place)
    except (InstallationError, EmbeddedPostgresError) as failure:
        yield error("database", str(failure).replace("\n", "; "), _remedy(embedded=embedded))
    except psycopg.Error as failure:
        yield error("database", " ".join(str(failure).split()), _remedy(embedded=embedded))


def _remedy(*, embedded: bool) -> str:
    if embedded:
        return "see postgres/log in the data folder"
    return "check BIVELIO_DATABASE_URL: server, port, name, password, and whether the server lets this machine in"


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")
