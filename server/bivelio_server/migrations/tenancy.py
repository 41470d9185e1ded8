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
