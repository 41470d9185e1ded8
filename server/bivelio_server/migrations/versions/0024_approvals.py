"""Decisions that runs wait for, and what watching runs looks at."""

from alembic import op

from bivelio_server.migrations.tenancy import business_table, definer_function

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _approvals()
    _mailing()
    _watching()


def _approvals() -> None:
    op.execute("""
        create table workflow_approvals (
            org_id uuid not null,
            environment text not null,
            id text not null,
            instance_id text not null,
            workflow_id text not null,
            path text not null,
            status text not null check (status in ('pending', 'approved', 'rejected', 'expired', 'cancelled')),
            title text not null,
            message text,
            approver_roles text[] not null,
            approver_users text[] not null,
            deadline timestamptz,
            default_decision text check (default_decision in ('approve', 'reject')),
            decided_by text,
            decided_at timestamptz,
            comment text,
            created_at timestamptz not null,
            told_at timestamptz,
            primary key (org_id, environment, id),
            foreign key (org_id, environment, instance_id)
                references workflow_instances (org_id, environment, id) on delete cascade,
            check ((status in ('approved', 'rejected')) = (decided_at is not null)),
            check (decided_by is null or decided_at is not null)
        );
        create index workflow_approvals_newest on workflow_approvals (org_id, environment, created_at desc, id desc);
        create index workflow_approvals_pending on workflow_approvals (org_id, environment, created_at desc, id desc)
            where status = 'pending';
        create index workflow_approvals_of_run on workflow_approvals (org_id, environment, instance_id);
        create index workflow_approvals_of_workflow
            on workflow_approvals (org_id, environment, workflow_id, created_at desc, id desc);
        create unique index workflow_approvals_once on workflow_approvals (org_id, environment, instance_id, path)
            where status = 'pending';
        comment on column workflow_approvals.title is 'personal';
        comment on column workflow_approvals.message is 'personal';
        comment on column workflow_approvals.comment is 'personal';
        comment on column workflow_approvals.approver_users is 'personal';
    """)
    op.execute(business_table("workflow_approvals"))


def _mailing() -> None:
    # Whoever may decide is mailed of all that is new together, and not again for some minutes.
    op.execute("""
        create index workflow_approvals_untold on workflow_approvals (org_id, created_at)
            where status = 'pending' and told_at is null and environment = 'live';
        create index workflow_approvals_told on workflow_approvals (org_id, told_at)
            where told_at is not null and environment = 'live';

        create function approvals_to_mail(p_now timestamptz) returns table (org_id uuid, environment text, key text)
        language sql stable security definer set search_path = public, pg_temp
        set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
            with recursive waiting as (
                (select a.org_id from workflow_approvals a
                  where a.status = 'pending' and a.told_at is null and a.environment = 'live'
                  order by a.org_id limit 1)
                union all
                select next.org_id from waiting w cross join lateral (
                    select a.org_id from workflow_approvals a
                     where a.status = 'pending' and a.told_at is null and a.environment = 'live' and a.org_id > w.org_id
                     order by a.org_id limit 1) next
            )
            select w.org_id, 'live', 'approvers' from waiting w
             where exists (
                select from workflow_approvals a
                 where a.org_id = w.org_id and a.status = 'pending' and a.told_at is null and a.environment = 'live'
                   and a.created_at between p_now - interval '3 days' and p_now)
               and not exists (
                select from workflow_approvals a
                 where a.org_id = w.org_id and a.told_at > p_now - interval '5 minutes' and a.environment = 'live')
        $$;
    """)
    op.execute(definer_function("approvals_to_mail(timestamptz)"))


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
