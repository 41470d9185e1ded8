"""Where this server lives: its data folder, its database and the roles that reach it, its secret key."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

import psycopg
from sqlalchemy.exc import DBAPIError

from bivelio_server.key_check import KeyRefused, check_keys, register_keys
from bivelio_server.kit.embedded_postgres import EmbeddedPostgres, libpq_url
from bivelio_server.kit.secrets import RootKey, SecretKey, load_or_create_secret_key
from bivelio_server.migrations import MigrationError, grant_serving_role, migrate, newest_version
from bivelio_server.settings import Settings

_SERVING_ROLE: Final = "bivelio_app"
#: PostgreSQL cuts names at 63 bytes.
_ROLE_BYTES: Final = 54


class InstallationError(Exception):
    """The installation cannot be used as it is; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Installation:
    """One process's view: settings, both database URLs (`postgresql://…`), secret key, own PostgreSQL if any."""

    settings: Settings
    owner_url: str
    serving_url: str
    secret_key: SecretKey
    embedded: EmbeddedPostgres | None


@contextmanager
def installation(settings: Settings) -> Iterator[Installation]:
    """The installation with its database reachable; the embedded one runs as long as somebody uses it."""
    secret_key = _secret_key(settings)
    if settings.database_url is not None:
        owner_url = settings.database_url.get_secret_value()
        yield Installation(settings, owner_url, serving_url(owner_url, secret_key), secret_key, None)
        return
    embedded = EmbeddedPostgres(settings.data_dir.absolute() / "postgres")
    with embedded as address:
        owner_url = libpq_url(address.owner_url())
        yield Installation(settings, owner_url, serving_url(owner_url, secret_key), secret_key, embedded)


def prepare(place: Installation) -> None:
    """Bring schema and serving role up to date. Raises InstallationError."""
    role, password = _role_of(place.serving_url)
    try:
        migrate(place.owner_url)
        register_keys(place.owner_url, place.secret_key)
        grant_serving_role(place.owner_url, role, password)
    except (KeyRefused, MigrationError) as error:
        raise InstallationError(str(error)) from error
    except (psycopg.Error, DBAPIError) as error:
        reason = error.orig if isinstance(error, DBAPIError) else error
        raise InstallationError(f"The database cannot be prepared: {str(reason).strip()}") from error


def require_prepared(place: Installation) -> None:
    """Refuse another key, an old schema, and a role that row-level security does not hold. Raises InstallationError."""
    try:
        check_keys(place.owner_url, place.secret_key)
        with psycopg.connect(place.serving_url) as connection:
            row = connection.execute(
                "select r.rolsuper or r.rolbypassrls or c.relowner = r.oid, v.version_num"
                " from pg_roles r, alembic_version v, pg_class c"
                " where r.rolname = current_user and c.oid = 'contacts'::regclass"
            ).fetchone()
    except KeyRefused as error:
        raise InstallationError(str(error)) from error
    except psycopg.Error as error:
        raise InstallationError(f"The database is not ready; run `bivelio-server migrate`. ({error})") from error
    assert row is not None
    if row[0]:
        raise InstallationError("The serving role owns the tables or bypasses row-level security; it must not.")
    if row[1] < newest_version():
        raise InstallationError(f"The schema is at {row[1]}; run `bivelio-server migrate` to reach {newest_version()}.")


def serving_url(owner_url: str, secret_key: SecretKey) -> str:
    """The same database, as the role that serves; its password comes from the secret key.

    Each key has a role of its own, so that processes with the old key and with the new one serve side by side.
    """
    parts = urlsplit(owner_url)
    role, password = serving_role(owner_url, secret_key.present)
    query = urlencode([(name, value) for name, value in parse_qsl(parts.query) if name not in ("user", "password")])
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, f"{quote(role, safe='')}:{password}@{host}", parts.path, query, ""))


def serving_role(owner_url: str, root: RootKey) -> tuple[str, str]:
    """Name and password of the role that serves this database with this key."""
    database = _database_of(owner_url)
    own = root.derive(f"name of the serving role of {database}")[:4].hex()
    start = f"{_SERVING_ROLE}_{database}".encode()[:_ROLE_BYTES].decode(errors="ignore")
    return f"{start}_{own}", root.password(f"serving role of {database}")


def legacy_serving_role(owner_url: str) -> str:
    """The role that served before each key had its own."""
    return f"{_SERVING_ROLE}_{_database_of(owner_url)}"


def _database_of(url: str) -> str:
    return unquote(urlsplit(url).path.lstrip("/")) or "postgres"


def _role_of(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return unquote(parts.username or ""), unquote(parts.password or "")


def _secret_key(settings: Settings) -> SecretKey:
    try:
        if settings.secret_key is not None:
            previous = [key.get_secret_value() for key in settings.previous_secret_keys]
            return SecretKey(settings.secret_key.get_secret_value(), previous)
        return load_or_create_secret_key(settings.data_dir / "secret.key")
    except (OSError, ValueError) as error:
        raise InstallationError(str(error)) from None
