"""The ledger: double entry, balanced per currency, never edited."""

from web.ledger.domain import Entry, Journal, payment_journal, refund_journal
from web.ledger.service import post_journal, post_journals

__all__ = ["Entry", "Journal", "payment_journal", "post_journal", "post_journals", "refund_journal"]
