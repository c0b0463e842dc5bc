"""What no well-behaved client sends, to every route: a 4xx in the API's shape, and nothing left behind."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.fuzz.door import KEPT, Door, open_door, refusal

pytestmark = [
    pytest.mark.fuzz,
    # Starlette leaves the file of a form without an end to the collector, which closes it at once
    pytest.mark.filterwarnings("ignore:.*SpooledTemporaryFile:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning"),
]

SPEECH, SYNTHESIZE = "/v1/audio/speech", "/api/tts/synthesize"
CLONE, ADD = "/api/voices/clone", "/v1/audio/voices"
VALID: dict[str, dict[str, Any]] = {
    SPEECH: {
        "input": "Five.",
        "model": "june",
        "voice": "fake",
        "response_format": "pcm",
        "speed": 1.0,
        "instructions": None,
        "stream_format": "audio",
        "language": "en",
        "sample_rate": 24_000,
    },
    SYNTHESIZE: {
        "text": "Five.",
        "room_name": None,
        "language": "en",
        "voice_id": "fake",
        "temperature": 0.5,
        "top_p": None,
        "repetition_penalty": None,
        "seed": 1,
        "speed": 1.0,
        "audio_format": "pcm",
        "sample_rate": None,
    },
}
JSON = {"content-type": "application/json"}
hostile = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

any_text = st.text(st.characters(), max_size=40)
"""Halves of surrogate pairs and control characters included."""
any_number = st.one_of(
    st.integers(), st.floats(), st.sampled_from([10**400, -(10**400), 1e308, 5e-324, -0.0, 2**31, 2**63])
)
any_value = st.recursive(
    st.one_of(st.none(), st.booleans(), any_number, any_text, st.sampled_from(["1", "NaN", "1e3", "../x"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=5,
)
one_field = st.sampled_from([(path, field) for path, fields in VALID.items() for field in fields])


@hostile
@given(one_field, any_value)
@example((SPEECH, "speed"), True)
@example((SPEECH, "speed"), "1.5")
@example((SPEECH, "speed"), 10**400)
@example((SPEECH, "speed"), float("nan"))
@example((SPEECH, "sample_rate"), "16000")
@example((SPEECH, "voice"), None)
@example((SPEECH, "voice"), {"id": ""})
@example((SPEECH, "voice"), {"id": "fake", "str": 1})
@example((SPEECH, "voice"), "\ud800")
@example((SPEECH, "voice"), "x" * 60_000)
@example((SPEECH, "model"), "\0")
@example((SYNTHESIZE, "seed"), False)
@example((SYNTHESIZE, "room_name"), "\ud800")
def test_any_value_of_any_field_is_spoken_or_refused_by_the_fields_name(
    door: Door, place: tuple[str, str], value: Any
) -> None:
    path, field = place
    reply = door.send("POST", path, content=json.dumps(VALID[path] | {field: value}), headers=JSON)
    if reply.status_code != 200:
        assert refusal(reply)["param"] == field
    elif type(value) is not type(VALID[path][field]) and value is not None:
        # an int where a float is expected, text or a number where nothing is the default, a voice's object
        assert type(value) in (int, float, str) and not isinstance(value, bool) or field == "voice"


@pytest.mark.parametrize("path", VALID)
@pytest.mark.parametrize("field", ["body", "query", "str", "VoiceRef", "\ud800", "\0", "x" * 5000, "", "é"])
def test_an_unknown_field_is_refused(door: Door, path: str, field: str) -> None:
    error = refusal(door.send("POST", path, content=json.dumps(VALID[path] | {field: 1}), headers=JSON))
    assert field[:60] in error["message"] or "\\" in error["message"]


@hostile
@given(st.sampled_from([*VALID, CLONE, ADD]), st.binary(max_size=300), st.sampled_from([*JSON.values(), ""]))
@example(SPEECH, b"[" * 50_000, "application/json")
@example(SPEECH, b'{"a":' * 10_000, "application/json")
@example(SPEECH, b'{"input": 1' + b"0" * 5_000 + b"}", "application/json")
@example(SPEECH, b'{"input": "hi", "speed": 1e400}', "application/json")
@example(SPEECH, b"[]", "Application/JSON; charset=utf-8")
@example(SPEECH, b"null", "application/json")
@example(SPEECH, b"\xef\xbb\xbf{}", "application/json")
@example(SPEECH, json.dumps(VALID[SPEECH]).encode(), "text/plain")
@example(SPEECH, json.dumps(VALID[SPEECH]).encode(), "application/jsonx")
@example(CLONE, b"voice_id=x&voice_name=x&file=x", "application/x-www-form-urlencoded")
def test_a_body_that_is_none_is_refused(door: Door, path: str, body: bytes, kind: str) -> None:
    error = refusal(door.send("POST", path, content=body, headers={"content-type": kind}))
    if not kind.lower().startswith("application/json"):
        assert "Content-Type" in error["message"]


def test_of_a_key_that_comes_twice_the_last_one_counts(door: Door) -> None:
    """As RFC 8259 leaves it, and as every JSON reader in use does it."""
    body = b'{"input": "hi", "voice": "nobody", "voice": "fake", "response_format": "pcm"}'
    assert door.send("POST", SPEECH, content=body, headers=JSON).status_code == 200


@hostile
@given(any_text)
@example("\ud800")
@example("🎉")
@example("\u202e\u200b\ufeff")
@example("a" + "\u0301" * 2000)
@example("</voice>" * 100)
@example("9" * 3000)
def test_any_text_is_spoken_or_refused_as_text(door: Door, text: str) -> None:
    body = {"input": text, "response_format": "pcm", "speed": 4}
    reply = door.send("POST", SPEECH, content=json.dumps(body), headers=JSON)
    assert reply.status_code == 200 or refusal(reply)["param"] == "input"


header_value = st.binary(max_size=60).filter(lambda value: not set(value) & set(b"\0\r\n"))


@hostile
@given(
    st.sampled_from(
        [
            *("content-type", "content-length", "host", "authorization", "x-request-id", "accept", "range"),
            *("content-encoding", "transfer-encoding", "expect", "origin", "cookie", "x-forwarded-for"),
        ]
    ),
    header_value,
    st.sampled_from([("POST", SPEECH), ("POST", CLONE), ("GET", "/v1/models"), ("GET", "/nothing")]),
)
@example("content-length", b"\xb2", ("POST", SPEECH))
@example("content-length", b"9" * 5_000, ("POST", SPEECH))
@example("content-length", b"9" * 19, ("POST", SPEECH))
@example("host", b"[", ("GET", "/nothing"))
@example("host", b"[", ("POST", SPEECH))
@example("content-type", b"application/json; charset=\xff", ("POST", SPEECH))
@example("x-request-id", b"a b", ("GET", "/nothing"))
def test_any_header_is_survived(door: Door, name: str, value: bytes, route: tuple[str, str]) -> None:
    sent = {**JSON, name: value.decode("latin-1")} if name != "content-type" else {name: value}
    raw = [(key.encode(), v if isinstance(v, bytes) else v.encode("latin-1")) for key, v in sent.items()]
    reply = door.send(*route, content=json.dumps(VALID[SPEECH]) if route[0] == "POST" else b"", headers=raw)
    if reply.status_code != 200:
        refusal(reply)


@hostile
@given(header_value)
@example(b"Bearer")
@example(b"Bearer \xff")
@example(b"Basic secret")
@example(b"Bearer secret secret")
def test_no_header_but_the_key_opens_the_door(locked: Door, value: bytes) -> None:
    reply = locked.send_closed("GET", "/v1/models", headers=[(b"authorization", value)])
    assert reply.status_code == 401
    assert refusal(reply)["code"] == "unauthorized"


@pytest.fixture(scope="module")
def locked() -> Any:
    with open_door(api_key="a very long key that nothing hits") as opened:
        yield opened


def part(name: bytes, value: bytes, more: bytes = b"") -> bytes:
    return (
        b'--x\r\nContent-Disposition: form-data; name="' + name + b'"' + more + b"\r\n\r\n" + value + b"\r\n"
    )


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--x--\r\n"


FILE = part(b"file", b"words", b'; filename="../../x.wav"')
NAMED = part(b"voice_id", b"v") + part(b"voice_name", b"v")
MULTIPART = "multipart/form-data; boundary=x"
FORMS = [
    ("a text file named .wav", form(NAMED, FILE), MULTIPART, 400, "file"),
    ("no file", form(NAMED), MULTIPART, 400, "file"),
    ("an empty file", form(NAMED, part(b"file", b"", b'; filename="a"')), MULTIPART, 400, "file"),
    ("a file as text", form(NAMED, part(b"file", b"words")), MULTIPART, 400, "file"),
    ("an id as a file", form(part(b"voice_id", b"v", b'; filename="a"'), FILE), MULTIPART, 400, "voice_id"),
    ("an id twice", form(part(b"voice_id", b"w"), NAMED, FILE), MULTIPART, 400, "voice_id"),
    ("a file twice", form(NAMED, FILE, FILE), MULTIPART, 400, "file"),
    ("an unknown field", form(NAMED, FILE, part(b"colour", b"red")), MULTIPART, 400, "colour"),
    ("a field of 1 MB", form(part(b"voice_id", b"v" * 1_100_000)), MULTIPART, 400, None),
    ("2,000 fields", form(*(part(b"%d" % n, b"") for n in range(2000))), MULTIPART, 400, None),
    (
        "2,000 files",
        form(*(part(b"file", b"", b'; filename="a"') for _ in range(2000))),
        MULTIPART,
        400,
        None,
    ),
    ("a name of 50 kB", form(part(b"n" * 50_000, b"")), MULTIPART, 400, None),
    ("no name", b"--x\r\nContent-Disposition: form-data\r\n\r\nv\r\n--x--\r\n", MULTIPART, 400, None),
    ("5,000 headers", b"--x\r\n" + b"a: b\r\n" * 5000 + b"\r\nv\r\n--x--\r\n", MULTIPART, 400, None),
    ("no boundary", form(NAMED, FILE), "multipart/form-data", 400, None),
    ("another boundary", form(NAMED, FILE), "multipart/form-data; boundary=y", 400, None),
    ("a boundary of 5 kB", form(NAMED, FILE), "multipart/form-data; boundary=" + "x" * 5000, 400, None),
    ("a form in a form", form(part(b"voice_id", form(NAMED, FILE))), MULTIPART, 400, None),
    ("no end", form(NAMED, FILE)[:-6], MULTIPART, 400, "file"),
    ("cut in a header", form(NAMED, FILE)[:40], MULTIPART, 400, "voice_id"),
    ("no body", b"", MULTIPART, 400, None),
    ("an unknown charset", form(NAMED, FILE), MULTIPART + "; charset=klingon", 400, "file"),
    ("a charset that fails", form(NAMED, FILE), MULTIPART + "; charset=undefined", 400, None),
    ("JSON", b"{}", "application/json", 415, None),
    ("another form", b"voice_id=v", "application/x-www-form-urlencoded", 415, None),
    (
        "more than it may",
        form(NAMED, part(b"file", b"x" * 2_100_000, b'; filename="a"')),
        MULTIPART,
        413,
        None,
    ),
]


@pytest.mark.parametrize(
    ("body", "kind", "status", "param"), [f[1:] for f in FORMS], ids=[f[0] for f in FORMS]
)
def test_a_form_that_is_broken_is_refused(
    door: Door, body: bytes, kind: str, status: int, param: str | None
) -> None:
    reply = door.send("POST", CLONE, content=body, headers={"content-type": kind})
    error = refusal(reply)
    assert reply.status_code == status, reply.text
    assert param is None or error["param"] == param


@hostile
@given(st.integers(0, len(form(NAMED, FILE)) - 1), st.binary(min_size=0, max_size=4), st.integers(0, 8))
def test_a_form_with_bytes_changed_is_refused(door: Door, at: int, new: bytes, gone: int) -> None:
    whole = form(NAMED, FILE)
    body = whole[:at] + new + whole[at + gone :]
    refusal(door.send("POST", CLONE, content=body, headers={"content-type": MULTIPART}))


@pytest.mark.parametrize("value", [b"\\ud800", b"\\u0000", b"\\u202e\\u0007"])
@pytest.mark.parametrize("field", [b"voice_id", b"voice_name", b"transcript", b"language"])
def test_a_charset_smuggles_nothing_past_the_rules(door: Door, field: bytes, value: bytes) -> None:
    others = [part(n, b"v") for n in (b"voice_id", b"voice_name") if n != field]
    kind = MULTIPART + "; charset=unicode_escape"
    reply = door.send(
        "POST", CLONE, content=form(part(field, value), *others, FILE), headers={"content-type": kind}
    )
    assert refusal(reply)["param"] == {b"voice_name": "name"}.get(field, field.decode())


@settings(hostile, max_examples=40)
@given(st.one_of(st.text(min_size=1, max_size=60), st.binary(min_size=1, max_size=40)))
@example("../../etc/passwd")
@example("..")
@example("\0")
@example("x" * 5000)
@example("🎉" * 300)
@example("nobody\r\nset-cookie: x=1")
@example(b"\xff\xfe")
@example("' OR 1=1 --")
@example("kept%00")
@example("%2e%2e%2fkept")
def test_an_id_that_is_nobodys_is_not_found(door: Door, voice_id: str | bytes) -> None:
    escaped = quote(voice_id, safe="")
    for method, path in (
        ("GET", f"/api/voices/{escaped}"),
        ("GET", f"/api/voices/{escaped}/audio"),
        ("DELETE", f"/api/voices/{escaped}"),
        ("DELETE", f"/v1/audio/voices/{escaped}"),
    ):
        if escaped not in (".", KEPT):  # a client takes the dot out of the path before it sends it
            reply = door.send(method, path)
            assert reply.status_code in (307, 404, 405), reply.text
            if reply.status_code != 307:  # a slash at the end, which is taken away
                refusal(reply)


@pytest.mark.parametrize("name", ["fake", "alloy", "default"])
def test_a_builtin_voice_and_its_other_names_cannot_be_removed(door: Door, name: str) -> None:
    for path in (f"/api/voices/{name}", f"/v1/audio/voices/{name}"):
        reply = door.send("DELETE", path)
        assert reply.status_code == 403
        assert refusal(reply)["code"] == "voice_read_only"


@hostile
@given(st.text(max_size=60))
@example("../app.py")
@example("../routes/pages.py")
@example("//etc/passwd")
@example("..\\app.py")
@example("page.css/x")
@example("\0")
@example("x" * 5000)
def test_only_files_of_the_page_leave_the_static_folder(door: Door, path: str) -> None:
    for escaped in (quote(path), quote(path, safe=""), quote(quote(path, safe=""), safe="")):
        reply = door.send("GET", f"/static/{escaped}")
        assert reply.status_code == 404, (escaped, reply.text[:100])
        refusal(reply)


PATHS = [
    *("/", "/docs", "/openapi.json", "/health", "/health/live", "/health/ready", "/metrics", "/stats"),
    *("/v1/models", SPEECH, ADD, f"{ADD}/{KEPT}", SYNTHESIZE, "/api/voices", CLONE, f"/api/voices/{KEPT}"),
    *(f"/api/voices/{KEPT}/audio", "/static/main.js", "/nothing", "/v1/nothing", "/v1/models/"),
]


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "PATCH", "TRACE", "CONNECT", "BREW", "get"])
@pytest.mark.parametrize("path", PATHS)
def test_a_method_that_a_path_lacks_is_named_with_those_it_has(door: Door, method: str, path: str) -> None:
    reply = door.send(method, path, content=b"{}")
    assert reply.status_code in (200, 307, 404, 405)
    if reply.status_code == 405:
        assert reply.headers["allow"]
        assert method not in reply.headers["allow"].split(", ")
        if method == "HEAD":
            assert not reply.content
        else:
            refusal(reply)
