"""What an invoice comes to: sums, and tax by its rate. One definition, for maker and issuer. Pure."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, Final

_MILLION: Final = 1_000_000


def totals(lines: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Net, tax by rate and in all, and total of lines with `amount_minor` and `tax_millionths`.

    The tax of a rate is rounded once, half-even, on the sum of the rate's lines, so lines sum to what is taxed.
    """
    nets: dict[int, int] = {}
    for line in lines:
        nets[line["tax_millionths"]] = nets.get(line["tax_millionths"], 0) + line["amount_minor"]
    taxes = [
        {"tax_millionths": rate, "net_minor": net, "tax_minor": round(Fraction(net * rate, _MILLION))}
        for rate, net in sorted(nets.items())
    ]
    net, tax = sum(nets.values()), sum(one["tax_minor"] for one in taxes)
    return {"amount_minor": net, "taxes": taxes, "tax_minor": tax, "total_minor": net + tax}


def differences(document: Mapping[str, Any]) -> list[str]:
    """What of an invoice does not follow from its lines, by name. Empty, if everything does."""
    wrong = [name for name, value in totals(document["lines"]).items() if document[name] != value]
    for number, line in enumerate(document["lines"]):
        product = Fraction(line["quantity"] * line["price"], _MILLION if line["unit"] == "volume" else 1)
        if line["amount_minor"] != round(product):
            wrong.append(f"lines/{number}/amount_minor")
    return wrong
