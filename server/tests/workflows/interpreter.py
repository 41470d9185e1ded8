"""What a workflow means, as simply as it can be said: a walk in memory, without failures of the machine.

The engine must find the same outcome whatever is killed on the way. Waits take no time here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bivelio_server.workflows.expressions import ExpressionError, render_value
from tests.workflows.arranging import Json


class Failed(Exception):
    """The run fails, because of the step at `path`."""

    def __init__(self, path: str, code: str) -> None:
        super().__init__(path)
        self.path = path
        self.code = code


class Stopped(Exception):
    def __init__(self, path: str, status: str, output: Any) -> None:
        super().__init__(status)
        self.path = path
        self.status = status
        self.output = output


@dataclass
class Outcome:
    """`steps` are the status and, of what `set` gave, the output of every step by its path; `effects` the names of the
    contacts that were made."""

    status: str = "completed"
    output: Any = None
    failed_at: str | None = None
    steps: dict[str, tuple[str, Any]] = field(default_factory=dict)
    effects: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Place:
    prefix: str
    names: Mapping[str, Any]
    seen: Mapping[str, Any]


def interpret(definition: Json, input_: Json) -> Outcome:
    outcome = Outcome()
    place = Place("", {"input": input_}, {})
    try:
        outcome.output = _walk(definition["steps"], place, outcome)[0]
    except Stopped as stop:
        _stop(stop, outcome)
    except Failed as failure:
        outcome.status, outcome.failed_at = "failed", failure.path
        names = {**place.names, "error": {"path": failure.path, "code": failure.code}}
        try:
            _walk(definition.get("on_error", []), Place("", names, _seen(outcome, "")), outcome)
        except Stopped as stop:
            _stop(stop, outcome)
    return outcome


def _stop(stop: Stopped, outcome: Outcome) -> None:
    outcome.status, outcome.output = stop.status, stop.output
    outcome.failed_at = stop.path if stop.status == "failed" else None


def _walk(steps: Iterable[Json], place: Place, outcome: Outcome) -> tuple[Any, Place]:
    """The output of the last step, and what is seen after it."""
    output = None
    for step in steps:
        output, place = _take(step, place, outcome)
    return output, place


def _take(step: Json, place: Place, outcome: Outcome) -> tuple[Any, Place]:
    path = place.prefix + step["id"]
    try:
        output, place = _do(step, path, place, outcome)
    except Stopped:
        outcome.steps[path] = ("cancelled", None)
        raise
    except (Failed, ExpressionError, ZeroDivisionError) as error:
        failure = error if isinstance(error, Failed) else Failed(path, "VALIDATION_ERROR")
        outcome.steps[path] = ("failed", None)
        place = _knowing(place, step["id"], "failed", None, failure)
        on_error = step.get("on_error", "fail")
        if on_error == "fail":
            raise failure from None
        if on_error == "continue":
            return None, place
        names = {**place.names, "error": {"path": failure.path, "code": failure.code}}
        output, handled = _walk(on_error, Place(place.prefix, names, place.seen), outcome)
        return output, Place(place.prefix, place.names, handled.seen)
    outcome.steps[path] = ("completed", output if "set" in step else None)
    if "stop" in step:
        raise Stopped(path, output["status"], output["output"])
    return output, _knowing(place, step["id"], "completed", output)


def _do(step: Json, path: str, place: Place, outcome: Outcome) -> tuple[Any, Place]:
    match step:
        case {"set": values}:
            return _rendered(values, place), place
        case {"uses": "contacts.create", "with": values}:
            name = _rendered(values, place)["name"]
            outcome.effects.append(name)
            return {"name": name}, place
        case {"wait": _}:
            return None, place
        case {"stop": end}:
            return _rendered({"status": "completed", "output": None, **end}, place), place
        case {"if": condition}:
            return _branch(step["then"] if _rendered(condition, place) else step.get("else", []), place, outcome)
        case {"switch": value}:
            found = [case["steps"] for case in step["cases"] if case["is"] == _rendered(value, place)]
            return _branch(found[0] if found else step.get("default", []), place, outcome)
        case {"parallel": branches}:
            return _parallel(branches, place, outcome)
        case {"for_each": items}:
            return _for_each(step, _rendered(items, place), path, place, outcome), place
        case {"while": condition}:
            return _while(step, condition, path, place, outcome), place
    raise AssertionError(step)


def _branch(steps: Iterable[Json], place: Place, outcome: Outcome) -> tuple[Any, Place]:
    return None, _walk(steps, place, outcome)[1]


def _parallel(branches: Mapping[str, list[Json]], place: Place, outcome: Outcome) -> tuple[Any, Place]:
    after, outputs = dict(place.seen), {}
    for name, steps in branches.items():
        outputs[name], seen = _walk(steps, place, outcome)
        after.update(seen.seen)
    return {"branches": outputs, "first": None}, Place(place.prefix, place.names, after)


def _for_each(step: Json, items: list[Any], path: str, place: Place, outcome: Outcome) -> Any:
    results = []
    for index, item in enumerate(items):
        inner = Place(f"{path}[{index}].", {**place.names, "item": item, "index": index}, place.seen)
        try:
            results.append(("completed", _walk(step["steps"], inner, outcome)[0]))
        except Failed:
            if step.get("on_item_error", "fail") == "fail":
                raise
            results.append(("failed", None))
    return {"statuses": [status for status, _ in results]}


def _while(step: Json, condition: str, path: str, place: Place, outcome: Outcome) -> Any:
    index, seen = 0, place.seen
    while True:
        inner = Place(f"{path}[{index}].", {**place.names, "index": index}, seen)
        if not _rendered(condition, inner):
            return {"iterations": index}
        if index == step["max"]:
            raise Failed(path, "VALIDATION_ERROR")
        seen = _walk(step["steps"], inner, outcome)[1].seen
        index += 1


def _rendered(value: Any, place: Place) -> Any:
    return render_value(value, {**place.names, "steps": place.seen})


def _knowing(place: Place, step_id: str, status: str, output: Any, failure: Failed | None = None) -> Place:
    error = None if failure is None else {"path": failure.path, "code": failure.code}
    return Place(
        place.prefix, place.names, {**place.seen, step_id: {"output": output, "status": status, "error": error}}
    )


def _seen(outcome: Outcome, prefix: str) -> Json:
    return {
        path.removeprefix(prefix): {"output": output, "status": status}
        for path, (status, output) in outcome.steps.items()
        if path.startswith(prefix) and "." not in path.removeprefix(prefix)
    }
