"""API keys, whole: rotated, announced before they end, and noticed where a secret one should not be."""

from alembic import op

from bivelio_server.migrations.tenancy import definer_function

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A successor may belong to another person than its predecessor: either goes with its member and leaves the other.
    op.execute("""
        alter table api_keys drop constraint api_keys_org_id_successor_id_fkey;
        alter table api_keys
            add column rotated_from text,
            add column expiry_notice_at timestamptz,
            add column browser_noticed_at timestamptz,
            add foreign key (org_id, successor_id) references api_keys (org_id, id) on delete set null (successor_id),
            add foreign key (org_id, rotated_from) references api_keys (org_id, id) on delete set null (rotated_from);
        comment on column api_keys.last_used_address is 'personal of a user';
        create index api_keys_expiry_notice on api_keys (expiry_notice_at)
         where expiry_notice_at is not null and expiry_announced_at is null
           and revoked_at is null and retires_at is null;

        -- The keys whose end is near and not yet told. A rotated key's end was chosen: its successor's is told instead.
        create function keys_expiring(p_now timestamptz)
        returns table (org_id uuid, environment text, id text)
        language sql stable security definer set search_path = public, pg_temp as $$
            select k.org_id, k.environment, k.id from api_keys k
             where k.expiry_notice_at <= p_now and k.expiry_notice_at is not null and k.expiry_announced_at is null
               and k.revoked_at is null and k.retires_at is null
             order by k.expiry_notice_at limit 100
        $$;
    """)
    op.execute(definer_function("keys_expiring(timestamptz)"))
