"""The filter of the audit log."""

import re
from contextlib import suppress
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from portal.accounts.models import User
from portal.audit import names
from portal.audit.queries import Filter, actions


class FilterForm(forms.Form):
    """Filters by person, action, vault, days and refusals; all optional."""

    person = forms.CharField(
        label="Person", required=False, max_length=200, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    action = forms.CharField(
        label="Action",
        required=False,
        max_length=64,
        widget=forms.TextInput(attrs={"list": "actions", "autocomplete": "off"}),
    )
    vault = forms.CharField(
        label="Vault", required=False, max_length=50, widget=forms.TextInput(attrs={"placeholder": "name or id"})
    )
    machine = forms.CharField(
        label="Machine", required=False, max_length=63, widget=forms.TextInput(attrs={"placeholder": "name or id"})
    )
    credential = forms.CharField(
        label="Credential", required=False, max_length=80, widget=forms.TextInput(attrs={"placeholder": "serial"})
    )
    since = forms.DateField(label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label="To", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    refused = forms.BooleanField(label="Only refusals", required=False)

    def __init__(self, reader: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reader = reader

    def clean_vault(self) -> tuple[UUID, ...] | None:
        """A vault by its id, or by its name: then all vaults of that name."""
        return self._named("vault")

    def clean_machine(self) -> tuple[UUID, ...] | None:
        """A machine by its id, or by its name: then all machines of that name."""
        return self._named("machine")

    def clean_credential(self) -> str:
        """The serial, or its beginning; as people copy it, with capitals or colons."""
        text: str = self.cleaned_data["credential"].strip().lower().replace(":", "")
        if text and not re.fullmatch(r"[0-9a-f]{4,40}", text):
            raise ValidationError("A serial has 4 to 40 hexadecimal digits.")
        return text

    def _named(self, kind: str) -> tuple[UUID, ...] | None:
        text: str = self.cleaned_data[kind].strip()
        if not text:
            return None
        found = names.of_name(kind, text, self.reader)
        if len(found) > names.MOST:
            raise ValidationError(f"More than {names.MOST} have this name. Give the id of one.")
        with suppress(ValueError):  # a name may look like an id, too
            found.append(UUID(text))
        if not found:
            raise ValidationError(f"There is no {kind} of this name.")
        return tuple(found)

    def clean(self) -> dict[str, Any]:
        """The days must be in order."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if values.get("since") and values.get("until") and values["until"] < values["since"]:
            self.add_error("until", "This is before the first day.")
        return values

    @property
    def known_actions(self) -> SafeString:
        """What the field suggests; written in one go, since a template for each option takes longer than the page."""
        return format_html_join("", '<option value="{}">', ((name,) for name in actions()))

    @property
    def filter(self) -> Filter:
        """What the valid form asks for."""
        values = self.cleaned_data
        return Filter(
            person=values["person"].strip(),
            action=values["action"],
            vaults=values["vault"],
            machines=values["machine"],
            credential=values["credential"],
            since=values["since"],
            until=values["until"],
            refused=values["refused"],
        )
