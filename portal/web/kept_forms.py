"""Forms that could not be taken: what was typed comes back, filled in, on the page that it was typed on.

A form is sent after the session has ended, or with a token of another session. Nothing is changed then. What was typed
is *kept*: in the session of whoever is signed in, or, while nobody is, sealed in the sign-in page, which hands it back
with the password. The person lands on the page of the form, reads that it was not sent, and presses the button anew:
nothing is ever sent again by itself.

What is kept is only ever text for the fields of a form. It comes from our own pages (`Origin`, else `Referer`), never
from another site; it goes back to the person for whom the form was made, never to another; passwords are not kept; and
addresses never hold any of it.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from portal.accounts.models import User
from portal.core.http import page_of_ours
from portal.pki.crypto.errors import Unacceptable
from portal.pki.crypto.sealing import seal, unseal

FOR = "made_for"
"""The field of each form that says for whom it was made; the tag `csrf_token` writes it."""
ANYBODY = "*"
"""For whom a form was made that does not say it: a program's, since each page that people type into says so."""
SESSION_KEY = "kept_form"
LABEL = "kept form"
GOOD_FOR = 1800  # seconds
LARGEST = 64 * 1024  # characters; the longest texts of people have two thousand
NOT_KEPT = frozenset({"csrfmiddlewaretoken", FOR, "kept", "next"})
SIGNED_OUT = "You had been signed out, so this form was not sent."
OUTDATED = "This form was opened before you signed in, so it was not sent."
SECRET = frozenset({"old", "new", "again"})
"""Names of fields with passwords, beside those that say so."""


@dataclass(frozen=True)
class KeptForm:
    """A form as it was sent to the path `action` from `page`, without secrets; `why` it was not taken, in words."""

    action: str
    page: str
    why: str
    made_for: str
    fields: Mapping[str, list[str]]
    at: float
    left_out: bool = False  # a password was in it

    @property
    def first(self) -> dict[str, str]:
        """The first value of each field."""
        return {name: values[0] for name, values in self.fields.items() if values}


@lru_cache(maxsize=1024)
def mark_of(person: int) -> str:
    """What stands for a person in the forms that are made for them; tells nobody who it is."""
    return salted_hmac("portal.web.kept_forms", str(person)).hexdigest()[:24]


def is_secret(name: str) -> bool:
    """Whether a field of that name is never kept."""
    return name in SECRET or any(word in name.lower() for word in ("password", "passphrase", "secret", "token"))


def from_our_pages(request: HttpRequest) -> bool:
    """Whether the browser says that a page of this site sent the request. Other sites can say nothing else."""
    sender = request.headers.get("Origin") or request.headers.get("Referer", "")
    here = urlsplit(f"{request.scheme}://{request.get_host()}")
    try:
        there = urlsplit(sender)
    except ValueError:  # no address at all
        return False
    return bool(there.netloc) and (there.scheme, there.netloc) == (here.scheme, here.netloc)


def keep(request: HttpRequest, why: str) -> KeptForm | None:
    """What was typed into the form that the request sends; None when it is nothing, too much, or not from our pages."""
    if request.method != "POST" or not from_our_pages(request):
        return None
    sent = {name: [str(one) for one in values] for name, values in request.POST.lists() if name not in NOT_KEPT}
    fields = {name: values for name, values in sent.items() if not is_secret(name)}
    if not fields or sum(len(text) for values in fields.values() for text in values) > LARGEST:
        return None
    made_for = str(request.POST.get(FOR, ANYBODY))
    return KeptForm(request.path, _page_of(request), why, made_for, fields, time.time(), len(fields) < len(sent))


def again(request: HttpRequest) -> list[tuple[str, str]]:
    """The fields of a form that the portal could not take just now, for a button that sends the same once more."""
    if request.method != "POST" or not from_our_pages(request):
        return []
    fields = [(name, str(value)) for name, values in request.POST.lists() for value in values]
    return [(name, value) for name, value in fields if name not in NOT_KEPT and not is_secret(name)]


def sealed(kept: KeptForm) -> str:
    """The kept form as a field of the sign-in page: encrypted and authenticated."""
    return seal(settings.SECRET_KEY, json.dumps(asdict(kept)).encode(), label=LABEL)


def unsealed(text: str) -> KeptForm | None:
    """What `sealed` was given; None for anything else, and for what is too old."""
    try:
        return _live(json.loads(unseal(settings.SECRET_KEY, text, label=LABEL)))
    except Unacceptable:
        return None


def give_back(request: HttpRequest, kept: KeptForm, user: User) -> bool:
    """Keep it in the session of the person, for the page that shows it; False when it was made for somebody else."""
    if kept.made_for not in (ANYBODY, mark_of(user.pk)):
        return False
    request.session[SESSION_KEY] = asdict(kept)
    return True


def kept_for(request: HttpRequest) -> KeptForm | None:
    """What comes back on the page that is asked for, if anything."""
    user = getattr(request, "user", AnonymousUser())
    if request.method == "POST" or not user.is_authenticated or SESSION_KEY not in request.session:
        return None
    kept = _live(request.session[SESSION_KEY])
    return kept if kept and urlsplit(kept.page).path == request.path else None


def refilled(request: HttpRequest, initial: Mapping[str, object] | None = None) -> dict[str, object]:
    """Initial values of a form, with what was typed before where the page has it back."""
    kept = kept_for(request)
    return {**(initial or {}), **(kept.first if kept else {})}


def forget(request: HttpRequest) -> None:
    """Once the form is sent anew there is nothing to come back."""
    stored = request.session.get(SESSION_KEY)
    if stored and stored["action"] == request.path:
        del request.session[SESSION_KEY]


def _live(values: dict[str, object]) -> KeptForm | None:
    kept = KeptForm(**values)  # type: ignore[arg-type]  # as asdict() made them
    return kept if time.time() - kept.at < GOOD_FOR else None


def _page_of(request: HttpRequest) -> str:
    """The page on which the form was: as the browser says, else the form's own address."""
    return page_of_ours(request, request.headers.get("Referer", "")) or request.path
