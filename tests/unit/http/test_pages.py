"""The page's routes: headers, caching, and nothing served from outside the folder."""

from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from june_tts.http.routes.pages import page_routes

pytestmark = pytest.mark.unit

STATIC = Path(__file__).parents[3] / "src/june_tts/http/static"


async def get(path: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(Starlette(routes=page_routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://june") as client:
        return await client.get(path, headers=headers)


@pytest.mark.parametrize("path", ["/", "/static/main.js", "/static/page.css", "/static/icon.svg"])
async def test_every_file_carries_the_security_headers(path: str) -> None:
    reply = await get(path)
    assert reply.status_code == 200
    policy = reply.headers["content-security-policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["referrer-policy"] == "no-referrer"


async def test_an_unchanged_file_is_not_sent_again() -> None:
    first = await get("/static/main.js")
    again = await get("/static/main.js", **{"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["cache-control"] == again.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "/static/../routes/pages.py",
        "/static/..%2froutes%2fpages.py",
        "/static/%2e%2e/app.py",
        "/static//etc/passwd",
        "/static/%00",
        "/static/main.js%00.css",
        "/static/",
        "/static/none.js",
    ],
)
async def test_nothing_outside_the_folder_is_served(path: str) -> None:
    assert (await get(path)).status_code == 404


def test_the_page_names_no_other_host_and_has_no_inline_code() -> None:
    for file in STATIC.iterdir():
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "//cdn" not in text and "https://" not in text, file.name
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    assert " style=" not in page and " onclick=" not in page and "<style" not in page


async def test_everything_that_the_page_refers_to_exists() -> None:
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    references = [part.split('"')[0] for part in page.split('"static/')[1:]]
    imports = [
        line.split('"./')[1].split('"')[0]
        for file in STATIC.glob("*.js")
        for line in file.read_text(encoding="utf-8").splitlines()
        if '"./' in line
    ]
    assert len(references) >= 4 and len(imports) >= 10
    for name in {*references, *imports}:
        assert (await get(f"/static/{name}")).status_code == 200, name
