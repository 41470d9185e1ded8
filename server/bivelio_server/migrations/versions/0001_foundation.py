"""The group of roles that serve, and the extensions behind search."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        do $$ begin
            create role bivelio_serving nologin nosuperuser nobypassrls;
        exception when duplicate_object or unique_violation then null;
        end $$;
        create extension if not exists pg_trgm;
        create extension if not exists btree_gin;
        revoke create on schema public from public;
        grant usage on schema public to bivelio_serving;
        grant select on alembic_version to bivelio_serving;
    """)
