"""Runs that run others; cancelled, paused and retried ones."""

from alembic import op

from bivelio_server.migrations.online import index_online
from bivelio_server.migrations.tenancy import definer_function

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

# As in 0004: plans that do not depend on how full the tables were when they were made.
_FUNCTION = """language plpgsql security definer set search_path = pg_catalog, pg_temp
    set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off"""


def upgrade() -> None:
    _columns()
    index_online(
        "workflow_instances_children",
        "workflow_instances (org_id, environment, parent_id, parent_path) where parent_id is not null",
    )
    _cancelling()
    _finding_lost_ones()


def _columns() -> None:
    # In a step that may be repeated: the index online commits what came before it. The run that another one repeats
    # may be gone before it, so the column is no reference.
    op.execute("""
        alter table workflow_instances
            add column if not exists rerun_of text,
            add column if not exists retried_at timestamptz;
    """)


def _cancelling() -> None:
    op.execute(f"""
        -- As durable.cancel, for many tasks at once. Runs are locked before tasks, as everywhere.
        create function durable.cancel_all(p_task_ids uuid[]) returns void {_FUNCTION} as $$
        declare
            v_tasks uuid[] := array(
                select t.task_id from absurd.t_work t
                 where t.task_id = any (p_task_ids) and t.state in ('pending', 'sleeping', 'running')
                   and t.headers ->> 'org_id' = nullif(current_setting('app.org_id', true), '')::uuid::text
                   and t.headers ->> 'environment' = current_setting('app.environment', true));
        begin
            perform from absurd.r_work r
              where r.task_id = any (v_tasks) and r.state in ('pending', 'sleeping', 'running')
              order by r.task_id, r.run_id for update;
            perform from absurd.t_work t where t.task_id = any (v_tasks) order by t.task_id for update;
            update absurd.t_work t
               set state = 'cancelled', cancelled_at = coalesce(t.cancelled_at, absurd.current_time())
             where t.task_id = any (v_tasks) and t.state in ('pending', 'sleeping', 'running');
            update absurd.r_work r set state = 'cancelled', claimed_by = null, claim_expires_at = null
             where r.task_id = any (v_tasks) and r.state in ('pending', 'sleeping', 'running');
        end $$;
    """)
    op.execute(definer_function("durable.cancel_all(uuid[])"))


def _finding_lost_ones() -> None:
    op.execute(f"""
        -- Gives runs that have not ended, but whose durable task has, or is gone, a new one that goes on where they were
        -- left, and lets those that wait for a turn which nobody has come to it; how many.
        create function revive_runs(p_limit int) returns int {_FUNCTION} as $$
        declare
            v_lost record;
            v_revived int := 0;
        begin
            for v_lost in
                select i.org_id, i.environment, i.id from public.workflow_instances i
                 where i.finished_at is null and i.task_id is not null
                   and not exists (
                    select from absurd.t_work t
                     where t.task_id = i.task_id and t.state in ('pending', 'sleeping', 'running'))
                 order by i.org_id, i.environment, i.workflow_id limit p_limit for update of i skip locked
            loop
                perform set_config('app.org_id', v_lost.org_id::text, true),
                        set_config('app.environment', v_lost.environment, true);
                update public.workflow_instances i
                   set task_id = durable.spawn('workflows.run', jsonb_build_object('instance_id', i.id))
                 where i.org_id = v_lost.org_id and i.environment = v_lost.environment and i.id = v_lost.id;
                v_revived := v_revived + 1;
            end loop;
            for v_lost in
                select distinct i.org_id, i.environment, i.workflow_id from public.workflow_instances i
                 where i.queued_at is not null and i.finished_at is null
                   and not exists (
                    select from public.workflow_instances r
                     where r.org_id = i.org_id and r.environment = i.environment and r.workflow_id = i.workflow_id
                       and r.finished_at is null and r.queued_at is null)
                 limit p_limit
            loop
                perform set_config('app.org_id', v_lost.org_id::text, true),
                        set_config('app.environment', v_lost.environment, true),
                        durable.spawn('workflows.admit', jsonb_build_object('workflow_id', v_lost.workflow_id));
            end loop;
            return v_revived;
        end $$;
    """)
    op.execute(definer_function("revive_runs(int)"))
