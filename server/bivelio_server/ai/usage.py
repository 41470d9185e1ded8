"""What models of language were asked, by day, engine and model; `usage.ai` shows it."""

from collections.abc import Iterable
from typing import Final, TypeAlias

from bivelio_server.ai.port import Classified, Embedded, Extracted, Reply, Usage
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import IntegrationFailed
from bivelio_server.kit.rows import identity

Answer: TypeAlias = Reply | Classified | Extracted | Embedded
#: What a call ended with.
Ending: TypeAlias = Answer | IntegrationFailed

_COUNT: Final = """
    insert into ai_usage as u
        (org_id, environment, day, engine, model, calls, failures, prompt_tokens, cached_tokens, output_tokens,
         thought_tokens, created_at)
    select o.id, %(environment)s, (%(now)s at time zone o.timezone)::date, %(engine)s, %(model)s, %(calls)s,
           %(failures)s, %(prompt)s, %(cached)s, %(output)s, %(thought)s, %(now)s
      from organizations o where o.id = %(org_id)s
    on conflict (org_id, environment, day, engine, model) do update
        set calls = u.calls + excluded.calls, failures = u.failures + excluded.failures,
            prompt_tokens = u.prompt_tokens + excluded.prompt_tokens,
            cached_tokens = u.cached_tokens + excluded.cached_tokens,
            output_tokens = u.output_tokens + excluded.output_tokens,
            thought_tokens = u.thought_tokens + excluded.thought_tokens
"""


async def count(context: Context, outcome: Ending) -> None:
    """Count one call in the transaction that records what came of it. An error that no model gave counts for none."""
    if not isinstance(outcome, IntegrationFailed):
        await count_calls(context, outcome.engine, outcome.model, usage=outcome.usage)
    elif "engine" in outcome.details:
        await count_calls(context, outcome.details["engine"], outcome.details["model"], failures=1)


async def count_all(context: Context, outcomes: Iterable[Ending]) -> None:
    for outcome in outcomes:
        await count(context, outcome)


async def count_calls(
    context: Context, engine: str, model: str, *, usage: Usage | None = None, calls: int = 1, failures: int = 0
) -> None:
    """The same for several calls of a model at once; `failures` are among the `calls`."""
    spent = usage or Usage()
    values = {
        **identity(context.caller), "engine": engine, "model": model, "calls": calls, "failures": failures,
        "prompt": spent.prompt, "cached": spent.cached, "output": spent.output, "thought": spent.thought,
        "now": context.now,
    }  # fmt: skip
    await context.session.run(_COUNT, values)
