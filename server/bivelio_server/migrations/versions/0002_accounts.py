"""Organisations, users, members, API keys, sign-in sessions, and how a credential becomes a caller."""

from alembic import op

from bivelio_server.migrations.tenancy import definer_function, organisation_table

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        create table organizations (
            id uuid primary key,
            name text not null,
            plan text not null check (plan in ('starter', 'pro', 'enterprise')),
            timezone text not null default 'Europe/Madrid',
            locale text not null default 'es',
            currency text not null default 'EUR',
            created_at timestamptz not null
        );
        create table users (
            id uuid primary key,
            email text not null,
            password_hash text not null,
            created_at timestamptz not null
        );
        create unique index users_email on users (lower(email));
        create table members (
            org_id uuid not null references organizations (id),
            user_id uuid not null references users (id),
            role text not null check (role in ('owner', 'admin', 'editor', 'viewer')),
            created_at timestamptz not null,
            primary key (org_id, user_id)
        );
        create index members_user on members (user_id, created_at);
        create table api_keys (
            org_id uuid not null,
            id text not null,
            name text not null,
            type text not null check (type in ('secret', 'publishable')),
            environment text not null check (environment in ('live', 'sandbox')),
            scopes text[] not null,
            digest bytea not null unique,
            prefix text not null,
            last4 text not null,
            created_by uuid not null,
            created_by_key text,
            created_at timestamptz not null,
            revoked_at timestamptz,
            primary key (org_id, id),
            foreign key (org_id, created_by_key) references api_keys (org_id, id),
            foreign key (org_id, created_by) references members (org_id, user_id) on delete cascade,
            check (not (type = 'publishable' and environment = 'sandbox'))
        );
        create table sign_in_sessions (
            id uuid primary key,
            user_id uuid not null references users (id),
            org_id uuid not null references organizations (id),
            environment text not null check (environment in ('live', 'sandbox')),
            created_at timestamptz not null,
            ended_at timestamptz
        );
        create table refresh_tokens (
            digest bytea primary key,
            session_id uuid not null references sign_in_sessions (id) on delete cascade,
            created_at timestamptz not null,
            expires_at timestamptz not null,
            used_at timestamptz
        );
        create index refresh_tokens_session on refresh_tokens (session_id);
        create unlogged table sign_in_attempts (
            subject text primary key,
            tokens double precision not null,
            refilled_at timestamptz not null
        );
        create index sign_in_attempts_refilled on sign_in_attempts (refilled_at);
    """)
    op.execute(organisation_table("organizations", key="id", rights="select, update"))
    op.execute(organisation_table("members"))
    op.execute(organisation_table("api_keys", rights="select, insert, update"))
    op.execute("""
        -- Global tables are closed to the serving role: only the functions below reach them.
        alter table users enable row level security;
        alter table sign_in_sessions enable row level security;
        alter table refresh_tokens enable row level security;
        alter table sign_in_attempts enable row level security;
    """)
    _callers()
    _sign_in()


def _callers() -> None:
    op.execute("""
        create function caller_by_key(p_digest bytea)
        returns table (org_id uuid, environment text, id text, type text, scopes text[], user_id uuid, role text, plan text)
        language sql stable security definer set search_path = public, pg_temp as $$
            select k.org_id, k.environment, k.id, k.type, k.scopes, k.created_by, m.role, o.plan
              from api_keys k
              join members m on m.org_id = k.org_id and m.user_id = k.created_by
              join organizations o on o.id = k.org_id
             where k.digest = p_digest and k.revoked_at is null
        $$;

        create function caller_by_session(p_session uuid)
        returns table (org_id uuid, environment text, user_id uuid, role text, plan text)
        language sql stable security definer set search_path = public, pg_temp as $$
            select s.org_id, s.environment, s.user_id, m.role, o.plan
              from sign_in_sessions s
              join members m on m.org_id = s.org_id and m.user_id = s.user_id
              join organizations o on o.id = s.org_id
             where s.id = p_session and s.ended_at is null
        $$;

        -- What a user or key may do now, for work that goes on after its request: null when it may nothing.
        create function present_rights(p_actor text)
        returns table (scopes text[], user_id uuid, role text, plan text, key_type text)
        language sql stable security definer set search_path = public, pg_temp as $$
            select array['admin'], m.user_id, m.role, o.plan, 'secret'
              from members m join organizations o on o.id = m.org_id
             where p_actor like 'user:%' and m.user_id::text = substr(p_actor, 6)
               and m.org_id = nullif(current_setting('app.org_id', true), '')::uuid
            union all
            select k.scopes, k.created_by, m.role, o.plan, k.type
              from api_keys k
              join members m on m.org_id = k.org_id and m.user_id = k.created_by
              join organizations o on o.id = k.org_id
             where p_actor like 'key:%' and k.id = substr(p_actor, 5) and k.revoked_at is null
               and k.org_id = nullif(current_setting('app.org_id', true), '')::uuid
        $$;
    """)
    op.execute(definer_function("caller_by_key(bytea)"))
    op.execute(definer_function("caller_by_session(uuid)"))
    op.execute(definer_function("present_rights(text)"))


def _sign_in() -> None:
    op.execute("""
        -- Token buckets, asked in order: one that is empty refuses, and those after it are not even made, so that
        -- what anonymous callers invent takes no room. Buckets that are full again are forgotten. Returns the seconds
        -- to wait, 0 when allowed.
        create function take_sign_in_attempt(p_subjects text[], p_capacities int[], p_refill_seconds int, p_now timestamptz)
        returns int language plpgsql security definer set search_path = public, pg_temp as $$
        declare
            v_tokens double precision;
        begin
            for i in 1 .. cardinality(p_subjects) loop
                insert into sign_in_attempts as a (subject, tokens, refilled_at)
                values (p_subjects[i], p_capacities[i], p_now)
                on conflict (subject) do update
                    set tokens = least(p_capacities[i],
                                       a.tokens + extract(epoch from p_now - a.refilled_at) / p_refill_seconds),
                        refilled_at = p_now
                returning tokens into v_tokens;
                if v_tokens < 1 then
                    return ceil((1 - v_tokens) * p_refill_seconds);
                end if;
                update sign_in_attempts set tokens = tokens - 1 where subject = p_subjects[i];
            end loop;
            delete from sign_in_attempts where subject in (
                select subject from sign_in_attempts
                 where refilled_at < p_now - make_interval(secs => p_refill_seconds * 200)
                 order by refilled_at limit 20 for update skip locked);
            return 0;
        end $$;

        create function forgive_sign_in_attempts(p_subjects text[])
        returns void language sql security definer set search_path = public, pg_temp as $$
            delete from sign_in_attempts where subject = any (p_subjects)
        $$;

        create function user_for_sign_in(p_email text)
        returns table (id uuid, email text, password_hash text)
        language sql stable security definer set search_path = public, pg_temp as $$
            select id, email, password_hash from users where lower(email) = lower(p_email)
        $$;

        -- Opens a session in the given organisation, or in the user's first one; no row when the user is no member.
        create function open_session(
            p_session uuid, p_user uuid, p_org uuid, p_environment text, p_digest bytea, p_now timestamptz, p_expires timestamptz)
        returns table (org_id uuid) language plpgsql security definer set search_path = public, pg_temp as $$
        declare
            v_org uuid;
        begin
            select m.org_id into v_org from members m
             where m.user_id = p_user and (p_org is null or m.org_id = p_org)
             order by m.created_at, m.org_id limit 1;
            if v_org is null then
                return;
            end if;
            insert into sign_in_sessions (id, user_id, org_id, environment, created_at)
            values (p_session, p_user, v_org, p_environment, p_now);
            insert into refresh_tokens (digest, session_id, created_at, expires_at)
            values (p_digest, p_session, p_now, p_expires);
            return query select v_org;
        end $$;

        -- Trades a refresh token for its successor. A token used again ends its whole family, except for a
        -- repetition within the grace while the successor is unused (a client that lost the reply).
        create function rotate_refresh_token(
            p_digest bytea, p_successor bytea, p_now timestamptz, p_expires timestamptz, p_grace interval)
        returns table (outcome text, session_id uuid, org_id uuid, environment text, user_id uuid, email text)
        language plpgsql security definer set search_path = public, pg_temp as $$
        declare
            v_session sign_in_sessions;
            v_token refresh_tokens;
        begin
            select s.* into v_session from sign_in_sessions s
             where s.id = (select t.session_id from refresh_tokens t where t.digest = p_digest) for update;
            select t.* into v_token from refresh_tokens t where t.digest = p_digest;
            if v_token.digest is null or v_session.ended_at is not null then
                return query select 'invalid', null::uuid, null::uuid, null::text, null::uuid, null::text;
                return;
            end if;
            if v_token.used_at is not null and (v_token.used_at < p_now - p_grace or exists (
                select 1 from refresh_tokens t where t.session_id = v_session.id
                   and t.created_at >= v_token.used_at and t.used_at is not null and t.digest <> p_digest)) then
                update sign_in_sessions s set ended_at = p_now where s.id = v_session.id;
                return query select 'reused', v_session.id, null::uuid, null::text, null::uuid, null::text;
                return;
            end if;
            if v_token.expires_at <= p_now then
                return query select 'expired', v_session.id, null::uuid, null::text, null::uuid, null::text;
                return;
            end if;
            update refresh_tokens t set used_at = coalesce(t.used_at, p_now) where t.digest = p_digest;
            insert into refresh_tokens (digest, session_id, created_at, expires_at)
            values (p_successor, v_session.id, p_now, p_expires);
            return query select 'rotated', v_session.id, v_session.org_id, v_session.environment, u.id, u.email
                           from users u join members m on m.user_id = u.id and m.org_id = v_session.org_id
                          where u.id = v_session.user_id;
        end $$;
    """)
    op.execute(definer_function("take_sign_in_attempt(text[], int[], int, timestamptz)"))
    op.execute(definer_function("forgive_sign_in_attempts(text[])"))
    op.execute(definer_function("user_for_sign_in(text)"))
    op.execute(definer_function("open_session(uuid, uuid, uuid, text, bytea, timestamptz, timestamptz)"))
    op.execute(definer_function("rotate_refresh_token(bytea, bytea, timestamptz, timestamptz, interval)"))
