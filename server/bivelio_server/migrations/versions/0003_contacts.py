"""Events and who listens to them; contacts and their search."""

from alembic import op

from bivelio_server.migrations.tenancy import business_table, definer_function

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _events()
    _contacts()
    _search()


def _events() -> None:
    op.execute("""
        create table events (
            org_id uuid not null references organizations (id),
            environment text not null check (environment in ('live', 'sandbox')),
            id text not null,
            event text not null,
            occurred_at timestamptz not null,
            data jsonb not null,
            origin text,
            depth int not null,
            primary key (org_id, environment, id)
        );
        create table event_subscriptions (
            org_id uuid not null references organizations (id),
            environment text not null check (environment in ('live', 'sandbox')),
            event text not null,
            kind text not null,
            subscriber_id text not null,
            primary key (org_id, environment, event, kind, subscriber_id)
        );
        comment on column events.data is 'personal';
    """)
    op.execute(business_table("events", rights="select, insert"))
    op.execute(business_table("event_subscriptions", rights="select, insert, delete"))


def _contacts() -> None:
    op.execute("""
        create table contacts (
            org_id uuid not null references organizations (id),
            environment text not null check (environment in ('live', 'sandbox')),
            id text not null,
            type text not null check (type in ('person', 'company')),
            name text not null,
            email text,
            email_key text,
            phone text,
            phone_e164 text,
            company_id text,
            tags text[] not null,
            custom_fields jsonb not null,
            own_search text not null,
            company_search text not null,
            search_text text not null generated always as (own_search || ' ' || company_search) stored,
            version int not null,
            created_at timestamptz not null,
            updated_at timestamptz not null,
            deleted_at timestamptz,
            primary key (org_id, environment, id),
            foreign key (org_id, environment, company_id) references contacts (org_id, environment, id)
        );
        create index contacts_newest on contacts (org_id, environment, created_at desc, id desc) where deleted_at is null;
        create index contacts_email on contacts (org_id, environment, email_key) where email_key is not null;
        create index contacts_phone on contacts (org_id, environment, phone_e164) where phone_e164 is not null;
        create index contacts_company on contacts (org_id, environment, company_id) where company_id is not null;
        create index contacts_search on contacts using gin (org_id, environment, search_text gin_trgm_ops, tags);
        comment on column contacts.name is 'personal';
        comment on column contacts.email is 'personal';
        comment on column contacts.email_key is 'personal';
        comment on column contacts.phone is 'personal';
        comment on column contacts.phone_e164 is 'personal';
        comment on column contacts.custom_fields is 'personal';
        comment on column contacts.own_search is 'personal';
    """)
    op.execute(business_table("contacts"))


def _search() -> None:
    # GIN operators are not leakproof, so under row-level security their indexes go unused: the search looks as owner,
    # within the organisation and environment of the transaction.
    op.execute(r"""
        create function search_contacts(
            p_words text[], p_type text, p_tags text[], p_company_id text, p_deleted_after timestamptz, p_order text,
            p_limit int, p_offset int)
        returns table (total bigint, ids text[])
        language plpgsql stable security definer set search_path = public, pg_temp as $$
        declare
            v_where text := 'org_id = $1 and environment = $2 and deleted_at '
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
            return query execute format(
                case when cardinality(p_words) + cardinality(p_tags) > 0 then
                    'with hits as materialized (select id, name, created_at, updated_at from contacts where %1$s)
                     select (select count(*) from hits), array(select id from hits order by %2$s limit $6 offset $7)'
                else
                    'select (select count(*) from contacts where %1$s),
                            array(select id from contacts where %1$s order by %2$s limit $6 offset $7)'
                end,
                v_where,
                case p_order
                    when 'created_at' then 'created_at, id'
                    when 'name' then 'lower(name), id'
                    when '-name' then 'lower(name) desc, id desc'
                    when 'updated_at' then 'updated_at, id'
                    when '-updated_at' then 'updated_at desc, id desc'
                    else 'created_at desc, id desc'
                end)
            using nullif(current_setting('app.org_id', true), '')::uuid, current_setting('app.environment', true),
                p_type, p_tags, p_company_id, p_limit, p_offset, p_deleted_after;
        end $$;
    """)
    op.execute(definer_function("search_contacts(text[], text, text[], text, timestamptz, text, int, int)"))
