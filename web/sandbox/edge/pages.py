"""Pages that payers see: security headers, and nothing that a cache may keep."""

from flask import Response, render_template

from web.sandbox.settings import Settings, origin


def page(
    settings: Settings, template: str, *, status: int = 200, form_target: str | None = None, **values: object
) -> Response:
    """Render a page. `form_target` is the URL that a form's answer may redirect to: browsers check that too."""
    response = Response(render_template(template, **values), status)
    response.headers["Content-Security-Policy"] = policy(settings, form_target)
    return response


def policy(settings: Settings, form_target: str | None = None) -> str:
    """Own scripts and styles only; may be framed by the configured API sites only."""
    parents = sorted({account.parent_origin for account in settings.accounts.values()})
    forms = "'self'" if form_target is None else f"'self' {origin(form_target)}"
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        f"base-uri 'none'; form-action {forms}; frame-ancestors {' '.join(parents)}"
    )


def harden(response: Response) -> Response:
    """Headers that every answer carries."""
    response.headers.setdefault(
        "Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; frame-ancestors 'none'"
    )
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
