"""Composition: which features there are, and how they become one ASGI application."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount, Route

from bivelio_server.account import operations as account
from bivelio_server.accounts import events as key_events
from bivelio_server.accounts import expiry
from bivelio_server.accounts import operations as keys
from bivelio_server.accounts.admission import Admission
from bivelio_server.accounts.authentication import Authentication
from bivelio_server.accounts.documentation import AUTH_MODELS, auth_paths
from bivelio_server.accounts.sandbox_address import SandboxAddress
from bivelio_server.accounts.sign_in import SignIn
from bivelio_server.accounts.tokens import AccessTokens
from bivelio_server.agents import approvals as agent_approvals
from bivelio_server.agents import events as agent_events
from bivelio_server.agents import executions as agent_executions
from bivelio_server.agents import operations as agents
from bivelio_server.ai.choosing import close_language_models, language_model
from bivelio_server.ai.port import LANGUAGE
from bivelio_server.audit import operations as audit
from bivelio_server.boxes import events as box_events
from bivelio_server.boxes import files as box_files
from bivelio_server.boxes import membership as box_members
from bivelio_server.boxes import operations as boxes
from bivelio_server.boxes import search_operations as box_search
from bivelio_server.boxes.generations import reembedding
from bivelio_server.boxes.ingestion import ingesting
from bivelio_server.boxes.public import operations as box_keys
from bivelio_server.boxes.public.documentation import PUBLIC_MODELS, PUBLIC_SECURITY_SCHEMES, public_paths
from bivelio_server.boxes.public.endpoint import public_mount
from bivelio_server.boxes.retrieval.cache import BoxIndexes
from bivelio_server.boxes.tasks import INGEST_TASK, REEMBED_TASK
from bivelio_server.chores import CHORES
from bivelio_server.contacts import events as contact_events
from bivelio_server.contacts import long_work as contact_jobs
from bivelio_server.contacts import operations as contacts
from bivelio_server.documents import downloads as document_files
from bivelio_server.documents import events as document_events
from bivelio_server.documents import operations as documents
from bivelio_server.documents import processing as document_processing
from bivelio_server.documents import queueing as document_queueing
from bivelio_server.documents import reading_operations as document_reading
from bivelio_server.documents import reviewing as document_reviews
from bivelio_server.documents.documentation import download_paths as document_paths
from bivelio_server.durable import Lane, TaskHandler, Worker
from bivelio_server.events import announced
from bivelio_server.events.definitions import EventCatalogue
from bivelio_server.health import livez, readyz
from bivelio_server.installation import Installation
from bivelio_server.integrations.simulated import SimulatedMailer
from bivelio_server.integrations.smtp import smtp_mailer
from bivelio_server.jobs import downloads as job_files
from bivelio_server.jobs import operations as jobs
from bivelio_server.jobs.documentation import download_paths
from bivelio_server.jobs.kinds import JobKind
from bivelio_server.jobs.running import FORGET_TASK, JobRunner, forget_files
from bivelio_server.jobs.starting import TASK as JOB_TASK
from bivelio_server.kit.clock import Clock
from bivelio_server.kit.context import Reaction, Services
from bivelio_server.kit.db import Database
from bivelio_server.kit.door import OperationsDoor
from bivelio_server.kit.http import OutgoingHttp
from bivelio_server.kit.journal import Journal
from bivelio_server.kit.middleware import RequestMiddleware, render_http_exception
from bivelio_server.kit.openapi import build_document
from bivelio_server.kit.operations import Catalogue, Feature
from bivelio_server.kit.providers import Provider, Providers
from bivelio_server.kit.secrets import Cipher
from bivelio_server.kit.streaming import Streams
from bivelio_server.kit.wakeups import Wakeups
from bivelio_server.kit.watches import Look, Watches
from bivelio_server.mail import MAIL, outbox
from bivelio_server.members import operations as members
from bivelio_server.members.acceptance import AcceptInvitation
from bivelio_server.members.documentation import INVITATION_MODELS, invitation_paths
from bivelio_server.members.page import invitation_routes
from bivelio_server.metrics import metrics
from bivelio_server.notices import mailing
from bivelio_server.notices import operations as notices
from bivelio_server.oidc.documentation import OIDC_MODELS, oidc_paths
from bivelio_server.oidc.endpoints import OidcSignIn
from bivelio_server.organization import operations as organization
from bivelio_server.reading.process import ChildReader
from bivelio_server.reading.turns import NEWCOMERS
from bivelio_server.reference_page import reference_routes
from bivelio_server.sandbox import operations as sandbox
from bivelio_server.sandbox import purge
from bivelio_server.storage import storage_of
from bivelio_server.usage import operations as usage
from bivelio_server.usage import request_log
from bivelio_server.usage.credits import Ledger
from bivelio_server.webhooks import delivery, queueing
from bivelio_server.webhooks import operations as webhooks
from bivelio_server.webhooks.documentation import event_models, event_webhooks
from bivelio_server.workflows import events as workflow_events
from bivelio_server.workflows import instances, live, watching
from bivelio_server.workflows import operations as workflows
from bivelio_server.workflows import output_operations as workflow_outputs
from bivelio_server.workflows.approvals import events as approval_events
from bivelio_server.workflows.approvals import mailing as approval_mailing
from bivelio_server.workflows.approvals import operations as approvals
from bivelio_server.workflows.control import bulk as many_runs
from bivelio_server.workflows.control import operations as run_control
from bivelio_server.workflows.control import waking
from bivelio_server.workflows.hooks import operations as workflow_hooks
from bivelio_server.workflows.hooks.documentation import HOOK_MODELS, hook_paths
from bivelio_server.workflows.hooks.endpoint import PATH as HOOK_PATH
from bivelio_server.workflows.hooks.endpoint import InboundHooks
from bivelio_server.workflows.library import exchange as workflow_exchange
from bivelio_server.workflows.library import operations as workflow_versions
from bivelio_server.workflows.library import starting_points as workflow_templates
from bivelio_server.workflows.running import abandoned
from bivelio_server.workflows.running.execution import run_instance
from bivelio_server.workflows.triggers import events as event_triggers
from bivelio_server.workflows.triggers import keeping, reacting, ticking, turns
from bivelio_server.workflows.vault import operations as workflow_secrets

VERSION: Final = version("bivelio-server")
FEATURES: Final[tuple[Feature, ...]] = (
    contacts.feature,
    agents.feature,
    agent_executions.feature,
    agent_approvals.feature,
    documents.feature,
    document_reading.feature,
    document_reviews.feature,
    boxes.feature,
    box_members.feature,
    box_files.feature,
    box_search.feature,
    box_keys.feature,
    workflows.feature,
    workflow_versions.feature,
    workflow_exchange.feature,
    workflow_templates.feature,
    live.feature,
    approvals.feature,
    run_control.feature,
    many_runs.feature,
    workflow_hooks.feature,
    workflow_secrets.feature,
    workflow_outputs.feature,
    webhooks.feature,
    notices.feature,
    keys.feature,
    jobs.feature,
    audit.feature,
    usage.feature,
    request_log.feature,
    sandbox.feature,
    members.feature,
    organization.feature,
    account.feature,
)
REACTIONS: Final[Mapping[str, Reaction]] = {
    **event_triggers.REACTIONS,
    queueing.KIND: Reaction(queueing.queue_deliveries),
}
JOBS: Final[tuple[JobKind, ...]] = (*contact_jobs.KINDS, *many_runs.KINDS)
HANDLERS: Final[Mapping[str, TaskHandler]] = {
    instances.TASK: run_instance,
    instances.ADMIT_TASK: turns.admit,
    event_triggers.TASK: reacting.react,
    ticking.TASK: ticking.tick,
    organization.TIMEZONE_TASK: keeping.follow_timezone,
    outbox.TASK: outbox.send_mail,
    purge.TASK: purge.purge_own,
    waking.WAKE_TASK: waking.wake_run,
    abandoned.CHILDREN_TASK: waking.cancel_left_children,
    JOB_TASK: JobRunner(JOBS),
    FORGET_TASK: forget_files,
    document_queueing.TASK: document_processing.process,
    INGEST_TASK: ingesting.ingest,
    REEMBED_TASK: reembedding.reembed,
}
#: What clients may watch change.
WATCHED: Final[Mapping[str, Look]] = {instances.WATCHED: watching.look}
PROVIDERS: Final = Providers(
    Provider(MAIL, real=smtp_mailer, simulated=SimulatedMailer),
    Provider(LANGUAGE, real=language_model, simulated=language_model),
)
LANES: Final[tuple[Lane, ...]] = (delivery.LANE, expiry.LANE)
#: With a mail server only.
MAIL_LANES: Final[tuple[Lane, ...]] = (mailing.LANE, approval_mailing.LANE)
EVENTS: Final = EventCatalogue(
    [
        *contact_events.EVENTS, *document_events.EVENTS, *workflow_events.EVENTS, *approval_events.EVENTS,
        *announced.EVENTS, *key_events.EVENTS, *agent_events.EVENTS, *box_events.EVENTS,
    ]
)  # fmt: skip


def compose_services(installation: Installation, clock: Clock | None = None) -> Services:
    settings = installation.settings
    database = Database(installation.serving_url, pool_size=settings.database_pool + settings.worker_places)
    return Services(
        settings=settings,
        database=database,
        http=OutgoingHttp(private_networks=settings.private_networks, user_agent=f"BiVelio/{VERSION}"),
        providers=PROVIDERS,
        cipher=Cipher(installation.secret_key),
        tokens=access_tokens(installation),
        clock=clock or Clock(),
        wakeups=Wakeups(installation.serving_url),
        catalogue=Catalogue(FEATURES),
        reactions=REACTIONS,
        events=EVENTS.by_name,
        journal=Journal(database),
        credits=Ledger(),
        storage=storage_of(settings),
        watches=Watches(database, WATCHED, at_once=max(1, settings.database_pool // 4)),
        reader=ChildReader(settings.ocr, at_once=settings.readers + NEWCOMERS),
        streams=Streams(per_organization=settings.streams_per_organization, in_all=settings.streams),
        box_indexes=BoxIndexes(settings.box_memory_mb * 1024 * 1024),
    )


def access_tokens(installation: Installation) -> AccessTokens:
    return AccessTokens(installation.secret_key, timedelta(seconds=installation.settings.access_token_seconds))


@asynccontextmanager
async def opened(services: Services) -> AsyncIterator[Services]:
    """The services with their connections open."""
    await services.database.open()
    try:
        yield services
    finally:
        await close_language_models()
        await services.http.aclose()
        await services.database.close()


def compose_worker(services: Services) -> Worker:
    """What does the durable work of a process."""
    lanes = LANES if services.settings.smtp_url is None else (*LANES, *MAIL_LANES)
    return Worker(services, HANDLERS, lanes, CHORES)


def create_app(services: Services, installation: Installation) -> Starlette:
    """The HTTP application; its services must be open while it serves."""
    tokens = access_tokens(installation)
    authentication = Authentication(services.database, tokens, services.clock)
    behind = partial(Admission, services=services, authentication=authentication)
    app = Starlette(
        routes=[
            Route("/v1/auth/token", behind(SignIn(services, authentication))),
            Route("/v1/auth/invitations/accept", behind(AcceptInvitation(services))),
            *(Route(path, behind(endpoint)) for path, endpoint in OidcSignIn(services).routes()),
            Route(job_files.PATH, behind(job_files.downloads(services)), methods=["GET"]),
            Route(document_files.PATH, behind(document_files.downloads(services)), methods=["GET"]),
            Route(HOOK_PATH, InboundHooks(services)),
            Mount("/v1", behind(OperationsDoor(services))),
            public_mount(services),
            *_operator_routes(services),
            *invitation_routes(),
            *reference_routes(partial(openapi_document, services.catalogue, "/")),
        ],
        exception_handlers={HTTPException: render_http_exception},
    )
    app.router.redirect_slashes = False
    app.state.draining = False
    app.add_middleware(SandboxAddress)
    app.add_middleware(RequestMiddleware, services=services)
    return app


def create_operator_app(services: Services) -> Starlette:
    """What a process that only works answers: to its operator, nobody else."""
    app = Starlette(routes=_operator_routes(services), exception_handlers={HTTPException: render_http_exception})
    app.state.draining = False
    app.add_middleware(RequestMiddleware, services=services)
    return app


def _operator_routes(services: Services) -> list[Route]:
    return [
        Route("/livez", livez),
        Route("/readyz", readyz(services)),
        Route("/metrics", metrics(services, VERSION)),
    ]


def openapi_document(catalogue: Catalogue, address: str) -> dict[str, Any]:
    extra = {
        "paths": _paths_of_no_operation,
        "apart": public_paths,
        "security_schemes": PUBLIC_SECURITY_SCHEMES,
        "webhooks": partial(event_webhooks, EVENTS),
        "models": [*AUTH_MODELS, *INVITATION_MODELS, *OIDC_MODELS, *HOOK_MODELS, *PUBLIC_MODELS, *event_models(EVENTS)],
    }
    return build_document(catalogue, version=VERSION, address=address, extra=extra)


def _paths_of_no_operation(refs: dict[Any, Any]) -> dict[str, Any]:
    return {
        **auth_paths(refs),
        **invitation_paths(refs),
        **oidc_paths(refs),
        **download_paths(refs),
        **document_paths(refs),
        **hook_paths(refs),
    }
