import pytest

from pipelines.demo.pages import PageError, parse_page

CHECKOUT = """
<html><body data-state="open"><form method="post" action="/c/tok/pay">
<input type="hidden" name="csrf" value="a&amp;b"><input type="hidden" name="payment_token" value="">
<input name="email" type="email"><input name="name"><input type="checkbox" name="consent" value="yes">
<select name="country"><option value="DE"></select>
<div id="card-frame" data-src="https://psp.test/frame?account=X"></div>
<button type="submit" name="go" value="1">Pay</button></form>
<a class="secondary" href="/no">No</a><a class="wide primary" href="/again?x=1">Again</a></body></html>
"""


def test_reads_what_a_browser_would_send() -> None:
    page = parse_page("https://pay.test/c/tok", 200, CHECKOUT)
    form = page.form("csrf", "email")
    assert form.action == "https://pay.test/c/tok/pay"
    assert form.method == "post"
    sent = form.filled(email="a@b.c", name="A")
    assert sent == {"csrf": "a&b", "payment_token": "", "email": "a@b.c", "name": "A", "country": ""}
    assert form.filled(go="1")["go"] == "1"
    assert page.frames == ("https://psp.test/frame?account=X",)
    assert (page.state, page.next_url) == ("open", "https://pay.test/again?x=1")


def test_an_answer_without_a_field_is_refused() -> None:
    form = parse_page("https://pay.test/", 200, CHECKOUT).form("csrf")
    with pytest.raises(PageError, match="no field named card_number"):
        form.filled(card_number="4242424242424242")


def test_a_page_without_the_form_is_named() -> None:
    with pytest.raises(PageError, match=r"https://pay\.test/l/x \(HTTP 410\) has no form with csrf"):
        parse_page("https://pay.test/l/x", 410, "<p>Gone</p>").form("csrf")


def test_fields_outside_a_form_belong_to_none() -> None:
    page = parse_page("https://pay.test/", 200, '<form action="/a"></form><input name="stray">')
    assert page.form().values == {}
