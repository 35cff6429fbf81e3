import pytest

from regions.residency import ResidencyClass, ResidencyError, check_exportable, is_loosened, residency_class, strictest

X, R, P = ResidencyClass.EXPORTABLE, ResidencyClass.REGIONAL, ResidencyClass.PII


def test_a_derived_value_takes_the_strictest_class() -> None:
    assert strictest([X, X]) is X
    assert strictest([X, R, X]) is R
    assert strictest([R, P, X]) is P
    with pytest.raises(ResidencyError):
        strictest([])


def test_only_towards_free_is_loosening() -> None:
    assert [(a, b) for a in ResidencyClass for b in ResidencyClass if is_loosened(a, b)] == [(R, X), (P, X), (P, R)]


def test_bound_and_unknown_fields_may_not_leave() -> None:
    check_exportable({"amount_minor": X, "currency": X})
    with pytest.raises(ResidencyError, match=r"email_token \(pii\), payment_id \(regional\), who_knows \(unknown\)"):
        check_exportable({"amount_minor": X, "payment_id": R, "email_token": P, "who_knows": None})


@pytest.mark.parametrize("value", ["", "public", "Exportable", None, 1])
def test_nothing_is_unclassified(value: object) -> None:
    with pytest.raises(ResidencyError):
        residency_class(value)
