"""Random definitions of workflows, all of which may be saved."""

from collections.abc import Iterator
from itertools import count

from hypothesis import strategies as st

from tests.workflows.arranging import Json

_DEPTH = 3


@st.composite
def definitions(draw: st.DrawFn) -> Json:
    ids = count()
    definition: Json = {"steps": _steps(draw, ids, _DEPTH, least=1, may_fail=True, readable=[])}
    if draw(st.booleans()):
        handlers = st.sampled_from([_set, _create, _wait, _handled, _stop])
        definition["on_error"] = [draw(handlers)(draw, ids, ["error.path"]) for _ in range(draw(st.integers(1, 3)))]
    return definition


def _steps(
    draw: st.DrawFn, ids: Iterator[int], depth: int, *, least: int = 0, may_fail: bool, readable: list[str]
) -> list[Json]:
    """`readable` are expressions that have a value here; a step that surely gives one adds it for those after it."""
    steps, readable = [], list(readable)
    for _ in range(draw(st.integers(least, 3))):
        step = _step(draw, ids, depth, may_fail=may_fail, readable=readable)
        steps.append(step)
        if "set" in step and "on_error" not in step:
            readable.append(f"steps.{step['id']}.output.value")
    return steps


def _step(draw: st.DrawFn, ids: Iterator[int], depth: int, *, may_fail: bool, readable: list[str]) -> Json:
    leaves = [_set, _create, _wait, _tolerated, _handled]
    if may_fail:
        leaves += [_fail, _stop]
    if depth and draw(st.booleans()):
        make = draw(st.sampled_from([_if, _switch, _parallel, _for_each, _while]))
        return make(draw, ids, depth - 1, may_fail=may_fail, readable=readable)
    return draw(st.sampled_from(leaves))(draw, ids, readable)


def _id(ids: Iterator[int], kind: str) -> str:
    return f"{kind}{next(ids)}"


def _set(draw: st.DrawFn, ids: Iterator[int], readable: list[str]) -> Json:
    values = ["{{ input.n + 1 }}", "texto", "{{ [input.n, 'a'] }}", *(f"{{{{ {name} }}}}" for name in readable)]
    return {"id": _id(ids, "set"), "set": {"value": draw(st.sampled_from(values))}}


def _create(draw: st.DrawFn, ids: Iterator[int], readable: list[str]) -> Json:
    step_id = _id(ids, "contact")
    part = draw(st.sampled_from(["", *(f" {{{{ string({name} == 1) }}}}" for name in readable)]))
    return {"id": step_id, "uses": "contacts.create", "with": {"name": f"{step_id}{part}"}}


def _wait(_draw: st.DrawFn, ids: Iterator[int], _readable: list[str]) -> Json:
    return {"id": _id(ids, "wait"), "wait": {"seconds": 3600}}


def _fail(_draw: st.DrawFn, ids: Iterator[int], _readable: list[str]) -> Json:
    return {"id": _id(ids, "fail"), "set": {"value": "{{ 1 / 0 }}"}, "on_error": "fail"}


def _tolerated(draw: st.DrawFn, ids: Iterator[int], readable: list[str]) -> Json:
    return {**_fail(draw, ids, readable), "on_error": "continue"}


def _handled(draw: st.DrawFn, ids: Iterator[int], readable: list[str]) -> Json:
    step = _fail(draw, ids, readable)
    handlers = st.sampled_from([_set, _create, _wait])
    return {**step, "on_error": [draw(handlers)(draw, ids, ["error.path", *readable]) for _ in range(2)]}


def _stop(draw: st.DrawFn, ids: Iterator[int], readable: list[str]) -> Json:
    status = draw(st.sampled_from(["completed", "failed"]))
    output = draw(st.sampled_from([1, *(f"{{{{ {name} }}}}" for name in readable)]))
    return {"id": _id(ids, "stop"), "stop": {"status": status, "output": output}}


def _if(draw: st.DrawFn, ids: Iterator[int], depth: int, *, may_fail: bool, readable: list[str]) -> Json:
    then = _steps(draw, ids, depth, may_fail=may_fail, readable=readable)
    other = _steps(draw, ids, depth, may_fail=may_fail, readable=readable)
    limit = draw(st.integers(0, 3))
    return {"id": _id(ids, "if"), "if": f"{{{{ input.n > {limit} }}}}", "then": then, "else": other}


def _switch(draw: st.DrawFn, ids: Iterator[int], depth: int, *, may_fail: bool, readable: list[str]) -> Json:
    cases = [
        {"is": value, "steps": _steps(draw, ids, depth, may_fail=may_fail, readable=readable)}
        for value in draw(st.lists(st.integers(0, 3), min_size=1, max_size=2))
    ]
    default = _steps(draw, ids, depth, may_fail=may_fail, readable=readable)
    return {"id": _id(ids, "switch"), "switch": "{{ input.n }}", "cases": cases, "default": default}


def _parallel(draw: st.DrawFn, ids: Iterator[int], depth: int, *, may_fail: bool, readable: list[str]) -> Json:
    """No branch fails beyond itself: how far the others have come by then is nobody's promise."""
    del may_fail
    names = ("a", "b", "c")[: draw(st.integers(1, 3))]
    branches = {name: _steps(draw, ids, depth, may_fail=False, readable=readable) for name in names}
    return {"id": _id(ids, "parallel"), "parallel": branches}


def _for_each(draw: st.DrawFn, ids: Iterator[int], depth: int, *, may_fail: bool, readable: list[str]) -> Json:
    concurrency = draw(st.integers(1, 3))
    inner = _steps(
        draw, ids, depth, least=1, may_fail=may_fail and concurrency == 1, readable=[*readable, "item", "index"]
    )
    items = draw(st.sampled_from(["{{ input.items }}", [1, 2], []]))
    on_item_error = draw(st.sampled_from(["fail", "continue"]))
    return {
        "id": _id(ids, "each"), "for_each": items, "steps": inner, "concurrency": concurrency,
        "on_item_error": on_item_error,
    }  # fmt: skip


def _while(draw: st.DrawFn, ids: Iterator[int], depth: int, *, may_fail: bool, readable: list[str]) -> Json:
    turns, most = draw(st.integers(0, 3)), 3 if not may_fail else draw(st.integers(2, 3))
    inner = _steps(draw, ids, depth, least=1, may_fail=may_fail, readable=[*readable, "index"])
    return {"id": _id(ids, "while"), "while": f"{{{{ index < {turns} }}}}", "max": most, "steps": inner}
