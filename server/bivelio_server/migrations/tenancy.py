"""What migrations share: the three kinds of table, and functions that look before there is a caller."""

from typing import Final

SERVING_GROUP: Final = "bivelio_serving"


def business_table(name: str, *, rights: str = "select, insert, update, delete") -> str:
    """Row-level security for rows of one organisation and environment."""
    return f"""
        alter table {name} enable row level security;
        create policy tenant on {name}
            using (org_id = nullif(current_setting('app.org_id', true), '')::uuid
                   and environment = current_setting('app.environment', true));
        grant {rights} on {name} to {SERVING_GROUP};
    """


def organisation_table(name: str, *, key: str = "org_id", rights: str = "select, insert, update, delete") -> str:
    """Row-level security for rows of one organisation, whatever the environment."""
    return f"""
        alter table {name} enable row level security;
        create policy tenant on {name} using ({key} = nullif(current_setting('app.org_id', true), '')::uuid);
        grant {rights} on {name} to {SERVING_GROUP};
    """


def definer_function(signature: str) -> str:
    """Let the serving role, and nobody else, execute a `security definer` function."""
    return f"""
        revoke all on function {signature} from public;
        grant execute on function {signature} to {SERVING_GROUP};
    """


def stored_columns(table: str, *columns: str, holds: str = "json") -> str:
    """Let jsonb columns of a business table refer to files in storage; each holds `{key, bytes, sha256}` or null.

    A file goes when no such column refers to it any more: nothing else is to be done for it. What `holds` JSON is looked
    through when a person is erased. Each column needs its `stored_index`.
    """
    names = ", ".join(f"'{column}'" for column in columns)
    rows = ", ".join(f"('{table}', '{column}', '{holds}')" for column in columns)
    removed = " or ".join(f"old.{column} is not null" for column in columns)
    changed = " or ".join(
        f"(old.{column} is not null and old.{column} is distinct from new.{column})" for column in columns
    )
    return f"""
        insert into stored_columns values {rows};
        create trigger {table}_removed after delete on {table} for each row when ({removed})
            execute function storage_forget({names});
        create trigger {table}_changed after update of {", ".join(columns)} on {table} for each row when ({changed})
            execute function storage_forget({names});
    """


def stored_index(table: str, column: str) -> tuple[str, str]:
    """Name and definition of the index by which it is known what refers to a file."""
    return f"{table}_{column}", f"{table} (org_id, environment, ({column} ->> 'key')) where {column} is not null"
