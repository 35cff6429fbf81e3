"""The key vault: personal data is ciphertext under a data key per (subject, retention class); erasure ends the key.

Data keys are wrapped by the region's key-encryption key (KEK) and lie apart from the data. `FileVault` keeps them in
files; a vault of a cloud's KMS is one more class with the same methods. Nothing is cached but the region's own keys: a
data key that one process destroys is gone for all processes at once.
"""

import base64
import fcntl
import hashlib
import hmac
import ipaddress
import json
import os
import re
import secrets
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, TypedDict
from urllib.parse import unquote, urlsplit

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from regions.errors import ConfigurationError, KeyDestroyedError, SubjectErasedError, VaultError
from regions.files import create_once, make_folder, sync_folder

TOKEN_KINDS: Final = frozenset({"email", "device", "ip"})

_KEY_BYTES = 32
_NONCE_BYTES = 12
_KEY_ID_BYTES = 8
_SEALED_V1 = b"\x01"  # version | data key's id | nonce | ciphertext and tag
_REGION_V1 = b"\x02"  # version | nonce | ciphertext and tag
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


class SealedJson(TypedDict):
    """The `pii` of an event: `ciphertext` is base64."""

    subject: str
    retention_class: str
    ciphertext: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """Ciphertext and the names of the key it needs."""

    subject_id: str
    retention_class: str
    ciphertext: bytes = field(repr=False)


class Vault(Protocol):
    """What the platform asks of a vault. Every method raises VaultError when keys are missing or do not fit."""

    def create_kek(self) -> None:
        """Make the region's own keys unless they exist."""

    def encrypt(self, subject_id: str, retention_class: str, plaintext: bytes, aad: bytes = b"") -> Sealed:
        """Seal under the data key of (subject, retention class), which is made on first use."""

    def decrypt(self, sealed: Sealed, aad: bytes = b"") -> bytes:
        """Open; KeyDestroyedError when the data key is gone."""

    def destroy(self, subject_id: str, retention_class: str | None = None) -> int:
        """Destroy one data key, or with None the whole subject for good. Returns how many keys there were."""

    def seal_json(self, subject: str, retention_class: str, obj: Any) -> SealedJson:
        """Seal a JSON value, ready to be an event's `pii`."""

    def open_json(self, sealed: SealedJson) -> Any:
        """Open what `seal_json` sealed."""

    def token(self, kind: str, value: str) -> str:
        """A stable pseudonym, `v1.<hex>`: the same value gives the same token in this region only."""

    def encrypt_region(self, plaintext: bytes, purpose: str = "gateway_webhook") -> bytes:
        """Encrypt under the region's key for that purpose, not under any subject's."""

    def decrypt_region(self, ciphertext: bytes, purpose: str = "gateway_webhook") -> bytes:
        """Open what `encrypt_region` made for the same purpose."""

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature under the region's key, which never leaves the vault."""

    def public_key(self) -> bytes:
        """The key that checks the region's signatures, raw: 32 bytes. It is no secret."""


class FileVault:
    """A vault in a folder: `region/*.key` are the region's keys, `subjects/<shard>/<subject>/<class>.key` data keys.

    Safe under concurrent processes on one machine. The folder must not lie with the data, nor in its backups.
    """

    def __init__(self, path: Path) -> None:
        self._path = Path(path)
        self._own_keys: dict[str, bytes] = {}

    def create_kek(self) -> None:
        """Make the KEK and the token, region and signing keys, each unless it exists."""
        folder = self._path / "region"
        make_folder(folder, within=self._path)
        for name in ("kek-1", "token-1", "region-1", "sign-1"):
            if not (folder / f"{name}.key").exists():
                create_once(folder / f"{name}.key", secrets.token_bytes(_KEY_BYTES))

    def encrypt(self, subject_id: str, retention_class: str, plaintext: bytes, aad: bytes = b"") -> Sealed:
        """Seal `plaintext`; the same `aad` must be given to open it. SubjectErasedError after the subject's erasure."""
        key_id, key = self._read_key(subject_id, retention_class) or self._make_key(subject_id, retention_class)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        body = AESGCM(key).encrypt(nonce, plaintext, _bind(subject_id, retention_class, aad))
        return Sealed(subject_id, retention_class, _SEALED_V1 + key_id + nonce + body)

    def decrypt(self, sealed: Sealed, aad: bytes = b"") -> bytes:
        """Open `sealed`; KeyDestroyedError when its key is gone, VaultError when it was tampered with."""
        found = self._read_key(sealed.subject_id, sealed.retention_class)
        version, key_id, nonce, body = _split(sealed.ciphertext, 1, _KEY_ID_BYTES, _NONCE_BYTES)
        if version != _SEALED_V1:
            raise VaultError("the ciphertext has an unknown format")
        if found is None or found[0] != key_id:
            raise KeyDestroyedError("the data key of this ciphertext was destroyed")
        try:
            return AESGCM(found[1]).decrypt(nonce, body, _bind(sealed.subject_id, sealed.retention_class, aad))
        except InvalidTag:
            raise VaultError("the ciphertext does not open: it was changed, or belongs elsewhere") from None

    def destroy(self, subject_id: str, retention_class: str | None = None) -> int:
        """Unlink the data key, durably. With None, all the subject's keys, and none can be made for it again."""
        folder = self._subject_folder(subject_id)
        if retention_class is not None:
            _checked(retention_class, "retention class")
        with self._locked(folder.parent):
            make_folder(folder, within=folder.parent)
            if retention_class is None:
                create_once(folder / "erased", b"")
            keys = list(folder.glob("*.key" if retention_class is None else f"{retention_class}.key"))
            for key in keys:
                key.unlink()
            sync_folder(folder)
        return len(keys)

    def seal_json(self, subject: str, retention_class: str, obj: Any) -> SealedJson:
        """Seal a JSON value under the subject's key."""
        plaintext = json.dumps(obj, ensure_ascii=False, separators=(",", ":")).encode()
        sealed = self.encrypt(subject, retention_class, plaintext)
        return {
            "subject": subject,
            "retention_class": retention_class,
            "ciphertext": base64.b64encode(sealed.ciphertext).decode("ascii"),
        }

    def open_json(self, sealed: SealedJson) -> Any:
        """Open what `seal_json` sealed."""
        try:
            ciphertext = base64.b64decode(sealed["ciphertext"], validate=True)
        except ValueError:
            raise VaultError("the ciphertext is not base64") from None
        return json.loads(self.decrypt(Sealed(sealed["subject"], sealed["retention_class"], ciphertext)))

    def token(self, kind: str, value: str) -> str:
        """HMAC-SHA256 under the region's token key; `value` is normalised by kind, so that one mailbox is one token."""
        message = f"{kind}\0{_normalised(kind, value)}".encode()
        return "v1." + hmac.new(self._own_key("token-1"), message, hashlib.sha256).hexdigest()

    def encrypt_region(self, plaintext: bytes, purpose: str = "gateway_webhook") -> bytes:
        """AES-256-GCM under a key derived for this purpose."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _REGION_V1 + nonce + AESGCM(self._purpose_key(purpose)).encrypt(nonce, plaintext, purpose.encode())

    def decrypt_region(self, ciphertext: bytes, purpose: str = "gateway_webhook") -> bytes:
        """Open; VaultError when it was changed or made for another purpose or region."""
        version, nonce, body = _split(ciphertext, 1, _NONCE_BYTES)
        if version != _REGION_V1:
            raise VaultError("the ciphertext has an unknown format")
        try:
            return AESGCM(self._purpose_key(purpose)).decrypt(nonce, body, purpose.encode())
        except InvalidTag:
            raise VaultError("the ciphertext does not open: it was changed, or belongs elsewhere") from None

    def sign(self, message: bytes) -> bytes:
        """Ed25519; the same message gives the same signature."""
        return Ed25519PrivateKey.from_private_bytes(self._own_key("sign-1")).sign(message)

    def public_key(self) -> bytes:
        """The public half of the signing key."""
        return Ed25519PrivateKey.from_private_bytes(self._own_key("sign-1")).public_key().public_bytes_raw()

    def _own_key(self, name: str) -> bytes:
        if name not in self._own_keys:
            try:
                key = (self._path / "region" / f"{name}.key").read_bytes()
            except FileNotFoundError:
                raise VaultError(f"the vault {self._path} has no key {name}: create it with create_kek first") from None
            if len(key) != _KEY_BYTES:
                raise VaultError(f"the key {name} of the vault {self._path} is damaged: restore it from its backup")
            self._own_keys[name] = key
        return self._own_keys[name]

    def _purpose_key(self, purpose: str) -> bytes:
        info = b"meridian region key\0" + _checked(purpose, "purpose").encode()
        return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=info).derive(self._own_key("region-1"))

    def _subject_folder(self, subject_id: str) -> Path:
        shard = hashlib.sha256(_checked(subject_id, "subject").encode()).hexdigest()[:2]
        return self._path / "subjects" / shard / subject_id

    def _read_key(self, subject_id: str, retention_class: str) -> tuple[bytes, bytes] | None:
        path = self._subject_folder(subject_id) / f"{_checked(retention_class, 'retention class')}.key"
        try:
            stored = path.read_bytes()
        except FileNotFoundError:
            return None
        key_id, nonce, wrapped = _split(stored, _KEY_ID_BYTES, _NONCE_BYTES)
        try:
            key = AESGCM(self._own_key("kek-1")).decrypt(nonce, wrapped, _bind(subject_id, retention_class, key_id))
        except InvalidTag:
            raise VaultError(f"a data key of {subject_id} does not open under this region's KEK") from None
        return key_id, key

    def _make_key(self, subject_id: str, retention_class: str) -> tuple[bytes, bytes]:
        kek = AESGCM(self._own_key("kek-1"))
        folder = self._subject_folder(subject_id)
        with self._locked(folder.parent):
            if (folder / "erased").exists():
                raise SubjectErasedError(f"{subject_id} was erased: nothing can be sealed under it again")
            if (existing := self._read_key(subject_id, retention_class)) is not None:
                return existing
            make_folder(folder, within=folder.parent)
            key_id, nonce = secrets.token_bytes(_KEY_ID_BYTES), secrets.token_bytes(_NONCE_BYTES)
            key = AESGCM.generate_key(bit_length=8 * _KEY_BYTES)
            wrapped = kek.encrypt(nonce, key, _bind(subject_id, retention_class, key_id))
            create_once(folder / f"{retention_class}.key", key_id + nonce + wrapped)
        return key_id, key

    @contextmanager
    def _locked(self, shard: Path) -> Iterator[None]:
        """One process at a time makes or destroys keys of a shard. Readers need no lock."""
        make_folder(shard, within=self._path)
        descriptor = os.open(shard / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def open_vault(uri: str) -> Vault:
    """The vault behind a `VAULT_URI_<REGION>`: `file:///folder`. ConfigurationError for anything else."""
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
        raise ConfigurationError(f"The vault {uri!r} is not supported: use file:///an/absolute/folder")
    return FileVault(Path(unquote(parts.path)))


def _checked(name: str, what: str) -> str:
    """Names become file names, so they are plain: no separators, no leading dot."""
    if not _NAME.fullmatch(name):
        raise VaultError(f"{name!r} cannot be a {what}: letters, digits, '_', '.' and '-' only, 128 at most")
    return name


def _bind(subject_id: str, retention_class: str, aad: bytes) -> bytes:
    """Associated data, unambiguous: names hold no NUL."""
    return b"\0".join((subject_id.encode(), retention_class.encode(), aad))


def _split(data: bytes, *sizes: int) -> tuple[bytes, ...]:
    """Cut the fixed-size fields off the front; the rest comes last."""
    if len(data) < sum(sizes):
        raise VaultError("the ciphertext is cut short")
    parts, start = [], 0
    for size in sizes:
        parts.append(data[start : start + size])
        start += size
    return (*parts, data[start:])


def _normalised(kind: str, value: str) -> str:
    if kind not in TOKEN_KINDS:
        raise VaultError(f"{kind!r} is no kind of token: use one of {', '.join(sorted(TOKEN_KINDS))}")
    text = unicodedata.normalize("NFC", value).strip()
    if kind == "email":
        return text.casefold()
    if kind == "ip":
        try:
            return ipaddress.ip_address(text).compressed
        except ValueError:
            raise VaultError("the value is not an IP address") from None
    return text
