"""Whether statements add up, each by itself and one after the other. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from pipelines.recon.formats.problems import Findings, Group
from pipelines.recon.statement import BankStatement


def check_statement(statement: BankStatement, findings: Findings, *, has_balances: bool) -> None:
    """Opening balance and booked entries are the closing balance. `has_balances`: the format must have both."""
    where = f"statement {statement.id} of {statement.account}"
    difference = statement.difference_minor
    balances = {
        f"{name}_{part}": value
        for name, balance in (("opening", statement.opening), ("closing", statement.closing))
        for part, value in (
            ("minor", balance.amount_minor if balance else None),
            ("date", balance.on.isoformat() if balance and balance.on else None),
        )
    }
    more = balances | {"sequence": statement.sequence, "pending_count": statement.pending_count}
    findings.groups.append(
        Group(
            id=statement.id,
            account=statement.account,
            currency=statement.currency,
            line_count=statement.entry_count,
            sum_minor=statement.sum_minor,
            difference_minor=difference,
            more=more,
        )
    )
    if difference is None:
        if has_balances:
            lacks = " and ".join(
                name for name, one in (("opening", statement.opening), ("closing", statement.closing)) if one is None
            )
            findings.refuse(
                statement.line_number, "no_balance", f"{where} has no {lacks} balance in {statement.currency}"
            )
        return
    if difference and statement.opening and statement.closing:
        findings.refuse(
            statement.closing.line_number,
            "does_not_foot",
            f"{where} does not foot: {statement.opening.amount_minor} and entries of {statement.sum_minor} are "
            f"{statement.opening.amount_minor + statement.sum_minor}, but the closing balance is "
            f"{statement.closing.amount_minor}, in minor units of {statement.currency}; difference {difference}",
        )


def check_chain(statements: Sequence[BankStatement], findings: Findings) -> None:
    """Within a file, a statement begins where the one before it ended, and none is there twice."""
    before: dict[tuple[str, str], BankStatement] = {}
    seen: dict[tuple[str, str], int] = {}
    for statement in statements:
        if statement.on is not None:
            name = statement.key, statement.id
            if name in seen:
                findings.refuse(
                    statement.line_number,
                    "statement_twice",
                    f"statement {statement.id} of {statement.account} is there twice, first at line {seen[name]}",
                )
                continue
            seen[name] = statement.line_number
        place = (statement.account, statement.currency)
        last = before.get(place)
        before[place] = statement
        if last is None or last.closing is None or statement.opening is None:
            continue
        gap = statement.opening.amount_minor - last.closing.amount_minor
        if gap:
            message = (
                f"statement {statement.id} of {statement.account} opens with {statement.opening.amount_minor}, but "
                f"{last.id} closed with {last.closing.amount_minor}, in minor units of {statement.currency}; "
                f"difference {gap}"
            )
            tell = findings.refuse if _follows(last, statement) else findings.note
            tell(statement.opening.line_number, "does_not_chain", message)


def _follows(last: BankStatement, statement: BankStatement) -> bool:
    """Whether no other statement can stand between the two."""
    (number, page), (next_number, next_page) = (_number_and_page(one.sequence) for one in (last, statement))
    if number is not None and next_number is not None:
        return next_number == number + 1 or (next_number == number and next_page == page + 1)
    if last.on and statement.opening and statement.opening.on:
        return last.on <= statement.opening.on <= last.on + timedelta(days=1)
    return False


def _number_and_page(sequence: str | None) -> tuple[int | None, int]:
    """`5/2` is the second page of statement 5."""
    number, _, page = (sequence or "").partition("/")
    return (int(number) if number.isdecimal() else None), (int(page) if page.isdecimal() else 1)
