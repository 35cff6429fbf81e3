"""What a camt message says twice must agree: batches and their transactions, summaries, exchanged amounts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation

from pipelines.recon.formats.fields import Amounts, FieldError
from pipelines.recon.formats.problems import Findings
from pipelines.recon.formats.xml_nodes import Node
from regions.money import Money

_EXCHANGE_TOLERANCE = Decimal("0.005")  # banks print rounded rates


def check_details(
    node: Node, details: Sequence[Node], signed: int, currency: str, amounts: Amounts, findings: Findings, name: str
) -> None:
    """A batch entry has as many transactions as it says, and is their sum (less charges that it includes)."""
    try:
        batches = list(node.all("NtryDtls/Btch"))
        counts = [_count(text) for batch in batches if (text := batch.value("NbOfTxs"))]
        if counts and details and len(counts) == len(batches) and sum(counts) != len(details):
            findings.refuse(
                batches[0].line,
                "batch_count",
                f"{name} is a batch of {sum(counts)} transactions, but {len(details)} are detailed",
            )
        totals = [_minor(batch.first("TtlAmt"), currency, amounts) for batch in batches]
        known = [total for total in totals if total is not None]
        if known and len(known) == len(totals) and sum(known) != abs(signed):
            findings.refuse(
                batches[0].line,
                "batch_total",
                f"{name} is {abs(signed)}, but its batch's TtlAmt is {sum(known)}, in minor units of {currency}; "
                f"difference {abs(signed) - sum(known)}",
            )
        parts = [_detail(one, signed, currency, amounts) for one in details]
    except FieldError as error:
        findings.refuse(node.line, "field", f"{name}: {error}")
        return
    if not parts or None in parts:
        return
    total = sum(part for part in parts if part is not None)
    charges = _charges(node, details, currency, amounts)
    if total != signed and abs(total - signed) not in charges:
        findings.refuse(
            details[0].line,
            "batch_sum",
            f"{name} is {signed}, but its {len(parts)} transactions add up to {total}, in minor units of {currency}; "
            f"difference {signed - total}",
        )


def check_summary(node: Node, entries: Sequence[tuple[str, int, bool]], amounts: Amounts, findings: Findings) -> None:
    """Counts and sums of TxsSummry are those of the entries: of all, or of the booked ones."""
    summary = node.first("TxsSummry")
    if summary is None:
        return
    currencies = {code for code, _, _ in entries}
    currency = next(iter(currencies)) if len(currencies) == 1 else None
    choices = ([amount for _, amount, _ in entries], [amount for _, amount, booked in entries if booked])

    def check(part: Node | None, path: str, found: Callable[[list[int]], int], *, is_count: bool) -> None:
        text = part.value(path) if part else None
        if part is None or text is None or (not is_count and currency is None and entries):
            return
        try:
            said = _count(text) if is_count else amounts.minor(text, currency or "EUR")
        except FieldError as error:
            findings.refuse(part.line, "field", f"{part.name}/{path} {error}")
            return
        if said not in {found(list(choice)) for choice in choices}:
            what = "" if is_count else f" in minor units of {currency}"
            findings.refuse(
                part.line,
                "summary",
                f"{part.name}/{path} is {said}, but the entries make {found(list(choices[0]))}{what}; "
                f"difference {said - found(list(choices[0]))}",
            )

    every, credits_, debits = (summary.first(name) for name in ("TtlNtries", "TtlCdtNtries", "TtlDbtNtries"))
    check(every, "NbOfNtries", len, is_count=True)
    check(every, "Sum", lambda found: sum(abs(one) for one in found), is_count=False)
    for path in ("TtlNetNtry/Amt", "TtlNetNtryAmt"):
        check(every, path, lambda found: abs(sum(found)), is_count=False)
    check(credits_, "NbOfNtries", lambda found: sum(one > 0 for one in found), is_count=True)
    check(credits_, "Sum", lambda found: sum(one for one in found if one > 0), is_count=False)
    check(debits, "NbOfNtries", lambda found: sum(one < 0 for one in found), is_count=True)
    check(debits, "Sum", lambda found: -sum(one for one in found if one < 0), is_count=False)


def check_exchange(
    node: Node, details: Sequence[Node], minor: int, currency: str, amounts: Amounts, findings: Findings, name: str
) -> tuple[int | None, str | None, str | None]:
    """What was ordered in another currency: amount, currency and the rate as printed; None if nothing was exchanged."""
    places = [node, *details] if len(details) == 1 else [node]
    for place in places:
        for kind in ("InstdAmt", "CntrValAmt", "TxAmt"):
            amount = place.first(f"AmtDtls/{kind}/Amt")
            code = amount.attributes.get("Ccy") if amount else None
            if amount is None or code is None or code == currency:
                continue
            try:
                instructed = amounts.minor(amount.text.strip(), code)
            except FieldError as error:
                findings.refuse(amount.line, "field", f"{name}: {kind} {error}")
                continue
            rate = next(
                (text for one in places for other in ("TxAmt", "InstdAmt", "CntrValAmt")
                 if (text := one.value(f"AmtDtls/{other}/CcyXchg/XchgRate"))), None,
            )  # fmt: skip
            if rate and not _is_exchange(Money(instructed, code), Money(minor, currency), rate):
                findings.note(
                    amount.line,
                    "exchange",
                    f"{name}: {Money(instructed, code)} at {rate} is not {Money(minor, currency)}",
                )
            return instructed, code, rate
    return None, None, None


def _is_exchange(ordered: Money, booked: Money, text: str) -> bool:
    """Whether the rate, in either direction, leads from one amount to the other."""
    try:
        rate = Decimal(text)
    except InvalidOperation:
        return False
    if not rate.is_finite() or rate <= 0:
        return False
    left, right = ordered.to_decimal(), booked.to_decimal()
    unit = Money(1, booked.currency).to_decimal()
    return any(abs(one - right) <= unit + right * _EXCHANGE_TOLERANCE for one in (left * rate, left / rate))


def _detail(node: Node, entry: int, currency: str, amounts: Amounts) -> int | None:
    """A transaction's amount in the entry's currency; without a direction of its own it has the entry's."""
    amount = next(
        (one for path in ("Amt", "AmtDtls/TxAmt/Amt") for one in node.all(path)
         if one.attributes.get("Ccy", currency) == currency), None,
    )  # fmt: skip
    minor = _minor(amount, currency, amounts)
    if minor is None:
        return None
    direction = node.value("CdtDbtInd") or ("CRDT" if entry >= 0 else "DBIT")
    return minor if direction == "CRDT" else -minor


def _charges(node: Node, details: Sequence[Node], currency: str, amounts: Amounts) -> set[int]:
    """What charges may explain between an entry and its transactions: the entry's, theirs, or both."""

    def total(places: Sequence[Node]) -> int:
        found = 0
        for place in places:
            for path in ("Chrgs/TtlChrgsAndTaxAmt", "Chrgs/Rcrd/Amt", "Chrgs/Amt"):
                try:
                    listed = [_minor(one, currency, amounts) for one in place.all(path)]
                except FieldError:
                    listed = []
                if listed:
                    found += sum(one or 0 for one in listed)
                    break
        return found

    own, theirs = total([node]), total(details)
    return {own, theirs, own + theirs} - {0}


def _minor(node: Node | None, currency: str, amounts: Amounts) -> int | None:
    if node is None or node.attributes.get("Ccy", currency) != currency:
        return None
    try:
        return amounts.minor(node.text.strip(), currency)
    except FieldError as error:
        raise FieldError(f"{node.name} {error}") from error


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 15:  # noqa: PLR2004 - as the schema says
        raise FieldError(f"is {text!r}, not a count")
    return int(text)
