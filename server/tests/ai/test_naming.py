"""What is written to ask for a model."""

import pytest

from bivelio_server.ai.naming import is_model_name, provider_elsewhere, split


@pytest.mark.parametrize(
    ("asked", "engine", "elsewhere"),
    [
        ("gemini-2.5-pro", "gemini", None),
        ("gemini:gemini-2.5-pro", "gemini", None),
        ("openai:gpt-5", "gemini", "openai"),
        ("anthropic:claude", "gemini", "anthropic"),  # no model of Gemini's has a colon
        ("qwen3:8b", "openai", None),
        ("gemini:gemini-2.5-pro", "openai", "gemini"),
        ("qwen3:8b", "embedded", None),  # nothing is configured yet
        ("openai:gpt-5", "embedded", None),
        ("embedded:e5", "openai", "embedded"),
    ],
)
def test_a_provider_that_is_not_configured_is_told_where_it_can_be(
    asked: str, engine: str, elsewhere: str | None
) -> None:
    assert provider_elsewhere(asked, engine) == elsewhere


def test_a_colon_may_belong_to_the_name() -> None:
    assert split("qwen3:8b") == (None, "qwen3:8b")
    assert split("openai:qwen3:8b") == ("openai", "qwen3:8b")


@pytest.mark.parametrize("name", ["", "../x", "a..b", "a b", "a?b", "a#b", "-a", "a\n", "ñ"])
def test_no_name_leads_elsewhere(name: str) -> None:
    assert not is_model_name(name)
