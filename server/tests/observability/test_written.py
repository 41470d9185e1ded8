"""The dashboard and the guide keep up with the figures."""

import json
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.observability.scrape import declared, scraped
from tests.observability.write import GUIDE, written

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[3]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
METRIC = re.compile(r"\b(?:bivelio|process|python)_\w+")


def expressions() -> list[str]:
    variables = [variable["definition"] for variable in DASHBOARD["templating"]["list"] if "definition" in variable]
    return [*variables, *(target["expr"] for panel in PANELS for target in panel["targets"])]


async def test_every_metric_of_the_dashboard_exists(http: httpx2.AsyncClient) -> None:
    asked = {name for expression in expressions() for name in METRIC.findall(expression)}

    assert len(asked) > 20
    assert asked - (await scraped(http)).names() == set()


@pytest.mark.parametrize("expression", expressions())
def test_expressions_are_closed(expression: str) -> None:
    for opening, closing in ("()", "{}", "[]"):
        assert expression.count(opening) == expression.count(closing)
    assert expression.count('"') % 2 == 0


@pytest.mark.parametrize("expression", expressions()[1:])
def test_expressions_ask_for_labels_that_there_are(expression: str) -> None:
    labels = {label for name in METRIC.findall(expression) for label in _labels(name)} | {"le", "instance", "job"}
    asked = {
        label.strip() for group in re.findall(r"(?:by|ignoring) \(([^)]*)\)", expression) for label in group.split(",")
    }

    assert asked <= labels


def _labels(name: str) -> tuple[str, ...]:
    known = declared()
    return known.get(name, known.get(re.sub("_(bucket|sum|count)$", "", name), ("", (), "")))[1]


def test_panels_have_a_title_a_place_and_something_to_show() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
        assert panel["title"]
        assert place["x"] + place["w"] <= 24
        assert not cells & taken
        taken |= cells
    for panel in PANELS:
        assert [target["refId"] for target in panel["targets"]] == list("ABCDEF"[: len(panel["targets"])])


def test_every_metric_is_in_the_guide() -> None:
    assert GUIDE.read_text() == written(GUIDE.read_text()), "run `make contract`"
