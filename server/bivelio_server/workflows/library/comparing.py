"""What leads from one version of a workflow to another, so that a person can follow it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final

from bivelio_server.kit import json
from bivelio_server.kit.models import Words
from bivelio_server.kit.text import Text
from bivelio_server.workflows.definition import Definition, Step, branches, kind_of
from bivelio_server.workflows.library.schemas import ChangedField, ChangedStep
from bivelio_server.workflows.saving import Content

_NOTHING: Final = object()


def changed_settings(before: Content, after: Content) -> list[ChangedField]:
    """Everything but the trigger and the steps."""
    return list(_fields(_settings(before), _settings(after)))


def changed_trigger(before: Content, after: Content) -> list[ChangedField]:
    return list(_fields(_written(before.definition.trigger), _written(after.definition.trigger)))


def changed_steps(before: Content, after: Content) -> list[ChangedStep]:
    """In the order of the newer version; those that are gone come where they were, as well as that can be said."""
    old, new = _Places(before.definition), _Places(after.definition)
    moved = {step_id for step_id in old.steps.keys() & new.steps.keys() if _has_moved(step_id, old, new)}
    found = [_change(step_id, old, new, moved) for step_id in _in_order(old.order, new.order)]
    return [change for change in found if change is not None]


@dataclass(frozen=True, slots=True)
class _Place:
    """A step with its path, and the list it stands in: whose, and which of them (`then`)."""

    step: Step
    path: str
    inside: tuple[str, str]


class _Places:
    """Where each step of a definition stands, by its id."""

    def __init__(self, definition: Definition) -> None:
        self.steps: dict[str, _Place] = {}
        self.lists: dict[tuple[str, str], list[str]] = {}
        self._add(definition.steps, "steps", ("", "steps"))
        self._add(definition.on_error, "on_error", ("", "on_error"))

    @property
    def order(self) -> list[str]:
        return list(self.steps)

    def _add(self, steps: Sequence[Step], path: str, inside: tuple[str, str]) -> None:
        self.lists[inside] = [step.id for step in steps]
        for position, step in enumerate(steps):
            here = f"{path}[{position}]"
            self.steps[step.id] = _Place(step, here, inside)
            for branch in branches(step):
                self._add(branch.steps, f"{here}.{branch.place}", (step.id, branch.place))


def _has_moved(step_id: str, old: _Places, new: _Places) -> bool:
    """Another list, or another order among the steps that stand in the same list in both."""
    inside = new.steps[step_id].inside
    if old.steps[step_id].inside != inside:
        return True
    common = set(old.lists[inside]) & set(new.lists[inside])
    return step_id not in _kept_in_order(
        [known for known in old.lists[inside] if known in common],
        [known for known in new.lists[inside] if known in common],
    )


def _kept_in_order(old: list[str], new: list[str]) -> set[str]:
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    return {step_id for block in blocks for step_id in old[block.a : block.a + block.size]}


def _in_order(old: list[str], new: list[str]) -> Iterator[str]:
    known = set(new)
    for _, from_old, to_old, from_new, to_new in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        yield from (step_id for step_id in old[from_old:to_old] if step_id not in known)
        yield from new[from_new:to_new]


def _change(step_id: str, old: _Places, new: _Places, moved: set[str]) -> ChangedStep | None:
    before, after = old.steps.get(step_id), new.steps.get(step_id)
    fields = list(_fields(_own(before.step), _own(after.step))) if before and after else []
    if before and after and not fields and step_id not in moved:
        return None
    change = "added" if before is None else "removed" if after is None else "changed" if fields else "moved"
    present = after or before
    assert present is not None
    text = _TEXTS[change] if change != "changed" or step_id not in moved else _TEXTS["changed_and_moved"]
    told = text.format(
        id=step_id, kind=kind_of(present.step), name=present.step.name or step_id,
        fields=", ".join(field.field for field in fields),
    )  # fmt: skip
    return ChangedStep(
        step_id=step_id,
        change=change,
        moved=step_id in moved,
        uses=kind_of(present.step),
        place_before=before.path if before else None,
        place_after=after.path if after else None,
        fields=fields,
        text=Words(es=told.es, en=told.en),
    )


def _own(step: Step) -> dict[str, Any]:
    """What a step says itself: of the lists of steps within it, only that they are there."""
    own = _written(step)
    for branch in branches(step):
        _empty(own, branch.place)
    return own


def _empty(value: dict[str, Any], place: str) -> None:
    """Put an empty list at a place such as `then`, `cases[0].steps`, `parallel.branch`."""
    holder: Any = value
    *way, last = [part for part in place.replace("[", ".").replace("]", "").split(".") if part]
    for part in way:
        holder = holder[int(part)] if isinstance(holder, list) else holder[part]
    if last in holder:
        holder[last] = []


def _written(part: Any) -> dict[str, Any]:
    written: dict[str, Any] = part.model_dump(exclude_unset=True)
    return written


def _settings(content: Content) -> dict[str, Any]:
    definition = content.definition.as_written()
    others = {name: value for name, value in definition.items() if name not in ("trigger", "steps", "on_error")}
    settings = {"name": content.name, "description": content.description, "concurrency": content.concurrency}
    return {**settings, **others, "api_version": content.api_version}


def _fields(before: Any, after: Any, path: str = "") -> Iterator[ChangedField]:
    """The members that differ, as deep as both sides are objects."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(name for name in after if name not in before)]:
            here = f"{path}.{name}" if path else name
            yield from _fields(before.get(name, _NOTHING), after.get(name, _NOTHING), here)
    elif before is _NOTHING or after is _NOTHING or json.dumps(before) != json.dumps(after):
        known = [None if value is _NOTHING else value for value in (before, after)]
        yield ChangedField(field=path, before=known[0], after=known[1])


_TEXTS: Final = {
    "added": Text("Se ha añadido el paso '{name}' ({kind}).", "The step '{name}' ({kind}) has been added."),
    "removed": Text("Se ha quitado el paso '{name}' ({kind}).", "The step '{name}' ({kind}) has been removed."),
    "changed": Text("Ha cambiado el paso '{name}': {fields}.", "The step '{name}' has changed: {fields}."),
    "moved": Text("El paso '{name}' está en otro sitio.", "The step '{name}' stands elsewhere."),
    "changed_and_moved": Text(
        "Ha cambiado el paso '{name}' ({fields}) y está en otro sitio.",
        "The step '{name}' has changed ({fields}) and stands elsewhere.",
    ),
}
