"""Decisions that runs wait for, and what watching runs looks at."""

from alembic import op

from bivelio_server.migrations.tenancy import definer_function

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _watching()


def _watching() -> None:
    op.execute("""
        -- When these runs changed last, each by its place in the arrays, from 1.
        create function instance_revisions(p_orgs uuid[], p_environments text[], p_ids text[])
        returns table (place int, revision timestamptz)
        language sql stable security definer set search_path = public, pg_temp
        set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
            select w.place::int, i.updated_at
              from unnest(p_orgs, p_environments, p_ids) with ordinality as w (org_id, environment, id, place)
              join workflow_instances i on i.org_id = w.org_id and i.environment = w.environment and i.id = w.id
        $$;

        -- Whom a session stands for now: asked again while a reply goes on.
        create function caller_by_session(p_session uuid)
        returns table (org_id uuid, environment text, user_id uuid, role text, plan text)
        language sql stable security definer set search_path = public, pg_temp as $$
            select s.org_id, s.environment, s.user_id, m.role, o.plan
              from sign_in_sessions s
              join members m on m.org_id = s.org_id and m.user_id = s.user_id
              join organizations o on o.id = s.org_id
             where s.id = p_session and s.ended_at is null
        $$;
    """)
    op.execute(definer_function("instance_revisions(uuid[], text[], text[])"))
    op.execute(definer_function("caller_by_session(uuid)"))
