"""Who saved a version, why, and all that it settled."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What a save settled besides the definition goes with it, so that restoring a version brings everything back. Of
    # earlier versions only the present settings are known. A definition is kept as it was written, its members in their
    # order, which is the order of a form's fields: jsonb would forget it.
    op.execute("""
        alter table workflow_versions
            add column name text,
            add column description text,
            add column concurrency text check (concurrency in ('many', 'one')),
            add column api_version text not null default '2026-04-07',
            add column note text,
            add column restored_from int;
        update workflow_versions v
           set name = w.name, description = w.description, concurrency = w.concurrency
          from workflows w
         where w.org_id = v.org_id and w.environment = v.environment and w.id = v.workflow_id;
        alter table workflow_versions
            alter column name set not null,
            alter column concurrency set not null,
            alter column api_version drop default,
            alter column definition type json;
    """)
