"""Documents: what was uploaded, in folders."""

from typing import Final

from alembic import op

from bivelio_server.migrations.tenancy import business_table, definer_function, stored_columns, stored_index

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

# As in 0014: plans that do not depend on how full the tables were when they were made.
_PRUNING: Final = """language plpgsql security definer set search_path = public, pg_temp
    set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off"""


def upgrade() -> None:
    op.execute("""
        create table documents (
            org_id uuid not null references organizations (id),
            environment text not null check (environment in ('live', 'sandbox')),
            id text not null,
            filename text not null,
            folder text,
            tags text[] not null,
            mime_type text not null,
            bytes bigint not null,
            sha256 text not null,
            file jsonb not null,
            status text not null check (status in ('uploaded', 'processing', 'processed', 'failed')),
            progress double precision not null,
            classify boolean not null,
            extract boolean not null,
            error jsonb,
            page_count int,
            classification jsonb,
            extraction_id text,
            search_text text not null,
            task_id uuid,
            reservation_id text,
            depth int not null,
            created_by text not null,
            version int not null,
            created_at timestamptz not null,
            updated_at timestamptz not null,
            processed_at timestamptz,
            deleted_at timestamptz,
            primary key (org_id, environment, id)
        );
        create index documents_newest on documents (org_id, environment, created_at desc, id desc)
            where deleted_at is null;
        create index documents_in_folder on documents (org_id, environment, folder, created_at desc, id desc)
            where deleted_at is null and folder is not null;
        create index documents_deleted on documents (deleted_at) where deleted_at is not null;
        comment on column documents.filename is 'personal';
        comment on column documents.folder is 'personal';
        comment on column documents.tags is 'personal';
        comment on column documents.classification is 'personal';
        comment on column documents.search_text is 'personal';
    """)
    op.execute(business_table("documents"))
    name, definition = stored_index("documents", "file")
    op.execute(f"create index {name} on {definition}")
    op.execute(stored_columns("documents", "file", holds="bytes"))
    op.execute(f"""
        create function prune_deleted_documents(p_before timestamptz, p_limit int) returns int {_PRUNING} as $$
        declare
            v_removed int;
        begin
            with gone as materialized (
                select d.org_id, d.environment, d.id from documents d
                 where d.deleted_at < p_before order by d.deleted_at limit p_limit for update skip locked
            )
            delete from documents d using gone g
             where d.org_id = g.org_id and d.environment = g.environment and d.id = g.id;
            get diagnostics v_removed = row_count;
            return v_removed;
        end $$;
    """)
    op.execute(definer_function("prune_deleted_documents(timestamptz, int)"))
