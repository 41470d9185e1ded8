"""Boxes: their members, their files, and what is searched: pages, chunks, vectors and segments of the index."""

from typing import Final

from alembic import op

from bivelio_server.migrations.tenancy import business_table, definer_function, stored_columns, stored_index

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

# As in 0014: plans that do not depend on how full the tables were when they were made.
_PRUNING: Final = """language plpgsql security definer set search_path = public, pg_temp
    set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off"""


def upgrade() -> None:
    _boxes()
    _files()
    _contents()
    _index()
    _pruning()
    _tenants()


def _boxes() -> None:
    op.execute("""
        create table boxes (
            org_id uuid not null references organizations (id),
            environment text not null check (environment in ('live', 'sandbox')),
            id text not null,
            name text not null,
            description text,
            created_by text not null,
            version int not null,
            created_at timestamptz not null,
            updated_at timestamptz not null,
            deleted_at timestamptz,
            primary key (org_id, environment, id)
        );
        create index boxes_newest on boxes (org_id, environment, created_at desc, id desc) where deleted_at is null;
        create index boxes_deleted on boxes (deleted_at) where deleted_at is not null;
        comment on column boxes.name is 'personal';
        comment on column boxes.description is 'personal';

        create table box_members (
            org_id uuid not null,
            environment text not null,
            box_id text not null,
            user_id uuid not null,
            role text not null check (role in ('viewer', 'editor', 'admin', 'owner')),
            created_at timestamptz not null,
            primary key (org_id, environment, box_id, user_id),
            foreign key (org_id, environment, box_id) references boxes (org_id, environment, id) on delete cascade,
            foreign key (org_id, user_id) references members (org_id, user_id) on delete cascade
        );
        create index box_members_user on box_members (org_id, user_id);
    """)
    op.execute(business_table("boxes"))
    op.execute(business_table("box_members"))


def _files() -> None:
    # `revision` counts contents: `ready_revision` is the one that is searched, under `seq` in the index.
    op.execute("""
        create table box_files (
            org_id uuid not null,
            environment text not null,
            id text not null,
            box_id text not null,
            document_id text,
            file_name text not null,
            mime_type text not null,
            bytes bigint not null,
            sha256 text not null,
            file jsonb not null,
            state text not null check (state in ('pending', 'processing', 'ready', 'failed')),
            progress double precision not null,
            error jsonb,
            revision int not null,
            ready_revision int,
            seq bigint,
            page_count int,
            chunk_count int,
            task_id uuid,
            created_by text not null,
            version int not null,
            created_at timestamptz not null,
            updated_at timestamptz not null,
            ready_at timestamptz,
            deleted_at timestamptz,
            primary key (org_id, environment, id),
            foreign key (org_id, environment, box_id) references boxes (org_id, environment, id) on delete cascade
        );
        create index box_files_newest on box_files (org_id, environment, box_id, created_at desc, id desc)
            where deleted_at is null;
        create index box_files_document on box_files (org_id, environment, document_id) where document_id is not null;
        create index box_files_in_box on box_files (org_id, environment, box_id);
        create index box_files_deleted on box_files (deleted_at) where deleted_at is not null;
        comment on column box_files.file_name is 'personal';
    """)
    op.execute(business_table("box_files"))
    name, definition = stored_index("box_files", "file")
    op.execute(f"create index {name} on {definition}")
    op.execute(stored_columns("box_files", "file", holds="bytes"))


def _contents() -> None:
    # A chunk is `[offset_from, offset_to)` of the file's text, which is its pages joined by two line ends. `digest` is
    # that of what the model is given; whoever has the same text has the same vector, so that nothing is embedded twice.
    op.execute("""
        create table box_pages (
            org_id uuid not null,
            environment text not null,
            file_id text not null,
            revision int not null,
            number int not null,
            text text not null,
            created_at timestamptz not null,
            primary key (org_id, environment, file_id, revision, number),
            foreign key (org_id, environment, file_id) references box_files (org_id, environment, id) on delete cascade
        );
        comment on column box_pages.text is 'personal';

        create table box_chunks (
            org_id uuid not null,
            environment text not null,
            file_id text not null,
            revision int not null,
            n int not null,
            digest bytea not null,
            heading text,
            text text not null,
            page_from int not null,
            page_to int not null,
            offset_from int not null,
            offset_to int not null,
            created_at timestamptz not null,
            primary key (org_id, environment, file_id, revision, n),
            foreign key (org_id, environment, file_id) references box_files (org_id, environment, id) on delete cascade
        );
        create index box_chunks_digest on box_chunks (org_id, environment, digest);
        comment on column box_chunks.heading is 'personal';
        comment on column box_chunks.text is 'personal';

        create table box_vectors (
            org_id uuid not null references organizations (id),
            environment text not null check (environment in ('live', 'sandbox')),
            model text not null,
            digest bytea not null,
            vector bytea not null,
            created_at timestamptz not null,
            primary key (org_id, environment, model, digest)
        );
        alter table box_vectors alter column vector set storage external;
        comment on table box_vectors is 'not purged: one goes when no chunk has its text any more';
    """)
    for table in ("box_pages", "box_chunks", "box_vectors"):
        op.execute(business_table(table))


def _index() -> None:
    # The version of a box's index counts what a search could notice: a file that becomes searchable, one that goes, a
    # change of generation. A segment is what a search needs of one file: small numbers, loaded whole.
    op.execute("""
        create table box_indexes (
            org_id uuid not null,
            environment text not null,
            box_id text not null,
            version bigint not null,
            generation int not null,
            model text not null,
            next_generation int,
            next_model text,
            created_at timestamptz not null,
            primary key (org_id, environment, box_id),
            foreign key (org_id, environment, box_id) references boxes (org_id, environment, id) on delete cascade
        );
        create table box_segments (
            org_id uuid not null,
            environment text not null,
            box_id text not null,
            generation int not null,
            seq bigint not null,
            file_id text not null,
            revision int not null,
            chunks int not null,
            vectors bytea not null,
            terms bytea not null,
            created_at timestamptz not null,
            primary key (org_id, environment, box_id, generation, seq),
            foreign key (org_id, environment, file_id) references box_files (org_id, environment, id) on delete cascade
        );
        create index box_segments_file on box_segments (org_id, environment, file_id);
        alter table box_segments alter column vectors set storage external, alter column terms set storage external;
    """)
    op.execute(business_table("box_indexes"))
    op.execute(business_table("box_segments"))


def _pruning() -> None:
    # What is big goes in pieces: the chunks of some files, then their pages, then these files, at last the boxes.
    op.execute(f"""
        create function prune_deleted_boxes(p_before timestamptz, p_limit int) returns int {_PRUNING} as $$
        declare
            v_files box_files[];
            v_removed int;
        begin
            select array_agg(gone.file) into v_files from (
                select f as file from box_files f
                 where f.deleted_at < p_before order by f.deleted_at limit 50 for update skip locked) gone;
            if v_files is null then
                select array_agg(gone.file) into v_files from (
                    select f as file from boxes b join box_files f
                        on f.org_id = b.org_id and f.environment = b.environment and f.box_id = b.id
                     where b.deleted_at < p_before order by b.deleted_at limit 50 for update of f skip locked) gone;
            end if;
            if v_files is null then
                with gone as materialized (
                    select b.org_id, b.environment, b.id from boxes b
                     where b.deleted_at < p_before order by b.deleted_at limit p_limit for update skip locked
                )
                delete from boxes b using gone g
                 where b.org_id = g.org_id and b.environment = g.environment and b.id = g.id;
                get diagnostics v_removed = row_count;
                return v_removed;
            end if;
            with gone as materialized (
                select c.org_id, c.environment, c.file_id, c.revision, c.n from unnest(v_files) f
                  join box_chunks c on c.org_id = f.org_id and c.environment = f.environment and c.file_id = f.id
                 limit p_limit
            )
            delete from box_chunks c using gone g
             where c.org_id = g.org_id and c.environment = g.environment and c.file_id = g.file_id
               and c.revision = g.revision and c.n = g.n;
            get diagnostics v_removed = row_count;
            if v_removed > 0 then
                return v_removed;
            end if;
            with gone as materialized (
                select p.org_id, p.environment, p.file_id, p.revision, p.number from unnest(v_files) f
                  join box_pages p on p.org_id = f.org_id and p.environment = f.environment and p.file_id = f.id
                 limit p_limit
            )
            delete from box_pages p using gone g
             where p.org_id = g.org_id and p.environment = g.environment and p.file_id = g.file_id
               and p.revision = g.revision and p.number = g.number;
            get diagnostics v_removed = row_count;
            if v_removed > 0 then
                return v_removed;
            end if;
            delete from box_files b using unnest(v_files) f
             where b.org_id = f.org_id and b.environment = f.environment and b.id = f.id;
            get diagnostics v_removed = row_count;
            return v_removed;
        end $$;
    """)
    op.execute(definer_function("prune_deleted_boxes(timestamptz, int)"))


def _tenants() -> None:
    op.execute("""
        -- Whose boxes have anything that models have made.
        create function box_tenants() returns table (org_id uuid, environment text)
        language sql stable security definer set search_path = public, pg_temp as $$
            select o.id, e.name from organizations o cross join (values ('live'), ('sandbox')) as e (name)
             where exists (select from box_indexes i where i.org_id = o.id and i.environment = e.name)
                or exists (select from box_vectors v where v.org_id = o.id and v.environment = e.name)
        $$;
    """)
    op.execute(definer_function("box_tenants()"))
