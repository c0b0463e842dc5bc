"""`/model` and `/wallet`: the voice library in Fish Audio's shape."""

import io
import re
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from tests.fake_server import FakeServer, fake_server
from tests.unit.http.test_fish import refused
from tests.unit.http.test_fish_references import speech

from june_tts.engine.fake import FakeEngine
from june_tts.service.pictures import MOST_BYTES

pytestmark = pytest.mark.unit

PNG = b"\x89PNG\r\n\x1a\n and so on"
FIELDS = {
    *("_id", "type", "title", "description", "cover_image", "train_mode", "state", "tags", "samples"),
    *("created_at", "updated_at", "languages", "visibility", "lock_visibility"),
    *("like_count", "mark_count", "shared_count", "task_count", "liked", "marked", "author"),
}


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with fake_server(FakeEngine(clones=True, voices=("fake", "other"))) as opened:
        yield opened


def long(seconds: float) -> bytes:
    """Speech as FLAC, as WAVs of a minute are larger than this server's uploads may be."""
    samples, rate = soundfile.read(io.BytesIO(speech(seconds)), dtype="float32")
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format="FLAC")
    return out.getvalue()


Parts = list[tuple[str, Any]]


def parts(*recordings: bytes, **fields: Any) -> Parts:
    """A multipart form; a list is a field that is repeated."""
    found: Parts = [("voices", ("upload", one)) for one in recordings]
    for name, value in fields.items():
        found += [(name, (None, each)) for each in (value if isinstance(value, list) else [value])]
    return found


async def add(server: FakeServer, *recordings: bytes, cover: bytes | None = None, **fields: Any) -> Any:
    sent = parts(*(recordings or (speech(),)), **({"title": "Anna"} | fields))
    sent += [("cover_image", ("upload", cover))] if cover is not None else []
    return await server.http.post("/model", files=sent)


async def added(server: FakeServer, **fields: Any) -> dict[str, Any]:
    reply = await add(server, **fields)
    assert reply.status_code == 201, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def titles(server: FakeServer, **params: Any) -> list[str]:
    reply = await server.http.get("/model", params=params)
    assert reply.status_code == 200, reply.text
    return [item["title"] for item in reply.json()["items"]]


async def test_a_voice_is_made_of_a_recording_and_can_be_spoken(server: FakeServer) -> None:
    made = await added(
        server,
        description="Reads aloud.",
        tags=["calm", "female"],
        texts=["The words."],
        visibility="public",
        cover=PNG,
        type="tts",
        train_mode="fast",
        enhance_audio_quality="false",
    )
    assert set(made) == FIELDS
    assert re.fullmatch("[0-9a-f]{32}", made["_id"])
    assert (made["title"], made["description"], made["tags"]) == (
        "Anna",
        "Reads aloud.",
        ["calm", "female"],
    )
    assert (made["visibility"], made["state"], made["type"]) == ("public", "trained", "tts")
    assert made["samples"][0]["text"] == "The words."
    assert made["author"] == {"_id": "self", "nickname": "self", "avatar": ""}
    assert datetime.fromisoformat(made["created_at"]).year >= 2025
    assert (await server.http.get(f"/model/{made['_id']}")).json() == made
    audio = (await server.http.get(made["samples"][0]["audio"])).content
    assert audio == speech()
    reply = await server.http.post("/v1/tts", json={"text": "Hello.", "reference_id": made["_id"]})
    assert reply.status_code == 200
    assert server.engine.spoken[-1][0].voice.name == "Anna"


async def test_what_is_not_sent_is_empty_and_private(server: FakeServer) -> None:
    made = await added(server)
    assert (made["description"], made["cover_image"], made["tags"]) == ("", "", [])
    assert (made["visibility"], made["languages"], made["samples"][0]["text"]) == ("private", [], "")


async def test_enhancing_is_not_done_and_a_header_says_so(server: FakeServer) -> None:
    asked = await add(server, enhance_audio_quality="true")
    assert asked.headers["x-ignored-parameters"] == "enhance_audio_quality"
    assert "x-ignored-parameters" not in (await add(server)).headers


async def test_several_recordings_are_one_voice_in_their_order(server: FakeServer) -> None:
    first, second = speech(4.0), speech(5.0)
    reply = await add(server, first, second, texts=["One.", " Two. "])
    made = reply.json()
    assert made["samples"][0]["text"] == "One. Two."
    whole = (await server.http.get(made["samples"][0]["audio"])).content
    samples, rate = soundfile.read(io.BytesIO(whole), dtype="float32")
    assert samples.size == round((4 + 0.2 + 5) * rate)
    assert np.abs(samples[: 4 * rate] - soundfile.read(io.BytesIO(first))[0]).max() < 1e-4
    assert not samples[4 * rate : round(4.2 * rate)].any()
    assert np.abs(samples[round(4.2 * rate) :] - soundfile.read(io.BytesIO(second))[0]).max() < 1e-4


@pytest.mark.parametrize("texts", [["One."], ["One.", ""], ["", "Two."], ["One.", "Two.", "Three."]])
async def test_words_of_some_recordings_alone_are_refused(server: FakeServer, texts: list[str]) -> None:
    message = refused(await add(server, speech(), speech(), texts=texts), 422)
    assert message.startswith("texts has")


async def test_blank_texts_are_none(server: FakeServer) -> None:
    reply = await add(server, speech(), speech(), texts=["", " "])
    assert reply.json()["samples"][0]["text"] == ""


@pytest.mark.parametrize(
    ("recordings", "reason"),
    [
        ((b"these are words",), "voices: 15 bytes of text"),
        ((b"",), "voices: it has 0 bytes"),
        ((speech(2.0),), "voices: it lasts 2.0 s"),
        ((long(61.0),), "voices: it lasts 61.0 s"),
        ((long(35.0), long(35.0)), "voices: the first 2 of 2 recordings last 70.2 s together"),
        ((speech(5.0), b"RIFF"), "(recording 2 of 2)"),
        ((speech(1.0), speech(1.0)), "voices: it lasts 2.2 s"),
    ],
)
async def test_what_makes_no_voice_is_refused_and_leaves_nothing(
    server: FakeServer, recordings: tuple[bytes, ...], reason: str
) -> None:
    assert reason in refused(await add(server, *recordings), 400)
    assert await titles(server, self="true") == []


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"title": ""}, "title"),
        ({"title": " "}, "title"),
        ({"title": "x" * 256}, "title"),
        ({"title": "a\x00b"}, "title"),
        ({"description": "x" * 5001}, "description"),
        ({"description": "a\x00b"}, "description"),
        ({"tags": ["x" * 65]}, "tags"),
        ({"tags": [str(n) for n in range(33)]}, "tags"),
        ({"tags": ["a\x07"]}, "tags"),
        ({"texts": ["x" * 5001]}, "texts"),
        ({"visibility": "secret"}, "visibility"),
        ({"type": "svc"}, "type"),
        ({"train_mode": "full"}, "train_mode"),
        ({"enhance_audio_quality": "perhaps"}, "enhance_audio_quality"),
        ({"cover": b"<svg onload=alert(1)>"}, "cover_image"),
        ({"cover": b"<html>"}, "cover_image"),
        ({"cover": b""}, "cover_image"),
        ({"cover_image": "a text"}, "cover_image"),
    ],
)
async def test_a_field_that_is_not_valid_is_422_and_named(
    server: FakeServer, fields: dict[str, Any], name: str
) -> None:
    assert refused(await add(server, **fields), 422).startswith(name)
    assert await titles(server, self="true") == []


async def test_a_form_without_what_is_needed_is_refused(server: FakeServer) -> None:
    post = server.http.post
    assert refused(await post("/model", files=parts(speech())), 422) == "title is missing"
    assert refused(await post("/model", files=parts(title="Anna")), 422) == "voices is missing"
    assert "Content-Type" in refused(await post("/model", json={"title": "Anna"}), 415)
    many = parts(*[b"x"] * 17, title="Anna")
    assert refused(await post("/model", files=many), 422).startswith("voices")
    as_text = parts(title="Anna", voices="no file")
    assert refused(await post("/model", files=as_text), 422).startswith("voices")


async def test_a_picture_that_is_too_large_is_refused(server: FakeServer) -> None:
    made = await added(server)
    url = f"/model/{made['_id']}"
    # the limit of this test's uploads is smaller than that of pictures
    large = await server.http.patch(url, files={"cover_image": PNG + bytes(2_100_000)})
    refused(large, 413)
    assert MOST_BYTES > 2_000_000


async def test_a_picture_is_handed_out_as_what_it_is(server: FakeServer) -> None:
    kinds = {
        "image/png": PNG,
        "image/jpeg": b"\xff\xd8\xff\xe0 and so on",
        "image/gif": b"GIF89a and so on",
        "image/webp": b"RIFF\x10\x00\x00\x00WEBP and so on",
    }
    for kind, data in kinds.items():
        made = await added(server, cover=data)
        reply = await server.http.get(made["cover_image"])
        assert (reply.content, reply.headers["content-type"]) == (data, kind)
        assert reply.headers["x-content-type-options"] == "nosniff"
    without = await added(server)
    refused(await server.http.get(f"/model/{without['_id']}/cover"), 404)
    refused(await server.http.get("/model/nobody/cover"), 404)
    refused(await server.http.get("/model/fake/cover"), 404)


async def test_what_is_changed_stays_changed_and_the_rest_as_it_was(server: FakeServer) -> None:
    made = await added(server, description="Old.", tags=["old"], cover=PNG)
    url = f"/model/{made['_id']}"
    reply = await server.http.patch(url, data={"title": "Berta", "tags": ["one", "two", "one"]})
    assert reply.status_code == 200, reply.text
    after = (await server.http.get(url)).json()
    assert after == reply.json()
    assert (after["title"], after["tags"]) == ("Berta", ["one", "two"])
    assert after["updated_at"] > made["updated_at"]
    changed = {"title", "tags", "updated_at", "samples"}
    assert {name for name in FIELDS if after[name] != made[name]} == changed
    await server.http.patch(url, data={"visibility": "public"}, files={"cover_image": b"GIF89a"})
    last = (await server.http.get(url)).json()
    assert (last["title"], last["visibility"]) == ("Berta", "public")
    assert (await server.http.get(last["cover_image"])).content == b"GIF89a"


async def test_a_description_can_be_taken_away_and_an_empty_form_changes_nothing(server: FakeServer) -> None:
    made = await added(server, description="Old.", tags=["old"])
    url = f"/model/{made['_id']}"
    assert (await server.http.patch(url)).json()["description"] == "Old."
    assert (await server.http.patch(url, data={"title": "Anna"})).json()["description"] == "Old."
    emptied = (await server.http.patch(url, data={"description": ""})).json()
    assert (emptied["description"], emptied["tags"]) == ("", ["old"])


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ({"title": " "}, "title"),
        ({"visibility": "secret"}, "visibility"),
        ({"tags": ["x" * 65]}, "tags"),
        ({"description": "\x00"}, "description"),
    ],
)
async def test_a_change_that_is_not_valid_is_refused_and_changes_nothing(
    server: FakeServer, form: dict[str, Any], name: str
) -> None:
    made = await added(server)
    url = f"/model/{made['_id']}"
    assert refused(await server.http.patch(url, data=form), 422).startswith(name)
    assert (await server.http.get(url)).json() == made


async def test_built_in_voices_and_other_names_of_voices_cannot_be_changed_or_removed(
    server: FakeServer,
) -> None:
    for voice_id in ("fake", "alloy", "default"):
        assert (await server.http.get(f"/model/{voice_id}")).json()["_id"] == "fake"
        refused(await server.http.patch(f"/model/{voice_id}", data={"title": "Mine"}), 403)
        refused(await server.http.delete(f"/model/{voice_id}"), 403)


async def test_what_is_removed_is_gone(server: FakeServer) -> None:
    made = await added(server)
    url = f"/model/{made['_id']}"
    assert (await server.http.delete(url)).status_code == 200
    for reply in (
        await server.http.get(url),
        await server.http.delete(url),
        await server.http.patch(url, data={"title": "x"}),
    ):
        assert made["_id"] in refused(reply, 404)
    assert await titles(server, self="true") == []


async def test_every_voice_is_listed_and_has_every_field(server: FakeServer) -> None:
    await added(server)
    reply = (await server.http.get("/model")).json()
    assert set(reply) == {"total", "items"}
    assert [item["title"] for item in reply["items"]] == ["Fake", "Other", "Anna"]
    assert all(set(item) == FIELDS for item in reply["items"])
    built_in = reply["items"][0]
    assert (built_in["languages"], built_in["author"]["_id"]) == (["en", "de"], "june-tts")
    assert built_in["lock_visibility"] is True and built_in["samples"] == []


async def test_lists_come_in_pages(server: FakeServer) -> None:
    for n in range(5):
        await added(server, title=f"v{n}")
    pages = [
        (await server.http.get("/model", params={"page_size": 3, "page_number": n})).json()
        for n in (1, 2, 3, 4)
    ]
    assert [page["total"] for page in pages] == [7] * 4
    assert [[item["title"] for item in page["items"]] for page in pages] == [
        ["Fake", "Other", "v0"],
        ["v1", "v2", "v3"],
        ["v4"],
        [],
    ]


async def test_lists_can_be_narrowed(server: FakeServer) -> None:
    await added(server, title="Anna", tags=["calm", "female"], visibility="public")
    await added(server, title="Bert", tags=["calm"], visibility="unlist")
    await added(server, title="ANNABEL", tags=["loud"])
    expected: list[tuple[dict[str, Any], list[str]]] = [
        ({"title": "anna"}, ["Anna", "ANNABEL"]),
        ({"tag": "calm"}, ["Anna"]),
        ({"tag": "calm", "self": "true"}, ["Anna", "Bert"]),
        ({"tag": ["calm", "female"], "self": "true"}, ["Anna"]),
        ({"self": "true"}, ["Anna", "Bert", "ANNABEL"]),
        ({"self": "false"}, ["Fake", "Other", "Anna", "ANNABEL"]),
        ({"author_id": "june-tts"}, ["Fake", "Other"]),
        ({"author_id": "self"}, ["Anna", "ANNABEL"]),
        ({"author_id": "somebody"}, []),
        ({"language": "de-AT"}, ["Fake", "Other"]),
        ({"language": ["ja", "en"]}, ["Fake", "Other"]),
        ({"language": "ja"}, []),
        ({"heard_of": "never"}, ["Fake", "Other", "Anna", "ANNABEL"]),
    ]
    for params, found in expected:
        assert await titles(server, **params) == found, params


async def test_the_most_spoken_or_the_newest_come_first(server: FakeServer) -> None:
    anna = await added(server, title="Anna")
    await added(server, title="Bert")
    for voice_id in ("other", anna["_id"], anna["_id"]):
        await server.http.post("/v1/tts", json={"text": "Hello.", "reference_id": voice_id})
    assert await titles(server) == ["Anna", "Other", "Fake", "Bert"]
    assert await titles(server, sort_by="created_at") == ["Bert", "Anna", "Fake", "Other"]
    counted = (await server.http.get(f"/model/{anna['_id']}")).json()["task_count"]
    assert counted == 2


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"page_size": 0}, "page_size"),
        ({"page_size": 10**6}, "page_size"),
        ({"page_number": 0}, "page_number"),
        ({"page_number": 10**30}, "page_number"),
        ({"page_size": "many"}, "page_size"),
        ({"self": "perhaps"}, "self"),
        ({"sort_by": "score"}, "sort_by"),
        ({"title": "x" * 301}, "title"),
        ({"title_language": "en"}, "title_language"),
        ({"tag": ["x"] * 101}, "tag"),
    ],
)
async def test_a_list_that_cannot_be_is_refused(server: FakeServer, params: Any, name: str) -> None:
    assert refused(await server.http.get("/model", params=params), 422).startswith(name)


async def test_the_wallet_is_never_empty(server: FakeServer) -> None:
    credit = (await server.http.get("/wallet/self/api-credit")).json()
    package = (await server.http.get("/wallet/self/package")).json()
    assert float(credit["credit"]) > 0
    assert package["balance"] == package["total"] > 0
    assert credit["user_id"] == package["user_id"] == "self"


async def test_voices_and_the_wallet_need_the_key_where_there_is_one() -> None:
    async with fake_server(api_key="secret") as server:
        for path in ("/model", "/model/fake", "/wallet/self/api-credit", "/wallet/self/package"):
            refused(await server.http.get(path), 401)
            right = await server.http.get(path, headers={"Authorization": "Bearer secret"})
            assert right.status_code == 200
        for method in ("POST", "PATCH", "DELETE"):
            refused(await server.http.request(method, "/model/fake"), 401)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x",
        b"--x\r\n\r\n\r\n--x--",
        b'--x\r\nContent-Disposition: form-data; name="voices"; filename="\xff\x00"\r\n\r\nRIFF\r\n--x--\r\n',
        b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\n\x00\r\n--x--\r\n',
        b"--x\r\n" * 5000,
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_broken_forms_are_refused(server: FakeServer, method: str, body: bytes) -> None:
    made = await added(server)
    url = "/model" if method == "POST" else f"/model/{made['_id']}"
    reply: httpx.Response = await server.http.request(
        method, url, content=body, headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert reply.status_code in ((400, 422) if method == "POST" else (200, 400, 422)), reply.text
    assert await titles(server, self="true") == ["Anna"]
    assert (await server.http.get(f"/model/{made['_id']}")).json()["title"] == "Anna"


async def test_a_voice_that_gets_another_id_keeps_what_is_told_of_it(server: FakeServer) -> None:
    made = await added(server, description="Reads.", tags=["calm"], visibility="unlist", cover=PNG)
    body = {"old_reference_id": made["_id"], "new_reference_id": "anna"}
    assert (await server.http.post("/v1/references/update", json=body)).status_code == 200
    after = (await server.http.get("/model/anna")).json()
    kept = ("title", "description", "tags", "visibility")
    assert [after[name] for name in kept] == [made[name] for name in kept]
    assert (await server.http.get(after["cover_image"])).content == PNG
