"""Keys and scopes over HTTP: who is let in, who is not, and what each API's client reads of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from tests.fake_access import fake_access
from tests.fake_server import FakeServer, fake_server

from june_tts.telemetry.metrics import Metrics
from june_tts.types import KeyLimits, Scope

pytestmark = pytest.mark.unit

SPEECH = {"input": "Hello there.", "voice": "fake", "response_format": "pcm"}


async def key_for(server: FakeServer, *scopes: Scope, limits: KeyLimits | None = None) -> str:
    made = await server.services.access.desk.make("Ann", scopes, limits or KeyLimits())
    return made.text


async def speak(server: FakeServer, key: str | None, **headers: str) -> httpx.Response:
    sent = headers | ({"Authorization": f"Bearer {key}"} if key else {})
    return await server.http.post("/v1/audio/speech", json=SPEECH, headers=sent)


def failures(server: FakeServer) -> dict[str, float]:
    counter = server.services.metrics.access.failures
    return {s.labels["reason"]: s.value for s in [*counter.collect()][0].samples if s.name.endswith("_total")}


async def test_a_server_without_keys_asks_for_none() -> None:
    async with fake_server() as server:
        assert (await speak(server, None)).status_code == 200
        assert (await speak(server, "whatever")).status_code == 200


async def test_a_key_that_was_made_is_let_in_and_from_then_on_a_key_is_asked_for() -> None:
    async with fake_server() as server:
        key = await key_for(server, "speak")
        assert (await speak(server, key)).status_code == 200
        assert (await speak(server, None, **{"xi-api-key": key})).status_code == 200
        refused = await speak(server, None)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert failures(server) == {"missing": 1}


@pytest.mark.parametrize("change", ["", "x", "june_", "end", "id"])
async def test_a_key_that_is_nearly_right_is_wrong(change: str) -> None:
    async with fake_server() as server:
        key = await key_for(server, "speak")
        head, ident, secret = key.split("_")
        nearly = {
            "": f"{head}_{ident}_",
            "x": key + "x",
            "june_": secret,
            "end": key[:-1] + ("a" if key[-1] != "a" else "b"),
            "id": f"{head}_{'a' * 12}_{secret}",
        }
        refused = await speak(server, nearly[change])
        assert refused.status_code == 401
        assert failures(server) == {"wrong": 1}
        assert secret not in refused.text


async def test_a_revoked_key_is_told_so_and_revoking_the_last_one_opens_nothing() -> None:
    async with fake_server() as server:
        key = await key_for(server, "speak")
        await server.services.access.desk.revoke(key.split("_")[1])
        refused = await speak(server, key)
        assert (refused.status_code, failures(server)) == (401, {"revoked": 1})
        assert "revoked" in refused.json()["error"]["message"]
        assert (await speak(server, None)).status_code == 401


async def test_a_key_ends_when_it_was_made_to() -> None:
    async with fake_server() as server:
        soon = datetime.now(UTC) + timedelta(seconds=0.05)
        made = await server.services.access.desk.make("Ann", ["speak"], KeyLimits(), soon)
        assert (await speak(server, made.text)).status_code == 200
        server.services.access.keys._clock = lambda: soon.timestamp() + 1
        assert (await speak(server, made.text)).status_code == 401
        assert failures(server) == {"expired": 1}


async def test_the_keys_of_the_settings_may_do_everything() -> None:
    async with fake_server(api_key="sesame") as server:
        bearer = {"Authorization": "Bearer sesame"}
        assert (await speak(server, "sesame")).status_code == 200
        assert (await server.http.get("/api/admin/keys", headers=bearer)).status_code == 200
        assert (await server.http.delete("/api/voices/nobody", headers=bearer)).status_code == 404


@pytest.mark.parametrize(
    ("scope", "method", "path", "status"),
    [
        ("speak", "POST", "/v1/audio/speech", 200),
        ("voices", "POST", "/v1/audio/speech", 403),
        ("admin", "POST", "/v1/audio/speech", 403),
        ("speak", "DELETE", "/api/voices/nobody", 403),
        ("voices", "DELETE", "/api/voices/nobody", 404),
        ("speak", "GET", "/api/voices", 200),
        ("voices", "GET", "/api/voices", 200),
        ("speak", "GET", "/api/admin/keys", 403),
        ("speak", "GET", "/api/admin/keys%0A", 403),
        ("voices", "GET", "/api/admin/keys/", 403),
        ("admin", "GET", "/api/admin/keys", 200),
        ("speak", "GET", "/api/voices/nobody/audio", 403),
        ("speak", "GET", "/api/nothing/here", 404),
    ],
)
async def test_a_key_may_do_what_its_scopes_say(scope: Scope, method: str, path: str, status: int) -> None:
    async with fake_server() as server:
        bearer = {"Authorization": f"Bearer {await key_for(server, scope)}"}
        body = SPEECH if method == "POST" else None
        reply = await server.http.request(method, path, json=body, headers=bearer)
        assert reply.status_code == status
        assert failures(server).get("scope", 0) == (status == 403)


@pytest.mark.parametrize(
    ("path", "method", "where"),
    [
        ("/v1/audio/speech", "POST", ("error", "code")),
        ("/api/tts/synthesize", "POST", ("error", "code")),
        ("/v1/tts", "POST", ("reason",)),
        ("/v1/text-to-speech/fake", "POST", ("detail", "status")),
    ],
)
async def test_refusals_have_the_shape_of_their_api(path: str, method: str, where: tuple[str, ...]) -> None:
    async with fake_server(limits_of_keys=KeyLimits(requests_per_minute=1)) as server:
        speaker, other = await key_for(server, "speak"), await key_for(server, "voices")
        codes = []
        for key in ("wrong", other, speaker, speaker):
            reply = await server.http.request(
                method, path, content=b"{}", headers={"Authorization": f"Bearer {key}"}
            )
            found: Any = reply.json()
            for name in where:
                found = found[name]
            codes.append((reply.status_code, found))
            assert "x-request-id" in reply.headers
        assert codes[:2] == [(401, "unauthorized"), (403, "forbidden")]
        assert codes[3] == (429, "rate_limited")


async def test_a_forbidden_caller_is_told_which_scope_is_missing() -> None:
    async with fake_server() as server:
        refused = await speak(server, await key_for(server, "voices", "admin"))
        error = refused.json()["error"]
        assert error["type"] == "permission_error"
        assert error["message"] == "this API key lacks the scope speak; it has admin, voices"


async def test_whoever_calls_is_known_to_what_serves_the_request() -> None:
    seen: list[Any] = []
    async with fake_server() as server:
        key = await key_for(server, "speak")

        async def spy(scope: Any, receive: Any, send: Any) -> None:
            await server.app(scope, receive, send)
            seen.append(scope["state"]["caller"])

        async with httpx.AsyncClient(transport=httpx.ASGITransport(spy), base_url="http://june") as http:
            await http.get("/api/voices", headers={"Authorization": f"Bearer {key}"})
            await http.get("/health/live")
    assert (seen[0].key_id, seen[0].name, seen[0].scopes) == (key.split("_")[1], "Ann", {"speak"})
    assert seen[1] is None


async def test_replies_say_what_is_left_of_each_limit() -> None:
    limits = KeyLimits(requests_per_minute=60, characters_per_day=100)
    async with fake_server() as server:
        key = await key_for(server, "speak", limits=limits)
        reply = await speak(server, key)
        assert reply.headers["ratelimit-policy"] == (
            '"requests_per_minute";q=60;w=60, "characters_per_day";q=100;w=86400'
        )
        rate, quota = reply.headers["ratelimit"].split(", ")
        assert rate == '"requests_per_minute";r=59;t=1'
        assert quota.startswith('"characters_per_day";r=88;t=')
        assert reply.headers["x-ratelimit-limit-requests"] == "60"
        assert reply.headers["x-ratelimit-remaining-requests"] == "59"
        assert reply.headers["x-ratelimit-reset-requests"].endswith("ms")


async def test_no_header_is_sent_where_nothing_is_limited() -> None:
    async with fake_server() as server:
        reply = await speak(server, await key_for(server, "speak"))
        assert not [name for name in reply.headers if "ratelimit" in name]


async def test_requests_beyond_the_rate_are_429_before_their_body_is_looked_at() -> None:
    async with fake_server() as server:
        key = await key_for(server, "speak", limits=KeyLimits(requests_per_minute=2))
        statuses = [(await speak(server, key)).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        refused = await server.http.post(
            "/v1/audio/speech", content=b"no json", headers={"Authorization": f"Bearer {key}"}
        )
        assert refused.status_code == 429
        assert 25 <= int(refused.headers["retry-after"]) <= 30
        assert refused.headers["x-ratelimit-remaining-requests"] == "0"
        limited = server.services.metrics.access.limited.labels("requests_per_minute")
        assert limited._value.get() == 2


async def test_characters_and_audio_are_charged_and_then_refused() -> None:
    async with fake_server() as server:
        key = await key_for(server, "speak", limits=KeyLimits(characters_per_day=20))
        assert (await speak(server, key)).status_code == 200
        refused = await speak(server, key)
        assert refused.status_code == 429
        assert "characters per day" in refused.json()["error"]["message"]
        heard = await key_for(server, "speak", limits=KeyLimits(audio_seconds_per_day=1))
        statuses: list[int] = []
        while 429 not in statuses and len(statuses) < 20:
            statuses.append((await speak(server, heard)).status_code)
        assert statuses[0] == 200
        assert statuses[-1] == 429


async def test_what_comes_from_memory_is_charged_as_well() -> None:
    async with fake_server() as server:
        key = await key_for(server, "speak", limits=KeyLimits(characters_per_day=12 * 4))
        replies = [await speak(server, key) for _ in range(5)]
        assert [reply.status_code for reply in replies] == [200, 200, 200, 200, 429]
        assert replies[3].headers["x-june-cache"] == "hit"


async def test_a_full_server_gives_the_characters_back() -> None:
    async with fake_server() as server:
        server.services.admission.draining = True
        key = await key_for(server, "speak", limits=KeyLimits(characters_per_day=20))
        assert [(await speak(server, key)).status_code for _ in range(3)] == [503, 503, 503]


async def test_a_text_without_a_sound_costs_nothing_and_keeps_no_place() -> None:
    async with fake_server(max_streams=1) as server:
        key = await key_for(server, "speak", limits=KeyLimits(characters_per_day=20, streams=1))
        silent, sent = SPEECH | {"input": "* " * 9}, {"Authorization": f"Bearer {key}"}
        for _ in range(3):
            reply = await server.http.post("/v1/audio/speech", json=silent, headers=sent)
            assert (reply.status_code, reply.json()["error"]["code"]) == (400, "nothing_to_speak")
        assert server.services.admission.active == 0
        assert (await speak(server, key)).status_code == 200


async def test_each_item_of_a_batch_is_charged() -> None:
    async with fake_server() as server:
        key = await key_for(server, "speak", limits=KeyLimits(characters_per_day=25))
        items = [{"text": "Hello there."} for _ in range(3)]
        reply = await server.http.post(
            "/v1/batch", json={"items": items}, headers={"Authorization": f"Bearer {key}"}
        )
        assert reply.status_code == 200
        assert reply.text.count("rate_limited") >= 1


async def test_changes_are_in_the_audit_log_with_who_made_them() -> None:
    async with fake_server(api_key="sesame") as server:
        bearer = {"Authorization": "Bearer sesame", "x-request-id": "r-1"}
        made = await server.http.post("/api/admin/keys", json={"name": "Ann"}, headers=bearer)
        key = made.json()["key"]
        await server.http.delete("/api/voices/nobody", headers={**bearer, "x-request-id": "r-2"})
        reply = await server.http.get("/api/admin/audit", headers=bearer)
        entries = [
            tuple(entry[name] for name in ("actor", "action", "subject", "request_id", "outcome"))
            for entry in reply.json()["entries"]
        ]
        assert entries == [
            ("settings", "voice.remove", "nobody", "r-2", "voice_not_found"),
            ("settings", "key.add", key.split("_")[1], "r-1", "success"),
        ]
        assert key.split("_")[2] not in reply.text


async def test_other_names_than_the_allowed_ones_are_refused() -> None:
    access = fake_access(metrics := Metrics(), hosts=("tts.example.com", "*.inner"))
    async with fake_server(access=access, metrics=metrics) as server:

        async def status(host: str, path: str = "/api/voices") -> int:
            return (await server.http.get(path, headers={"Host": host})).status_code

        assert await status("tts.example.com") == await status("TTS.example.com:8000") == 200
        assert await status("a.b.inner:80") == 200
        assert await status("inner") == await status("evil.com") == await status("xinner") == 400
        assert await status("10.0.0.1", "/health/live") == 200


async def test_pages_of_allowed_origins_may_call_and_read_the_headers() -> None:
    access = fake_access(metrics := Metrics(), "sesame", origins=("https://app.example.com",))
    async with fake_server(access=access, metrics=metrics) as server:
        asked = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "POST"}
        asked["Access-Control-Request-Headers"] = "authorization,content-type"
        preflight = await server.http.options("/v1/audio/speech", headers=asked)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == "https://app.example.com"
        reply = await speak(server, "sesame", Origin="https://app.example.com")
        assert "x-request-id" in reply.headers["access-control-expose-headers"].lower()
        refused = await speak(server, "wrong", Origin="https://app.example.com")
        assert refused.headers["access-control-allow-origin"] == "https://app.example.com"
        other = await server.http.options(
            "/v1/audio/speech", headers={**asked, "Origin": "https://evil.example.com"}
        )
        assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize(
    ("site", "origin", "status"),
    [
        ("cross-site", "https://evil.example.com", 403),
        ("cross-site", "https://app.example.com", 200),
        ("same-origin", "http://june", 200),
        (None, None, 200),
    ],
)
async def test_an_open_server_is_not_at_the_service_of_any_page(
    site: str | None, origin: str | None, status: int
) -> None:
    access = fake_access(metrics := Metrics(), origins=("https://app.example.com",))
    async with fake_server(access=access, metrics=metrics) as server:
        headers = {"Sec-Fetch-Site": site, "Origin": origin}
        sent = {name: value for name, value in headers.items() if value}
        assert (await speak(server, None, **sent)).status_code == status
