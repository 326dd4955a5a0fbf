"""What people fill in on the pages about machines."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from agents.packages.releases import SHARES
from portal.accounts.models import Subscription
from portal.core.times import exactly, rfc3339
from vaults.credentials.vault_credentials import MOST_MACHINES
from vaults.forms import LONGEST_TEXT, DecisionForm


class CredentialForm(forms.Form):
    """Beside `Download vault credentials`."""

    machines = forms.IntegerField(
        label="For how many machines",
        min_value=1,
        max_value=MOST_MACHINES,
        initial=1,
        error_messages={
            "required": f"Enter a number from 1 to {MOST_MACHINES}.",
            "invalid": f"Enter a whole number from 1 to {MOST_MACHINES}.",
            "min_value": "At least one machine.",
            "max_value": f"At most {MOST_MACHINES} machines. Download another file when these have registered.",
        },
    )


class RevokeForm(forms.Form):
    """Asks for the machine's name, so that nobody locks out the wrong one, and for the reason, for the audit log."""

    reason = forms.CharField(
        max_length=500, error_messages={"required": "Enter a reason; it is recorded in the audit log."}
    )
    confirm = forms.CharField(max_length=63, error_messages={"required": "Type the name of the machine."})

    def __init__(self, data: QueryDict, *, machine_name: str) -> None:
        super().__init__(data)
        self.machine_name = machine_name

    def clean_confirm(self) -> str:
        """The name, exactly as the page shows it."""
        name: str = self.cleaned_data["confirm"]
        if name != self.machine_name:
            raise ValidationError(f"This machine is called {self.machine_name}.")
        return name


class ReplacementForm(forms.Form):
    """Asks that another computer may take the place of a machine."""

    reason = forms.CharField(
        max_length=LONGEST_TEXT,
        help_text="What happened to the machine. Whoever decides can see this.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class ReplacementDecisionForm(DecisionForm):
    """What somebody decides about a replacement, and about which: a machine has one after the other."""

    request = forms.UUIDField(widget=forms.HiddenInput)
    digest = forms.CharField(max_length=64, required=False, widget=forms.HiddenInput)  # cancelling takes none


class HoldForm(forms.Form):
    """Why what a machine deleted may be purged."""

    reason = forms.CharField(
        max_length=LONGEST_TEXT,
        error_messages={"required": "Enter a reason; it is recorded in the audit log."},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="What you have found out. It is recorded in the audit log.",
    )


class MomentField(forms.CharField):
    """A time as programs write it, or as people do; UTC unless it says otherwise."""

    default_error_messages = {"moment": "A time such as 2026-11-28 17:40, in UTC, or 2026-11-28T17:40:00Z."}

    def clean(self, value: str) -> datetime | None:
        """The moment; None for nothing."""
        text = super().clean(value).strip().removesuffix("UTC").strip()
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise ValidationError(self.error_messages["moment"]) from error


class StageForm(forms.Form):
    """Which machines may take a release of the agent."""

    share = forms.TypedChoiceField(
        label="Share of all machines",
        coerce=int,
        choices=[(each, f"{each} %" if each else "None") for each in SHARES],
        widget=forms.RadioSelect,
        help_text="A machine keeps its place: those that get one release first get the next one first.",
    )
    subscriptions = forms.ModelMultipleChoiceField(
        label="And all machines of these subscriptions",
        queryset=Subscription.objects.all(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )


class WithdrawForm(forms.Form):
    """Asks for the version, so that nobody withdraws the wrong one."""

    confirm = forms.CharField(max_length=32, error_messages={"required": "Type the version."})

    def __init__(self, data: QueryDict, *, version: str) -> None:
        super().__init__(data)
        self.version = version

    def clean_confirm(self) -> str:
        """The version, exactly as the page shows it."""
        typed: str = self.cleaned_data["confirm"]
        if typed != self.version:
            raise ValidationError(f"This release is {self.version}.")
        return typed


class AsOfForm(forms.Form):
    """As of when a machine's backups are wanted: one of the moments that are known, or any other time."""

    as_of = forms.ChoiceField(label="As of", required=False, help_text="When the portal first saw a snapshot; UTC.")
    time = MomentField(
        label="Another time",
        required=False,
        max_length=64,
        help_text="UTC, such as 2026-11-28 17:40. It counts instead of the choice above.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, moments: Sequence[datetime], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = [(rfc3339(moment), exactly(moment)) for moment in moments]
        cast("forms.ChoiceField", self.fields["as_of"]).choices = [("", "Choose a time"), *known]

    def clean(self) -> dict[str, Any]:
        """One of both."""
        values = super().clean() or {}
        if not self.errors and not values.get("as_of") and values.get("time") is None:
            self.add_error("as_of", "Choose a time, or enter another one.")
        return values

    def moment(self) -> datetime:
        """What was chosen, once it is clean."""
        typed: datetime | None = self.cleaned_data["time"]
        return typed or datetime.fromisoformat(self.cleaned_data["as_of"])


class BringBackForm(forms.Form):
    """Brings back as of the time that the figures were shown for."""

    as_of = MomentField(widget=forms.HiddenInput)
    reason = forms.CharField(
        max_length=LONGEST_TEXT,
        help_text="What happened. It is recorded in the audit log.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    confirm = forms.CharField(max_length=63, error_messages={"required": "Type the name of the machine."})

    def __init__(self, *args: Any, machine_name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.machine_name = machine_name
        self.fields["confirm"].label = f"Type {machine_name} to confirm"
        self.fields["confirm"].widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}

    def clean_confirm(self) -> str:
        """The name, exactly as the page shows it."""
        name: str = self.cleaned_data["confirm"]
        if name != self.machine_name:
            raise ValidationError(f"This machine is called {self.machine_name}.")
        return name
