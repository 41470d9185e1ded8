"""Runs are kept by count, too."""

from alembic import op

from bivelio_server.migrations.tenancy import definer_function

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

# As in 0014: plans that do not depend on how full the tables were when they were made.
_PRUNING = """language plpgsql security definer set search_path = public, pg_temp
    set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off"""
_RETENTION = (
    '{"events_days": 90, "deliveries_days": 30, "requests_days": 30, "audit_days": 730, "runs_days": 90,'
    ' "runs_kept": 10000}'
)


def upgrade() -> None:
    op.execute(f"""
        alter table organizations alter column retention set default '{_RETENTION}';
        update organizations set retention = '{{"runs_kept": 10000}}' || retention where not retention ? 'runs_kept';
    """)
    op.execute(f"""
        -- Removes at most `p_limit` runs of an organisation that ended and are not among the newest `p_kept` such runs
        -- of their workflow; returns how many.
        create function prune_runs_beyond(p_org uuid, p_kept int, p_limit int) returns int {_PRUNING} as $$
        declare
            v_workflow record;
            v_oldest_kept record;
            v_ids text[];
            v_removed int := 0;
        begin
            for v_workflow in
                select w.environment, w.id from workflows w
                 where w.org_id = p_org and w.environment in ('live', 'sandbox')
            loop
                select i.started_at, i.id into v_oldest_kept from workflow_instances i
                 where i.org_id = p_org and i.environment = v_workflow.environment and i.workflow_id = v_workflow.id
                   and i.finished_at is not null
                 order by i.started_at desc, i.id desc offset p_kept - 1 limit 1;
                continue when not found;
                select array_agg(old.id) into v_ids from (
                    select i.id from workflow_instances i
                     where i.org_id = p_org and i.environment = v_workflow.environment and i.workflow_id = v_workflow.id
                       and (i.started_at, i.id) < (v_oldest_kept.started_at, v_oldest_kept.id)
                       and i.finished_at is not null
                     order by i.started_at, i.id limit p_limit - v_removed for update skip locked) old;
                delete from workflow_steps s
                 where s.org_id = p_org and s.environment = v_workflow.environment and s.instance_id = any (v_ids);
                delete from workflow_instances i
                 where i.org_id = p_org and i.environment = v_workflow.environment and i.id = any (v_ids);
                v_removed := v_removed + coalesce(cardinality(v_ids), 0);
                exit when v_removed >= p_limit;
            end loop;
            return v_removed;
        end $$;
    """)
    op.execute(definer_function("prune_runs_beyond(uuid, int, int)"))
