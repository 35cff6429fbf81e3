import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regions.errors import KeyDestroyedError, SubjectErasedError, VaultError
from regions.vault import FileVault

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,40}", fullmatch=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def vault() -> Iterator[FileVault]:
    with tempfile.TemporaryDirectory() as folder:
        made = FileVault(Path(folder) / "vault")
        made.create_kek()
        yield made


@given(subject=NAMES, retention_class=NAMES, plaintext=st.binary(max_size=300), aad=st.binary(max_size=20))
def test_what_is_sealed_opens(
    vault: FileVault, subject: str, retention_class: str, plaintext: bytes, aad: bytes
) -> None:
    sealed = vault.encrypt(subject, retention_class, plaintext, aad)
    assert vault.decrypt(sealed, aad) == plaintext
    if len(plaintext) > 3:
        assert plaintext not in sealed.ciphertext
    with pytest.raises(VaultError):
        vault.decrypt(sealed, aad + b"!")


@given(at=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
def test_one_changed_bit_anywhere_is_noticed(vault: FileVault, at: int, bit: int) -> None:
    sealed = vault.encrypt("subj_eu_1", "payment_record", b"payer@example.com")
    changed = bytearray(sealed.ciphertext)
    changed[at % len(changed)] ^= 1 << bit
    with pytest.raises(VaultError):
        vault.decrypt(replace(sealed, ciphertext=bytes(changed)))


@given(length=st.integers(min_value=0, max_value=60))
def test_a_ciphertext_cut_short_is_noticed(vault: FileVault, length: int) -> None:
    sealed = vault.encrypt("subj_eu_1", "payment_record", b"payer@example.com and more text to seal")
    with pytest.raises(VaultError):
        vault.decrypt(replace(sealed, ciphertext=sealed.ciphertext[:length]))
    with pytest.raises(VaultError):
        vault.decrypt_region(vault.encrypt_region(b"payer@example.com and much more text to seal in here")[:length])


@given(value=JSON)
def test_json_comes_back_as_it_was(vault: FileVault, value: object) -> None:
    assert vault.open_json(vault.seal_json("subj_eu_2", "payment_record", value)) == value


@given(subject=NAMES)
def test_after_erasure_nothing_opens_and_nothing_is_sealed(vault: FileVault, subject: str) -> None:
    name = f"gone-{subject}"
    try:
        sealed = vault.encrypt(name, "payment_record", b"payer@example.com")
    except SubjectErasedError:
        return  # Hypothesis drew this name before
    assert vault.destroy(name) == 1
    with pytest.raises(KeyDestroyedError):
        vault.decrypt(sealed)
    with pytest.raises(SubjectErasedError):
        vault.encrypt(name, "payment_record", b"again")
    assert vault.destroy(name) == 0
