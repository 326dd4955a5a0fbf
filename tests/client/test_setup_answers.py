"""Answers to setup from the environment and from a file: what counts before what, and what is refused."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strongroom_agent.cli import answers, arguments
from strongroom_agent.core.errors import AgentError

from .authority import Authority
from .peer import Peer
from .world import World

BUILD = Path(__file__).resolve().parents[2] / "agents" / "client" / "build_package.py"


@pytest.fixture
def alone(authority: Authority, tmp_path: Path) -> World:
    """A machine whose portal answers nothing."""
    peer = Peer(authority, tmp_path, tmp_path / "none")
    peer.url = "https://127.0.0.1:1"
    machine = World(tmp_path, peer)
    machine.fill()
    return machine


def merged(
    line: str = "", file: str | None = None, folder: Path | None = None, /, **environment: str
) -> dict[str, object]:
    """What is given in the end, without what is not."""
    words = ["setup", *line.split()]
    if file is not None:
        assert folder is not None
        (folder / "answers.yaml").write_text(file)
        words += ["--answers", str(folder / "answers.yaml")]
    parsed = arguments.build().parse_args(words)
    environ = {f"STRONGROOM_SETUP_{name.upper()}": value for name, value in environment.items()}
    answers.merge(parsed, arguments.setup_flags(), environ, ":")
    arguments.check_setup(parsed)
    skipped = {"command", "json", "answers"}
    return {name: value for name, value in vars(parsed).items() if name not in skipped and value is not None}


def test_a_flag_counts_before_the_file_and_the_file_before_the_environment(tmp_path: Path) -> None:
    found = merged(
        "--name flag", "name: file\ncache-dir: /file", tmp_path, name="env", cache_dir="/env", install_dir="/env"
    )
    assert found == {"name": "flag", "cache_dir": "/file", "install_dir": "/env"}


def test_each_flag_has_one_variable_and_one_key(tmp_path: Path) -> None:
    text = dict.fromkeys(("credentials", "install-dir", "cache-dir", "name", "proxy", "proxy-user"), "x")
    text |= {"proxy-password-file": "x", "save-passphrase-to": "x", "generate-passphrase": "yes"}
    text |= {"include-network": "yes", "unattended": "yes", "protect": "/a:/b", "no-schedule": "yes", "no-link": "yes"}
    by_environment = merged(**{name.replace("-", "_"): value for name, value in text.items()})
    assert by_environment["protect"] == ["/a", "/b"]
    assert len(by_environment) == len(text)
    by_file = merged("", json.dumps(text | {"protect": ["/a", "/b"]}), tmp_path)
    assert by_file == by_environment
    assert merged(passphrase_file="x") == merged("", "passphrase-file: x", tmp_path) == {"passphrase_file": "x"}
    known = {flag.name for flag in arguments.setup_flags()}
    assert known == {*text, "answers", "passphrase-file"}


def test_the_file_of_the_agent_lets_each_variable_through() -> None:
    kept = {each for each in runpy.run_path(str(BUILD))["_KEPT"] if each.startswith(answers.PREFIX)}
    assert kept == {flag.variable for flag in arguments.setup_flags()}


def test_what_only_asking_needs_is_not_loaded_otherwise() -> None:
    """The agent starts as fast as without it."""
    loaded = "{each.partition('.')[0] for each in sys.modules}"
    code = f"import sys, strongroom_agent.cli.program; print({{'prompt_toolkit', 'ruamel'}} & {loaded})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_password_goes_to_no_other_places_proxy(tmp_path: Path) -> None:
    environment = {"proxy": "http://theirs:1", "proxy_user": "me", "proxy_password_file": "/secret"}
    assert merged("--proxy http://mine:1", **environment) == {"proxy": "http://mine:1"}
    assert merged("", "proxy: http://mine:1\nproxy-user: you", tmp_path, **environment) == {
        "proxy": "http://mine:1",
        "proxy_user": "you",
    }


def test_another_way_to_the_passphrase_takes_nothing_of_the_one_before() -> None:
    environment = {"generate_passphrase": "yes", "save_passphrase_to": "/s"}
    assert merged("--passphrase-file /p", **environment) == {"passphrase_file": "/p"}
    assert merged("--generate-passphrase --save-passphrase-to /f", passphrase_file="/p") == {
        "generate_passphrase": True,
        "save_passphrase_to": "/f",
    }


def test_the_file_itself_can_be_named_by_the_environment(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: file")
    assert merged(answers=str(tmp_path / "a.yaml"), name="env") == {"name": "file"}


def test_an_empty_variable_is_none_and_no_is_no(tmp_path: Path) -> None:
    assert merged(name="", protect="", include_network="no", unattended="0") == {}
    assert merged("", "include-network: no\nname: no", tmp_path) == {"name": "no"}


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("protct: /a", "unknown answer: protct. Did you mean protect?"),
        ("cache_dir: /a", "unknown answer: cache_dir. Did you mean cache-dir?"),
        ("passphrase: correct horse battery", "unknown answer: passphrase. Did you mean passphrase-file?"),
        ("answers: other.yaml", "unknown answer: answers."),
        ("? [a]\n: b", "unknown answer: ('a',)."),
        ("- name", "holds no answers"),
        ("", "holds no answers"),
        ("just text", "holds no answers"),
        ("name: a\nname: b", "is not YAML: found duplicate key"),
        ("name: a\n---\nname: b", "is not YAML: but found another document"),
        ("name: [", "is not YAML"),
        ("name: *x", "is not YAML: found undefined alias"),
        ("name: {a: b}", "name in"),
        ("name: ", "is empty"),
        ("protect: []", "is not a list of texts"),
        ("protect: [[/a]]", "is not a list of texts"),
        ("protect: &x [*x]", "is not a list of texts"),
        ("protect: ['']", "is not a list of texts"),
        ("include-network: perhaps", "is neither yes nor no"),
        ("include-network: [yes]", "is neither yes nor no"),
        ("name: \x00", "is not YAML"),
        ("[" * 5000, "is nested too deeply"),
        ("name: '" + "a" * 70_000 + "'", "is too large"),
        ("<<: {name: a}", "unknown answer: <<."),
        ("passphrase-file: a\ngenerate-passphrase: yes", "--passphrase-file does not go with"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_where(tmp_path: Path, file: str, told: str) -> None:
    with pytest.raises(AgentError) as caught:
        merged("", file, tmp_path)
    assert (caught.value.code, told in " ".join(caught.value.message.split())) == ("usage", True), caught.value.message
    assert "correct horse" not in caught.value.message


def test_no_value_becomes_an_object_or_runs_anything(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    file = f"name: !!python/object/apply:os.system ['touch {ran}']"
    with pytest.raises(AgentError):
        merged("", file, tmp_path)
    assert not ran.exists()
    assert merged("", "name: 2026-11-28\ncache-dir: 0x10\ninstall-dir: ~", tmp_path) == {
        "name": "2026-11-28",
        "cache_dir": "0x10",
        "install_dir": "~",
    }


def test_aliases_that_would_become_gigabytes_are_refused(tmp_path: Path) -> None:
    laughs = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12))
    with pytest.raises(AgentError) as caught:
        merged("", f"a0: &a0 [x]\n{laughs}\n", tmp_path)
    assert "unknown answer: a0" in caught.value.message


@given(st.binary(max_size=400))
def test_whatever_the_file_holds_the_answer_is_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile.yaml"
    path.write_bytes(content)
    parsed = arguments.build().parse_args(["setup", "--answers", str(path)])
    code = "usage"
    try:
        answers.merge(parsed, arguments.setup_flags(), {}, ":")
    except AgentError as error:
        code = error.code
    assert code == "usage"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(AgentError) as caught:
            merged(f"--answers {path}")
        assert f"The file with answers {path} cannot be read" in caught.value.message


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"cachedir": "/x"}, "unknown variable: STRONGROOM_SETUP_CACHEDIR. Did you mean STRONGROOM_SETUP_CACHE_DIR?"),
        ({"passphrase": "x" * 20}, "unknown variable: STRONGROOM_SETUP_PASSPHRASE. Did you mean"),
        ({"include_network": "si"}, "STRONGROOM_SETUP_INCLUDE_NETWORK is neither yes nor no."),
        ({"proxy_user": "me"}, "--proxy-user needs --proxy URL."),
        ({"unattended": "yes"}, "setup --unattended needs --credentials, --install-dir, --cache-dir, --protect."),
    ],
)
def test_a_variable_that_is_wrong_is_refused(environment: dict[str, str], told: str) -> None:
    with pytest.raises(AgentError) as caught:
        merged(**environment)
    assert (caught.value.code, told in caught.value.message) == ("usage", True), caught.value.message
    assert "x" * 20 not in caught.value.message


def test_setup_without_a_question_takes_answers_from_all_three(alone: World) -> None:
    """As far as the portal, which is not there."""
    (alone.root / "credential").write_text(json.dumps(alone.peer.credential()))
    (alone.root / "secret").write_text("correct horse battery staple")
    file = alone.root / "answers.yaml"
    file.write_text(f"protect:\n- {alone.source}\npassphrase-file: {alone.root}/secret\nname: from-file\n")
    ran = alone.run(
        *("setup", "--unattended", "--answers", str(file), "--install-dir", str(alone.root / "program")),
        STRONGROOM_SETUP_CREDENTIALS=str(alone.root / "credential"),
        STRONGROOM_SETUP_CACHE_DIR=str(alone.root / "cache"),
    )
    assert (ran.status, ran.answer["code"]) == (4, "network"), ran
    assert "registering from-file with vault" in ran.progress
