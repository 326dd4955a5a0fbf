"""Forms as they are shown: each field by `templates/elements/field.html`, and radio buttons that say what they mean."""

from collections.abc import Mapping
from typing import Any

from django.forms import BaseForm, BoundField, Field, RadioSelect
from django.forms.renderers import TemplatesSetting


class ShownField(BoundField):
    """A field on a page. A browser would cut a text that is too long without a word: the form refuses it and says so,
    and the page shows how much is left."""

    def __init__(self, form: BaseForm, field: Field, name: str) -> None:
        super().__init__(form, field, name)
        if limit := field.widget.attrs.pop("maxlength", None):
            field.widget.attrs["data-limit"] = limit


class Renderer(TemplatesSetting):
    """What `{{ form.name.as_field_group }}` makes: label, help and errors, joined by `aria-describedby`."""

    field_template_name = "elements/field.html"
    bound_field_class = ShownField


class ExplainedRadios(RadioSelect):
    """One card for each choice. `about` has what is said of a choice, by its value; those in `closed` can't be chosen.

    Set both before the form is rendered.
    """

    about: Mapping[str, str] = {}
    closed: frozenset[str] = frozenset()

    def create_option(self, name: str, value: object, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """An option of Django's with what is said of it, joined by `aria-describedby`."""
        option = super().create_option(name, value, *args, **kwargs)
        option["about"] = self.about.get(str(value), "")
        if option["about"] and (key := option["attrs"].get("id")):
            option["attrs"]["aria-describedby"] = f"{key}_about"
        if str(value) in self.closed:
            option["attrs"]["disabled"] = True
        return option


class HeadedRadios(ExplainedRadios):
    """Below a heading that says what they are: only screen readers get their label."""

    headed = True
