"""Long work, its files and its errors; what whole sets of contacts need; the erasure of a person."""

from alembic import op

from bivelio_server.migrations.tenancy import business_table, definer_function

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _jobs()
    _files()
    _contacts()
    _marks()
    _blanking()
    _erasure()


def _jobs() -> None:
    op.execute("""
        create table jobs (
            org_id uuid not null references organizations (id),
            environment text not null check (environment in ('live', 'sandbox')),
            id text not null,
            operation text not null,
            status text not null check (status in ('queued', 'running', 'completed', 'failed', 'cancelled')),
            progress double precision not null check (progress between 0 and 1),
            counts jsonb not null,
            result jsonb,
            error jsonb,
            params jsonb not null,
            cursor jsonb not null,
            failures int not null,
            errors_count int not null,
            depth int not null,
            created_by text not null,
            on_behalf_of text,
            rights text[] not null,
            door text not null,
            request_id text,
            address text,
            task_id uuid not null,
            created_at timestamptz not null,
            started_at timestamptz,
            finished_at timestamptz,
            primary key (org_id, environment, id),
            check ((status in ('completed', 'failed', 'cancelled')) = (finished_at is not null))
        );
        create index jobs_newest on jobs (org_id, environment, created_at desc, id desc);
        create table job_errors (
            org_id uuid not null,
            environment text not null,
            job_id text not null,
            number int not null,
            row int,
            field text,
            code text not null,
            message_es text not null,
            message_en text not null,
            primary key (org_id, environment, job_id, number),
            foreign key (org_id, environment, job_id) references jobs (org_id, environment, id) on delete cascade
        );
        comment on column jobs.params is 'personal';
        comment on column jobs.error is 'personal';
    """)
    op.execute(business_table("jobs"))
    op.execute(business_table("job_errors"))


def _files() -> None:
    op.execute("""
        create table job_files (
            org_id uuid not null,
            environment text not null,
            id text not null,
            job_id text not null,
            role text not null check (role in ('input', 'output')),
            name text not null,
            media_type text not null,
            bytes bigint not null,
            created_at timestamptz not null,
            primary key (org_id, environment, id),
            unique (org_id, environment, job_id, role),
            foreign key (org_id, environment, job_id) references jobs (org_id, environment, id) on delete cascade
        );
        create table job_file_pieces (
            org_id uuid not null,
            environment text not null,
            file_id text not null,
            number int not null,
            content bytea not null,
            primary key (org_id, environment, file_id, number),
            foreign key (org_id, environment, file_id) references job_files (org_id, environment, id) on delete cascade
        );
        comment on column job_file_pieces.content is 'personal';
    """)
    op.execute(business_table("job_files"))
    op.execute(business_table("job_file_pieces"))


def _contacts() -> None:
    # Both look as the owner, within the transaction's organisation and environment: under row-level security neither
    # the operators of GIN nor lower() reach their index.
    op.execute(r"""
        create index contacts_company_name on contacts (org_id, environment, lower(name))
            where type = 'company' and deleted_at is null;

        create function companies_named(p_names text[])
        returns table (name text, id text) language sql stable security definer set search_path = public, pg_temp as $$
            select wanted.name, found.id
              from unnest(p_names) as wanted (name)
              cross join lateral (
                select c.id from contacts c
                 where c.org_id = nullif(current_setting('app.org_id', true), '')::uuid
                   and c.environment = current_setting('app.environment', true)
                   and c.type = 'company' and c.deleted_at is null and lower(c.name) = lower(wanted.name)
                 order by c.created_at, c.id limit 1) found
        $$;

        -- The ids after `p_after` of the contacts that search_contacts would list, in the order of their ids.
        create function contacts_matching(
            p_words text[], p_type text, p_tags text[], p_company_id text, p_deleted_after timestamptz, p_after text,
            p_limit int)
        returns setof text language plpgsql stable security definer set search_path = public, pg_temp as $$
        declare
            v_where text := 'org_id = $1 and environment = $2 and id > $6 and deleted_at '
                || case when p_deleted_after is null then 'is null' else '> $8' end;
            v_word text;
        begin
            foreach v_word in array p_words loop
                v_where := v_where || format(' and search_text like %L', '%' || v_word || '%');
            end loop;
            if p_type is not null then
                v_where := v_where || ' and type = $3';
            end if;
            if cardinality(p_tags) > 0 then
                v_where := v_where || ' and tags @> $4';
            end if;
            if p_company_id is not null then
                v_where := v_where || ' and company_id = $5';
            end if;
            return query execute format('select id from contacts where %s order by id limit $7', v_where)
            using nullif(current_setting('app.org_id', true), '')::uuid, current_setting('app.environment', true),
                p_type, p_tags, p_company_id, p_after, p_limit, p_deleted_after;
        end $$;
    """)
    op.execute(definer_function("companies_named(text[])"))
    op.execute(definer_function("contacts_matching(text[], text, text[], text, timestamptz, text, int)"))


def _marks() -> None:
    op.execute("""
        comment on column contacts.tags is 'personal';
        comment on column contacts.company_search is 'personal';
        comment on column contacts.search_text is 'personal';
        comment on column webhook_attempts.error is 'personal';
    """)


def _blanking() -> None:
    # A `person` is the contact's id under `id`, the texts that stand for this person alone (e-mails, numbers) under
    # `known`, and these and its names under `terms`; all in lower case but the id. `p_word` takes the place of what is
    # erased.
    op.execute(r"""
        create function mentions(p_text text, p_terms text[]) returns boolean
        language sql immutable parallel safe set search_path = public, pg_temp as $$
            select exists (select from unnest(p_terms) as term where strpos(p_text, term) > 0)
        $$;

        create function readable(p_bytes bytea) returns text
        language plpgsql immutable parallel safe set search_path = public, pg_temp as $$
        begin
            return lower(convert_from(p_bytes, 'UTF8'));
        exception when others then
            return lower(encode(p_bytes, 'escape'));
        end $$;

        -- By which texts a row is found.
        create function mentioned(p_person jsonb) returns text[]
        language sql immutable set search_path = public, pg_temp as $$
            select array(select jsonb_array_elements_text(p_person -> 'known')) || lower(p_person ->> 'id')
        $$;

        -- Whose object it is: 'mine' (the person's), 'other' (of another contact), or that of what holds it.
        create function person_of(p_object jsonb, p_person jsonb, p_holder text) returns text
        language plpgsql immutable parallel safe set search_path = public, pg_temp as $$
        declare
            v_named text[] := array_remove(array[p_object ->> 'id', p_object ->> 'contact_id'], null);
            v_known text[] := array(select jsonb_array_elements_text(p_person -> 'known'));
        begin
            if p_person ->> 'id' = any (v_named) then
                return 'mine';
            elsif exists (select from unnest(v_named) as name where name ~ '^ct_[0-9A-Za-z_]+$') then
                return 'other';
            elsif exists (select from jsonb_each(p_object) e
                           where jsonb_typeof(e.value) = 'string' and lower(e.value #>> '{}') = any (v_known)) then
                return 'mine';
            elsif p_holder = 'mine' and (p_object ? 'email' or p_object ? 'id') then
                return 'neutral';
            end if;
            return p_holder;
        end $$;

        create function blanked(p_value jsonb, p_person jsonb, p_whose text, p_word text) returns jsonb
        language plpgsql immutable parallel safe set search_path = public, pg_temp as $$
        declare
            v_terms text[] := array(select jsonb_array_elements_text(p_person -> 'terms'));
            v_whose text;
        begin
            case jsonb_typeof(p_value)
            when 'object' then
                v_whose := person_of(p_value, p_person, p_whose);
                return coalesce((
                    select jsonb_object_agg(
                        case when v_whose <> 'other' and mentions(lower(e.key), v_terms) then p_word else e.key end,
                        case when e.key in ('id', 'type') or e.key like '%\_id' then e.value
                             else blanked(e.value, p_person, v_whose, p_word) end)
                      from jsonb_each(p_value) e), '{}');
            when 'array' then
                return coalesce((
                    select jsonb_agg(blanked(e.value, p_person, p_whose, p_word) order by e.place)
                      from jsonb_array_elements(p_value) with ordinality as e (value, place)), '[]');
            when 'string' then
                return case when p_whose = 'mine' or (p_whose = 'neutral' and mentions(lower(p_value #>> '{}'), v_terms))
                            then to_jsonb(p_word) else p_value end;
            else
                return case when p_whose = 'mine' then 'null'::jsonb else p_value end;
            end case;
        end $$;

        -- A text may be JSON itself.
        create function blanked_text(p_text text, p_person jsonb, p_whose text, p_word text) returns text
        language plpgsql immutable parallel safe set search_path = public, pg_temp as $$
        begin
            if p_text ~ '^\s*[\[{]' then
                return blanked(p_text::jsonb, p_person, p_whose, p_word)::text;
            end if;
            return blanked(to_jsonb(p_text), p_person, p_whose, p_word) #>> '{}';
        exception when invalid_text_representation then
            return blanked(to_jsonb(p_text), p_person, p_whose, p_word) #>> '{}';
        end $$;
    """)
    for signature in (
        "mentions(text, text[])",
        "readable(bytea)",
        "mentioned(jsonb)",
        "person_of(jsonb, jsonb, text)",
        "blanked(jsonb, jsonb, text, text)",
        "blanked_text(text, jsonb, text, text)",
    ):
        op.execute(definer_function(signature))


def _erasure() -> None:
    # Serving may not change what is append-only, so the walk goes as the owner: in the organisation and environment of
    # its transaction only, over columns marked as personal only, and for the person of a running `contacts.erase` only.
    # Columns marked as `personal of a user` are not walked: who signs in, or is invited to, is no contact, even with the
    # same address.
    op.execute(r"""
        create function personal_tables() returns setof text
        language sql stable security definer set search_path = public, pg_temp as $$
            select distinct c.relname::text
              from pg_class c
              join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
              join pg_index i on i.indrelid = c.oid and i.indisprimary
              join pg_attribute first on first.attrelid = c.oid and first.attnum = i.indkey[0]
             where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
               and col_description(c.oid, a.attnum) = 'personal' and first.attname = 'org_id'
               and c.relname not in ('contacts', 'job_file_pieces')
             order by 1
        $$;

        -- Looks at the `p_limit` rows of `p_table` after the key `p_after`: an array in JSON of what the primary key has
        -- beside the tenant. `last` is the key to go on from, null at the end.
        create function erase_person(p_job text, p_table text, p_after text, p_limit int, out last text, out erased bigint)
        language plpgsql security definer set search_path = public, pg_temp as $$
        declare
            v_org uuid := nullif(current_setting('app.org_id', true), '')::uuid;
            v_environment text := current_setting('app.environment', true);
            v_person jsonb;
            v_word text;
            v_columns text;
            v_backwards text;
            v_bound text;
            v_where text := 't.org_id = $1';
            v_all text;
            v_bytes text;
            v_whose text;
            v_set text;
            v_needed text;
            v_count bigint;
        begin
            erased := 0;
            select j.params -> 'person', j.params ->> 'word' into v_person, v_word from jobs j
             where j.org_id = v_org and j.environment = v_environment and j.id = p_job
               and j.operation = 'contacts.erase' and j.status = 'running';
            if v_person is null or p_table not in (select personal_tables()) then
                raise exception 'No such erasure' using errcode = 'insufficient_privilege';
            end if;
            -- Only `=` reaches the index of the key, and no environment that is part of a key is null.
            v_where := v_where || coalesce((
                select case when a.attnotnull then ' and t.environment = $2'
                            else ' and t.environment is not distinct from $2' end
                  from pg_attribute a
                 where a.attrelid = p_table::regclass and a.attname = 'environment' and not a.attisdropped), '');
            if p_table = 'jobs' then
                v_where := v_where || format(' and t.id <> %L', p_job);
            end if;

            select string_agg(format('t.%I', c.attname), ', ' order by c.place),
                   string_agg(format('t.%I desc', c.attname), ', ' order by c.place),
                   string_agg(format('(%%1$s::jsonb ->> %s)::%s', c.place - 1, c.type), ', ' order by c.place)
              into v_columns, v_backwards, v_bound
              from (
                select a.attname, format_type(a.atttypid, a.atttypmod) as type,
                       row_number() over (order by k.position) as place
                  from pg_index i
                  cross join unnest(i.indkey::int[]) with ordinality as k (number, position)
                  join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number
                 where i.indrelid = p_table::regclass and i.indisprimary and a.attname not in ('org_id', 'environment')) c;
            if v_columns is not null then
                v_where := v_where || format(' and ($3 is null or (%s) > (%s))', v_columns, format(v_bound, '$3'));
                execute format(
                    'select jsonb_build_array(%1$s)::text
                       from (select %1$s from %2$I t where %3$s order by %1$s limit $4) t order by %4$s limit 1',
                    v_columns, p_table, v_where, v_backwards)
                into last using v_org, v_environment, p_after, p_limit;
                if last is null then
                    return;
                end if;
                v_where := v_where || format(' and (%s) <= (%s)', v_columns, format(v_bound, quote_literal(last)));
            end if;

            -- A row mentions the person in any of its columns; whose row it is, its plain texts say.
            select string_agg(format('t.%I::text', a.attname), ', ') filter (where a.atttypid <> 'bytea'::regtype),
                   string_agg(format('mentions(readable(t.%I), $6)', a.attname), ' or ')
                       filter (where a.atttypid = 'bytea'::regtype and col_description(a.attrelid, a.attnum) = 'personal'),
                   format('case when $5 ->> ''id'' in (%s) then ''mine'' when %s then ''other'' else ''neutral'' end',
                       coalesce(string_agg(format('t.%I', a.attname), ', ') filter (where a.atttypid = 'text'::regtype),
                                'null'),
                       coalesce(string_agg(format('t.%I ~ ''^ct_[0-9A-Za-z_]+$''', a.attname), ' or ')
                                    filter (where a.atttypid = 'text'::regtype), 'false'))
              into v_all, v_bytes, v_whose
              from pg_attribute a
             where a.attrelid = p_table::regclass and a.attnum > 0 and not a.attisdropped
               and a.atttypid in ('text'::regtype, 'jsonb'::regtype, 'text[]'::regtype, 'bytea'::regtype);
            v_where := format('%s and (mentions(lower(concat_ws('' '', %s)), $6)%s)', v_where, coalesce(v_all, ''''''),
                              coalesce(' or ' || v_bytes, ''));

            -- Bytes cannot be blanked in part: they go, and where they must be there their row goes with them.
            select string_agg(
                       case a.atttypid
                       when 'jsonb'::regtype then format('%1$I = blanked(t.%1$I, $5, w.whose, $7)', a.attname)
                       when 'text'::regtype then format('%1$I = blanked_text(t.%1$I, $5, w.whose, $7)', a.attname)
                       when 'text[]'::regtype then format(
                           '%1$I = array(select blanked_text(e, $5, w.whose, $7) from unnest(t.%1$I) as e)', a.attname)
                       else format('%1$I = case when mentions(readable(t.%1$I), $6) then null else t.%1$I end', a.attname)
                       end, ', ') filter (where a.atttypid <> 'bytea'::regtype or not a.attnotnull),
                   string_agg(format('mentions(readable(t.%I), $6)', a.attname), ' or ')
                       filter (where a.atttypid = 'bytea'::regtype and a.attnotnull)
              into v_set, v_needed
              from pg_attribute a
             where a.attrelid = p_table::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
               and a.atttypid in ('text'::regtype, 'jsonb'::regtype, 'text[]'::regtype, 'bytea'::regtype)
               and col_description(a.attrelid, a.attnum) = 'personal';
            if v_needed is not null then
                execute format('delete from %I t where %s and (%s)', p_table, v_where, v_needed)
                using v_org, v_environment, p_after, p_limit, v_person, mentioned(v_person), v_word;
                get diagnostics erased = row_count;
            end if;
            if v_set is not null then
                execute format(
                    'with found as materialized (select t.ctid as place, %3$s as whose from %1$I t where %2$s)
                     update %1$I t set %4$s from found w where t.ctid = w.place',
                    p_table, v_where, v_whose, v_set)
                using v_org, v_environment, p_after, p_limit, v_person, mentioned(v_person), v_word;
                get diagnostics v_count = row_count;
                erased := erased + v_count;
            end if;
        end $$;
    """)
    op.execute(definer_function("personal_tables()"))
    op.execute(definer_function("erase_person(text, text, text, int)"))
