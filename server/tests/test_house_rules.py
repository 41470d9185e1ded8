"""Rules of this code base that no linter of ours knows. What import-linter holds is in `pyproject.toml`."""

import ast
import re
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import bivelio_server

PACKAGE = Path(bivelio_server.__file__).parent
MAX_FUNCTION_LINES = 60
MAX_FILE_LINES = 500

#: Where SQL is written, and why there. Everything else calls functions of these modules.
SQL_MODULES = {
    "*/queries.py": "every query of a feature, built from its caller",
    "migrations/*": "the schema",
    "kit/db.py": "how a transaction opens",
    "kit/audit.py": "an entry in the transaction of its change",
    "kit/idempotency.py": "a key in the transaction of its request",
    "kit/rows.py": "the base of every query: the caller's rows",
    "kit/wakeups.py": "notifications",
    "kit/journal.py": "the definer function that writes the request log",
    "kit/sandbox_time.py": "how far the clock of a sandbox is ahead",
    "durable/*": "the functions of schema `durable`",
    "events/recording.py": "an event and who listens to it, in one statement",
    "notices/mailing.py": "the definer function that says whose notices are to be mailed",
    "notices/recording.py": "a notice, in whatever transaction it is about",
    "accounts/authentication.py": "definer functions: there is no caller yet",
    "accounts/admission.py": "definer functions: there is no caller yet",
    "accounts/second_factor.py": "definer functions: there is no caller yet",
    "accounts/sessions.py": "definer functions: there is no caller yet",
    "accounts/sign_in.py": "definer functions: there is no caller yet",
    "accounts/expiry.py": "the definer function that says which keys end soon",
    "accounts/throttle.py": "definer functions: there is no caller yet",
    "accounts/provisioning.py": "the operator's own connection",
    "ai/usage.py": "a counter, in the transaction of whatever asked a model",
    "usage/credits.py": "the ledger's functions",
    "oidc/endpoints.py": "definer functions: there is no caller yet",
    "contacts/sets.py": "whole sets of contacts in one statement",
    "webhooks/delivery.py": "the definer function that says what is due",
    "webhooks/queueing.py": "deliveries, in the transaction of their event",
    "webhooks/figures.py": "definer functions: the figures of all tenants",
    "webhooks/ledger.py": "deliveries and attempts, in batches",
    "agents/abandoned.py": "the definer function that ends the lost executions of all tenants",
    "boxes/generations/following.py": "the definer function that says whose boxes there are",
    "boxes/generations/unused.py": "the same",
    "workflows/approvals/mailing.py": "the definer function that says whose approvals are to be mailed",
    "workflows/control/reviving.py": "the definer function that finds the lost runs of all tenants",
    "workflows/instances.py": "a run, beside its durable task",
    "workflows/running/recording.py": "the progress of a run, in one statement",
    "workflows/running/state.py": "all that a run knows of itself, in one statement",
    "storage/*.py": "definer functions: which files nothing refers to, and which a person is to be erased from",
    "workflows/watching.py": "the definer function that says which watched runs have changed",
    "sandbox/purge.py": "the definer functions that remove old sandbox rows of all organisations",
    "health.py": "the version of the schema",
    "installation.py": "the roles of the database, before anything is served",
    "key_check.py": "the operator's own connection: which keys the database knows",
    "upkeep/*": "the operator's own connection: backup, restore, keys, diagnosis",
    "cli.py": "whether there is an organisation yet",
}
SLEEPS = {
    "migrations/__init__.py": "a migration lets the traffic pass; it is a command of its own, or runs before serving",
    "upkeep/rotation.py": "a command that waits for the servers to follow",
    "kit/embedded_postgres.py": "the database starts and stops where no event loop is waiting",
}
#: Migrations are mostly SQL in one piece; splitting it would not make it plainer.
LONG_FUNCTIONS = "migrations/versions/*"

SQL_BUILDERS = {"select", "insert", "update", "delete", "text"}
SQL_TEXT = re.compile(
    r"\s*(select\s|insert\s+into\s|update\s+\w+\s+(\w+\s+)?set\s|delete\s+from\s|with\s+(recursive\s+)?\w+\s+as\s)",
    re.IGNORECASE,
)


def test_sql_is_written_in_the_modules_that_are_there_for_it() -> None:
    offenders = {
        name for name, tree in modules() if _has_sql(tree) and not any(fnmatch(name, known) for known in SQL_MODULES)
    }
    assert offenders == set()


def test_no_function_is_longer_than_a_page() -> None:
    offenders = {
        f"{name}: {function.name} has {_lines(function)} lines"
        for name, tree in modules()
        for function in functions(tree)
        if _lines(function) > MAX_FUNCTION_LINES and not fnmatch(name, LONG_FUNCTIONS)
    }
    assert offenders == set()


def test_no_file_has_grown_past_its_subject() -> None:
    lengths = {name: len((PACKAGE / name).read_text().splitlines()) for name, _ in modules()}
    assert {name: length for name, length in lengths.items() if length > MAX_FILE_LINES} == {}


def test_imports_stand_at_the_top() -> None:
    offenders = {
        f"{name}: {function.name}"
        for name, tree in modules()
        for function in functions(tree)
        if any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(function))
    }
    assert offenders == set()


def test_nothing_prints_and_nothing_blocks_the_event_loop() -> None:
    offenders = {
        f"{name}:{call.lineno} {ast.unparse(call.func)}"
        for name, tree in modules()
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and (ast.unparse(call.func) == "print" or (ast.unparse(call.func) == "time.sleep" and name not in SLEEPS))
    }
    assert offenders == set()


def test_every_feature_keeps_its_rows_and_queries_to_itself() -> None:
    contracts = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    protected = {module for contract in contracts for module in contract.get("protected_modules", ())}
    private = {
        f"bivelio_server.{name.removesuffix('.py').replace('/', '.')}"
        for name, _ in modules()
        if Path(name).name in ("models.py", "queries.py") and not name.startswith("kit/")
    }
    assert private - protected == set()


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module of the package: its path within it, and its tree."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text())


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def _has_sql(tree: ast.Module) -> bool:
    return any(_imports_a_builder(node) or _is_sql_text(node) for node in ast.walk(tree))


def _imports_a_builder(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("sqlalchemy")
        and any(alias.name in SQL_BUILDERS for alias in node.names)
    )


def _is_sql_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL_TEXT.match(node.value) is not None
