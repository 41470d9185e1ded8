"""Where the contract of mail is tried: the real adapter against a real server, and the simulated one."""

from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from bivelio_server.mail import Mailer
from tests.mail.sink import Sink
from tests.world import Organization


@dataclass(frozen=True)
class Letter:
    """A message as it arrived."""

    to: str
    name: str
    subject: str
    text: str


@dataclass(frozen=True)
class Stage:
    """`arrived` tells what has been sent; at `domain` are `bounce`, refused for good, and `timeout`, for now."""

    mailer: Mailer
    domain: str
    arrived: Callable[[], list[Letter]]


def read_sink(sink: Sink) -> list[Letter]:
    """A message that came twice, by its Message-ID, counts once: so does whoever receives it."""
    letters: dict[str, Letter] = {}
    for message in sink.messages:
        [to] = message["To"].addresses
        body = message.get_body(("plain",))
        assert body is not None
        letters[message["Message-ID"]] = Letter(
            to.addr_spec,
            to.display_name,
            str(message["Subject"]),
            body.get_content().replace("\r\n", "\n").removesuffix("\n"),
        )
    return list(letters.values())


def read_sandbox(owner: psycopg.Connection, organization: Organization) -> list[Letter]:
    rows = owner.execute(
        "select recipient, coalesce(recipient_name, ''), subject, body from simulated_messages"
        " where org_id = %s and outcome = 'sent' order by created_at, id",
        (organization.id,),
    )
    return [Letter(*row) for row in rows]
