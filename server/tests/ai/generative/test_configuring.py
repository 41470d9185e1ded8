"""Which model is asked, by the settings; and what it costs a server that asks none."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from bivelio_server.ai.generative import configuration_of
from bivelio_server.settings import Settings


def settings(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    for name, value in values.items():
        monkeypatch.setenv(f"BIVELIO_{name.upper()}", value)
    return Settings()


def test_nothing_is_configured_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert configuration_of(settings(monkeypatch)) is None


def test_a_key_of_gemini_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    found = configuration_of(settings(monkeypatch, gemini_api_key="k"))

    assert found is not None
    assert (found.engine, found.model) == ("gemini", "gemini-2.5-flash")
    assert found.url == "https://generativelanguage.googleapis.com"
    assert "'k'" not in repr(found)


def test_a_server_on_this_machine_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    found = configuration_of(settings(monkeypatch, openai_url="http://localhost:11434/v1", ai_model="qwen3"))

    assert found is not None
    assert (found.engine, found.model, found.key) == ("openai", "qwen3", None)


def test_openai_itself_needs_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    found = configuration_of(settings(monkeypatch, openai_api_key="k", ai_model="gpt-5"))

    assert found is not None
    assert found.url == "https://api.openai.com/v1"


@pytest.mark.parametrize(
    "values",
    [
        {"openai_url": "http://localhost:11434/v1"},
        {"openai_api_key": "k"},
        {"openai_url": "localhost:11434", "ai_model": "qwen3"},
        {"openai_url": "http://localhost:11434/v1", "gemini_api_key": "k", "ai_model": "qwen3"},
        {"gemini_api_key": "k", "ai_timeout_seconds": "0"},
    ],
)
def test_what_cannot_work_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        settings(monkeypatch, **values)


def test_no_library_of_a_provider_is_loaded_with_the_server() -> None:
    heavy = "{'pydantic_ai', 'openai', 'google.genai', 'onnxruntime'}"
    code = f"import sys, bivelio_server.app; print(sorted({heavy} & set(sys.modules)))"

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "[]"
