"""Data as past versions of the schema held it: what each version added is filled in when it is reached."""

from typing import Final

import psycopg

from bivelio_server.kit.secrets import Cipher, SecretKey
from tests.conftest import SECRET_KEY

ORG: Final = "11111111-1111-1111-1111-111111111111"
USER: Final = "22222222-2222-2222-2222-222222222222"
SESSION: Final = "33333333-3333-3333-3333-333333333333"

_SEALED: Final = Cipher(SecretKey(SECRET_KEY)).encrypt(
    "whsec_x", row=f"webhook_endpoints.signing_secret {ORG} live wh_1"
)

#: SQL by the version whose tables it fills, in the shape that they had then.
FILLING: Final = {
    "0002": f"""
        insert into organizations (id, name, plan, created_at) values ('{ORG}', 'Acme', 'pro', now());
        insert into users values ('{USER}', 'owner@example.com', 'hash', now());
        insert into members values ('{ORG}', '{USER}', 'owner', now());
        insert into api_keys (org_id, id, name, type, environment, scopes, digest, prefix, last4, created_by,
                              created_at)
        values ('{ORG}', 'key_1', 'Old', 'secret', 'live', '{{read,write,admin}}', '\\x01', 'bv_live_sk_x', 'abcd',
                '{USER}', now());
        insert into sign_in_sessions (id, user_id, org_id, environment, created_at)
        values ('{SESSION}', '{USER}', '{ORG}', 'live', now());
        insert into refresh_tokens (digest, session_id, created_at, expires_at)
        values ('\\x02', '{SESSION}', now(), now() + interval '30 days');
    """,
    "0003": f"""
        insert into events (org_id, environment, id, event, occurred_at, data, depth)
        select '{ORG}', 'live', 'evt_' || n, 'contact.created', now(), '{{"id": "ct_1"}}', 0
          from generate_series(1, 500) n;
        insert into contacts (org_id, environment, id, type, name, email, email_key, tags, custom_fields, own_search,
                              company_search, version, created_at, updated_at)
        select '{ORG}', 'live', 'ct_' || n, 'person', 'Contact ' || n, n || '@example.com', n || '@example.com',
               '{{lead}}', '{{"n": 1.10}}', 'contact ' || n, '', 1, now(), now()
          from generate_series(1, 500) n;
    """,
    "0005": f"""
        insert into webhook_endpoints (org_id, environment, id, url, events, status, signing_secret, version,
                                       created_at, updated_at)
        values ('{ORG}', 'live', 'wh_1', 'https://example.com', '{{contact.created}}', 'active',
                '\\x{_SEALED.hex()}', 1, now(), now());
        insert into webhook_deliveries (org_id, environment, id, webhook_id, event_id, kind, status, attempts, failures,
                                        created_at, finished_at)
        select '{ORG}', 'live', 'msg_' || n, 'wh_1', 'evt_' || n, 'event', 'delivered', 1, 0, now(), now()
          from generate_series(1, 500) n;
        insert into webhook_attempts (org_id, environment, delivery_id, number, webhook_id, started_at, outcome)
        select '{ORG}', 'live', 'msg_' || n, 1, 'wh_1', now(), 'delivered' from generate_series(1, 500) n;
    """,
    "0006": f"""
        insert into workflows (org_id, environment, id, name, status, trigger_type, concurrency, version, steps_count,
                               created_at, updated_at)
        values ('{ORG}', 'live', 'wf_1', 'Old', 'active', 'manual', 'many', 1, 1, now(), now());
        insert into workflow_versions (org_id, environment, workflow_id, version, definition, created_by, created_at)
        values ('{ORG}', 'live', 'wf_1', 1, '{{"steps": []}}', 'user:{USER}', now());
        insert into workflow_instances (org_id, environment, id, workflow_id, version, status, current_step,
                                        total_steps, input, depth, started_by, started_at, updated_at, finished_at)
        values ('{ORG}', 'live', 'wfi_1', 'wf_1', 1, 'completed', 1, 1, '{{}}', 0, 'user:{USER}',
                now(), now(), now());
        insert into workflow_steps (org_id, environment, instance_id, step_id, position, uses, status, attempts,
                                    started_at)
        values ('{ORG}', 'live', 'wfi_1', 'a', 1, 'set', 'completed', 1, now());
    """,
    "0007": f"""
        insert into audit_log (org_id, id, environment, at, operation, actor, door)
        values ('{ORG}', 'aud_1', 'live', now(), 'contacts.create', 'key:key_1', 'http');
        insert into idempotency_keys (org_id, environment, operation, key, digest, created_at, status, reply)
        values ('{ORG}', 'live', 'contacts.create', 'k', '\\x01', now(), 200, '{{}}');
    """,
}


def fill(url: str, version: str) -> None:
    if version in FILLING:
        with psycopg.connect(url) as connection:
            connection.execute(FILLING[version])


def counts(url: str) -> dict[str, int]:
    """The rows of every table that any version filled."""
    with psycopg.connect(url) as connection:
        names = connection.execute(
            "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
        ).fetchall()
        found = {}
        for (name,) in names:
            row = connection.execute(f'select count(*) from "{name}"').fetchone()
            assert row is not None
            found[name] = row[0]
    return found
