"""What an invoice says, before anybody lays it out."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from corpus.invented import GOODS, Party, cents, day, iban, invoice_number, party

SURCHARGE = {Decimal(21): Decimal("5.2"), Decimal(10): Decimal("1.4"), Decimal(4): Decimal("0.5")}


@dataclass(frozen=True)
class Line:
    reference: str
    description: str
    quantity: Decimal
    price: Decimal
    discount: Decimal
    rate: Decimal

    @property
    def net(self) -> Decimal:
        return cents(self.quantity * self.price * (1 - self.discount / 100))


@dataclass(frozen=True)
class Invoice:
    number: str
    date: date
    due: date
    issuer: Party
    recipient: Party
    lines: list[Line]
    irpf: Decimal | None
    surcharged: bool
    iban: str
    taxes: list[tuple[Decimal, Decimal, Decimal]] = field(default_factory=list)

    @property
    def base(self) -> Decimal:
        return sum((line.net for line in self.lines), Decimal(0))

    @property
    def withheld(self) -> Decimal:
        return cents(self.base * self.irpf / 100) if self.irpf else Decimal(0)

    @property
    def surcharges(self) -> list[tuple[Decimal, Decimal]]:
        if not self.surcharged:
            return []
        return [(SURCHARGE[rate], cents(base * SURCHARGE[rate] / 100)) for rate, base, _ in self.taxes]

    @property
    def tax(self) -> Decimal:
        return sum((amount for _, _, amount in self.taxes), Decimal(0))

    @property
    def total(self) -> Decimal:
        return self.base + self.tax + sum((amount for _, amount in self.surcharges), Decimal(0)) - self.withheld


def invoice(random: Random, *, lines: tuple[int, int] = (1, 7), irpf: bool = False, surcharge: bool = False,
            discounts: bool = False, one_rate: bool = False, units: bool = False) -> Invoice:  # fmt: skip
    when = day(random)
    rates = [Decimal(21)] if one_rate or random.random() < 0.6 else [Decimal(21), Decimal(10), Decimal(4)]
    made = [_line(random, rates, discounts=discounts, units=units) for _ in range(random.randint(*lines))]
    bases: dict[Decimal, Decimal] = {}
    for line in made:
        bases[line.rate] = bases.get(line.rate, Decimal(0)) + line.net
    taxes = [(rate, base, cents(base * rate / 100)) for rate, base in sorted(bases.items(), reverse=True)]
    retention = Decimal(random.choice((15, 15, 7))) if irpf else None
    return Invoice(invoice_number(random, when), when, when + timedelta(days=random.choice((15, 30, 60))),
                   party(random, company=not irpf), party(random), made, retention,
                   surcharge and random.random() < 0.5, iban(random), taxes)  # fmt: skip


def _line(random: Random, rates: list[Decimal], *, discounts: bool, units: bool) -> Line:
    quantity = Decimal(1) if units else random.choice((Decimal(random.randint(1, 40)), Decimal(random.randint(1, 9)),
                                                      Decimal(random.randint(2, 30)) / 2))  # fmt: skip
    price = Decimal(random.choice((random.randint(100, 9999), random.randint(1000, 180000)))) / 100
    discount = Decimal(random.choice((0, 0, 5, 10))) if discounts else Decimal(0)
    description = random.choice(GOODS)
    if random.random() < 0.25:
        description += random.choice((" - Marzo 2026", " (urgente)", " ref. 2044", " trimestre 2"))
    return Line(f"{random.choice('ABCDEFG')}{random.randint(100, 999)}", description, quantity, price, discount, random.choice(rates))


def truth(data: Invoice, *, quantities: bool = True, line_rates: bool = True) -> dict[str, object]:
    """`quantities` and `line_rates` say whether the layout shows them; a rate is known too where there is only one."""
    shown = line_rates or len(data.taxes) == 1
    return {
        "invoice_number": data.number,
        "date": data.date.isoformat(),
        "total": data.total,
        "currency": "EUR",
        "subtotal": data.base,
        "withholding": data.withheld or None,
        "issuer": {"name": data.issuer.name, "nif": data.issuer.nif},
        "recipient": {"name": data.recipient.name, "nif": data.recipient.nif},
        "line_items": [
            {
                "description": line.description,
                "quantity": line.quantity if quantities else None,
                "unit_price": line.price if quantities else None,
                "tax_rate": line.rate if shown else None,
                "total": cents(line.net * (1 + line.rate / 100)) if shown else None,
            }
            for line in data.lines
        ],
    }
