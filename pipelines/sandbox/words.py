"""What the simulated PSP answers, as a person reads it. Pure: documents in, lines out."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from regions.money import Money

DIALS = (
    ("latency_ms", "every answer comes so many ms late"),
    ("timeout_after_charge_next", "so many charges whose answer comes too late"),
    ("error_after_charge_next", "so many charges that are answered 500"),
    ("duplicate_webhooks", "so many webhooks that are sent twice"),
    ("reorder_webhooks", "so many webhooks that go out in the opposite order"),
    ("webhook_delay_ms", "every webhook waits so many ms"),
    ("webhook_jitter_ms", "and up to so many more"),
)
_BOOKS = (("captured", "captured"), ("refunded", "refunded"), ("authorised", "set aside"), ("disputed", "disputed"))
_OPEN = (
    ("open", "not finished"),
    ("pending_refund", "refunds under way"),
    ("failed_refund", "refunds failed"),
    ("declined", "declined"),
    ("voided", "let go"),
    ("open_dispute", "disputes open"),
    ("unsettled_payment", "captures in no batch yet"),
    ("unsettled_refund", "refunds in no batch yet"),
)
_WRONG = (
    ("charged_twice", "charged twice"),
    ("taken_too_much", "taken too much of"),
    ("refunded_twice", "refunded twice"),
)


def of_dispute(dispute: Mapping[str, Any], region: str, gateway: str) -> Iterator[str]:
    """A payer complains."""
    amount = money(dispute["amount_minor"], dispute["currency"])
    of = dispute["payment_reference"] or dispute["payment_id"]
    yield (
        f"Dispute {dispute['id']} at {gateway}: the payer of {of} has {amount} back for now"
        f" ({dispute['reason']}, network code {dispute['network_code']})."
    )
    yield f"Without evidence it is lost on {moment(dispute['evidence_due_at'])}. The bank decides when told so:"
    yield f"  meridian sandbox decide --region {region} {dispute['id']} won"


def of_verdict(dispute: Mapping[str, Any]) -> Iterator[str]:
    """The bank has decided."""
    whose = "the merchant has it again" if dispute["status"] == "won" else "it stays with the payer"
    amount = money(dispute["amount_minor"], dispute["currency"])
    yield f"Dispute {dispute['id']} about {amount} is {dispute['status']}: {whose}."


def of_outage(dials: Mapping[str, Any], gateway: str, seconds: int) -> Iterator[str]:
    """An account is down, or up."""
    if seconds:
        yield f"{gateway} ({dials['account']}) answers 503 until {moment(dials['down_until'])}; --seconds 0 ends it."
    else:
        yield f"{gateway} ({dials['account']}) is up."


def of_faults(dials: Mapping[str, Any], gateway: str) -> Iterator[str]:
    """All dials."""
    yield f"{gateway} ({dials['account']})"
    for name, meaning in DIALS:
        yield f"  {name:<26} {dials[name]:>7}  {meaning}"
    until = dials["down_until"]
    yield f"  {'down until':<26} {moment(until) if until else '-':>7}"


def of_transfer(payment: Mapping[str, Any], amount_minor: int | None) -> Iterator[str]:
    """A payer has pushed money."""
    pushed = money(payment["amount_minor"] if amount_minor is None else amount_minor, payment["currency"])
    due = money(payment["amount_minor"], payment["currency"])
    arrived = money(payment["captured_minor"], payment["currency"])
    yield f"{pushed} are on their way to payment {payment['id']}: {due} were asked for, {arrived} had arrived."


def of_batch(batch: Mapping[str, Any], region: str, gateway: str) -> Iterator[str]:
    """A day is closed."""
    where = f"Batch {batch['batch_number']} of {gateway} ({batch['account']}) for {batch['date']}"
    yield f"{where}: {batch['line_count']} lines." if batch["line_count"] else f"{where} is empty: no money moved."
    for planted in batch["answer_key"]:
        expected, reported = (money(planted[f"{name}_minor"], planted["currency"]) for name in ("expected", "reported"))
        about = planted["merchant_reference"] or planted["psp_reference"]
        yield f"  planted {planted['class']}: {about}, {expected} are true and {reported} reported"
    if batch["left_for_later"]:
        yield f"  {batch['left_for_later']} movements after the day's end wait for a later batch"
    if batch["line_count"]:
        yield f"  meridian recon run --region {region} --date {batch['date']} fetches and reconciles it"


def of_books(books: Mapping[str, Any], gateway: str) -> Iterator[str]:
    """What the PSP really did."""
    if not books["currencies"]:
        yield f"{gateway} ({books['account']}): nothing has happened here."
        return
    yield f"{gateway} ({books['account']})"
    for currency, sums in books["currencies"].items():
        for name, shown in _BOOKS:
            count = sums[f"{name.replace('disputed', 'dispute')}_count"]
            yield f"  {currency}  {shown:<10} {count:>6}  {money(sums[f'{name}_minor'], currency):>18}"
        rest = [f"{sums[f'{name}_count']} {shown}" for name, shown in _OPEN if sums[f"{name}_count"]]
        if rest:
            yield f"       {', '.join(rest)}"
    wrong = [(shown, books[name]) for name, shown in _WRONG if books[name]]
    for shown, references in wrong:
        yield f"  WRONG: {shown}: {', '.join(references)}"
    if not wrong:
        yield "  Nobody was charged twice, nothing refunded twice, no more taken than was asked for."


def money(amount_minor: int, currency: str) -> str:
    """Such as 1,234.50 EUR."""
    return f"{Money(amount_minor, currency).to_decimal():,f} {currency}"


def moment(told: str) -> str:
    """Such as 2026-03-14 09:26:53 UTC."""
    return f"{datetime.fromisoformat(told):%Y-%m-%d %H:%M:%S} UTC"
