"""The sealer: chains what is committed, outside of any request."""

from regions.audit import GENESIS, Seal, load_checkpoint, make_checkpoint, save_checkpoint, seal_hash
from regions.events import timestamp
from web.audit import repository
from web.clock import utc_now
from web.wiring import Wiring

ENTRIES_A_SEAL = 500


def step(wiring: Wiring) -> bool:
    """Seal all entries that were committed since the last seal; False when there are none.

    One transaction, of seals of up to ENTRIES_A_SEAL entries; all but the last repeat what the seal before them had
    seen, so that the chain of a sealer that dies half-way ends where it began. Then the checkpoint.
    """
    sealed = 0
    with wiring.database.transaction() as connection:
        if not repository.lock(connection):
            return False
        held, last_hash, before, now, is_other = repository.last(connection)
        number, previous = held or 0, last_hash or GENESIS
        parts = list(repository.committed(connection, before, now, ENTRIES_A_SEAL, is_other=is_other))
        for place, part in enumerate(parts, 1):
            number, sealed_at = number + 1, timestamp(utc_now())
            ids, hashes = [each[0] for each in part], [each[1] for each in part]
            hash_ = seal_hash(wiring.region.code, number, sealed_at, ids, hashes, previous)
            seal = Seal(number, sealed_at, ids, hashes, previous, hash_, wiring.vault.sign(hash_))
            repository.insert(connection, seal, now if place == len(parts) else before)
            previous, sealed = hash_, sealed + len(part)
    _keep(wiring, number, previous)
    return sealed > 0


def _keep(wiring: Wiring, number: int, hash_: bytes) -> None:
    """Also when nothing was sealed: the last sealer may have died before it could."""
    held = load_checkpoint(wiring.settings.vault_uri)
    if number and (held is None or held["number"] < number):
        checkpoint = make_checkpoint(wiring.region.code, number, hash_, wiring.vault.sign)
        save_checkpoint(wiring.settings.vault_uri, checkpoint)
