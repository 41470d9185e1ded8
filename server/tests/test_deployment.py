"""What `deploy/` says about the server is so."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bivelio_server.cli import _parser
from bivelio_server.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
SETTINGS = {f"BIVELIO_{name.upper()}" for name in Settings.model_fields}
#: Of the compose file itself: the name that the proxy answers to.
OF_COMPOSE = {"BIVELIO_DOMAIN"}


@pytest.fixture
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return document


@pytest.mark.parametrize("name", ["compose.yaml", "Dockerfile", "Caddyfile"])
def test_every_variable_is_a_setting(name: str) -> None:
    named = set(re.findall(r"BIVELIO_[A-Z_]+", (DEPLOY / name).read_text()))

    assert named - SETTINGS - OF_COMPOSE == set()


def test_every_secret_is_made_and_named_as_its_setting(compose: dict[str, Any]) -> None:
    made = (DEPLOY / "make-secrets.sh").read_text()
    given = {secret for service in compose["services"].values() for secret in service.get("secrets", [])}

    assert given == set(compose["secrets"])
    assert all(secret in made for secret in given)
    assert {secret.upper() for secret in given if secret.startswith("bivelio_")} <= SETTINGS


def test_every_service_of_ours_runs_a_command_that_there_is(compose: dict[str, Any]) -> None:
    ours = [service for service in compose["services"].values() if service["image"].startswith("bivelio")]

    assert [_parser().parse_args(service["command"]).command.__name__ for service in ours] == [
        "_migrate", "_serve", "_serve", "_work", "_work",
    ]  # fmt: skip


def test_the_proxy_asks_every_server(compose: dict[str, Any]) -> None:
    servers = {name for name, service in compose["services"].items() if service.get("command") == ["serve"]}

    assert set(re.findall(r"(serve-\d):8000", (DEPLOY / "Caddyfile").read_text())) == servers
