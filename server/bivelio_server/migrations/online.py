"""Changes of big tables that hold nobody up."""

from alembic import op


def index_online(name: str, definition: str) -> None:
    """Make an index while rows are written: `definition` is what follows `on`, in whose schema it is (`name` tells
    it, unless it is the usual one).

    It commits what its migration did before, so it comes first there. Half-made by a killed migration it is made anew.
    """
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        half_made = connection.exec_driver_sql(
            f"select 1 from pg_index where indexrelid = to_regclass('{name}') and not indisvalid"
        ).fetchone()
        if half_made:
            connection.exec_driver_sql(f"drop index concurrently {name}")
        # It waits for transactions to end, but nobody waits for it meanwhile.
        patience = connection.exec_driver_sql("show lock_timeout").scalar_one()
        connection.exec_driver_sql("set lock_timeout = 0")
        bare = name.rpartition(".")[2]
        connection.exec_driver_sql(f"create index concurrently if not exists {bare} on {definition}")
        connection.exec_driver_sql(f"set lock_timeout = '{patience}'")
