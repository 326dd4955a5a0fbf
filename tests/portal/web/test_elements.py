"""Elements: what they make of what they are given."""

from typing import Any

import pytest
from django import forms
from django.db import models
from django.template import engines
from django.test import RequestFactory
from django.urls import reverse
from django.utils.safestring import SafeString

from portal.templatetags.elements import initials
from vaults.models import Vault
from vaults.states import VaultState


def render(source: str, **context: Any) -> str:
    template = engines["django"].from_string("{% load elements amounts %}" + source)
    return " ".join(template.render(context, RequestFactory().get("/list/?show=ended&after=old")).split())


class _Form(forms.Form):
    name = forms.CharField(label="Name", help_text="A letter first.", max_length=3)
    note = forms.CharField(label="Note", required=False)
    kind = forms.ChoiceField(label="Kind", choices=[("a", "A"), ("b", "B")], widget=forms.RadioSelect)
    sure = forms.BooleanField(label="Sure")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (VaultState.ACTIVE, '<span class="status green" title="Machines can register and back up.">Active</span>'),
        (VaultState.CREATING, '<span class="status blue busy" title="Storage is being set up.">Creating</span>'),
    ],
)
def test_status_comes_from_the_state_table(state: str, words: str) -> None:
    obj: models.Model = Vault(state=state)
    assert render("{% status obj %}", obj=obj) == words


def test_badge_escapes() -> None:
    assert render('{% badge word "amber" %}', word="<b>") == '<span class="status amber">&lt;b&gt;</span>'


def test_what_was_safe_once_is_not_safe_ever_after() -> None:
    assert "<i>x</i>" in render("{% badge word %}", word=SafeString("<i>x</i>"))
    assert "&lt;i&gt;x&lt;/i&gt;" in render("{% badge word %}", word="<i>x</i>")


def test_a_link_is_the_address_of_its_page() -> None:
    assert render("{% link 'vaults:list' %}") == reverse("vaults:list")


def test_a_wrong_field_keeps_what_was_typed_and_is_joined_to_help_and_error() -> None:
    html = render("{{ form.name.as_field_group }}", form=_Form({"name": "<four>"}))
    assert 'value="&lt;four&gt;"' in html
    assert 'aria-describedby="id_name_helptext id_name_error"' in html
    assert 'aria-invalid="true"' in html
    assert '<ul class="error" id="id_name_error">' in html
    assert '<div class="help" id="id_name_helptext">A letter first.</div>' in html
    assert '<label for="id_name">Name</label>' in html


def test_optional_fields_say_so_and_radio_buttons_become_a_group() -> None:
    assert "(optional)" in render("{{ form.note.as_field_group }}", form=_Form())
    html = render("{{ form.kind.as_field_group }}", form=_Form())
    assert html.startswith('<fieldset class="field"> <legend class="label">Kind</legend>')
    assert html.count('type="radio"') == 2
    assert '<label class="check" for="id_sure">' in render("{{ form.sure.as_field_group }}", form=_Form())


def test_long_identifiers_are_shortened_and_copied_whole() -> None:
    value = "5e0c8c1e-7f3a-4d52-9a53-2f1d8a4991b2"
    html = render("{% identifier value %}", value=value)
    assert "<code title=" in html
    assert ">5e0c8c1e…91b2</code>" in html
    assert f'data-copy="{value}"' in html
    assert ">abc</code>" in render("{% identifier value %}", value="abc")


def test_the_pager_keeps_the_filter_and_drops_the_cursor() -> None:
    class Page:
        next, first = "more", False

    html = render('{% include "elements/pager.html" %}', page=Page())
    assert 'href="/list/?show=ended">First page' in html
    assert 'href="/list/?show=ended&amp;after=more">Next page' in html


def test_the_dialog_asks_by_name_and_carries_the_token() -> None:
    html = render(
        '{% include "elements/dialog.html" with id="gone" heading="Go?" lost="All" name=name url="/x/" action="Go" %}',
        name='a"b',
    )
    assert 'data-must-equal="a&quot;b"' in html
    assert "csrfmiddlewaretoken" in html
    assert 'action="/x/"' in html


@pytest.mark.parametrize(
    ("name", "letters"), [("staff", "ST"), ("Sam Taft", "ST"), ("a", "A"), ("Zoë van Dijk", "ZD"), ("!", "")]
)
def test_initials(name: str, letters: str) -> None:
    assert initials(name) == letters
