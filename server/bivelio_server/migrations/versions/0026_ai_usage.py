"""What models of language were asked: calls and tokens by day, engine and model."""

from alembic import op

from bivelio_server.migrations.tenancy import business_table

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A counter: no row is ever of one call, and a day has as many rows as it has models.
    op.execute("""
        create table ai_usage (
            org_id uuid not null references organizations (id),
            environment text not null check (environment in ('live', 'sandbox')),
            day date not null,
            engine text not null,
            model text not null,
            calls bigint not null,
            failures bigint not null,
            prompt_tokens bigint not null,
            cached_tokens bigint not null,
            output_tokens bigint not null,
            thought_tokens bigint not null,
            created_at timestamptz not null,
            primary key (org_id, environment, day, engine, model)
        ) with (fillfactor = 70)
    """)
    op.execute(business_table("ai_usage", rights="select, insert, update"))
