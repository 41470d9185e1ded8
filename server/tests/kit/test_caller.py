"""Rights: what includes what, and what two sets have in common."""

from uuid import uuid4

import pytest

from bivelio_server.kit.caller import Caller, Environment, Scope, expand_rights, intersect_rights

INTERSECTIONS = [
    ({"admin"}, {"admin"}, {"admin", "write", "read"}),
    ({"admin"}, {"read"}, {"read"}),
    ({"read"}, {"admin"}, {"read"}),
    ({"write"}, {"contacts:admin"}, {"contacts:write", "contacts:read"}),
    ({"admin"}, {"contacts:write"}, {"contacts:write", "contacts:read"}),
    ({"contacts:write"}, {"admin"}, {"contacts:write", "contacts:read"}),
    ({"contacts:write"}, {"contacts:read"}, {"contacts:read"}),
    ({"contacts:write"}, {"workflows:write"}, set()),
    ({"contacts:write"}, {"read"}, {"contacts:read"}),
    ({"read", "contacts:write"}, {"write"}, {"read", "contacts:write", "contacts:read"}),
    ({"read"}, {"contacts:write"}, {"contacts:read"}),
    (set(), {"admin"}, set()),
    ({"admin"}, set(), set()),
]


@pytest.mark.parametrize(("held", "limit", "common"), INTERSECTIONS)
def test_intersection(held: set[str], limit: set[str], common: set[str]) -> None:
    assert expand_rights(intersect_rights(held, limit)) == common
    assert expand_rights(intersect_rights(limit, held)) == common


def test_an_unknown_scope_is_an_error() -> None:
    with pytest.raises(ValueError, match="delete"):
        expand_rights(["contacts:delete"])


@pytest.mark.parametrize(
    ("rights", "may"),
    [
        ({"read"}, {Scope.read}),
        ({"write"}, {Scope.read, Scope.write}),
        ({"admin"}, set(Scope)),
        ({"contacts:write"}, {Scope.read, Scope.write}),
        ({"workflows:admin"}, set()),
        (set(), set()),
    ],
)
def test_what_a_caller_may_do_with_contacts(rights: set[str], may: set[Scope]) -> None:
    caller = caller_with(rights)

    assert {scope for scope in Scope if caller.may(scope, "contacts")} == may


def caller_with(rights: set[str]) -> Caller:
    held = intersect_rights({"admin"}, rights)
    return Caller(uuid4(), Environment.live, "user:1", uuid4(), held)
