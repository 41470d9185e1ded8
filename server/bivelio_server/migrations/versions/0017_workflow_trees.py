"""Steps are known by their path in the tree, and what a run needs to be paused, resumed and retried."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        alter table workflow_steps
            add column path text,
            add column superseded_in int not null default 0,
            add column retry_at timestamptz,
            drop constraint workflow_steps_status_check,
            add constraint workflow_steps_status_check
                check (status in ('running', 'waiting', 'completed', 'failed', 'cancelled'));
        update workflow_steps set path = step_id;
        alter table workflow_steps
            alter column path set not null,
            drop constraint workflow_steps_pkey,
            add primary key (org_id, environment, instance_id, path, superseded_in);
        alter table workflow_instances
            add column paused_at timestamptz,
            add column rounds int not null default 0;
    """)
