"""PostgreSQL's own programs for dumping and restoring, from the same package as the embedded server."""

import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from bivelio_server.kit.postgres_process import binary, last_lines

#: The first release whose server knows all settings that our `pg_restore` sends.
OLDEST_TARGET: Final = 17


class ToolFailed(Exception):
    """The program ended with an error; the message is what it said."""


@contextmanager
def dumping(url: str, snapshot: str) -> Iterator[IO[bytes]]:
    """The database as it is in that exported snapshot, in `pg_dump`'s custom format. Raises ToolFailed."""
    where, environment = _without_password(url)
    command = [
        *(binary("pg_dump"), "--format=custom", f"--snapshot={snapshot}", "--no-unlogged-table-data"),
        *("--lock-wait-timeout=30s", "--no-password", f"--dbname={where}"),
    ]
    with subprocess.Popen(  # noqa: S603 - ours
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            yield process.stdout
        except BaseException:
            process.kill()
            raise
        complaint = process.stderr.read()
    if process.returncode != 0:
        raise ToolFailed(f"pg_dump failed: {last_lines(complaint)}")


def restore_dump(url: str, dump: Iterable[bytes]) -> None:
    """Everything or nothing, into an empty database, owned by whoever `url` names. Raises ToolFailed."""
    where, environment = _without_password(url)
    command = [
        *(binary("pg_restore"), "--single-transaction", "--exit-on-error", "--no-owner"),
        *("--no-password", f"--dbname={where}"),
    ]
    with subprocess.Popen(  # noqa: S603 - ours
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            for piece in dump:
                process.stdin.write(piece)
            process.stdin.close()
        except BrokenPipeError:
            pass  # what it says is the reason
        except BaseException:
            process.kill()
            raise
        complaint = process.stderr.read()
    if process.returncode != 0:
        raise ToolFailed(f"pg_restore failed: {last_lines(complaint)}")


def _without_password(url: str) -> tuple[str, dict[str, str]]:
    """A command line is for everybody to see; the environment is not."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    user = quote(unquote(parts.username or ""), safe="")
    netloc = f"{user}@{host}" if user else host
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "HOME": os.environ.get("HOME", "/")}
    if parts.password is not None:
        environment["PGPASSWORD"] = unquote(parts.password)
    return urlunsplit((parts.scheme, netloc, parts.path, parts.query, "")), environment
