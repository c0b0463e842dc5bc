"""Settings: whatever the environment or a file says, start-up goes on or stops by the setting's name."""

import math
import string
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from june_tts.errors import SettingsError
from june_tts.settings import NO_SETTINGS, Loaded, Settings, load

pytestmark = pytest.mark.unit

ALIASES = {str(field.alias): name for name, field in Settings.model_fields.items()}
SECRETS = ("JUNE_API_KEY", "DATABASE_URL", "DB_PASSWORD", "HF_TOKEN")
HIDDEN = "hunter2hunter2"

# no NUL, which no environment can have; bytes that are no UTF-8 come as halves of surrogate pairs
env_text = st.text(st.characters(exclude_characters="\0"), max_size=30)
value = st.one_of(
    env_text,
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(
        ["", " ", ",", "=", "a=", "=b", "a=b,a=c", "fake", "fake,fake", "true", "1e400", "inf", "²"]
    ),
)
one_path = st.sampled_from(["", "/nowhere/june.toml", "/", "\udcff"])


def refused(environ: dict[str, str], **overrides: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        load(environ, overrides)
    return str(caught.value)


def toml(text: str, environ: dict[str, str] | None = None) -> Loaded:
    with tempfile.NamedTemporaryFile("wb", suffix=".toml") as file:
        file.write(text.encode("utf-8", "surrogateescape"))
        file.flush()
        return load({"JUNE_CONFIG_FILE": file.name, **(environ or {})})


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([*ALIASES]), value, max_size=6), one_path)
def test_any_environment_loads_or_is_refused_by_names_that_print(environ: dict[str, str], path: str) -> None:
    try:
        loaded = load({**environ, "JUNE_CONFIG_FILE": path})
    except SettingsError as bad:
        message = str(bad)
        assert message.encode()  # prints on any terminal
        for line in message.splitlines():
            assert line.startswith((*environ, "JUNE_CONFIG_FILE")), line
            assert len(line) < 1000
    else:
        given_ones = {ALIASES[alias] for alias, text in environ.items() if text}
        assert {name for name, origin in loaded.origins.items() if origin == "environment"} == given_ones
        for number in (loaded.settings.ahead_seconds, loaded.settings.body_timeout_seconds):
            assert math.isfinite(number)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_toml_file_loads_or_is_refused(text: str) -> None:
    try:
        loaded = toml(text)
    except SettingsError as bad:
        assert "toml" in str(bad) or str(bad).startswith(tuple(ALIASES))
        assert str(bad).encode()
    else:
        assert isinstance(loaded.settings, Settings)


scalar = st.one_of(
    st.booleans(), st.integers(), st.floats().filter(math.isfinite), st.just("'x'"), st.just("[1]")
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([*ALIASES]), scalar)
def test_any_type_in_a_toml_file_is_taken_or_refused_by_name(alias: str, found: object) -> None:
    text = str(found).lower() if isinstance(found, bool | float) else found
    try:
        loaded = toml(f"{alias.lower()} = {text}\n")
    except SettingsError as bad:
        assert str(bad).startswith(f"{alias}=")
    else:
        wanted = Settings.model_fields[ALIASES[alias]].annotation
        assert not isinstance(found, bool) or wanted in (bool, bool | None), loaded
        assert loaded.origins[ALIASES[alias]].endswith(".toml")


def test_what_our_clients_read_may_stand_in_the_same_environment() -> None:
    assert load({"JUNE_BASE_URL": "http://127.0.0.1:8000"}).settings == load({}).settings


@given(st.text(string.ascii_uppercase + "_", min_size=1, max_size=20).map(lambda name: f"JUNE_{name}"))
def test_an_unknown_key_is_refused_by_name(key: str) -> None:
    if key not in ALIASES and key not in NO_SETTINGS:
        message = refused({key: HIDDEN})
        assert key in message and ("did you mean" in message or "JUNE_LANES" in message)
        assert HIDDEN not in message


def test_a_key_that_is_nearly_right_is_answered_with_the_right_one() -> None:
    assert "JUNE_MAX_STREAMS?" in refused({"JUNE_MAX_STREAM": "3"})
    assert "WRAPPER_PORT?" in refused({"JUNE_WRAPPER_PRT": "3"})


def test_a_key_of_bytes_that_are_no_text_prints() -> None:
    assert refused({"JUNE_\udcff\n": "x"}).isprintable()


def test_variables_of_others_are_left_alone() -> None:
    assert load({"PATH": "x", "XJUNE_LANES": "x", "june_lanes": "x"}).settings == load({}).settings


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(tmp_path: Path) -> None:
    file = tmp_path / "june.toml"
    file.write_text('wrapper_port = 1\nlanes = 2\njune_threads = 3\nlog_level = "error"\n')
    environ = {"JUNE_CONFIG_FILE": str(file), "WRAPPER_PORT": "11", "JUNE_LANES": "12"}
    loaded = load(environ, {"WRAPPER_PORT": 111})
    found = loaded.settings
    assert (found.port, found.lanes, found.threads, found.log_level) == (111, 12, 3, "error")
    assert found.log_format == "console"
    assert {name: loaded.origins[name] for name in ("port", "lanes", "threads", "log_format")} == {
        "port": "command line",
        "lanes": "environment",
        "threads": str(file),
        "log_format": "default",
    }


@pytest.mark.parametrize("alias", ALIASES)
def test_an_empty_variable_counts_as_unset(alias: str) -> None:
    loaded = load({alias: ""})
    assert loaded.origins[ALIASES[alias]] == "default"
    assert loaded.settings == load({}).settings


BAD = [
    ("WRAPPER_PORT", "many", "integer"),
    ("WRAPPER_PORT", "65536", "65535"),
    ("WRAPPER_PORT", "-1", "0"),
    ("JUNE_AHEAD_SECONDS", "nan", "finite"),
    ("JUNE_DRAIN_SECONDS", "inf", "finite"),
    ("JUNE_DRAIN_SECONDS", "1e300", "3600"),
    ("JUNE_BODY_TIMEOUT_SECONDS", "1e300", "3600"),
    ("JUNE_BODY_TIMEOUT_SECONDS", "0", "greater than 0"),
    ("JUNE_MAX_STREAMS", "0", "1"),
    ("JUNE_ENGINES", "piper,cassette", "kokoro"),
    ("JUNE_ENGINES", ",", "1 item"),
    ("JUNE_ENGINES", "piper,piper", "once"),
    ("JUNE_VOICE_ALIASES", "joe", "name=voice"),
    ("JUNE_VOICE_ALIASES", "=joe", "name=voice"),
    ("JUNE_VOICE_ALIASES", "a=", "name=voice"),
    ("JUNE_VOICE_ALIASES", "a=b,a=c", "twice"),
    ("JUNE_LOG_LEVEL", "loud", "'debug'"),
    ("JUNE_DATA_DIR", "\udcff", "UTF-8"),
]


@pytest.mark.parametrize(("alias", "text", "expected"), BAD)
def test_a_bad_value_is_named_with_its_key_and_the_expectation(alias: str, text: str, expected: str) -> None:
    message = refused({alias: text})
    assert message.startswith(f"{alias}={ascii(text)}")
    assert expected in message


def test_every_bad_setting_is_named_at_once() -> None:
    message = refused({"WRAPPER_PORT": "x", "JUNE_LANES": "y", "JUNE_LOG_FORMAT": "z"})
    assert [line.partition("=")[0] for line in message.splitlines()] == [
        "WRAPPER_PORT",
        "JUNE_LANES",
        "JUNE_LOG_FORMAT",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colour = 1", ["colour", "unknown setting"]),
        ("port = 1", ["port", "_PORT?"]),
        ("[june]\nlanes = 1", ["june", "unknown setting"]),
        ("lanes = 1\njune_lanes = 2", ["JUNE_LANES", "twice"]),
        ("lanes = 1\nlanes = 2", ["TOML", "overwrite"]),
        ("lanes", ["TOML", "'='"]),
        ("lanes = true", ["JUNE_LANES=True", "number"]),
        ("ahead_seconds = nan", ["JUNE_AHEAD_SECONDS=nan", "finite"]),
        ("max_streams = [1]", ["JUNE_MAX_STREAMS=[1]", "integer"]),
        ('engines = ["piper", "tape"]', ["JUNE_ENGINES", "tape", "kokoro"]),
        ("voice_aliases = {a = 1}", ["JUNE_VOICE_ALIASES", "string"]),
        ("\udcff", ["TOML", "utf-8"]),
    ],
)
def test_a_mistake_in_a_toml_file_is_named(text: str, words: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        toml(text)
    for word in words:
        assert word in str(caught.value), str(caught.value)


@pytest.mark.parametrize("path", ["/nowhere/june.toml", "/", "/dev/null/x"])
def test_a_file_that_cannot_be_read_is_named(path: str) -> None:
    message = refused({"JUNE_CONFIG_FILE": path})
    assert f"JUNE_CONFIG_FILE={path}" in message


@pytest.mark.parametrize("alias", SECRETS)
def test_a_secret_is_in_no_message_and_no_repr(alias: str) -> None:
    shown = [
        refused({alias: HIDDEN, "WRAPPER_PORT": "x"}),
        refused({alias: HIDDEN + "\udcff"}),
        refused({alias: HIDDEN, "JUNE_COLOUR": "x"}),
    ]
    loaded = load({alias: HIDDEN})
    shown += [
        repr(loaded),
        str(loaded),
        repr(loaded.settings),
        str(loaded.settings),
        str(loaded.settings.model_dump()),
    ]
    for wrong in (f"['{HIDDEN}']", f"{{a = '{HIDDEN}'}}"):
        with pytest.raises(SettingsError) as caught:
            toml(f"{alias.lower()} = {wrong}")
        assert str(caught.value).startswith(f"{alias}=(secret)")
        shown += [str(caught.value), repr(caught.value), repr(caught.value.__cause__)]
    assert not any(HIDDEN in text for text in shown)
    secret = getattr(loaded.settings, ALIASES[alias])
    assert secret.get_secret_value() == HIDDEN


@pytest.mark.parametrize("key", ["schlüssel", "two words", "trailing ", "\t", "a\nb"])
def test_a_key_that_no_header_can_carry_is_refused(key: str) -> None:
    assert "ASCII" in refused({"JUNE_API_KEY": key})


def test_lists_and_maps_read_the_same_from_both_sources() -> None:
    environ = load({"JUNE_ENGINES": " fake , piper,", "JUNE_VOICE_ALIASES": "a=b, c = d ,"}).settings
    file = toml('engines = ["fake", "piper"]\n[voice_aliases]\na = "b"\nc = "d"\n').settings
    assert environ == file
    assert environ.engines == ("fake", "piper") and environ.voice_aliases == {"a": "b", "c": "d"}


def test_every_setting_has_a_description_and_a_name_of_its_own() -> None:
    assert len(ALIASES) == len(Settings.model_fields)
    for alias, name in ALIASES.items():
        assert alias.isupper(), alias
        assert len(Settings.model_fields[name].description or "") > 10, alias


def test_the_voices_that_clients_know_are_the_default_one_unless_they_are_listed() -> None:
    fish_audio = "933563129e564b19a115bedd57b7406a"
    plain = load({"JUNE_DEFAULT_VOICE": "nova", "JUNE_VOICE_ALIASES": "nova=jf_alpha"}).settings.aliases
    assert (plain["alloy"], plain[fish_audio], plain["nova"]) == ("default", "default", "jf_alpha")
    listed = load({"JUNE_VOICE_ALIASES": f"{fish_audio}=anna"}).settings.aliases
    assert (listed[fish_audio], listed["alloy"]) == ("anna", "default")
