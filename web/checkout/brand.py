"""A merchant's colour and typeface as a stylesheet of its own: pages allow no inline styles. Pure."""

import re
from types import MappingProxyType

FONTS = MappingProxyType(
    {
        "system": 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif',
        "serif": 'Georgia, "Times New Roman", "Liberation Serif", "Noto Serif", serif',
        "rounded": 'ui-rounded, "SF Pro Rounded", "Hiragino Maru Gothic ProN", Nunito, system-ui, sans-serif',
        "mono": 'ui-monospace, "SF Mono", Menlo, "Liberation Mono", monospace',
    }
)
_COLOUR = re.compile(r"[0-9a-f]{6}")
_PLAIN = "1d4ed8"
_LIGHT = 0.40  # relative luminance above which dark text reads better


def brand_path(colour: str | None, font: str | None) -> str:
    """Where the stylesheet of a colour (#rrggbb) and a font is."""
    return f"/brand/{(colour or _PLAIN).lstrip('#')}-{font or 'system'}.css"


def stylesheet(colour: str, font: str) -> str | None:
    """The stylesheet, or None for a colour or a font that cannot be. Text on the colour is the readable one of two."""
    if font not in FONTS or not _COLOUR.fullmatch(colour):
        return None
    ink = "#0f172a" if luminance(colour) > _LIGHT else "#fff"
    return (
        f":root{{--brand:#{colour};--brand-deep:#{_darker(colour)};--on-brand:{ink};font-family:{FONTS[font]}}}\n"
        ".primary,.badge{color:var(--on-brand)}\n"
    )


def luminance(colour: str) -> float:
    """Relative luminance of rrggbb, 0 to 1, as WCAG 2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)  # noqa: PLR2004
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _darker(colour: str) -> str:
    return "".join(f"{int(colour[at : at + 2], 16) * 85 // 100:02x}" for at in (0, 2, 4))
