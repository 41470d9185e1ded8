"""What goes at last: records of jobs, and organisations that were deleted."""

from alembic import op

from bivelio_server.migrations.tenancy import definer_function

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_PRUNING = """language plpgsql security definer set search_path = public, pg_temp"""


def upgrade() -> None:
    _jobs()
    _organizations()


def _jobs() -> None:
    op.execute(f"""
        create function prune_jobs(p_org uuid, p_before timestamptz, p_limit int) returns int {_PRUNING} as $$
        declare
            v_removed int;
        begin
            delete from jobs where (org_id, environment, id) in (
                select j.org_id, j.environment, j.id from jobs j
                 where j.org_id = p_org and j.created_at < p_before and j.finished_at < p_before
                 limit p_limit for update skip locked);
            get diagnostics v_removed = row_count;
            return v_removed;
        end $$;
    """)
    op.execute(definer_function("prune_jobs(uuid, timestamptz, int)"))


def _organizations() -> None:
    # Every table whose key begins with the organisation is found in the catalogue, those that refer to others first, so
    # that a later feature is covered without doing anything. One that refers to itself goes in one piece. Its people go
    # with it, unless they belong to another one, or to one that can still be brought back.
    op.execute(f"""
        create index organizations_deleted on organizations (deleted_at) where deleted_at is not null;

        create function erase_deleted_organizations(p_before timestamptz, p_limit int) returns int {_PRUNING} as $$
        declare
            v_org uuid;
            v_people uuid[];
            v_table record;
            v_removed int;
        begin
            select o.id into v_org from organizations o
             where o.deleted_at < p_before order by o.deleted_at limit 1 for update skip locked;
            if v_org is null then
                return 0;
            end if;
            for v_table in
                with recursive tables as materialized (
                    select c.oid, c.relname::text as name, exists (
                        select from pg_constraint s where s.conrelid = c.oid and s.confrelid = c.oid) as refers_to_itself
                      from pg_class c join pg_index i on i.indrelid = c.oid and i.indisprimary
                      join pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[0] and a.attname = 'org_id'
                     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
                ), paths as (
                    select t.oid, t.oid as at, 0 as depth from tables t
                    union
                    select p.oid, f.confrelid, p.depth + 1 from paths p
                      join pg_constraint f on f.conrelid = p.at and f.contype = 'f' and f.confrelid <> f.conrelid
                      join tables t on t.oid = f.confrelid
                     where p.depth < 30
                )
                select t.name, t.refers_to_itself from tables t join paths p on p.oid = t.oid
                 group by t.name, t.refers_to_itself order by max(p.depth) desc, t.name
            loop
                execute format('delete from %1$I where ctid in (select ctid from %1$I where org_id = $1 limit $2)',
                               v_table.name)
                  using v_org, case when v_table.refers_to_itself then null else p_limit end;
                get diagnostics v_removed = row_count;
                if v_removed > 0 then
                    return v_removed;
                end if;
            end loop;
            delete from sign_in_sessions where org_id = v_org;
            delete from organizations where id = v_org returning deleted_members into v_people;
            -- Held before it is looked where else they belong, so that nobody is let in meanwhile.
            perform from users u where u.id = any (v_people) order by u.id for update;
            select array_agg(p.id) into v_people from unnest(v_people) p (id)
             where not exists (select from members m where m.user_id = p.id)
               and not exists (
                select from organizations o where o.deleted_at is not null and p.id = any (o.deleted_members));
            delete from sign_in_sessions where user_id = any (v_people);
            delete from users where id = any (v_people);
            return 1;
        end $$;
    """)
    op.execute(definer_function("erase_deleted_organizations(timestamptz, int)"))
