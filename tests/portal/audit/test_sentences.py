"""Audit entries as sentences: every action has one, nothing in them becomes markup, old ones stay readable."""

from html.parser import HTMLParser
from typing import Any

import pytest
from django.apps import apps
from django.urls import reverse
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from portal.audit import details, rendering
from portal.audit.actions import Action
from portal.audit.models import AuditEvent
from portal.audit.rendering import address_words, plain, sentence
from portal.audit.sentences import OUTCOMES, PAGES, REFUSALS, SENTENCES
from portal.core.states import StateTable
from tests.long import MANY
from tests.portal.audit.entries import entry_of

KEY = "5e0c8c1e-7f3a-4d52-9a53-2f1d8a4991b2"
ROLES: dict[str, Any] = {"kind": "user", "from": [], "to": ["auditor"]}
SERIAL = "25ca8793" + "0" * 28 + "d0c7"


COLUMNS = {"refused", "via", "address", "target_id", "vault_id"}


def entry(action: str, who: str = "staff", label: str = "Payroll", kind: str = "vault", **values: Any) -> AuditEvent:
    """An entry that is not stored; keywords beside those of the model are its detail."""
    columns: dict[str, Any] = {"target_id": KEY, **{name: values[name] for name in COLUMNS & set(values)}}
    detail = {name: value for name, value in values.items() if name not in COLUMNS}
    return entry_of(action, who, number=7, target_type=kind, target_label=label, detail=detail, **columns)


def _state_changes() -> set[str]:
    """What `advance()` writes by itself, for every state that something leads to."""
    models = [model for model in apps.get_models() if not model.__module__.startswith("tests.")]
    tables: list[StateTable] = [model.STATES for model in models if hasattr(model, "STATES")]
    return {f"{table.noun}:{to.lower()}" for table in tables for moves in table.moves.values() for to in moves}


def test_every_action_has_a_sentence() -> None:
    assert {*SENTENCES, *REFUSALS, *(action for action, _ in OUTCOMES)} == set(Action)


def test_every_change_of_state_is_an_action() -> None:
    changes = _state_changes()
    assert {"vault:active", "machine:revoked", "operation:succeeded"} <= changes
    assert changes - set(Action) == set()


def test_every_kind_of_run_has_a_sentence_for_each_outcome() -> None:
    run = apps.get_model("agents", "Run")
    assert set(OUTCOMES) == {(f"machine:{k.replace('_', '-')}", o) for k in run.Kind.values for o in run.Outcome.values}


TEXTS = [
    *((action, "", text) for action, text in SENTENCES.items()),
    *((action, outcome, text) for (action, outcome), text in OUTCOMES.items()),
    *((action, "refused", text) for action, text in REFUSALS.items()),
]


@pytest.mark.parametrize(("action", "how", "text"), TEXTS, ids=[f"{action}-{how}" for action, how, _ in TEXTS])
def test_every_sentence_is_whole_without_any_detail_and_with_all(action: str, how: str, text: str) -> None:
    full: dict[str, Any] = {match[1]: 2 for match in rendering.FIELD.finditer(text) if match[1] != "target"}
    for detail in ({}, full):
        told = plain(entry(action, **{**detail, "outcome": how, "refused": how == "refused"}))
        assert told.startswith("staff ")
        assert told.endswith(".")
        assert not set("[]{}") & set(told), told
        assert "  " not in told, told


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (
            entry("vault-request:submit", subscription="Finance", region="local-a", redundancy="geo"),
            "staff requested vault Payroll in Finance, local-a, geo-redundant.",
        ),
        (
            entry("credential:issue", kind="credential", vault="Payroll", vault_id=KEY, machines=3, key="browser"),
            "staff downloaded credentials of vault Payroll for 3 machines; the private key was made in the browser.",
        ),
        (
            entry("credential:issue", kind="credential", replaces="hr-db-02", key="server"),
            "staff downloaded credentials to replace machine hr-db-02; the private key was made by the portal.",
        ),
        (
            entry("machine:register", "machine hr-db-02", "hr-db-02", "machine", credential=SERIAL, issued_by="staff"),
            "machine hr-db-02 registered with credential 25ca8793…d0c7, issued by staff.",
        ),
        (
            entry("machine:backup", "machine a", "a", "machine", outcome="succeeded", files=1, bytes=1536),
            "machine a backed up 1 file, 1.50 KiB.",
        ),
        (
            entry("machine:backup", "machine a", "a", "machine", outcome="succeeded", code="done", files=2),
            "machine a backed up 2 files.",
        ),
        (
            entry("machine:backup", "machine a", "a", "machine", outcome="succeeded", code="done_with_losses", files=2),
            "machine a backed up 2 files, but protected folders have lost files.",
        ),
        (
            entry("machine:backup", "machine a", "a", "machine", outcome="succeeded", code="done_on_damaged"),
            "machine a backed up, but stored data is damaged or missing.",
        ),
        (
            entry("machine:backup", "machine a", "a", "machine", outcome="succeeded", code="done_with_unreadable"),
            "machine a backed up, but some files could not be read.",
        ),
        (
            entry("machine:repair", "machine a", "a", "machine", outcome="succeeded", code="done", found=0),
            "machine a repaired its repository: 0 errors found.",
        ),
        (
            entry("machine:repair", "machine a", "a", "machine", outcome="succeeded", code="done"),
            "machine a repaired its repository.",
        ),
        (
            entry("machine:backup", "machine a", "a", "machine", outcome="failed", code="restore_incomplete"),
            "machine a reported a failed backup: not everything was restored.",
        ),
        (
            entry("machine:restore-check", "machine a", "a", "machine", outcome="succeeded", compared=9, total=12,
                  mismatched=0, proven=2),
            "machine a restored for a check: 9 of 12 files compared, 2 files proven against the snapshot.",
        ),
        (entry("user:set-roles", **ROLES),
         "staff changed the roles of Payroll from none to auditor."),
        (
            entry("operation:failed", "system", f"Creating vault {KEY}", "operation", reason="It is full."),
            "Strongroom could not finish: Creating vault. It is full.",
        ),
        (
            entry("session:sign-in", 'unknown "root"', "", "", refused=True, code="wrong", repeated=5),
            'unknown "root" could not sign in: wrong password, 5 more times.',
        ),
        (entry("session:sign-in", label="", kind=""), "staff signed in."),
        (entry("vault:{frob}[x]-it", old="value"), "staff vault: frobx it Payroll."),
        (entry("", label=""), "staff ."),
    ],
    ids=lambda value: value.action if isinstance(value, AuditEvent) else "",
)  # fmt: skip
def test_sentences(event: AuditEvent, words: str) -> None:
    assert plain(event) == words


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)
        assert not any(name in {"href", "src"} and not (value or "").startswith("/") for name, value in attrs)


EVIL = st.one_of(
    st.sampled_from(
        ["<script>alert(1)</script>", '"><img onerror=x>', "javascript:alert(1)", "{target}", "[{x}]", "%s"]
    ),
    st.text(max_size=30),
)
DETAILS = st.recursive(
    st.one_of(EVIL, st.integers(), st.none(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(EVIL, inner, max_size=3)),
    max_leaves=5,
)
NAMES = sorted({match[1] for _, _, text in TEXTS for match in rendering.FIELD.finditer(text)})


@given(
    action=st.one_of(st.sampled_from(Action), EVIL),
    who=EVIL,
    label=EVIL,
    kind=st.sampled_from(["", "vault", "machine", "operation", "credential", "no-such"]),
    key=st.one_of(st.just(KEY), EVIL),
    refused=st.booleans(),
    detail=st.dictionaries(
        st.one_of(st.sampled_from([*NAMES, "code", "repeated", "outcome"]), EVIL), DETAILS, max_size=4
    ),
)
@hypothesis_settings(max_examples=150 * MANY)
def test_nothing_in_an_entry_is_markup(
    action: str, who: str, label: str, kind: str, key: str, refused: bool, detail: dict[str, Any]
) -> None:
    event = entry_of(
        action, who, number=7, target_type=kind, target_id=key, target_label=label, refused=refused, detail=detail
    )
    parser = _Text()
    parser.feed(sentence(event) + details.facts(event))
    allowed = {"a", "strong", "code", "dl", "dt", "dd", "time", "span", "button", "svg", "use"}
    assert set(parser.tags) - allowed == set()


def test_links_lead_to_what_it_is_about_and_for_auditors_into_the_log() -> None:
    event = entry("membership:add", label="Finance", kind="subscription", person="a&b")
    assert '<a href="/audit/?person=a%26b">a&amp;b</a>' in sentence(event)
    assert sentence(event).startswith('<a href="/audit/?person=staff"><strong>staff</strong></a> added')
    assert "href" not in sentence(event, auditor=False)
    for kind, name in PAGES.items():
        assert f'<a href="{reverse(name, args=[KEY])}">Payroll</a>' in sentence(entry("vault:frob", kind=kind))
    told = sentence(entry("machine:register", "machine a", "a", "machine", credential=SERIAL), auditor=True)
    issued = sentence(entry("credential:issue", kind="credential", vault="Payroll", vault_id=KEY), auditor=False)
    assert f'of vault <a href="/vaults/{KEY}/">Payroll</a>' in issued
    assert told.startswith(f'<a href="/machines/{KEY}/"><strong>machine a</strong></a>')
    assert f'<a href="/audit/?credential={SERIAL}"><code title="{SERIAL}">25ca8793…d0c7</code></a>' in told


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("::1", "this computer (::1)"),
        ("127.0.0.1", "this computer (127.0.0.1)"),
        ("::ffff:127.0.0.1", "this computer (::ffff:127.0.0.1)"),
        ("10.1.4.22", "10.1.4.22"),
        ("2001:db8::7", "2001:db8::7"),
        ("", ""),
        ("nonsense", "nonsense"),
    ],
)
def test_this_computer_is_called_so(address: str, words: str) -> None:
    assert address_words(address) == words


def test_details_show_identifiers_in_one_short_form_with_the_whole_one_at_hand() -> None:
    shown = details.facts(entry("vault:create", region="local-a", request=KEY, digest="4d83b702" + "0" * 52 + "f46c"))
    assert shown.count(">4d83b702…f46c</code>") == 1
    assert f'data-copy="{KEY}"' in shown
    assert "<dt>Region</dt><dd>local-a</dd>" in shown
    assert "<code>vault:create</code>" in shown


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("roles", [], "none"),
        ("platform", {"os": "Linux", "arch": "x86_64"}, "arch: x86_64, os: Linux"),
        ("bytes_added", 2048, "2.00 KiB"),
        ("vault_quota_bytes", None, "none"),
        ("files", 20000, "20,000"),
        ("new_root", True, "yes"),
        ("comment", "", "–"),
    ],
)
def test_details_are_no_reprs(name: str, value: object, words: str) -> None:
    assert f"<dd>{words}</dd>" in details.facts(entry_of("x:y", number=7, detail={name: value}))
