"""QR codes of addresses."""

import io
from types import MappingProxyType

import segno

MIMETYPES = MappingProxyType({"svg": "image/svg+xml", "png": "image/png"})


def draw(address: str, kind: str, scale: int) -> bytes:
    """An address as a QR code that survives a seventh of it being dirty (level M); `scale` is pixels per module."""
    drawn = io.BytesIO()
    segno.make_qr(address, error="m").save(drawn, kind=kind, scale=scale, border=4)
    return drawn.getvalue()
