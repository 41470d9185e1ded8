"""`POST /v1/hooks/{hook_id}`: another system starts a workflow, and has its answer as soon as that is committed."""

from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bivelio_server.accounts.admission import AddressGate, require_room
from bivelio_server.accounts.sandbox_address import require_sandbox
from bivelio_server.kit.admission import Admitted, client_address
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Cause, Context, Services
from bivelio_server.kit.door import announce_version, json_response, method_not_allowed, read_body
from bivelio_server.kit.errors import APIError, NotAuthenticated, NotFound
from bivelio_server.kit.execution import transaction
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.kit.text import Text
from bivelio_server.workflows import instances
from bivelio_server.workflows.definition import WebhookTrigger
from bivelio_server.workflows.hooks import proofs, queries
from bivelio_server.workflows.hooks.calls import by_name, depth_of, input_of, trigger_key
from bivelio_server.workflows.hooks.queries import OpenHook
from bivelio_server.workflows.hooks.secrets import opened, place_of
from bivelio_server.workflows.input_schema import check_input
from bivelio_server.workflows.queries import get_to_run
from bivelio_server.workflows.vault.masking import Masking

PATH: Final = "/v1/hooks/{hook_id}"
OPERATION: Final = "hooks.receive"
_NOBODY: Final = UUID(int=0)


class InboundHooks:
    """The ASGI application at the path. Whoever proves the secret is charged to its organisation, and whoever does not
    to the address that the request comes from."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._gate = AddressGate(services)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        request.state.operation = OPERATION
        announce_version(request, self._services.catalogue.versions)
        if request.method == "HEAD":
            # Some services look whether a URL is there before they take it; every one is, so this tells nothing.
            await self._charge_address(request, NotFound())
            return Response()
        if request.method != "POST":
            raise await self._charge_address(request, method_not_allowed(request.method))
        hook = await queries.open_hook(self._services.database, request.path_params["hook_id"])
        if hook is None:
            raise await self._charge_address(request, NotFound())
        body = await self._read(request)
        caller = await self._proven(request, hook, body)
        return await self._start(request, hook, caller, body)

    async def _read(self, request: Request) -> bytes:
        """Before the sender is known: a signature is of the body."""
        try:
            return await read_body(request, self._services.settings.hook_body_bytes)
        except APIError as refusal:
            raise await self._charge_address(request, refusal) from None

    async def _charge_address(self, request: Request, refusal: APIError) -> APIError:
        """The refusal, unless there were too many: then that is raised."""
        address = client_address(request, self._services.settings.trusted_proxies)
        request.state.admitted = Admitted(None, refusal, await self._gate.admit(address), address)
        require_room(request.state.admitted)
        return refusal

    async def _proven(self, request: Request, hook: OpenHook, body: bytes) -> Caller:
        """Who calls, charged to its organisation. Raises NotAuthenticated, TooManyRequests, InsufficientScope."""
        now = self._services.clock.outside()
        asked = proofs.Request(by_name(request.headers.items()), body, now)
        if not proofs.is_proven(asked, self._secrets(hook)):
            raise await self._charge_address(request, NotAuthenticated(_NOT_PROVEN))
        limits = await queries.admit(self._services.database, hook.id, self._services.clock.now())
        caller = Caller(hook.org_id, hook.environment, f"hook:{hook.id}", _NOBODY, frozenset(), hook.plan)
        address = client_address(request, self._services.settings.trusted_proxies)
        request.state.admitted = Admitted(caller, None, limits, address)
        require_room(request.state.admitted)
        require_sandbox(request, caller.environment)
        return caller

    async def _start(self, request: Request, hook: OpenHook, caller: Caller, body: bytes) -> Response:
        headers = by_name(request.headers.items())
        given = input_of(headers, request.scope["query_string"], body)
        input_ = Masking(self._secrets(hook)).value(given)
        origin = Origin(Door.http, request.state.request_id, request.state.admitted.address)
        cause = Cause(f"hook:{hook.id}", depth_of(headers))
        async with transaction(caller, self._services, origin, cause) as context:
            instance_id = await _started(context, hook, input_, trigger_key(headers))
        return json_response({"success": True, "data": {"instance_id": instance_id}}, 202)

    def _secrets(self, hook: OpenHook) -> list[str]:
        place = place_of(hook.org_id, hook.environment.value, hook.id)
        return opened(self._services.cipher, hook, place, self._services.clock.outside())


async def _started(context: Context, hook: OpenHook, input_: dict[str, object], key: str | None) -> str:
    """The run, or the one that this message has started before. Raises NotFound, ValidationFailed."""
    try:
        workflow, definition = await get_to_run(context, hook.workflow_id)
    except NotFound:
        raise NotFound from None
    if workflow.status != "active" or not isinstance(definition.trigger, WebhookTrigger):
        raise NotFound
    instance = await instances.start(
        context, workflow, check_input(definition, input_), trigger_type="webhook", trigger_key=key
    )
    await queries.touch(context, hook.id)
    return instance.id


_NOT_PROVEN: Final = Text(
    "La petición no demuestra conocer el secreto de esta URL (Authorization: Bearer, X-BiVelio-Secret o una firma).",
    "The request does not prove that it knows the secret of this URL (Authorization: Bearer, X-BiVelio-Secret or a"
    " signature).",
)
