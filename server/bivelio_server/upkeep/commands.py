"""The commands of whoever runs an installation: backup, restore, doctor, compact, rotate-key."""

import argparse
import json
import sys
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
import psycopg.errors

from bivelio_server.installation import Installation, InstallationError, installation
from bivelio_server.key_check import KeyRefused, check_keys
from bivelio_server.settings import Settings
from bivelio_server.upkeep.archive import BackupError
from bivelio_server.upkeep.backup import back_up
from bivelio_server.upkeep.compacting import compact
from bivelio_server.upkeep.doctor import examine
from bivelio_server.upkeep.findings import Level
from bivelio_server.upkeep.restore import restore, verify
from bivelio_server.upkeep.rotation import RotationError, finish, rotate


def add_upkeep_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    backup = _add(
        commands, "backup", _back_up, "write database, stored files and secret keys to a file, while all goes on"
    )
    backup.add_argument("file", type=Path, help="the file to make")
    backup.add_argument("--without-key", action="store_true", help="leave the secret keys out: they are kept elsewhere")
    restoring = _add(commands, "restore", _restore, "make an installation from a backup, in an empty place")
    restoring.add_argument("file", type=Path, help="the backup")
    restoring.add_argument("--verify", action="store_true", help="only find out whether it would work")
    for parser in (backup, restoring):
        parser.add_argument("--passphrase-file", type=Path, help="file whose first line seals the backup")
    doctor = _add(commands, "doctor", _examine, "say what is wrong, and what to do about it")
    doctor.add_argument("--json", action="store_true", help="print the findings as JSON")
    _add(commands, "compact", _compact, "give room back to the operating system, while big tables are written anew")
    rotation = _add(commands, "rotate-key", _rotate, "replace the secret key while the servers go on")
    rotation.add_argument("--finish", action="store_true", help="drop the old key")
    rotation.add_argument("--now", action="store_true", help="with --finish: do not wait for access tokens to end")


def _add(commands: Any, name: str, command: Any, help_text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=help_text, description=help_text)
    parser.set_defaults(command=command)
    parser.add_argument("--data-dir", type=Path, help="folder of the embedded database and the secret key")
    return parser


def _back_up(settings: Settings, options: argparse.Namespace) -> None:
    passphrase = _passphrase(options)
    with installation(settings) as place:
        try:
            if not options.without_key:
                _require_right_key(place)
            manifest = back_up(
                place,
                options.file,
                app_version=version("bivelio-server"),
                passphrase=passphrase,
                with_keys=not options.without_key,
            )
        except psycopg.Error as error:
            raise BackupError(str(error).strip()) from error
    size = options.file.stat().st_size / (1 << 20)
    rows = sum(manifest.rows.values())
    tables, files, keys = len(manifest.rows), manifest.files, len(manifest.keys)
    _tell(f"{options.file}: {rows} rows in {tables} tables, {files} files, {keys} keys, {size:.1f} MiB")
    if manifest.missing:
        _tell(f"{len(manifest.missing)} stored files are lost or damaged; the first is {manifest.missing[0]}")
    if manifest.keys and passphrase is None:
        _tell("It holds the secret key in plain: keep it where only you can read it, or use --passphrase-file.")


def _require_right_key(place: Installation) -> None:
    """A backup with a wrong key would be found out too late. A schema from before keys were known is backed up, too."""
    try:
        check_keys(place.owner_url, place.secret_key)
    except psycopg.errors.UndefinedTable:
        return
    except KeyRefused as error:
        raise BackupError(str(error)) from error


def _restore(settings: Settings, options: argparse.Namespace) -> None:
    act = verify if options.verify else restore
    try:
        act(settings, options.file, _passphrase(options), _tell)
    except psycopg.Error as error:
        raise BackupError(str(error).strip()) from error
    where = "" if settings.database_url is not None else f" --data-dir {settings.data_dir}"
    _tell("The backup can be restored." if options.verify else f"Restored. Start it: bivelio-server serve{where}")


def _examine(settings: Settings, options: argparse.Namespace) -> None:
    findings = []
    for finding in examine(settings):
        findings.append(finding)
        if not options.json:
            _tell(finding.line())
    if options.json:
        _tell(json.dumps([asdict(finding) for finding in findings], indent=2))
    if any(finding.level is Level.error for finding in findings):
        sys.exit(1)


def _compact(settings: Settings, _options: argparse.Namespace) -> None:
    with installation(settings) as place:
        compact(place, _tell)


def _rotate(settings: Settings, options: argparse.Namespace) -> None:
    if options.now and not options.finish:
        raise InstallationError("--now goes with --finish.")
    with installation(settings) as place:
        try:
            if options.finish:
                finish(place, _tell, at_once=options.now)
            else:
                rotate(place, _tell)
        except psycopg.Error as error:
            raise RotationError(str(error).strip()) from error


def _passphrase(options: argparse.Namespace) -> str | None:
    if options.passphrase_file is None:
        return None
    try:
        lines = options.passphrase_file.read_text().splitlines()
    except OSError as error:
        raise BackupError(f"cannot read {options.passphrase_file}: {error.strerror}") from error
    if not lines or not lines[0].strip():
        raise BackupError(f"{options.passphrase_file} holds no passphrase in its first line")
    passphrase: str = lines[0].strip()
    return passphrase


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
