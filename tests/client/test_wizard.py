"""The wizard's questions one by one: each wrong answer, each way back, and what it hands to setup."""

import io
import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strongroom_agent.core.errors import AgentError
from strongroom_agent.restic import engine
from strongroom_agent.setup import kept_answers, reach
from strongroom_agent.setup.checks import SetupOptions
from strongroom_agent.setup.wizard import asking, defaults
from strongroom_agent.setup.wizard.draft import Draft
from strongroom_agent.state.home import Home

from .cheap_key import PASSPHRASE
from .wizards import Typing, all_answers, ask, told
from .world import World

Answers = Callable[..., SetupOptions]


def test_whoever_takes_the_defaults_types_three_answers_at_most(alone: World) -> None:
    """What to back up, which credential, and nothing where the passphrase is generated: all else is Enter."""
    found = ask(alone, *all_answers(alone, install="", cache=""))
    assert found.protect == [str(alone.source)]
    assert found.save_passphrase_to == str(alone.root / "person" / "strongroom-passphrase.txt")
    assert (found.name, found.proxy, found.passphrase, found.passphrase_file) == ("host-1", "", None, None)
    assert found.install_dir
    assert found.cache_dir
    changed = [str(path.relative_to(alone.root)) for path in alone.root.rglob("*") if "source" not in str(path)]
    assert sorted(changed) == ["file.VaultCredentials", "home", "home/setup-answers.json", "person"]


def test_what_was_given_is_not_asked_for_and_stands_in_the_summary(
    alone: World, capsys: pytest.CaptureFixture[str]
) -> None:
    given = SetupOptions(
        credentials=str(alone.root / "file.VaultCredentials"),
        install_dir=str(alone.root / "program"),
        cache_dir=str(alone.root / "cache"),
        protect=[str(alone.source)],
        save_passphrase_to=str(alone.root / "saved"),
        name="given-name",
    )
    known = ("credentials", "install_dir", "cache_dir", "protect", "save_passphrase_to", "name", "proxy")
    assert ask(alone, "", given=given, known=known) == given
    text = told(capsys)
    assert "4 Proxy address: none" in text
    assert "6 Name of this machine: given-name" in text
    assert "Vault identification" not in text
    changed = ask(alone, "no", "6", "other-name", "", given=given, known=known)
    assert changed.name == "other-name"


def test_what_was_given_and_is_wrong_is_asked_for(alone: World, capsys: pytest.CaptureFixture[str]) -> None:
    given = SetupOptions(protect=[str(alone.root / "none")], name="größe")
    answers = all_answers(alone, name="right")
    found = ask(alone, *answers, given=given, known=("protect", "name"))
    assert (found.protect, found.name) == ([str(alone.source)], "right")
    text = told(capsys)
    assert f"There is nothing at {alone.root}/none to protect." in text
    assert "'größe' cannot be the name of a machine." in text


WRONG = [
    ("protect", "/no/such/place", "There is nothing at /no/such/place to protect."),
    ("protect", "{empty}", "There is not a single file in what is to be protected."),
    ("install", "{file}/below", "there is a file where a folder is needed"),
    ("install", "{open}/program", "cannot be trusted"),
    ("cache", "{file}/below", "there is a file where a folder is needed"),
    ("cache", "{open}/cache", "cannot be trusted"),
    ("proxy", "socks5://proxy:1080", "SOCKS proxies are not supported"),
    ("proxy", "proxy", "is not an http or https address"),
    ("proxy", "http://me:hush@proxy:1", "must not hold user or password"),
    ("credentials", "{file}", "Unable to read the vault credentials file."),
    ("credentials", "{root}/none", "Unable to read the vault credentials file."),
    ("credentials", "{edited}", "Invalid vault credentials provided. Its signature does not fit its content"),
    ("name", "a b", "'a b' cannot be the name of a machine."),
    ("name", "x" * 64, "cannot be the name of a machine."),
    ("way", "4", "There is no '4' to choose."),
    ("save", "{file}", "exists already and is not overwritten"),
    ("save", "{root}/none/saved", "cannot be saved"),
    ("save", "{root}/source/saved", "is to be protected"),
    ("agree", "0", "There is no answer '0'."),
    ("agree", "99", "There is no answer '99'."),
    ("agree", "x", "There is no answer 'x'."),
]


@pytest.mark.parametrize(("where", "wrong", "what"), WRONG)
def test_each_wrong_answer_is_told_and_asked_for_again(
    alone: World, capsys: pytest.CaptureFixture[str], where: str, wrong: str, what: str
) -> None:
    for name in ("empty", "open"):
        (alone.root / name).mkdir()
    (alone.root / "open").chmod(0o777)
    (alone.root / "file").write_text("not a credential")
    (alone.root / "edited").write_text(json.dumps({**alone.peer.credential(), "edge_url": "https://evil"}))
    places = {name: str(alone.root / name) for name in ("empty", "open", "file", "edited")}
    typed = all_answers(alone)
    at = ["protect", "install", "cache", "proxy", "credentials", "name", "way", "save", "agree"]
    typed.insert(at.index(where), wrong.format(root=alone.root, **places))
    found = ask(alone, *typed)
    assert what in told(capsys)
    assert (found.protect, found.name) == ([str(alone.source)], "host-1")
    assert not (alone.root / "cache").exists()


def test_a_folder_that_may_not_be_read_is_told(
    alone: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = os.access
    closed = str(alone.root / "closed")
    os.mkdir(closed)
    monkeypatch.setattr(os, "access", lambda path, mode: path != closed and allowed(path, mode))
    ask(alone, closed, *all_answers(alone))
    assert f"This user may not read {closed}, so that it cannot be backed up." in told(capsys)


def test_files_that_may_not_be_read_are_named_and_stop_nobody(
    alone: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("-1.bin") and allowed(path, mode))
    ask(alone, *all_answers(alone))
    assert f"1 item of that this user may not read, so that backups will lack them: {alone.source}/file-1.bin." in told(
        capsys
    )


def test_a_cache_folder_that_is_too_small_is_told_with_all_three_figures(
    alone: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("strongroom_agent.setup.cache_folder._held", lambda status: 1 << 50)
    with pytest.raises(AgentError):
        ask(alone, *all_answers(alone)[:3])
    text = told(capsys)
    assert "free; what is protected has 12288.0 TiB, and 5 % of that, 614.4 TiB, must be free." in text
    assert "--cache-dir" not in text


def test_a_typed_passphrase_is_asked_for_twice_and_checked(alone: World, capsys: pytest.CaptureFixture[str]) -> None:
    typed = all_answers(alone)[:6]
    wrong = ["2", "too short", "größe größe größe", PASSPHRASE, "another one of these", " leads with a space"]
    found = ask(alone, *typed, *wrong, PASSPHRASE, PASSPHRASE, "")
    assert (found.passphrase, found.save_passphrase_to, found.passphrase_file) == (PASSPHRASE, None, None)
    text = told(capsys)
    for what in (
        "9 characters, at least 16",
        "other than printable ASCII",
        "not the same",
        "begins or ends with a space",
    ):
        assert what in text
    assert PASSPHRASE not in text + repr(found) + (alone.home / "setup-answers.json").read_text()
    assert "typed, not shown" in text


def test_a_passphrase_in_a_file_is_read_before_it_is_taken(alone: World, capsys: pytest.CaptureFixture[str]) -> None:
    (alone.root / "short").write_text("short")
    (alone.root / "secret").write_text(PASSPHRASE + "\n")
    (alone.source / "inside").write_text(PASSPHRASE)
    paths = [
        str(alone.root / "none"),
        str(alone.root / "short"),
        str(alone.source / "inside"),
        str(alone.root / "secret"),
    ]
    found = ask(alone, *all_answers(alone)[:6], "3", *paths, "")
    assert found.passphrase_file == str(alone.root / "secret")
    text = told(capsys)
    for what in ("cannot be read: No such file", "5 characters, at least 16", "is to be protected"):
        assert what in text


def test_nobody_can_recover_is_said_before_the_passphrase_is_chosen(
    alone: World, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(alone, *all_answers(alone))
    assert "Without the passphrase nobody can recover the data, not even the administrators" in told(capsys)


def test_a_proxy_has_a_user_and_a_password_that_is_never_shown(
    alone: World, capsys: pytest.CaptureFixture[str]
) -> None:
    first, rest = all_answers(alone)[:3], all_answers(alone)[4:]
    found = ask(alone, *first, "http://proxy:3128", "me", "hush", *rest)
    assert (found.proxy, found.proxy_user, found.proxy_password) == ("http://proxy:3128", "me", "hush")
    assert "hush" not in told(capsys) + repr(found) + (alone.home / "setup-answers.json").read_text()
    without = ask(alone, "yes", "hush", "4", "none", "")
    assert (without.proxy, without.proxy_user, without.proxy_password) == ("", "", None)


@pytest.mark.parametrize("number", range(9))
def test_each_question_can_be_gone_back_from(alone: World, capsys: pytest.CaptureFixture[str], number: int) -> None:
    """Back to the one before, whose answer is the default then; at the first there is nothing before."""
    typed = all_answers(alone, name="first-name", save=str(alone.root / "saved"))
    again = [] if number == 0 else [""]
    found = ask(alone, *typed[:number], "<", *again, *typed[number:])
    assert found == ask(World(alone.root, alone.peer), "no", *typed)
    assert ("This is the first question" in told(capsys)) is (number == 0)


def test_all_the_way_back_and_forth(alone: World) -> None:
    typed = all_answers(alone, name="first-name")
    found = ask(alone, *typed[:-1], *["<"] * 20, *[""] * len(typed))
    assert (found.protect, found.name) == ([str(alone.source)], "first-name")


def test_an_earlier_start_is_gone_on_with(alone: World, capsys: pytest.CaptureFixture[str]) -> None:
    typed = all_answers(alone, name="first-name")
    with pytest.raises(AgentError) as caught:
        ask(alone, *typed[:6])
    assert (caught.value.code, caught.value.exit_status) == ("usage", 2)
    assert "Nothing was changed." in caught.value.problem
    assert "Run strongroom-agent setup again in a terminal to go on with what you entered" in caught.value.remedy
    kept = alone.home / "setup-answers.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    capsys.readouterr()
    found = ask(alone, "perhaps", "<", "yes", "", "", "")
    text = told(capsys)
    assert (found.name, found.protect) == ("first-name", [str(alone.source)])
    assert "Go on with what you entered on" in text
    assert "UTC? (yes or no)" in text
    assert "Installation settings" not in text
    with pytest.raises(AgentError):
        ask(alone, "no")
    assert not kept.exists()


def test_what_was_given_this_time_counts_before_what_was_kept(alone: World) -> None:
    ask(alone, *all_answers(alone, name="first-name"))
    given = SetupOptions(name="second-name")
    assert ask(alone, "yes", "", given=given, known=("name",)).name == "second-name"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"at": 1}', '{"at": "x", "way": "", "answers": {}}'])
def test_kept_answers_that_are_damaged_are_none(alone: World, content: str) -> None:
    alone.home.mkdir(mode=0o700)
    (alone.home / "setup-answers.json").write_text(content)
    assert ask(alone, *all_answers(alone)).name == "host-1"


def test_answers_of_another_version_are_checked_as_if_they_were_typed(alone: World) -> None:
    ask(alone, *all_answers(alone))
    kept = alone.home / "setup-answers.json"
    stored = json.loads(kept.read_text())
    for bad in ({"protect": "x"}, {"protect": [1]}, {"name": 5}, {"include_network": "x"}):
        kept.write_text(json.dumps({**stored, "answers": stored["answers"] | bad}))
        assert kept_answers.load(Home(alone.home)) is None
    kept.write_text(json.dumps({**stored, "answers": stored["answers"] | {"unknown": 1, "passphrase": "x" * 20}}))
    loaded = kept_answers.load(Home(alone.home))
    assert loaded is not None
    assert loaded.options.passphrase is None


def test_what_is_wrong_on_this_machine_is_named_and_looked_at_again(
    alone: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def find() -> engine.Engine:
        tries.append(1)
        if len(tries) == 1:
            raise AgentError("engine_missing", "restic, which does the backups, is not installed.", engine.advice())
        return engine.Engine("/bin/restic", "0.16.4")

    monkeypatch.setattr(engine, "find", find)
    typed = all_answers(alone)
    ask(alone, *typed[:4], "", *typed[4:])
    text = told(capsys)
    assert f"Backup program: restic, which does the backups, is not installed. {engine.advice()}" in text
    assert "Backup program: restic 0.16.4, /bin/restic; it makes backups, but cannot repair them." in text
    assert len(tries) == 2


def test_a_portal_that_is_not_reached_leads_to_another_proxy(
    alone: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(edge_url: str, roots: str, proxy: str | None) -> None:
        if proxy is None:
            raise AgentError("network", "Strongroom cannot be reached at x: refused.", "Check the network.")

    monkeypatch.setattr(reach, "check", check)
    typed = all_answers(alone)
    found = ask(alone, *typed[:6], "", "1", "http://proxy:1", "", *typed[6:])
    assert found.proxy == "http://proxy:1"
    assert told(capsys).count("Portal: Strongroom cannot be reached at x: refused. Check the network.") == 2


def test_ctrl_c_asks_nothing_more_and_says_how_to_go_on(alone: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(self: Typing, question: asking.Question) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(Typing, "read", stop)
    with pytest.raises(AgentError) as caught:
        ask(alone)
    assert (caught.value.code, caught.value.exit_status) == ("interrupted", 1)
    assert (
        caught.value.message == "Stopped before anything was changed. Run strongroom-agent setup again in a terminal."
    )
    assert not alone.home.exists()


def test_answers_through_a_pipe_are_lines(alone: World) -> None:
    ran = alone.run("setup", typed="\n".join(all_answers(alone)[:5]) + "\n")
    assert (ran.status, ran.answer["code"]) == (2, "usage")
    assert ran.answer["message"].startswith("The answers ended before setup had them all. Nothing was changed. Run ")
    assert "Name of this machine" in ran.progress
    assert not alone.home.exists()


def test_a_run_that_is_on_is_told_before_the_first_question(alone: World) -> None:
    with Home(alone.home).locked():
        ran = alone.run("setup", typed="\n".join(all_answers(alone)))
    assert (ran.status, ran.answer["code"]) == (1, "busy")
    assert "What to back up" not in ran.progress


def test_the_newest_credential_file_is_proposed_unless_somebody_else_put_it_there(
    alone: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(alone.root)
    older = alone.root / "person" / "older.VaultCredentials"
    older.write_text((alone.root / "file.VaultCredentials").read_text())
    os.utime(older, (1, 1))
    assert ask(alone, *all_answers(alone, credentials="")).credentials == str(alone.root / "file.VaultCredentials")
    ours, foreign = os.geteuid(), Path("file.VaultCredentials").stat().st_ino
    monkeypatch.setattr(defaults, "_is_ours", lambda path: path.stat().st_ino != foreign and path.stat().st_uid == ours)
    assert defaults.credentials(Draft(Home(alone.home), SetupOptions())) == str(older)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    assert defaults._is_ours(path)
    os.chown(path, 12345, 12345)
    assert not defaults._is_ours(path)


def test_a_replacement_takes_the_name_and_no_new_passphrase(alone: World, capsys: pytest.CaptureFixture[str]) -> None:
    machine = {"id": "7b0e4c1e-0000-4000-8000-000000000000", "name": "old-name"}
    (alone.root / "file.VaultCredentials").write_text(
        json.dumps(alone.peer.credential(purpose="replace", machine=machine))
    )
    typed = all_answers(alone)[:5]
    found = ask(alone, *typed, "1", "", PASSPHRASE, PASSPHRASE, "")
    assert (found.name, found.passphrase) == (None, PASSPHRASE)
    text = told(capsys)
    assert "to replace old-name in vault" in text
    assert "The backups of old-name open with the passphrase that they were made with, not with a new one." in text
    assert "Name of this machine" not in text


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(max_size=60).filter(lambda text: "\n" not in text), st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 8]))
def test_no_text_does_anything_but_answer_or_be_refused(
    alone: World, capsys: pytest.CaptureFixture[str], text: str, number: int
) -> None:
    """Whatever is typed where: the end is options or an AgentError, and nothing is changed."""
    kept_answers.forget(Home(alone.home))
    typed, code = all_answers(alone), "usage"
    try:
        ask(alone, *typed[:number], text, *typed[number:])
    except AgentError as error:
        code = error.code
    assert code == "usage"
    assert sorted(path.name for path in alone.root.iterdir()) == ["file.VaultCredentials", "home", "person", "source"]
    capsys.readouterr()


def test_a_terminal_of_forty_columns_gets_no_longer_line(
    alone: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Typing, "width", 40)
    monkeypatch.setattr(Typing, "read", lambda self, question: self._typed.pop(0))
    ask(alone, *all_answers(alone))
    long = [line for line in capsys.readouterr().err.splitlines() if len(line) > 40 and " " in line.strip()]
    assert [line for line in long if str(alone.root) not in line] == []


def test_plain_terminals_get_no_signs_that_they_may_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stderr", stream)
    for term, tick in (("xterm-256color", "✓"), ("vt100", "ok"), ("linux", "ok"), ("dumb", "ok"), ("", "ok")):
        monkeypatch.setenv("TERM", term)
        assert asking.Lines().tick == tick
