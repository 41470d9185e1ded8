"""The engine that our migrations install: Absurd's schema, in the version that our functions are written for."""

from typing import Final

import absurdctl  # type: ignore[import-untyped]  # it has no stubs

VERSION: Final = "0.5.1"


def schema_sql() -> str:
    """Absurd's schema. Raises RuntimeError when another version of it is installed than the pinned one."""
    if absurdctl.ABSURD_SCHEMA_TARGET_VERSION != VERSION:
        raise RuntimeError(f"absurdctl carries schema {absurdctl.ABSURD_SCHEMA_TARGET_VERSION}, not {VERSION}")
    sql: str = absurdctl.BUNDLED_SCHEMA_SQL
    return sql
