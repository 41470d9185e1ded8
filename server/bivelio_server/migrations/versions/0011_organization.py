"""Settings, invitations, second factor, sessions, sign-in with OIDC."""

from alembic import op

from bivelio_server.migrations.tenancy import definer_function, organisation_table

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _organizations()
    _invitations()
    _people()
    _sessions()
    _accounts()
    _second_factor()
    _oidc()


def _define(statement: str, *signatures: str) -> None:
    op.execute(statement + "".join(map(definer_function, signatures)))


def _organizations() -> None:
    op.execute("""
        alter table organizations
            add column retention jsonb not null default
                '{"events_days": 90, "deliveries_days": 30, "requests_days": 30, "audit_days": 730, "runs_days": 90}',
            add column version int not null default 1,
            add column updated_at timestamptz not null default now(),
            add column deleted_at timestamptz,
            add column deleted_by uuid,
            add column deleted_members uuid[];
        -- A key goes with the member who made it, even if it is the successor of somebody else's.
        alter table api_keys
            drop constraint api_keys_org_id_successor_id_fkey,
            add foreign key (org_id, successor_id) references api_keys (org_id, id) on delete set null (successor_id);
        create unique index members_one_owner on members (org_id) where role = 'owner';
    """)
    _define(
        """
        create function organizations_of(p_user uuid)
        returns table (id uuid, name text, plan text, role text, created_at timestamptz)
        language sql stable security definer set search_path = public, pg_temp as $$
            select o.id, o.name, o.plan, m.role, o.created_at
              from members m join organizations o on o.id = m.org_id
             where m.user_id = p_user and o.deleted_at is null
             order by m.created_at, o.id
        $$;

        create function create_organization(p_org uuid, p_name text, p_user uuid, p_now timestamptz)
        returns void language sql security definer set search_path = public, pg_temp as $$
            insert into organizations (id, name, plan, created_at, updated_at)
            values (p_org, p_name, 'starter', p_now, p_now);
            insert into members (org_id, user_id, role, created_at) values (p_org, p_user, 'owner', p_now);
        $$;

        -- Ends at once, in both environments, whatever the transaction's organisation does. An organisation without
        -- members lets nobody in: keys go with those who made them, and no session, run or invitation has any rights.
        create function stop_organization(p_now timestamptz)
        returns void language plpgsql security definer set search_path = public, pg_temp as $$
        declare
            v_org uuid := nullif(current_setting('app.org_id', true), '')::uuid;
        begin
            update organizations set deleted_members = array(select m.user_id from members m where m.org_id = v_org)
             where id = v_org;
            update sign_in_sessions set ended_at = p_now where org_id = v_org and ended_at is null;
            delete from members where org_id = v_org;
            delete from event_subscriptions where org_id = v_org;
            update webhook_endpoints set status = 'paused' where org_id = v_org and status = 'active';
            update webhook_deliveries set next_attempt_at = null where org_id = v_org and next_attempt_at is not null;
            update workflows set status = 'paused' where org_id = v_org and status = 'active';
            update workflow_instances set status = 'cancelled', finished_at = p_now, updated_at = p_now
             where org_id = v_org and finished_at is null;
        end $$;
        """,
        "organizations_of(uuid)", "create_organization(uuid, text, uuid, timestamptz)", "stop_organization(timestamptz)",
    )  # fmt: skip


def _invitations() -> None:
    # An invitation ends with the person, or the key, that sent it.
    op.execute("""
        create table invitations (
            org_id uuid not null references organizations (id),
            id text not null,
            email text not null,
            role text not null check (role in ('admin', 'editor', 'viewer')),
            digest bytea not null unique,
            invited_by uuid not null,
            invited_by_key text,
            created_at timestamptz not null,
            expires_at timestamptz not null,
            accepted_at timestamptz,
            accepted_by uuid,
            revoked_at timestamptz,
            primary key (org_id, id),
            foreign key (org_id, invited_by) references members (org_id, user_id) on delete cascade,
            foreign key (org_id, invited_by_key) references api_keys (org_id, id) on delete cascade
        );
        create index invitations_newest on invitations (org_id, created_at desc, id desc);
        create index invitations_email on invitations (lower(email)) where accepted_at is null and revoked_at is null;
        create index invitations_inviter on invitations (org_id, invited_by);
        create index invitations_key on invitations (org_id, invited_by_key) where invited_by_key is not null;
        comment on column invitations.email is 'personal of a user';
    """)
    op.execute(organisation_table("invitations", rights="select, insert, update"))
    _define(
        """
        -- An invitation as long as it can be accepted: the one who sent it may still give the role.
        create view open_invitations as
            select i.*, o.name as organization
              from invitations i
              join organizations o on o.id = i.org_id and o.deleted_at is null
              join members m on m.org_id = i.org_id and m.user_id = i.invited_by and m.role in ('owner', 'admin')
              left join api_keys k on k.org_id = i.org_id and k.id = i.invited_by_key
             where i.accepted_at is null and i.revoked_at is null and k.revoked_at is null;

        create function invitation_by_digest(p_digest bytea)
        returns table (org_id uuid, id text, email text, role text, expires_at timestamptz)
        language sql stable security definer set search_path = public, pg_temp as $$
            select i.org_id, i.id, i.email, i.role, i.expires_at from open_invitations i where i.digest = p_digest
        $$;

        create function invitation_by_email(p_email text, p_now timestamptz)
        returns table (org_id uuid, id text, email text, role text, expires_at timestamptz)
        language sql stable security definer set search_path = public, pg_temp as $$
            select i.org_id, i.id, i.email, i.role, i.expires_at from open_invitations i
             where lower(i.email) = lower(p_email) and i.expires_at > p_now
             order by i.created_at desc, i.id desc limit 1
        $$;

        -- False when somebody has the address already.
        create function create_user(p_user uuid, p_email text, p_name text, p_hash text, p_now timestamptz)
        returns boolean language plpgsql security definer set search_path = public, pg_temp as $$
        begin
            insert into users (id, email, name, password_hash, created_at)
            values (p_user, p_email, p_name, p_hash, p_now) on conflict (lower(email)) do nothing;
            return found;
        end $$;
        """,
        "invitation_by_digest(bytea)",
        "invitation_by_email(text, timestamptz)",
        "create_user(uuid, text, text, text, timestamptz)",
    )
    op.execute("revoke all on open_invitations from public")


def _people() -> None:
    op.execute("""
        alter table users
            add column name text,
            add column second_factor_secret bytea,
            add column second_factor_since timestamptz,
            add column second_factor_step bigint not null default 0;
        comment on column users.name is 'personal of a user';
        create table recovery_codes (
            user_id uuid not null references users (id) on delete cascade,
            digest bytea not null,
            created_at timestamptz not null,
            used_at timestamptz,
            primary key (user_id, digest)
        );
        create table user_identities (
            issuer text not null,
            subject text not null,
            user_id uuid not null references users (id) on delete cascade,
            created_at timestamptz not null,
            primary key (issuer, subject),
            unique (user_id, issuer)
        );
        comment on column user_identities.subject is 'personal of a user';
        create table sign_in_codes (
            digest bytea primary key,
            user_id uuid not null references users (id) on delete cascade,
            challenge text,
            expires_at timestamptz not null
        );
        comment on column users.email is 'personal of a user';
        alter table recovery_codes enable row level security;
        alter table user_identities enable row level security;
        alter table sign_in_codes enable row level security;
    """)
    _define(
        """
        -- Members of the transaction's organisation, as people.
        create function people(p_users uuid[])
        returns table (id uuid, email text, name text, second_factor boolean)
        language sql stable security definer set search_path = public, pg_temp as $$
            select u.id, u.email, u.name, u.second_factor_since is not null
              from members m join users u on u.id = m.user_id
             where m.user_id = any (p_users) and m.org_id = nullif(current_setting('app.org_id', true), '')::uuid
        $$;

        create function member_with_email(p_email text)
        returns table (user_id uuid)
        language sql stable security definer set search_path = public, pg_temp as $$
            select m.user_id from users u
              join members m on m.user_id = u.id
               and m.org_id = nullif(current_setting('app.org_id', true), '')::uuid
             where lower(u.email) = lower(p_email)
        $$;
        """,
        "people(uuid[])", "member_with_email(text)",
    )  # fmt: skip


def _sessions() -> None:
    op.execute("""
        alter table sign_in_sessions
            add column last_used_at timestamptz,
            add column address text,
            add column user_agent text;
        create index sign_in_sessions_user on sign_in_sessions (user_id, org_id);
        create index sign_in_sessions_org on sign_in_sessions (org_id);
        comment on column sign_in_sessions.address is 'personal of a user';
        comment on column sign_in_sessions.user_agent is 'personal of a user';
        drop function open_session(uuid, uuid, uuid, text, bytea, timestamptz, timestamptz);
        drop function rotate_refresh_token(bytea, bytea, timestamptz, timestamptz, interval);
    """)
    _define(
        """
        -- Opens a session in the given organisation, or in the user's first one; no row when the user is no member.
        create function open_session(
            p_session uuid, p_user uuid, p_org uuid, p_environment text, p_digest bytea, p_now timestamptz,
            p_expires timestamptz, p_address text, p_user_agent text)
        returns table (org_id uuid) language plpgsql security definer set search_path = public, pg_temp as $$
        declare
            v_org uuid;
        begin
            select m.org_id into v_org from members m join organizations o on o.id = m.org_id
             where m.user_id = p_user and (p_org is null or m.org_id = p_org) and o.deleted_at is null
             order by m.created_at, m.org_id limit 1
               for key share of o;
            if v_org is null then
                return;
            end if;
            insert into sign_in_sessions
                (id, user_id, org_id, environment, created_at, last_used_at, address, user_agent)
            values (p_session, p_user, v_org, p_environment, p_now, p_now, p_address, p_user_agent);
            insert into refresh_tokens (digest, session_id, created_at, expires_at)
            values (p_digest, p_session, p_now, p_expires);
            return query select v_org;
        end $$;

        -- Trades a refresh token for its successor. A token used again ends its whole family, except for a
        -- repetition within the grace while the successor is unused (a client that lost the reply).
        create function rotate_refresh_token(
            p_digest bytea, p_successor bytea, p_now timestamptz, p_expires timestamptz, p_grace interval, p_address text)
        returns table (outcome text, session_id uuid, org_id uuid, environment text, user_id uuid, email text)
        language plpgsql security definer set search_path = public, pg_temp as $$
        declare
            v_session sign_in_sessions;
            v_token refresh_tokens;
            v_email text;
        begin
            select s.* into v_session from sign_in_sessions s
             where s.id = (select t.session_id from refresh_tokens t where t.digest = p_digest) for update;
            select t.* into v_token from refresh_tokens t where t.digest = p_digest;
            select u.email into v_email from users u
              join members m on m.user_id = u.id and m.org_id = v_session.org_id
              join organizations o on o.id = m.org_id and o.deleted_at is null
             where u.id = v_session.user_id;
            if v_token.digest is null or v_session.ended_at is not null or v_email is null then
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
            update sign_in_sessions s set last_used_at = p_now, address = p_address where s.id = v_session.id;
            return query select 'rotated', v_session.id, v_session.org_id, v_session.environment, v_session.user_id, v_email;
        end $$;

        create function sessions_of(p_user uuid, p_now timestamptz)
        returns table (id uuid, organization_id uuid, organization text, environment text, created_at timestamptz,
                       last_used_at timestamptz, address text, user_agent text)
        language sql stable security definer set search_path = public, pg_temp as $$
            select s.id, s.org_id, o.name, s.environment, s.created_at, coalesce(s.last_used_at, s.created_at), s.address,
                   s.user_agent
              from sign_in_sessions s
              join organizations o on o.id = s.org_id and o.deleted_at is null
              join members m on m.org_id = s.org_id and m.user_id = s.user_id
             where s.user_id = p_user and s.ended_at is null
               and exists (select from refresh_tokens t where t.session_id = s.id and t.expires_at > p_now)
             order by coalesce(s.last_used_at, s.created_at) desc, s.id
        $$;

        create function end_session(p_user uuid, p_session uuid, p_now timestamptz)
        returns boolean language plpgsql security definer set search_path = public, pg_temp as $$
        begin
            update sign_in_sessions set ended_at = p_now
             where id = p_session and user_id = p_user and ended_at is null;
            return found;
        end $$;

        -- Of all organisations, but for one session; how many they were.
        create function end_other_sessions(p_user uuid, p_except uuid, p_now timestamptz)
        returns int language plpgsql security definer set search_path = public, pg_temp as $$
        declare
            v_ended int;
        begin
            update sign_in_sessions set ended_at = p_now
             where user_id = p_user and id is distinct from p_except and ended_at is null;
            get diagnostics v_ended = row_count;
            return v_ended;
        end $$;

        -- Of the transaction's organisation only.
        create function end_sessions_of_member(p_user uuid, p_now timestamptz)
        returns void language sql security definer set search_path = public, pg_temp as $$
            update sign_in_sessions set ended_at = p_now
             where user_id = p_user and org_id = nullif(current_setting('app.org_id', true), '')::uuid
               and ended_at is null
        $$;
        """,
        "open_session(uuid, uuid, uuid, text, bytea, timestamptz, timestamptz, text, text)",
        "rotate_refresh_token(bytea, bytea, timestamptz, timestamptz, interval, text)",
        "sessions_of(uuid, timestamptz)",
        "end_session(uuid, uuid, timestamptz)",
        "end_other_sessions(uuid, uuid, timestamptz)",
        "end_sessions_of_member(uuid, timestamptz)",
    )


def _accounts() -> None:
    op.execute("drop function user_for_sign_in(text)")
    _define(
        """
        -- The secret of the second factor is null unless it is in use.
        create function user_for_sign_in(p_email text)
        returns table (id uuid, email text, password_hash text, second_factor_secret bytea)
        language sql stable security definer set search_path = public, pg_temp as $$
            select id, email, password_hash, case when second_factor_since is not null then second_factor_secret end
              from users where lower(email) = lower(p_email)
        $$;

        create function account_of(p_user uuid)
        returns table (email text, name text, password_hash text, created_at timestamptz, second_factor_secret bytea,
                       second_factor_since timestamptz, recovery_codes_left int)
        language sql stable security definer set search_path = public, pg_temp as $$
            select u.email, u.name, u.password_hash, u.created_at, u.second_factor_secret, u.second_factor_since,
                   (select count(*)::int from recovery_codes c where c.user_id = u.id and c.used_at is null)
              from users u where u.id = p_user
        $$;

        create function set_password(p_user uuid, p_hash text)
        returns void language sql security definer set search_path = public, pg_temp as $$
            update users set password_hash = p_hash where id = p_user
        $$;
        """,
        "user_for_sign_in(text)", "account_of(uuid)", "set_password(uuid, text)",
    )  # fmt: skip


def _second_factor() -> None:
    _define(
        """
        -- False when the second factor is in use already.
        create function begin_second_factor(p_user uuid, p_secret bytea)
        returns boolean language plpgsql security definer set search_path = public, pg_temp as $$
        begin
            update users set second_factor_secret = p_secret, second_factor_step = 0
             where id = p_user and second_factor_since is null;
            return found;
        end $$;

        create function replace_recovery_codes(p_user uuid, p_digests bytea[], p_now timestamptz)
        returns void language sql security definer set search_path = public, pg_temp as $$
            delete from recovery_codes where user_id = p_user;
            insert into recovery_codes (user_id, digest, created_at) select p_user, unnest(p_digests), p_now;
        $$;

        -- False when the secret is not the one that was begun, or is in use already.
        create function confirm_second_factor(
            p_user uuid, p_secret bytea, p_step bigint, p_digests bytea[], p_now timestamptz)
        returns boolean language plpgsql security definer set search_path = public, pg_temp as $$
        begin
            update users set second_factor_since = p_now, second_factor_step = p_step
             where id = p_user and second_factor_since is null and second_factor_secret = p_secret;
            if not found then
                return false;
            end if;
            perform replace_recovery_codes(p_user, p_digests, p_now);
            return true;
        end $$;

        create function drop_second_factor(p_user uuid)
        returns void language sql security definer set search_path = public, pg_temp as $$
            delete from recovery_codes where user_id = p_user;
            update users set second_factor_secret = null, second_factor_since = null, second_factor_step = 0
             where id = p_user;
        $$;

        -- True once for each step: whoever saw a code being typed cannot use it again.
        create function take_second_factor_step(p_user uuid, p_step bigint)
        returns boolean language plpgsql security definer set search_path = public, pg_temp as $$
        begin
            update users set second_factor_step = p_step
             where id = p_user and second_factor_since is not null and second_factor_step < p_step;
            return found;
        end $$;

        create function take_recovery_code(p_user uuid, p_digest bytea, p_now timestamptz)
        returns boolean language plpgsql security definer set search_path = public, pg_temp as $$
        begin
            update recovery_codes set used_at = p_now where user_id = p_user and digest = p_digest and used_at is null;
            return found;
        end $$;
        """,
        "begin_second_factor(uuid, bytea)",
        "replace_recovery_codes(uuid, bytea[], timestamptz)",
        "confirm_second_factor(uuid, bytea, bigint, bytea[], timestamptz)",
        "drop_second_factor(uuid)",
        "take_second_factor_step(uuid, bigint)",
        "take_recovery_code(uuid, bytea, timestamptz)",
    )


def _oidc() -> None:
    _define(
        """
        -- The person that a provider vouches for. The first time the verified address links the two; from then on the
        -- provider's subject decides, so that an address given to somebody else opens nothing. No row for strangers.
        create function user_of_identity(p_issuer text, p_subject text, p_email text, p_now timestamptz)
        returns table (user_id uuid) language plpgsql security definer set search_path = public, pg_temp as $$
        declare
            v_user uuid;
        begin
            select i.user_id into v_user from user_identities i where i.issuer = p_issuer and i.subject = p_subject;
            if v_user is null then
                insert into user_identities (issuer, subject, user_id, created_at)
                select p_issuer, p_subject, u.id, p_now from users u where lower(u.email) = lower(p_email)
                on conflict do nothing
                returning user_identities.user_id into v_user;
            end if;
            if v_user is not null then
                return query select v_user;
            end if;
        end $$;

        create function keep_sign_in_code(p_digest bytea, p_user uuid, p_challenge text, p_expires timestamptz)
        returns void language sql security definer set search_path = public, pg_temp as $$
            insert into sign_in_codes (digest, user_id, challenge, expires_at)
            values (p_digest, p_user, p_challenge, p_expires)
        $$;

        create function sign_in_code(p_digest bytea, p_now timestamptz)
        returns table (user_id uuid, email text, challenge text, second_factor_secret bytea)
        language sql stable security definer set search_path = public, pg_temp as $$
            select u.id, u.email, c.challenge, case when u.second_factor_since is not null then u.second_factor_secret end
              from sign_in_codes c join users u on u.id = c.user_id
             where c.digest = p_digest and c.expires_at > p_now
        $$;

        create function take_sign_in_code(p_digest bytea)
        returns boolean language plpgsql security definer set search_path = public, pg_temp as $$
        begin
            delete from sign_in_codes where digest = p_digest;
            return found;
        end $$;
        """,
        "user_of_identity(text, text, text, timestamptz)",
        "keep_sign_in_code(bytea, uuid, text, timestamptz)",
        "sign_in_code(bytea, timestamptz)",
        "take_sign_in_code(bytea)",
    )
