"""Reconciliation a second time, in plain Python, row by row: SQL must find the very same. Pure, and slow.

It shares no code and no query with the models: it reads the same two lists, lines and items, and their terms, and is
written from ADR 0048. `pipelines.recon.second.build` holds a build against it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from math import ceil, floor

from pipelines.recon.fees import COMPONENTS, FREE, Traits
from pipelines.recon.second.rows import DISPUTES, FAMILIES, MOVEMENTS, PAIRED, Item, Line, Outcome, Place, Rules, Terms

_EQUAL = frozenset({"exact", "modification"})


def reconcile(lines: Sequence[Line], items: Sequence[Item], rules: Rules) -> Outcome:
    """Every pass in order, on lists in whatever order."""
    return _Reconciliation(sorted(lines, key=_position), sorted(items, key=lambda one: one.item_id), rules).run()


def _position(line: Line) -> tuple[date, int, int, str]:
    return line.report_date, line.batch_number, line.line_number, line.line_id


class _Reconciliation:
    def __init__(self, lines: Sequence[Line], items: Sequence[Item], rules: Rules) -> None:
        self._rules = rules
        self._lines = lines
        self._items = items
        self._pairs: dict[str, tuple[int, Item]] = {}  # line → pass number, item
        self._ranks: dict[str, int] = {}
        self._grouped_lines: set[str] = set()
        self._grouped_items: set[str] = set()
        self._equal_items: set[str] = set()
        self._found = Outcome()

    def run(self) -> Outcome:
        moving = [line for line in self._lines if self._kind(line) in MOVEMENTS]
        self._pair([line for line in moving if self._kind(line) in PAIRED | DISPUTES])
        left = [line for line in moving if not self._take_equal(line)]
        self._group(left)
        self._offset(left)
        named = set(self._equal_items)
        for line in left:
            if line.line_id not in self._grouped_lines:
                self._judge(line)
                if self._ranks.get(line.line_id) == 1:
                    named.add(self._pairs[line.line_id][1].item_id)
        for item in self._items:
            if item.item_id not in named and item.item_id not in self._grouped_items:
                self._wait_or_miss(item)
        self._check_moments()
        for line in moving:
            self._check_fees(line)
            self._check_exchange(line)
        return self._found

    def _kind(self, line: Line) -> str:
        return self._rules.kind(line.type)

    def _references(self, line: Line) -> tuple[str | None, str | None]:
        is_asked_for = (line.modification_merchant_reference or "").startswith("cap_")  # a capture names itself too
        if is_asked_for or self._kind(line) in {"refund", "refund_reversal"}:
            return line.modification_reference, line.modification_merchant_reference
        if self._kind(line) in DISPUTES:
            return line.modification_reference or line.psp_reference, line.merchant_reference
        return line.psp_reference, line.merchant_reference

    # ------------------------------------------------------------------------------------------------ passes 1 and 2
    def _pair(self, lines: Iterable[Line]) -> None:
        of_item: dict[str, list[Line]] = defaultdict(list)
        by_reference: dict[tuple[Place, str, str], list[Item]] = defaultdict(list)
        by_ours: dict[tuple[Place, str, str], list[Item]] = defaultdict(list)
        for item in self._items:
            by_reference[item.place, item.kind, item.reference].append(item)
            by_ours[item.place, item.kind, item.merchant_reference].append(item)
        for line in lines:
            theirs, ours = self._references(line)
            place = line.place, self._kind(line)
            same = by_reference.get((*place, theirs), []) if theirs is not None else []
            own = by_ours.get((*place, ours), []) if ours is not None else []
            exact = [item for item in same if item.merchant_reference == ours]
            for number, found in ((1, exact), (2, same), (2, own)):
                if found:
                    self._pairs[line.line_id] = number, found[0]
                    of_item[found[0].item_id].append(line)
                    break
        for members in of_item.values():
            members.sort(key=self._preference)
            for rank, line in enumerate(members, 1):
                self._ranks[line.line_id] = rank

    def _preference(self, line: Line) -> tuple[object, ...]:
        number, item = self._pairs[line.line_id]
        is_other_currency = line.currency != item.currency
        is_other = is_other_currency or line.gross_minor != item.amount_minor
        return number, is_other, is_other_currency, *_position(line)

    def _take_equal(self, line: Line) -> bool:
        if self._ranks.get(line.line_id) != 1:
            return False
        number, item = self._pairs[line.line_id]
        if (line.currency, line.gross_minor) != (item.currency, item.amount_minor):
            return False
        self._found.matches[line.line_id] = ("exact" if number == 1 else "modification"), item.item_id
        self._equal_items.add(item.item_id)
        return True

    # ------------------------------------------------------------------------------------------------ passes 3 and 4
    def _group(self, left: Iterable[Line]) -> None:
        lines: dict[tuple[object, ...], list[Line]] = defaultdict(list)
        items: dict[tuple[object, ...], list[Item]] = defaultdict(list)
        for line in left:
            if self._kind(line) in PAIRED and line.psp_reference is not None:
                lines[line.place, self._kind(line), line.psp_reference, line.currency].append(line)
        for item in self._items:
            if item.item_id not in self._equal_items and item.payment_reference is not None:
                items[item.place, item.kind, item.payment_reference, item.currency].append(item)
        for key, members in lines.items():
            others = items.get(key, [])
            if others and sum(one.gross_minor for one in members) == sum(one.amount_minor for one in others):
                self._explain("group", members, others)

    def _offset(self, left: Iterable[Line]) -> None:
        families: dict[tuple[object, ...], list[Line]] = defaultdict(list)
        for line in left:
            kind = self._kind(line)
            is_pair = self._ranks.get(line.line_id) == 1
            if kind == "unknown" or is_pair or line.psp_reference is None or line.line_id in self._grouped_lines:
                continue
            families[line.place, FAMILIES.get(kind, kind), line.psp_reference, line.currency].append(line)
        for members in families.values():
            if len(members) > 1 and sum(one.gross_minor for one in members) == 0:
                self._explain("offset", members, [])

    def _explain(self, name: str, lines: Sequence[Line], items: Sequence[Item]) -> None:
        line_ids, item_ids = frozenset(one.line_id for one in lines), frozenset(one.item_id for one in items)
        self._found.groups.add((name, line_ids, item_ids))
        self._found.matches |= dict.fromkeys(line_ids, (name, None))
        self._grouped_lines |= line_ids
        self._grouped_items |= item_ids
        is_in_parts = all(self._rules.types[one.type][1] for one in lines)
        if name == "group" and len(lines) + len(items) > 2 and not is_in_parts:  # noqa: PLR2004 - more than one each
            self._found.breaks.add(("split", min(line_ids), None))

    # ------------------------------------------------------------------------------------------------ what is left
    def _judge(self, line: Line) -> None:
        kind, rank = self._kind(line), self._ranks.get(line.line_id)
        item = self._pairs[line.line_id][1] if rank else None
        item_id = item.item_id if item else None
        if kind == "unknown":
            self._found.breaks.add(("unknown_type", line.line_id, None))
        elif kind in DISPUTES and item is None:
            self._found.breaks.add(("chargeback", line.line_id, None))
        elif item is None:
            self._found.breaks.add(("missing_with_us", line.line_id, None))
        elif rank != 1:
            self._found.breaks.add(("duplicate", line.line_id, item_id))
        elif line.currency != item.currency:
            self._found.breaks.add(("currency", line.line_id, item_id))
        else:
            difference = line.gross_minor - item.amount_minor
            if abs(difference) <= self._terms(line.place).amount_tolerance_minor:
                self._found.matches[line.line_id] = "tolerance", item_id
                self._found.adjustments[line.line_id] = difference
            else:
                self._found.breaks.add(("amount", line.line_id, item_id))

    def _wait_or_miss(self, item: Item) -> None:
        terms, tz = self._terms(item.place), self._rules.timezone
        due = item.occurred_at + timedelta(hours=terms.grace_hours)
        is_due = any(
            min(line.closed_at, datetime.combine(line.report_date + timedelta(days=1), time(), tz)) >= due
            for line in self._lines
            if line.place == item.place
        )
        if is_due or (self._rules.business_date - item.booked_on).days > terms.transit_days_max:
            self._found.breaks.add(("missing_at_gateway", None, item.item_id))
        else:
            self._found.in_transit.add(item.item_id)

    def _check_moments(self) -> None:
        by_id = {line.line_id: line for line in self._lines}
        for line_id, (_, item) in self._pairs.items():
            line, terms = by_id[line_id], self._terms(item.place)
            is_early = line.created_at < item.occurred_at - timedelta(days=terms.early_days_max)
            is_late = line.created_at > item.occurred_at + timedelta(hours=terms.late_hours_max)
            is_slow = (line.report_date - item.booked_on).days > terms.transit_days_max
            is_news = self._kind(line) in DISPUTES  # of a dispute we hear when its news comes
            if self._ranks[line_id] == 1 and not is_news and (is_early or is_late or is_slow):
                self._found.breaks.add(("timing", line_id, None))

    def _check_fees(self, line: Line) -> None:
        is_judged = self._kind(line) in PAIRED | DISPUTES and line.currency == line.net_currency
        is_disputed = self._ranks.get(line.line_id) == 1 and (
            line.line_id not in self._grouped_lines and self._found.matches.get(line.line_id, ("",))[0] not in _EQUAL
        )
        _, gateway, account = line.place
        if is_disputed or not is_judged or not self._rules.fees.has(gateway):
            return
        method, variant = line.payment_method or "", line.payment_method_variant or ""
        traits = Traits(gateway, account, method, variant, self._rules.region, line.currency)
        contract = self._rules.fees.choose(traits, line.created_at.astimezone(self._rules.timezone).date())
        expected = contract.expected(self._kind(line), line.currency, line.gross_minor) if contract else FREE
        for component, charged in zip(COMPONENTS, line.charged, strict=True):
            if charged != expected[component]:
                name = contract.name if contract else None
                self._found.fees.add((line.line_id, component, name, charged, expected[component]))
                self._found.breaks.add(("fee", line.line_id, None))

    def _check_exchange(self, line: Line) -> None:
        rate = Fraction(line.exchange_rate or 0)
        if line.currency == line.net_currency or rate <= 0:
            return
        scale = Fraction(10) ** (self._rules.exponents[line.net_currency] - self._rules.exponents[line.currency])
        _, _, decimals = (line.exchange_rate or "").partition(".")
        slack = 1 + ceil(abs(line.gross_minor) * scale / 2 / 10 ** len(decimals))
        wanted = line.gross_minor * rate * scale
        rounded = floor(abs(wanted) + Fraction(1, 2)) * (1 if wanted > 0 else -1)  # half away from zero
        if abs(line.net_minor + line.fees_minor - rounded) > slack:
            self._found.breaks.add(("fx", line.line_id, None))

    def _terms(self, place: Place) -> Terms:
        return self._rules.terms.get(place[1], Terms(0, 0, 0, 10**6, 10**6))
