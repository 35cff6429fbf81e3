"""How payer pages are rendered: texts, amounts and dates in the payer's locale; headers that let nothing else in."""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlsplit

from babel.dates import format_date, format_time
from flask import Response, make_response, render_template, request, url_for

from web.checkout.brand import brand_path
from web.checkout.domain import negotiate_locale
from web.checkout.models import Merchant
from web.checkout.texts import LANGUAGES, Texts, texts_for
from web.links.models import Link
from web.payments.models import Payment
from web.wiring import wired

PROCESSING_REFRESH_SECONDS = 3
REDIRECT_SECONDS = 3  # a payer reads that the payment went through before the merchant's page comes


def payer_locale(link: Link | None = None) -> str:
    """The link's locale, or the region's that the browser likes best, among those that we have texts for."""
    region = wired().region
    offered = [locale for locale in region.locales if locale.partition("-")[0] in LANGUAGES]
    fixed = link.terms.get("locale") if link else None
    if fixed in offered:
        return str(fixed)
    wanted = [tag for tag, _ in request.accept_languages]
    return negotiate_locale(wanted, offered, region.default_locale)


def page(template: str, status: int, locale: str, **values: object) -> Response:
    """A page in one locale. `t` is its texts."""
    texts: Texts = texts_for(locale)
    html = render_template(
        f"checkout/{template}.html", t=texts, locale=locale, state=template, **_looks(values), **values
    )
    return make_response(html, status)


def _looks(values: Mapping[str, object]) -> dict[str, object]:
    """How the link at hand wants its pages to look, and what it asks."""
    link, merchant = values.get("link"), values.get("merchant")
    if not isinstance(link, Link):
        return {}
    own = merchant.branding if isinstance(merchant, Merchant) else {}
    brand = own | (link.terms.get("branding") or {})
    colour, font = brand.get("colour"), brand.get("font")
    return {
        "shown_name": brand.get("display_name") or getattr(merchant, "name", ""),
        "footer_text": brand.get("footer"),
        "brand_css": brand_path(colour, font) if colour or font else None,
        "logo_url": url_for("checkout.logo", code=link.code) if getattr(merchant, "has_logo", False) else None,
        "collect": link.terms.get("collect", ["name"]),
    }


def show_time(at: datetime, locale: str) -> str:
    """A moment in the region's time zone, as people of that locale write it."""
    local, language = at.astimezone(wired().region.tz), locale.replace("-", "_")
    return f"{format_date(local, 'long', locale=language)}, {format_time(local, 'short', locale=language)}"


def origin_of(url: str) -> str:
    """Scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def afterwards(link: Link, payment: Payment) -> dict[str, object]:
    """The merchant's own message, or the merchant's page: the browser goes there after a moment, by itself."""
    after = link.terms.get("after_completion") or {}
    if after.get("type") != "redirect":
        return {"message": after.get("message")}
    return {"next_url": after["url"].replace("{PAYMENT_ID}", payment.id), "refresh_seconds": REDIRECT_SECONDS}


def harden(response: Response) -> Response:
    """Our own files, the gateways' frames, forms to us or to a gateway; no embedding, no cookies, no referrer."""
    # Browsers hold a form's redirects to form-action too, and a payment may redirect to the gateway.
    ours = origin_of(wired().settings.api_base_url)
    sides = [gateway.client_side(ours) for gateway in wired().gateways.values()]
    gateways = " ".join(sorted({origin for side in sides for origin in side.origins}))
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"frame-src {gateways}; form-action 'self' {gateways}; base-uri 'none'; frame-ancestors 'none'"
    )
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
    response.headers["X-Robots-Tag"] = "noindex"
    response.headers["Cache-Control"] = "no-store"
    return response
