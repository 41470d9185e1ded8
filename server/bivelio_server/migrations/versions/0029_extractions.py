"""What was read out of documents, and what people have corrected."""

from alembic import op

from bivelio_server.migrations.tenancy import business_table

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        create table extractions (
            org_id uuid not null references organizations (id),
            environment text not null check (environment in ('live', 'sandbox')),
            id text not null,
            document_id text,
            document_url text,
            document_type text,
            confidence double precision not null,
            extracted jsonb not null,
            fields jsonb not null,
            source text not null check (source in ('xml', 'text', 'ocr', 'model')),
            engine text not null,
            page_count int not null,
            credits_consumed int not null,
            review_status text not null check (review_status in ('not_needed', 'pending', 'approved', 'corrected')),
            corrected jsonb,
            corrections_count int not null,
            reviewed_by text,
            reviewed_at timestamptz,
            created_by text not null,
            created_at timestamptz not null,
            primary key (org_id, environment, id),
            foreign key (org_id, environment, document_id) references documents (org_id, environment, id)
                on delete cascade
        );
        create index extractions_newest on extractions (org_id, environment, created_at desc, id desc);
        create index extractions_document on extractions (org_id, environment, document_id)
            where document_id is not null;
        create index extractions_to_review on extractions (org_id, environment, created_at desc, id desc)
            where review_status = 'pending';
        comment on column extractions.document_url is 'personal';
        comment on column extractions.extracted is 'personal';
        comment on column extractions.fields is 'personal';
        comment on column extractions.corrected is 'personal';

        create table extraction_corrections (
            org_id uuid not null references organizations (id),
            environment text not null check (environment in ('live', 'sandbox')),
            id text not null,
            extraction_id text not null,
            document_type text,
            source text not null,
            path text not null,
            original jsonb,
            corrected jsonb,
            confidence double precision,
            corrected_by text not null,
            created_at timestamptz not null,
            primary key (org_id, environment, id),
            foreign key (org_id, environment, extraction_id) references extractions (org_id, environment, id)
                on delete cascade
        );
        create index extraction_corrections_extraction on extraction_corrections (org_id, environment, extraction_id);
        comment on column extraction_corrections.original is 'personal';
        comment on column extraction_corrections.corrected is 'personal';
    """)
    op.execute(business_table("extractions"))
    op.execute(business_table("extraction_corrections", rights="select, insert, update, delete"))
