import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from regions.errors import ConfigurationError, KeyDestroyedError, VaultError
from regions.vault import FileVault, Sealed, open_vault

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def vault(tmp_path: Path) -> FileVault:
    made = FileVault(tmp_path / "vault")
    made.create_kek()
    return made


def first_use(path: Path, count: int, barrier: Any) -> list[Sealed]:
    vault = FileVault(path)
    barrier.wait(timeout=30)
    return [vault.encrypt(f"subj_eu_{index}", "payment_record", b"payer@example.com") for index in range(count)]


def test_processes_that_seal_at_once_for_the_first_time_share_one_key(tmp_path: Path, vault: FileVault) -> None:
    with SPAWN.Manager() as manager, SPAWN.Pool(4) as pool:
        barrier = manager.Barrier(4)
        runs = [pool.apply_async(first_use, (tmp_path / "vault", 40, barrier)) for _ in range(4)]
        sealed = [one for run in runs for one in run.get(timeout=60)]
    assert len(sealed) == 160
    assert {vault.decrypt(one) for one in sealed} == {b"payer@example.com"}
    keys = list((tmp_path / "vault" / "subjects").rglob("*.key"))
    assert len(keys) == 40
    assert not list((tmp_path / "vault").rglob(".*.key.*")), "staged files are left over"


def create(path: Path, barrier: Any) -> str:
    vault = FileVault(path)
    barrier.wait(timeout=30)
    vault.create_kek()
    return vault.token("email", "payer@example.com")


def test_processes_that_create_the_vault_at_once_agree_on_its_keys(tmp_path: Path) -> None:
    with SPAWN.Manager() as manager, SPAWN.Pool(4) as pool:
        barrier = manager.Barrier(4)
        runs = [pool.apply_async(create, (tmp_path / "fresh", barrier)) for _ in range(4)]
        assert len({run.get(timeout=60) for run in runs}) == 1


def test_creating_the_kek_twice_keeps_it(tmp_path: Path, vault: FileVault) -> None:
    sealed = vault.encrypt("subj_eu_1", "payment_record", b"x")
    vault.create_kek()
    assert FileVault(tmp_path / "vault").decrypt(sealed) == b"x"


def test_keys_are_readable_by_their_owner_only(tmp_path: Path, vault: FileVault) -> None:
    vault.encrypt("subj_eu_1", "payment_record", b"x")
    for path in [tmp_path / "vault", *(tmp_path / "vault").rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_one_class_can_go_while_another_stays_and_can_begin_anew(vault: FileVault) -> None:
    record = vault.encrypt("subj_eu_1", "payment_record", b"record")
    marketing = vault.encrypt("subj_eu_1", "payer_marketing", b"marketing")
    assert vault.destroy("subj_eu_1", "payer_marketing") == 1
    assert vault.decrypt(record) == b"record"
    with pytest.raises(KeyDestroyedError):
        vault.decrypt(marketing)
    again = vault.encrypt("subj_eu_1", "payer_marketing", b"consent given again")
    assert vault.decrypt(again) == b"consent given again"
    with pytest.raises(KeyDestroyedError):
        vault.decrypt(marketing)


def test_erasing_one_subject_leaves_its_neighbour(vault: FileVault) -> None:
    kept = vault.encrypt("subj_eu_2", "payment_record", b"kept")
    vault.encrypt("subj_eu_1", "payment_record", b"gone")
    vault.encrypt("subj_eu_1", "payer_marketing", b"gone")
    assert vault.destroy("subj_eu_1") == 2
    assert vault.decrypt(kept) == b"kept"


def test_erasure_is_seen_by_a_vault_that_was_open_before(tmp_path: Path, vault: FileVault) -> None:
    other = FileVault(tmp_path / "vault")
    sealed = other.encrypt("subj_eu_1", "payment_record", b"x")
    assert other.decrypt(sealed) == b"x"
    vault.destroy("subj_eu_1")
    with pytest.raises(KeyDestroyedError):
        other.decrypt(sealed)


def test_a_ciphertext_does_not_open_as_another_subjects(tmp_path: Path, vault: FileVault) -> None:
    sealed = vault.encrypt("subj_eu_1", "payment_record", b"x")
    vault.encrypt("subj_eu_2", "payment_record", b"y")
    with pytest.raises(VaultError):
        vault.decrypt(Sealed("subj_eu_2", "payment_record", sealed.ciphertext))
    one, two = sorted((tmp_path / "vault" / "subjects").rglob("*.key"))
    two.write_bytes(one.read_bytes())  # a key file copied over another subject's
    with pytest.raises(VaultError, match="does not open"):
        vault.decrypt(Sealed(two.parent.name, "payment_record", sealed.ciphertext))


def test_a_vault_without_keys_says_what_to_do(tmp_path: Path) -> None:
    vault = FileVault(tmp_path / "nothing")
    for use in (
        lambda: vault.encrypt("subj_eu_1", "payment_record", b"x"),
        lambda: vault.token("email", "a@example.com"),
        lambda: vault.encrypt_region(b"x"),
    ):
        with pytest.raises(VaultError, match="create_kek"):
            use()
    assert not list(tmp_path.rglob("*.key"))


def test_a_damaged_key_is_named(tmp_path: Path) -> None:
    FileVault(tmp_path).create_kek()
    (tmp_path / "region" / "token-1.key").write_bytes(b"short")
    with pytest.raises(VaultError, match="token-1"):
        FileVault(tmp_path).token("email", "a@example.com")


@pytest.mark.parametrize("name", ["", ".", "..", "../etc", "a/b", "a\\b", "a\0b", ".hidden", "x" * 129, "é"])
def test_names_that_are_no_plain_names_are_refused(vault: FileVault, name: str) -> None:
    with pytest.raises(VaultError, match="cannot be"):
        vault.encrypt(name, "payment_record", b"x")
    with pytest.raises(VaultError, match="cannot be"):
        vault.encrypt("subj_eu_1", name, b"x")
    with pytest.raises(VaultError, match="cannot be"):
        vault.destroy(name)


def test_tokens_are_one_per_mailbox_kind_and_region(tmp_path: Path, vault: FileVault) -> None:
    token = vault.token("email", "Payer@Example.com ")
    assert token == vault.token("email", "payer@example.com")
    assert token.startswith("v1.")
    assert len(token) == 3 + 64
    assert vault.token("ip", "2001:DB8:0:0::1") == vault.token("ip", "2001:db8::1")
    assert len({token, vault.token("device", "payer@example.com"), vault.token("email", "other@example.com")}) == 3
    other = FileVault(tmp_path / "other")
    other.create_kek()
    assert other.token("email", "payer@example.com") != token
    with pytest.raises(VaultError, match="phone"):
        vault.token("phone", "1")
    with pytest.raises(VaultError, match="not an IP address"):
        vault.token("ip", "payer@example.com")


def test_region_keys_are_separate_by_purpose_and_region(tmp_path: Path, vault: FileVault) -> None:
    body = vault.encrypt_region(b'{"type":"payment.captured"}')
    assert vault.decrypt_region(body) == b'{"type":"payment.captured"}'
    with pytest.raises(VaultError):
        vault.decrypt_region(body, "another_purpose")
    other = FileVault(tmp_path / "other")
    other.create_kek()
    with pytest.raises(VaultError):
        other.decrypt_region(body)
    with pytest.raises(VaultError):
        vault.decrypt_region(body[:-1] + bytes([body[-1] ^ 1]))


def test_sealing_repeats_no_ciphertext(vault: FileVault) -> None:
    assert len({vault.encrypt("subj_eu_1", "payment_record", b"x").ciphertext for _ in range(100)}) == 100


def test_a_vault_is_opened_by_its_uri(tmp_path: Path) -> None:
    (tmp_path / "with space").mkdir()
    vault = open_vault(f"file://{tmp_path}/with%20space/eu")
    vault.create_kek()
    assert (tmp_path / "with space" / "eu" / "region" / "kek-1.key").exists()


@pytest.mark.parametrize("uri", ["", "eu", "file:eu", "file://host/eu", "s3://keys/eu", "/var/vault"])
def test_other_uris_are_refused(uri: str) -> None:
    with pytest.raises(ConfigurationError, match="not supported"):
        open_vault(uri)
