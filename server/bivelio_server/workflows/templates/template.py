"""What a template is: texts, parameters, and a function from these to a definition."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from bivelio_server.kit.models import Input
from bivelio_server.kit.operations import Catalogue
from bivelio_server.kit.origin import Door
from bivelio_server.kit.text import DEFAULT_LANGUAGE, Language, Text

Json: TypeAlias = dict[str, Any]
#: Whether an operation can be a step here.
Has: TypeAlias = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a definition is built from. Its texts are in one language; `has` tells which optional steps there can be."""

    parameters: Any
    language: Language
    has: Has

    def say(self, es: str, en: str) -> str:
        return Text(es, en).in_language(self.language)


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A ready workflow. Every parameter has a default, and a label for people to read.

    `build` gives the members of a definition; it may use an optional operation where `Terms.has` says that it is there.
    `besides` are operations without which the workflow would never be started.
    """

    id: str
    name: Text
    description: Text
    parameters: type[Input]
    labels: Mapping[str, Text]
    build: Callable[[Terms], Json]
    besides: frozenset[str] = frozenset()

    def definition(self, catalogue: Catalogue, parameters: Input, language: Language) -> Json:
        return self.build(Terms(parameters, language, lambda name: _is_step(catalogue, name)))

    def form(self, language: Language) -> Json:
        """The parameters as a JSON Schema, from which a form can be drawn."""
        schema = self.parameters.model_json_schema()
        for name, label in self.labels.items():
            schema["properties"][name]["title"] = label.in_language(language)
        schema["title"] = self.name.in_language(language)
        return schema

    @property
    def requires(self) -> list[str]:
        """The operations without which it is not offered."""
        least = self.build(Terms(self.parameters(), DEFAULT_LANGUAGE, lambda _: False))
        return sorted(self.besides.union(_used(least)))

    def is_complete(self, catalogue: Catalogue) -> bool:
        return all(_is_step(catalogue, name) for name in self.requires)


def _is_step(catalogue: Catalogue, name: str) -> bool:
    operation = catalogue.named(name)
    return operation is not None and Door.workflow in operation.doors


def _used(value: Any) -> Iterator[str]:
    """Every operation that is a step, wherever it stands."""
    if isinstance(value, dict):
        if isinstance(value.get("uses"), str):
            yield value["uses"]
        for member in value.values():
            yield from _used(member)
    elif isinstance(value, list):
        for member in value:
            yield from _used(member)
