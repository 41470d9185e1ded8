"""The `bivelio-server` command."""

import argparse
import json
import secrets
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, get_args

import psycopg
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bivelio_server.accounts.provisioning import Provisioned, ProvisionRequest, provision, reset_second_factor
from bivelio_server.accounts.roles import Plan
from bivelio_server.app import FEATURES, openapi_document
from bivelio_server.installation import (
    Installation,
    InstallationError,
    installation,
    prepare,
    require_prepared,
)
from bivelio_server.kit.embedded_postgres import EmbeddedPostgresError
from bivelio_server.kit.logging import configure_logging
from bivelio_server.kit.operations import Catalogue
from bivelio_server.serving import serve, work
from bivelio_server.settings import Settings
from bivelio_server.upkeep.archive import BackupError
from bivelio_server.upkeep.commands import add_upkeep_commands
from bivelio_server.upkeep.rotation import RotationError

_FIRST_ORGANISATION: Final = "Mi empresa"
_FIRST_EMAIL: Final = "admin@bivelio.local"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; what goes wrong with the installation is one line on standard error and exit status 1."""
    options = _parser().parse_args(arguments)
    # Until a command handles it itself, SIGTERM ends it in good order, as Ctrl-C does: the database is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        settings = _settings(options)
        configure_logging(settings.log_level)
        options.command(settings, options)
    except (InstallationError, EmbeddedPostgresError, BackupError, RotationError, psycopg.OperationalError) as error:
        sys.exit(f"bivelio-server: {error}")
    except ValidationError as error:
        sys.exit("bivelio-server: " + "; ".join(_told(item) for item in error.errors()))
    except KeyboardInterrupt:
        sys.exit(130)


def _told(problem: ErrorDetails) -> str:
    name = str(problem["loc"][0])
    return f"{name}: " + problem["msg"].replace("{field}", name)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bivelio-server", description="The back office of a small or medium company.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command, help_text in (
        ("serve", _serve, "answer requests and work, until Ctrl-C"),
        ("worker", _work, "only work: deliveries and workflow runs"),
        ("migrate", _migrate, "bring the database's schema up to date"),
        ("openapi", _openapi, "print the OpenAPI document"),
        ("provision", _provision, "make an organisation with its owner and keys, printed as JSON"),
        ("reset-second-factor", _reset_second_factor, "turn off the second factor of a person who has lost it"),
    ):
        subparser = commands.add_parser(name, help=help_text)
        subparser.set_defaults(command=command)
        subparser.add_argument("--data-dir", type=Path, help="folder of the embedded database and the secret key")
        if name == "serve":
            subparser.add_argument("--host", help="address to listen on")
            subparser.add_argument("--port", type=int, help="port to listen on")
            subparser.add_argument("--first-organization", action="store_true", help="make one when there is none")
        if name == "reset-second-factor":
            subparser.add_argument("--email", required=True)
        if name == "provision":
            subparser.add_argument("--organization", required=True)
            subparser.add_argument("--plan", choices=get_args(Plan), help="starter for a new one")
            subparser.add_argument("--email", required=True)
            subparser.add_argument("--password", required=True, help="of the owner, if that is a new person")
            subparser.add_argument("--reset-password", action="store_true", help="also if the owner is known already")
            for name_of_limit in ("requests-per-minute", "requests-per-second", "monthly-credits", "monthly-units"):
                subparser.add_argument(f"--{name_of_limit}", type=int, help="instead of what the plan gives")
    add_upkeep_commands(commands)
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    given = {name: getattr(options, name, None) for name in ("data_dir", "host", "port")}
    return Settings(**{name: value for name, value in given.items() if value is not None})


def _serve(settings: Settings, options: argparse.Namespace) -> None:
    with _ready_installation(settings) as place:
        if options.first_organization:
            _welcome(place)
        serve(place)


def _work(settings: Settings, _options: argparse.Namespace) -> None:
    with _ready_installation(settings) as place:
        work(place)


def _migrate(settings: Settings, _options: argparse.Namespace) -> None:
    with installation(settings) as place:
        prepare(place)


def _openapi(settings: Settings, _options: argparse.Namespace) -> None:
    document = openapi_document(Catalogue(FEATURES), settings.address)
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _provision(settings: Settings, options: argparse.Namespace) -> None:
    request = ProvisionRequest(
        organization=options.organization, plan=options.plan, email=options.email, password=options.password,
        reset_password=options.reset_password, requests_per_minute=options.requests_per_minute,
        requests_per_second=options.requests_per_second, monthly_credits=options.monthly_credits,
        monthly_units=options.monthly_units,
    )  # fmt: skip
    with installation(settings) as place:
        prepare(place)
        sys.stdout.write(json.dumps(provision(place.owner_url, request).as_json()) + "\n")


def _reset_second_factor(settings: Settings, options: argparse.Namespace) -> None:
    with _ready_installation(settings) as place:
        if not reset_second_factor(place.owner_url, options.email):
            raise InstallationError(f"nobody has the address {options.email}")
    sys.stdout.write(f"{options.email} signs in with the password alone.\n")


@contextmanager
def _ready_installation(settings: Settings) -> Iterator[Installation]:
    """An embedded database is brought up to date here; an operator's own only by `migrate`."""
    with installation(settings) as place:
        if place.embedded is not None:
            prepare(place)
        require_prepared(place)
        yield place


def _welcome(place: Installation) -> None:
    with psycopg.connect(place.owner_url) as connection:
        row = connection.execute("select exists (select from organizations)").fetchone()
    if row is not None and row[0]:
        return
    password = secrets.token_urlsafe(12)
    request = ProvisionRequest(organization=_FIRST_ORGANISATION, plan="pro", email=_FIRST_EMAIL, password=password)
    _print_welcome(place, provision(place.owner_url, request), password)


def _print_welcome(place: Installation, made: Provisioned, password: str) -> None:
    sys.stdout.write(
        f"\n  BiVelio está listo / is ready: {place.settings.address}\n"
        f"  Referencia / reference:        {place.settings.address}/docs\n\n"
        "  Guarda esto, no se volverá a mostrar / keep this, it is not shown again:\n\n"
        f"    e-mail            {_FIRST_EMAIL}\n"
        f"    password          {password}\n"
        f"    live secret key   {made.keys.live_secret}\n"
        f"    test secret key   {made.keys.test_secret}\n"
        f"    publishable key   {made.keys.live_publishable}\n\n"
    )
    sys.stdout.flush()
