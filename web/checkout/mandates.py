"""How a session may be paid, and what its payer agrees to: each method's mandate in the words that the page shows."""

from collections.abc import Mapping
from dataclasses import dataclass

from regions.ids import parse_id
from regions.money import Money
from regions.money_text import show_money
from regions.region import Region
from regions.region_parts import Mandate
from web.checkout.models import Merchant, Session, Visit
from web.checkout.texts import texts_for
from web.db.scope import Scope
from web.gateways.protocol import Gateway
from web.links.methods import CARD, DEBIT, UPI, payable_by
from web.renewals.domain import mandate_reference
from web.routing import service as routing
from web.saved import repository as saved_methods
from web.saved.models import Agreement

_SAVED = {CARD: "save_method", DEBIT: "save_sepa_debit", UPI: "save_upi"}
_ONCE = {DEBIT: "mandate_sepa_debit", UPI: "mandate_upi"}
_HOURS_A_DAY = 24


@dataclass(frozen=True, slots=True)
class Offered:
    """One way to pay: at which gateway first, the mandate that paying so gives, and what saving it would agree to."""

    method: str
    gateway: str
    once: str | None
    agreement: Agreement | None


def offered(scope: Scope, gateways: Mapping[str, Gateway], seen: Visit) -> list[Offered]:
    """The ways to pay that the link allows and a gateway takes now, in the region's order."""
    found = []
    is_saving = saved_methods.is_offered(scope)
    for method in payable_by(scope.region, seen.link.terms, seen.session.currency):
        wanted = routing.choose(scope, gateways, method, seen.session.amount).gateways
        if wanted:
            can_save = is_saving and gateways[wanted[0]].capabilities.has_saved_methods
            agreed = agreement(scope.region, seen.merchant, seen.session, method) if can_save else None
            found.append(Offered(method, wanted[0], _once(scope.region, seen, method), agreed))
    return found


def agreement(region: Region, merchant: Merchant, session: Session, method: str) -> Agreement | None:
    """What a payer agrees to who lets the method be charged again; None where the region has no rules for that."""
    mandate = region.mandate_of(method)
    if mandate is None or method not in _SAVED:
        return None
    reference = mandate_reference(parse_id(session.id).ulid, mandate.reference_length_max)
    places = {"merchant": merchant.name, **_creditor(region, mandate), "reference": reference or ""}
    if mandate.notice_hours:
        places["days"] = str(max(1, mandate.notice_hours // _HOURS_A_DAY))
    if mandate.ceiling_minor:
        places["ceiling"] = show_money(Money(mandate.ceiling_minor, session.currency), session.locale)
    words = texts_for(session.locale)(_SAVED[method], **places)
    return Agreement(method, mandate.scheme, words, reference, mandate.creditor_id)


def _once(region: Region, seen: Visit, method: str) -> str | None:
    mandate, key = region.mandate_of(method), _ONCE.get(method)
    if mandate is None or key is None:
        return None
    reference = mandate_reference(parse_id(seen.session.id).ulid, mandate.reference_length_max) or ""
    places = {"merchant": seen.merchant.name, **_creditor(region, mandate), "reference": reference}
    return texts_for(seen.session.locale)(key, **places)


def _creditor(region: Region, mandate: Mandate) -> dict[str, str]:
    """Who collects: the region's company, and its identifier where the scheme has them."""
    return {"creditor": region.legal_home.partition(",")[0], "creditor_id": mandate.creditor_id or ""}
