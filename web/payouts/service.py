"""How payouts are made, put into files and ended; each step books and tells of itself in one transaction."""

import hashlib
from datetime import datetime, timedelta

import orjson

from regions.events import timestamp
from regions.ids import KINDS, new_id
from regions.money import Money
from regions.vault import Vault
from web import ledger, outbox
from web.db.scope import Scope
from web.http.problems import ConflictError, NotFoundError
from web.payouts import repository
from web.payouts.domain import (
    BANK,
    MERCHANT_RESERVE,
    PAYOUT_CLEARING,
    TRANSITIONS,
    Balance,
    PayoutStatus,
    is_account,
    is_bic,
    next_due,
    plan,
)
from web.payouts.models import Payout, PayoutSettings
from web.payouts.pain001 import BankAccount, Batch, Transfer, references, render
from web.payouts.problems import CannotBePaidOutError
from web.payouts.schemas import Account, SavePayoutSettings
from web.recon.domain import MERCHANT_PAYABLE_AVAILABLE
from web.wiring import Wiring

PURPOSE = "payout_account"
FILE_PURPOSE = "payout_file"
BATCH_MAX = 5000
_TEST = "TEST"  # what a file of test payouts is called by
_EMPTY = Balance(0, 0, 0, 0, 0)


def save_settings(scope: Scope, vault: Vault, wanted: SavePayoutSettings) -> PayoutSettings:
    """Keep how a merchant wants to be paid out in a currency. Raises CannotBePaidOutError."""
    account = wanted.account
    if wanted.currency not in scope.region.currencies:
        raise CannotBePaidOutError(f"This region pays out in {', '.join(scope.region.currencies)}.")
    if not is_account(account.number):
        raise CannotBePaidOutError("account.number is no account number: check its digits.")
    if not is_bic(account.bic):
        raise CannotBePaidOutError("account.bic is no bank's code.")
    today = scope.region.accounting_date(scope.now)
    repository.save_settings(
        scope,
        {
            "currency": wanted.currency,
            "schedule": wanted.schedule.value,
            "weekday": wanted.weekday,
            "month_day": wanted.month_day,
            "minimum_minor": wanted.minimum_minor,
            "account_sealed": vault.encrypt_region(orjson.dumps(account.model_dump()), PURPOSE),
            "account_last4": account.number[-4:],
            "next_due_on": next_due(today, wanted.schedule, wanted.weekday, wanted.month_day),
        },
    )
    found = repository.settings(scope, wanted.currency)
    if found is None:
        raise NotFoundError("There are no such payout settings.")
    return found


def request_payout(scope: Scope, currency: str) -> Payout:
    """Pay out now what can be. Raises ConflictError that says why nothing can."""
    settings = repository.settings(scope, currency, is_locked=True)
    if settings is None:
        raise ConflictError("There are no payout settings for this currency: say first where the money goes.")
    payout = pay_out(scope, settings)
    if isinstance(payout, str):
        raise ConflictError(f"Nothing can be paid out: {payout.replace('_', ' ')}.")
    return payout


def pay_out(scope: Scope, settings: PayoutSettings) -> Payout | str:
    """Make a payout of what is free, or say why not. The caller holds the lock of the settings."""
    wanted = plan(repository.balances(scope).get(settings.currency, _EMPTY), settings.terms)
    if wanted.why is not None:
        return wanted.why
    payout_id, currency = new_id("payout", scope.region.code), settings.currency
    repository.insert(scope, payout_id, currency, wanted.amount_minor)
    outbox.append(
        scope,
        "payout.created",
        payout_id,
        {**_facts(payout_id, wanted.amount_minor, currency), "created_at": _now(scope)},
    )
    amount = Money(wanted.amount_minor, currency)
    journals = [_journal(scope, "payout", payout_id, MERCHANT_PAYABLE_AVAILABLE, PAYOUT_CLEARING, amount)]
    if wanted.reserve_minor:
        held = Money(wanted.reserve_minor, currency)
        journals.append(
            _journal(scope, "payout_reserve", payout_id, MERCHANT_PAYABLE_AVAILABLE, MERCHANT_RESERVE, held)
        )
    ledger.post_journals(scope, journals)
    made = repository.get(scope, payout_id)
    if made is None:
        raise NotFoundError("There is no such payout.")
    return made


def end(scope: Scope, payout_id: str, status: PayoutStatus, failure_code: str | None) -> Payout:
    """Book how a payout ended at the bank; the same end again changes nothing. Raises ConflictError."""
    payout = repository.get(scope, payout_id, is_locked=True)
    if payout is None:
        raise NotFoundError("There is no such payout.")
    if payout.status is status:
        return payout
    if (payout.status, status) not in TRANSITIONS:
        raise ConflictError(f"The payout is {payout.status.value}: it cannot become {status.value}.")
    repository.end(scope, payout_id, status, failure_code)
    amount, facts = Money(payout.amount_minor, payout.currency), _facts(payout_id, payout.amount_minor, payout.currency)
    if status is PayoutStatus.PAID:
        ledger.post_journal(scope, _journal(scope, "payout_paid", payout_id, PAYOUT_CLEARING, BANK, amount))
        outbox.append(scope, "payout.paid", payout_id, {**facts, "paid_at": _now(scope)})
    else:
        source = BANK if payout.status is PayoutStatus.PAID else PAYOUT_CLEARING
        journal = _journal(scope, "payout_failed", payout_id, source, MERCHANT_PAYABLE_AVAILABLE, amount)
        ledger.post_journal(scope, journal)
        told = {**facts, "failure_code": failure_code or "bank_refused", "failed_at": _now(scope)}
        outbox.append(scope, "payout.failed", payout_id, told)
    ended = repository.get(scope, payout_id)
    return ended or payout


def make_file(wiring: Wiring, now: datetime) -> bool:
    """Put waiting payouts of one mode and currency into a file for the bank; False when there are none."""
    with wiring.database.transaction() as connection:
        found = repository.waiting(connection)
        if found is None:
            return False
        livemode, currency = found
        due = repository.lock_to_send(connection, currency, BATCH_MAX, livemode=livemode)
        if not due:  # another worker has them
            return False
        batch_id = new_id("payout_batch", wiring.region.code)
        execute_on = wiring.region.accounting_date(now) + timedelta(days=1)
        transfers = [
            Transfer(each.id, Money(each.amount_minor, currency), _account(wiring.vault, each.account_sealed))
            for each in due
        ]
        ours = wiring.region.payouts
        debtor = BankAccount(wiring.region.legal_home.partition(",")[0], ours.account, ours.bic)
        message_id = f"{'' if livemode else _TEST}{batch_id.rsplit('_', 1)[-1]}"
        file = render(Batch(message_id, now, execute_on, debtor, transfers))
        values = {
            "id": batch_id,
            "livemode": livemode,
            "currency": currency,
            "execute_on": execute_on,
            "payout_count": len(due),
            "total_minor": sum(each.amount_minor for each in due),
            "sha256": hashlib.sha256(file).hexdigest(),
            "file_sealed": wiring.vault.encrypt_region(file, FILE_PURPOSE),
        }
        repository.submit(connection, values, [each.id for each in due], now)
    return True


def named_in(wiring: Wiring, message_id: str) -> list[str]:
    """The references of all transfers in a file of ours, by its message id; none for a file that we have not made."""
    name = message_id.removeprefix(_TEST)
    with wiring.database.transaction() as connection:
        sealed = repository.file_of(connection, f"{KINDS['payout_batch']}_{wiring.region.code}_{name}")
    file = b"" if sealed is None else wiring.vault.decrypt_region(sealed, FILE_PURPOSE)
    return references(file) if f"<MsgId>{message_id}</MsgId>".encode() in file else []


def _account(vault: Vault, sealed: bytes) -> BankAccount:
    read = Account.model_validate(orjson.loads(vault.decrypt_region(sealed, PURPOSE)))
    return BankAccount(read.holder, read.number, read.bic)


def _journal(scope: Scope, kind: str, source_id: str, debit: str, credit: str, amount: Money) -> ledger.Journal:
    return ledger.Journal(kind, source_id, scope.now, (ledger.Entry(debit, amount), ledger.Entry(credit, -amount)))


def _facts(payout_id: str, amount_minor: int, currency: str) -> dict[str, object]:
    return {"payout_id": payout_id, "amount_minor": amount_minor, "currency": currency}


def _now(scope: Scope) -> str:
    return timestamp(scope.now)
