"""What people fill in on the pages about machines."""

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

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
