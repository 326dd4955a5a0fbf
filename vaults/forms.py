"""What people type into pages of vaults and requests. Rules of the domain are asked, not repeated."""

from typing import Any, cast

from django import forms
from django.urls import reverse_lazy

from portal.accounts.models import Subscription, User
from portal.approvals.models import Decision
from portal.core.errors import Invalid, Unavailable
from portal.core.forms import show_refusal
from portal.web.widgets import ExplainedRadios, HeadedRadios
from vaults.lifecycle.expected_restore import MOST_HOURS, WRONG_HOURS
from vaults.models import Redundancy, Region
from vaults.queries import own_subscriptions
from vaults.regions.catalog import with_open_pair
from vaults.retention_policy.policy import BOUNDS, OPTIONAL, RetentionPolicy
from vaults.retention_policy.wording import LABELS, UNITS

LONGEST_TEXT = 2000
NAME_CHECK = {
    "hx-get": reverse_lazy("vaults:new-name"),
    "hx-include": "[name='subscription']",
    "hx-trigger": "input changed delay:300ms, change from:#id_subscription",
    "hx-target": "#name-check",
    "hx-swap": "outerHTML",
    "hx-sync": "this:replace",
}
"""Asks while somebody types whether the name is free; without scripts the answer comes when the form is sent."""
REDUNDANCY_CHECK = {
    "hx-get": reverse_lazy("vaults:new-redundancy"),
    "hx-include": "[name='redundancy'], [name='wished']",
    "hx-trigger": "load, change",
    "hx-target": "#redundancy",
    "hx-swap": "innerHTML",
    "hx-sync": "this:replace",
}
"""Asks what can be had in the chosen region, where that depends on it."""


class VaultRequestForm(forms.Form):
    """Quick Create."""

    subscription = forms.ModelChoiceField(
        Subscription.objects.none(),
        empty_label=None,
        help_text="The team or cost centre that will own the vault.",
    )
    name = forms.CharField(
        max_length=50,
        help_text="2 to 50 letters, digits or hyphens, a letter first. Unique in the subscription.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", **NAME_CHECK}),
    )
    region = forms.ModelChoiceField(
        Region.objects.none(), empty_label=None, help_text="Choose one near the machines to be backed up."
    )
    redundancy = forms.ChoiceField(
        label="Storage redundancy",
        choices=Redundancy.choices,
        initial=Redundancy.GEO,
        widget=ExplainedRadios,
        help_text="Can be changed until the first machine registers.",
    )
    reason = forms.CharField(
        max_length=LONGEST_TEXT,
        help_text="What the vault is for. The approver can see it.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    wished = ""
    """What was chosen and is not to be had in the region at hand; chosen again where it is."""

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast("forms.ModelChoiceField[Subscription]", self.fields["subscription"]).queryset = own_subscriptions(user)
        cast("forms.ModelChoiceField[Region]", self.fields["region"]).queryset = Region.objects.filter(enabled=True)
        regions = list(Region.objects.filter(enabled=True))
        self.copied = _copied_among(regions)
        explain(self.fields["redundancy"], "the region", "the paired region")
        if regions and not self.copied:
            self._allow_local_only([region.name for region in regions])
        elif len(self.copied) < len(regions):
            # Asked by script alone: without one, a choice that is closed for the first region could not be opened.
            self.fields["region"].widget.attrs |= REDUNDANCY_CHECK

    def explain_region(self, region: Region) -> None:
        """Say what the redundancies mean in this region, and close the one that is not to be had there."""
        if region.slug in self.copied:
            explain(self.fields["redundancy"], region.name, "the paired region")
        else:
            explain(self.fields["redundancy"], region.name, "")
            self.wished = str(self.initial["redundancy"])
            self.initial["redundancy"] = Redundancy.LOCAL

    def _allow_local_only(self, regions: list[str]) -> None:
        """No region that is offered has an open paired one: say so now, not when the form has been sent."""
        field = cast("forms.ChoiceField", self.fields["redundancy"])
        field.choices = [(Redundancy.LOCAL.value, Redundancy.LOCAL.label)]
        field.initial = Redundancy.LOCAL
        have = "has" if len(regions) == 1 else "have"
        why = f"Geo-redundant is not available: {', '.join(regions)} {have} no open paired region."
        field.help_text = field.error_messages["invalid_choice"] = why


class DecisionForm(forms.Form):
    """What somebody decides about a request, and about which content."""

    verdict = forms.ChoiceField(choices=Decision.Verdict.choices)
    comment = forms.CharField(
        required=False,
        max_length=LONGEST_TEXT,
        help_text="Required to reject. The requester can see it.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    digest = forms.CharField(max_length=64, widget=forms.HiddenInput)


class RedundancyForm(forms.Form):
    """How many regions shall hold what machines store."""

    redundancy = forms.ChoiceField(label="Storage redundancy", choices=Redundancy.choices, widget=HeadedRadios)


class RetentionForm(forms.Form):
    """A retention policy; empty rules are off. `confirmed` is the tag of the policy whose preview was on the page."""

    reason = forms.CharField(
        required=False,
        max_length=LONGEST_TEXT,
        help_text="Needed when something is kept for less long. Whoever decides can see it.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    confirmed = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in LABELS.items():
            self.fields[name] = _number(name, label)

    @property
    def numbers(self) -> list[forms.BoundField]:
        """The fields of the policy, in the order in which they are shown."""
        return [self[name] for name in LABELS]

    def clean(self) -> dict[str, Any]:
        """The numbers, which must make a policy."""
        values = super().clean() or {}
        if all(name in values for name in LABELS):
            try:
                self.policy().require_valid()
            except Invalid as error:
                show_refusal(self, error)
        return values

    def policy(self) -> RetentionPolicy:
        """What the fields say, once they are clean."""
        return RetentionPolicy(**{name: self.cleaned_data[name] for name in LABELS})


class ExpectedRestoreForm(forms.Form):
    """Within how many hours a vault's people expect a whole machine back; empty where they expect nothing."""

    hours = forms.IntegerField(
        label="Expected restore time",
        required=False,
        min_value=1,
        max_value=MOST_HOURS,
        help_text=f"hours, 1 to {MOST_HOURS:,}; empty: none",
        error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), WRONG_HOURS),
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )


def _number(name: str, label: str) -> forms.IntegerField:
    (least, most), off, unit = BOUNDS[name], name in OPTIONAL, f"{UNITS[name]}s"
    wrong = f"A whole number from {least} to {most}{', or nothing for off' if off else ''}."
    field = forms.IntegerField(
        label=label,
        required=not off,
        min_value=least,
        max_value=most,
        help_text=f"{unit}, {least} to {most}{'; empty: off' if off else ''}",
        error_messages=dict.fromkeys(("required", "invalid", "min_value", "max_value"), wrong),
    )
    field.widget.attrs["inputmode"] = "numeric"
    return field


def explain(redundancy: forms.Field, region: str, pair: str) -> None:
    """Have the choices of the field say what they mean in the region; `pair` is empty where it has no open one."""
    radios = cast("ExplainedRadios", redundancy.widget)
    copied = f"Data is copied to {pair} and can be restored from there."
    radios.about = {
        Redundancy.GEO: copied if pair else f"Not available: {region} has no open paired region.",
        Redundancy.LOCAL: f"Kept in {region} only.",
    }
    radios.closed = frozenset() if pair else frozenset({Redundancy.GEO})


def _copied_among(regions: list[Region]) -> set[str]:
    """The slugs of the enabled regions that have an open paired one; of all of them when nobody can tell now: the form,
    once sent, is told why."""
    try:
        return with_open_pair(regions)
    except Unavailable:
        return {region.slug for region in regions}
