"""The story of some leads, told by a BiVelio server that is killed half-way. Run it with `make demo`.

It talks to the server as any customer would: over the public HTTP API, with a key. What it promises at the beginning
it checks at the end, and it exits with status 1 when anything is missing or happened twice.
"""

import csv
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from own_server import OwnServer
from receiver import Receiver

LEADS = Path(__file__).with_name("leads.csv")
LEASE_SECONDS = 3
PATIENCE_SECONDS = 30.0

WORKFLOW = {
    "name": "Bienvenida a un lead",
    "trigger": {"type": "event", "event": "contact.created"},
    "steps": [
        {
            "id": "lead",
            "if": "{{ 'lead' in input.data.tags }}",
            "then": [
                {
                    "id": "mark",
                    "uses": "contacts.update",
                    "with": {
                        "id": "{{ input.data.id }}",
                        "tags": "{{ input.data.tags + ['saludado'] }}",
                        "custom_fields": {"marked_at": "{{ now }}"},
                    },
                },
                {"id": "pause", "wait": {"seconds": 2}},
                {"id": "greeting", "set": {"text": "Hola, {{ input.data.name }}: gracias por tu interés."}},
                {
                    "id": "keep",
                    "uses": "contacts.update",
                    "with": {
                        "id": "{{ input.data.id }}",
                        "custom_fields": {"greeting": "{{ steps.greeting.output.text }}", "greeted_at": "{{ now }}"},
                    },
                },
            ],
        }
    ],
}


class Broken(Exception):
    """The server did not keep what the story promises."""


class Api:
    """The public API with a key: `api("contacts/create", {...})` is the reply's `data`."""

    def __init__(self, url: str, key: str) -> None:
        self._client = httpx2.Client(base_url=f"{url}/v1/", headers={"X-API-Key": key, "Accept-Language": "en"})

    def __call__(self, operation: str, data: dict[str, Any]) -> Any:
        reply = self._client.post(operation, json={"data": data}).json()
        if not reply["success"]:
            raise Refused(reply["error"])
        return reply["data"]

    def all(self, operation: str, member: str) -> Iterator[dict[str, Any]]:
        """Every row of a list, page after page."""
        page = total_pages = 1
        while page <= total_pages:
            data = self(operation, {"page": page, "per_page": 100})
            total_pages = data["pagination"]["total_pages"]
            yield from data[member]
            page += 1

    def close(self) -> None:
        self._client.close()


class Refused(Exception):
    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.error = error


class Teller:
    """Says what happens, and how long each chapter took."""

    def __init__(self) -> None:
        self.chapters: list[tuple[str, float]] = []

    def say(self, line: str = "") -> None:
        sys.stdout.write(f"  {line}\n" if line else "\n")
        sys.stdout.flush()

    @contextmanager
    def chapter(self, title: str) -> Iterator[None]:
        sys.stdout.write(f"\n{len(self.chapters) + 1}. {title}\n")
        started = time.monotonic()
        yield
        self.chapters.append((title, time.monotonic() - started))
        self.say(f"({self.chapters[-1][1]:.2f} s)")

    def times(self) -> None:
        for title, seconds in self.chapters:
            self.say(f"{seconds:6.2f} s  {title}")


def main() -> None:
    teller = Teller()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with Receiver() as receiver, OwnServer(lease_seconds=LEASE_SECONDS) as server:
            tell(teller, server, receiver)
    except (Broken, Refused, RuntimeError, subprocess.SubprocessError, httpx2.HTTPError) as error:
        sys.exit(f"\nThe story ends badly: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def tell(teller: Teller, server: OwnServer, receiver: Receiver) -> None:
    with teller.chapter("A server of our own: PostgreSQL, schema, an organisation with its keys"):
        made = server.provision("Gestoría Peña")
        server.start()
        teller.say(f"BiVelio answers at {server.url}, process {server.pid}.")
    api = Api(server.url, made["keys"]["live_secret"])
    try:
        with teller.chapter("Somebody wants to know: a signed webhook"):
            register_webhook(teller, api, receiver)
        with teller.chapter("Somebody must be greeted: a workflow that every new contact starts"):
            workflow = api("workflows/create", WORKFLOW)
            teller.say(
                f"{workflow['id']} «{workflow['name']}»: if it is a lead, mark it, wait 2 s, greet it, keep that."
            )
        with teller.chapter("The contacts come in, from a CSV file"):
            contacts = import_contacts(teller, api)
        with teller.chapter("The server is killed in the middle of it, and started again"):
            kill_and_restart(teller, server, receiver)
        with teller.chapter("Everything goes on by itself"):
            wait_for_the_end(teller, api, receiver, contacts)
        with teller.chapter("Was anything lost, or done twice?"):
            check_runs(teller, api, workflow["id"], contacts)
            check_webhooks(teller, receiver, contacts)
            show_one(teller, receiver)
    finally:
        api.close()
    teller.say()
    teller.say("Nothing was lost and nothing happened twice. It took:")
    teller.times()


def register_webhook(teller: Teller, api: Api, receiver: Receiver) -> None:
    events = ["contact.created", "contact.updated", "workflow.completed", "workflow.failed"]
    webhook = api("webhooks/create", {"url": receiver.url, "events": events})
    receiver.trust(webhook["signing_secret"])
    teller.say(f"{webhook['webhook_id']} sends {', '.join(events)}")
    teller.say(f"to {webhook['url']}, signed with {webhook['signing_secret'][:12]}…")


def import_contacts(teller: Teller, api: Api) -> dict[str, dict[str, Any]]:
    """The contacts that were accepted, by id; the companies first, so that their people can name them."""
    with LEADS.open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["type"] != "company")
    contacts: dict[str, dict[str, Any]] = {}
    companies: dict[str, str] = {}
    for row in rows:
        try:
            contact = api("contacts/create", as_contact(row, companies))
        except Refused as refusal:
            teller.say(f"refused: {row['name']}: {refusal}")
            continue
        contacts[contact["id"]] = contact
        companies[contact["name"]] = contact["id"]
        for duplicate in contact["possible_duplicates"]:
            teller.say(f"noticed: {contact['name']} has the {duplicate['matches'][0]} of {duplicate['name']}.")
    found = api("contacts", {"search": "ibanez", "type": "company"})["contacts"]
    teller.say(f"{len(contacts)} contacts of {len(rows)} lines; {len(leads_of(contacts))} of them are leads.")
    teller.say(f"A search for «ibanez» finds {', '.join(contact['name'] for contact in found)}.")
    return contacts


def as_contact(row: dict[str, str], companies: dict[str, str]) -> dict[str, Any]:
    return {
        "type": row["type"],
        "name": row["name"],
        "email": row["email"] or None,
        "phone": row["phone"] or None,
        "company_id": companies.get(row["company"]),
        "tags": [tag for tag in row["tags"].split(";") if tag],
        "custom_fields": {"city": row["city"]},
    }


def kill_and_restart(teller: Teller, server: OwnServer, receiver: Receiver) -> None:
    pid = server.pid
    server.kill()
    teller.say(f"kill -9 {pid}. Until now the receiver had {describe(events_of(receiver))}.")
    started = time.monotonic()
    server.start()
    teller.say(f"Process {server.pid} answers after {time.monotonic() - started:.2f} s.")
    teller.say(f"What its predecessor held at that moment is taken up when the lease ends, after {LEASE_SECONDS} s.")


def wait_for_the_end(teller: Teller, api: Api, receiver: Receiver, contacts: dict[str, Any]) -> None:
    teller.say(f"The runs, as it finds them: {describe(states_of(api))}.")
    expected = sum(expected_events(contacts).values())
    wait_until(lambda: len(receiver.received()) >= expected, f"fewer than {expected} messages arrived")
    teller.say(f"{len(receiver.received())} messages have arrived: {describe(events_of(receiver))}.")
    teller.say(f"The runs, now: {describe(states_of(api))}.")


def wait_until(condition: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise Broken(f"after {PATIENCE_SECONDS:.0f} s {otherwise}")
        time.sleep(0.05)


def check_runs(teller: Teller, api: Api, workflow_id: str, contacts: dict[str, Any]) -> None:
    """One completed run for each contact, and each of its two effects once: so a lead is at its third version."""
    instances = [item for item in api.all("workflows/instances", "instances") if item["workflow_id"] == workflow_id]
    runs = Counter(instance["input"]["data"]["id"] for instance in instances)
    must_be(runs, Counter(list(contacts)), "runs by contact")
    must_be({instance["status"] for instance in instances}, {"completed"}, "states of the runs")
    now = {contact["id"]: contact for contact in api.all("contacts", "contacts")}
    for contact_id in contacts:
        is_lead = contact_id in leads_of(contacts)
        must_be(now[contact_id]["version"], 3 if is_lead else 1, f"version of {now[contact_id]['name']}")
        must_be("greeting" in now[contact_id]["custom_fields"], is_lead, f"greeting of {now[contact_id]['name']}")
    leads = leads_of(contacts)
    teller.say(f"Each of the {len(leads)} leads has exactly one run, completed; each run wrote exactly twice.")
    teller.say(f"One of them: {now[next(iter(leads))]['custom_fields']['greeting']}")


def check_webhooks(teller: Teller, receiver: Receiver, contacts: dict[str, Any]) -> None:
    must_be(receiver.refused, [], "messages with a wrong signature")
    must_be(events_of(receiver), expected_events(contacts), "messages by event")
    changes = Counter(
        (message.content["data"]["id"], message.content["data"]["version"])
        for message in receiver.received().values()
        if message.event == "contact.updated"
    )
    must_be(changes, Counter((lead, version) for lead in leads_of(contacts) for version in (2, 3)), "changes told")
    repeated = sum(receiver.arrivals.values()) - len(receiver.arrivals)
    teller.say(f"Every webhook arrived, both signatures right; {repeated} came again with the same webhook-id.")


def show_one(teller: Teller, receiver: Receiver) -> None:
    message = next(item for item in receiver.received().values() if item.event == "workflow.completed")
    teller.say("One of them:")
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature", "x-bivelio-signature"):
        teller.say(f"    {name}: {message.headers[name]}")
    for line in json.dumps(message.content, indent=2, ensure_ascii=False).splitlines():
        teller.say(f"    {line}")


def expected_events(contacts: dict[str, Any]) -> Counter[str]:
    leads = len(leads_of(contacts))
    return Counter(
        {"contact.created": len(contacts), "contact.updated": 2 * leads, "workflow.completed": len(contacts)}
    )


def leads_of(contacts: dict[str, Any]) -> dict[str, Any]:
    return {contact_id: contact for contact_id, contact in contacts.items() if "lead" in contact["tags"]}


def states_of(api: Api) -> Counter[str]:
    return Counter(instance["status"] for instance in api.all("workflows/instances", "instances"))


def events_of(receiver: Receiver) -> Counter[str]:
    return Counter(message.event for message in receiver.received().values())


def describe(counted: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(counted.items())) or "nothing"


def must_be(found: object, expected: object, what: str) -> None:
    if found != expected:
        raise Broken(f"{what}: {found!r} instead of {expected!r}")


if __name__ == "__main__":
    main()
