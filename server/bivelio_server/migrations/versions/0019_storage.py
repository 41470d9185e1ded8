"""Large outputs of runs are kept in storage, not in rows."""

from typing import Final

from alembic import op

from bivelio_server.migrations.online import index_online
from bivelio_server.migrations.tenancy import definer_function, stored_columns, stored_index

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_COLUMNS: Final = {
    "workflow_instances": ("input_ref", "output_ref"),
    "workflow_steps": ("input_ref", "output_ref", "prepared_ref"),
}
# As in 0014: plans that do not depend on how full the tables were when they were made.
_FUNCTION: Final = """language plpgsql security definer set search_path = public, pg_temp
    set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off"""


def upgrade() -> None:
    for table, columns in _COLUMNS.items():
        for column in columns:
            op.execute(f"alter table {table} add column if not exists {column} jsonb")
            index_online(*stored_index(table, column))
    _files()
    _collecting()
    _erasure()
    for table, columns in _COLUMNS.items():
        op.execute(stored_columns(table, *columns))
    op.execute("alter table workflow_instances alter column input drop not null")


def _files() -> None:
    op.execute(f"""
        -- The columns that refer to files in storage, each with {{key, bytes, sha256}}.
        create table stored_columns (
            table_name text not null,
            column_name text not null,
            holds text not null check (holds in ('json', 'bytes')),
            primary key (table_name, column_name)
        );
        alter table stored_columns enable row level security;

        -- Files to which some row no longer refers.
        create table storage_garbage (
            key text primary key,
            since timestamptz not null default now()
        );
        alter table storage_garbage enable row level security;

        create function storage_forget() returns trigger {_FUNCTION} as $$
        declare
            v_old jsonb := to_jsonb(old);
            v_new jsonb := case when tg_op = 'UPDATE' then to_jsonb(new) end;
            v_column text;
        begin
            foreach v_column in array tg_argv loop
                insert into storage_garbage (key)
                select v_old -> v_column ->> 'key'
                 where v_old -> v_column ->> 'key' is not null
                   and v_old -> v_column ->> 'key' is distinct from v_new -> v_column ->> 'key'
                on conflict do nothing;
            end loop;
            return null;
        end $$;
        revoke all on function storage_forget() from public;
    """)


def _collecting() -> None:
    # Who backs up holds the lock `storage` shared: what its snapshot refers to stays until it has copied the files. A
    # key is given out here while nobody holds it, so every later snapshot is without the row.
    op.execute(f"""
        create function storage_referred(p_keys text[]) returns setof text {_FUNCTION} as $$
        declare
            v_column stored_columns;
        begin
            for v_column in select * from stored_columns loop
                return query execute format(
                    'select k.key from unnest($1) as k (key) where exists (
                        select from %1$I t
                         where t.org_id = split_part(k.key, ''/'', 1)::uuid and t.environment = split_part(k.key, ''/'', 2)
                           and t.%2$I is not null and t.%2$I ->> ''key'' = k.key)',
                    v_column.table_name, v_column.column_name) using p_keys;
            end loop;
        end $$;

        -- Up to `p_limit` files that are to go; none while a backup is made.
        create function storage_garbage_keys(p_limit int) returns setof text {_FUNCTION} as $$
        declare
            v_keys text[];
        begin
            if not pg_try_advisory_xact_lock(hashtext('bivelio'), hashtext('storage')) then
                return;
            end if;
            loop
                select array_agg(g.key) into v_keys from (
                    select key from storage_garbage order by since, key limit p_limit) g;
                exit when v_keys is null;
                -- Another row may refer to the same file.
                delete from storage_garbage g using storage_referred(v_keys) as r (key) where g.key = r.key;
                exit when not found;
            end loop;
            return query select unnest(v_keys);
        end $$;

        create function storage_collected(p_keys text[]) returns void {_FUNCTION} as $$
        begin
            delete from storage_garbage where key = any (p_keys);
        end $$;

        -- Those of the files that nothing refers to; none while a backup is made.
        create function storage_orphans(p_keys text[]) returns setof text {_FUNCTION} as $$
        begin
            if not pg_try_advisory_xact_lock(hashtext('bivelio'), hashtext('storage')) then
                return;
            end if;
            return query
            select k.key from unnest(p_keys) as k (key)
            except
            select referred from storage_referred(p_keys) as referred;
        end $$;
    """)
    op.execute("revoke all on function storage_referred(text[]) from public")
    op.execute(definer_function("storage_garbage_keys(int)"))
    op.execute(definer_function("storage_collected(text[])"))
    op.execute(definer_function("storage_orphans(text[])"))


def _erasure() -> None:
    # For the erasure of a person: in the organisation and environment of the transaction only.
    op.execute(f"""
        -- The next JSON files after that key.
        create function stored_files_after(p_after text, p_limit int) returns setof jsonb {_FUNCTION} as $$
        declare
            v_statement text;
        begin
            select string_agg(format(
                       '(select t.%2$I as file from %1$I t where t.org_id = $1 and t.environment = $2
                          and t.%2$I is not null and t.%2$I ->> ''key'' > $3
                        order by t.%2$I ->> ''key'' limit $4)', c.table_name, c.column_name), ' union ')
              into v_statement from stored_columns c where c.holds = 'json';
            return query execute format('select f.file from (%s) f order by f.file ->> ''key'' limit $4', v_statement)
            using nullif(current_setting('app.org_id', true), '')::uuid, current_setting('app.environment', true),
                p_after, p_limit;
        end $$;

        -- Lets every row that refers to a file refer to another one; of a running erasure only.
        create function replace_stored_file(p_job text, p_key text, p_file jsonb) returns void {_FUNCTION} as $$
        declare
            v_org uuid := nullif(current_setting('app.org_id', true), '')::uuid;
            v_environment text := current_setting('app.environment', true);
            v_column stored_columns;
        begin
            perform from jobs j
              where j.org_id = v_org and j.environment = v_environment and j.id = p_job
                and j.operation = 'contacts.erase' and j.status = 'running';
            if not found or not starts_with(p_file ->> 'key', v_org::text || '/' || v_environment || '/') then
                raise exception 'No such erasure' using errcode = 'insufficient_privilege';
            end if;
            for v_column in select * from stored_columns loop
                execute format(
                    'update %1$I t set %2$I = $4 where t.org_id = $1 and t.environment = $2 and t.%2$I is not null
                        and t.%2$I ->> ''key'' = $3', v_column.table_name, v_column.column_name)
                using v_org, v_environment, p_key, p_file;
            end loop;
        end $$;
    """)
    op.execute(definer_function("stored_files_after(text, int)"))
    op.execute(definer_function("replace_stored_file(text, text, jsonb)"))
