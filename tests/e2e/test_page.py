"""The page in a real browser, against the real server: clicks, keys, and what is heard."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from jiwer import wer
from playwright.sync_api import Browser, Page, expect
from tests.e2e.page_browser import (
    PALE_TEXT,
    TAP,
    Watch,
    chromium,
    download,
    nameless_controls,
    normal_words,
    words,
)
from tests.e2e.page_server import serving

pytestmark = pytest.mark.e2e

SENTENCE = "The old ferry crosses the river every morning, and the captain waves to the children."
LONG = " ".join([SENTENCE] * 60)  # about 300 s: more than is made before the test says stop
PLAY_MS = 30_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("page")) as address:
        yield address


@pytest.fixture(scope="module")
def recording(server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About 10 s of speech as a WAV file: a voice to add, and what the microphone hears."""
    wish = {"input": f"{SENTENCE} {SENTENCE}", "voice": "joe", "response_format": "wav"}
    reply = httpx.post(f"{server}/v1/audio/speech", json=wish, timeout=60).raise_for_status()
    file = tmp_path_factory.mktemp("recording") / "speech.wav"
    # written anew: Chromium's microphone needs the sizes that the header of a streamed WAV leaves open
    samples, rate = soundfile.read(BytesIO(reply.content))
    soundfile.write(file, samples, rate, subtype="PCM_16")
    return file


@pytest.fixture(scope="module")
def browser(recording: Path) -> Iterator[Browser]:
    with chromium(recording) as browser:
        yield browser


@contextmanager
def opened(browser: Browser, address: str, **context: Any) -> Iterator[tuple[Page, Watch]]:
    """The page in a context of its own; when it is left nothing may have gone wrong in it."""
    watch = Watch(address)
    with browser.new_context(**context) as own:
        page = own.new_page()
        watch.over(page)
        page.add_init_script(TAP)
        page.goto(address)
        yield page, watch
    assert watch.problems == []


@pytest.fixture
def page(server: str, browser: Browser) -> Iterator[Page]:
    """The page with its catalogue loaded."""
    with opened(browser, server) as (page, _):
        expect(page.locator("#voice")).to_have_value("joe")
        yield page


def refusal(server: str, **wish: Any) -> str:
    """The sentence with which the server itself refuses this wish."""
    body = {"model": "june", "response_format": "pcm", **wish}
    return str(httpx.post(f"{server}/v1/audio/speech", json=body).json()["error"]["message"])


def speak(page: Page, text: str) -> None:
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_role("button", name="Speak", exact=True).click()


def finished(page: Page) -> None:
    expect(page.locator("#sound")).to_have_attribute("data-state", "finished", timeout=PLAY_MS)


def test_a_click_on_speak_is_heard_word_for_word(page: Page, tmp_path: Path) -> None:
    speak(page, SENTENCE)
    finished(page)
    assert float(page.locator("#first").inner_text().removesuffix(" ms")) > 0

    file = tmp_path / "heard.wav"
    heard = download(page, file)
    assert f"{len(heard) / 24000:.2f} s" == page.locator("#length").inner_text()
    assert wer(" ".join(normal_words(SENTENCE)), " ".join(words(file))) <= 0.35

    # every sample went to the output once, in order, each buffer beginning where the one before it ended, but
    # for the gaps that the page owns up to: on a machine that does other things, too, there may be one
    scheduled = page.evaluate("scheduled")
    samples = np.concatenate([np.array(buffer["samples"]) for buffer in scheduled])
    assert np.array_equal(np.round(samples * 32768), heard)
    assert len(scheduled) > 1, "all of it came at once: nothing was streamed"
    starts = np.array([buffer["at"] for buffer in scheduled])
    holes = np.diff(starts) - [len(buffer["samples"]) for buffer in scheduled[:-1]]
    assert (holes > -0.01).all(), "buffers overlap"
    assert int(page.locator("#gaps").inner_text()) == (holes > 0.01).sum() < 3


def test_it_sounds_while_more_is_being_made_and_stop_gives_up_the_rest(
    page: Page, server: str, tmp_path: Path
) -> None:
    cancelled = httpx.get(f"{server}/stats").json()["cancelled"]
    broken_off: list[str] = []
    page.on("requestfailed", lambda request: broken_off.append(request.url))
    speak(page, LONG)
    expect(page.locator("#status")).to_have_text("Speaking, more is being made …", timeout=PLAY_MS)
    assert page.locator("#total").inner_text() == "–"
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator("#sound")).to_have_attribute("data-state", "stopped")
    expect(page.get_by_role("button", name="Speak", exact=True)).to_be_focused()
    assert [url.rpartition("/")[2] for url in broken_off] == ["speech"]
    stats = httpx.get(f"{server}/stats").json()
    assert (stats["cancelled"], stats["active_requests"]) == (cancelled + 1, 0)

    heard = len(download(page, tmp_path / "heard.wav")) / 24000
    assert page.locator("#status").inner_text() == f"Stopped after {heard:.1f} s."
    made = sum(len(buffer["samples"]) for buffer in page.evaluate("scheduled")) / 24000
    assert 0.5 < heard < made


def test_what_was_heard_can_be_played_again_without_the_server(page: Page) -> None:
    speak(page, "Good evening.")
    finished(page)
    once = sum(len(buffer["samples"]) for buffer in page.evaluate("scheduled"))
    page.context.set_offline(True)
    page.get_by_role("button", name="Play again").click()
    expect(page.locator("#sound")).to_have_attribute("data-state", "playing")
    finished(page)
    assert sum(len(buffer["samples"]) for buffer in page.evaluate("scheduled")) == 2 * once


def test_a_new_click_replaces_what_is_being_said(page: Page, tmp_path: Path) -> None:
    speak(page, LONG)
    expect(page.locator("#sound")).to_have_attribute("data-state", "playing", timeout=PLAY_MS)
    speak(page, "Seven blue boats.")
    finished(page)
    assert len(download(page, tmp_path / "heard.wav")) < 4 * 24000


def test_speed_changes_how_long_it_takes_to_say(page: Page) -> None:
    lengths = []
    for speed in ("1", "2"):
        page.get_by_label("Speed").fill(speed)
        speak(page, "Good morning, captain.")
        finished(page)
        lengths.append(float(page.locator("#length").inner_text().removesuffix(" s")))
    assert lengths[1] < 0.8 * lengths[0]


def test_the_keyboard_alone_is_enough(page: Page) -> None:
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    assert [name for name in reached if name in ("text", "voice", "speed", "speak")] == [
        "text",
        "voice",
        "speed",
        "speak",
    ]
    page.get_by_label("Text", exact=True).focus()
    page.keyboard.press("Control+a")
    page.keyboard.type(LONG)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#sound")).to_have_attribute("data-state", "playing", timeout=PLAY_MS)
    page.keyboard.press("Escape")
    expect(page.locator("#status")).to_contain_text("Stopped")
    page.locator("#tab-curl").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tab-Python")).to_be_focused()
    expect(page.locator("#code")).to_contain_text("import httpx")


def test_empty_text_is_refused_in_the_servers_words(page: Page, server: str) -> None:
    speak(page, "  \n ")
    sentence = refusal(server, input="  \n ", voice="joe", speed=1)
    expect(page.locator("#speak-error")).to_contain_text(sentence)
    expect(page.locator("#speak-error")).to_contain_text("request ")
    expect(page.get_by_label("Text", exact=True)).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#status")).to_have_text("Not spoken.")

    speak(page, "It works again.")
    finished(page)
    expect(page.locator("#speak-error")).to_be_hidden()


def test_a_server_that_went_away_is_said_so(page: Page) -> None:
    page.context.set_offline(True)
    page.get_by_role("button", name="Speak", exact=True).click()
    expect(page.locator("#speak-error")).to_have_text("The server does not answer. Is it still running?")


def test_on_plain_http_it_speaks_and_says_why_it_cannot_record(browser: Browser, server: str) -> None:
    with opened(browser, server.replace("127.0.0.1", "june.test")) as (page, _):
        assert page.evaluate("isSecureContext") is False
        speak(page, "Good morning.")
        finished(page)
        expect(page.get_by_role("button", name="Record", exact=True)).to_be_disabled()
        expect(page.locator("#clone-status")).to_contain_text("Upload a file instead.")


def test_samples_survive_any_split_of_the_bytes(page: Page) -> None:
    same = page.evaluate(
        """async () => {
          const { SampleFramer } = await import("/static/pcm.js");
          const bytes = Uint8Array.from({ length: 1000 }, (_, i) => (i * 37 + (i >> 3)) & 255);
          const whole = [...new SampleFramer().push(bytes)];
          return [1, 2, 3, 5, 7, 64, 333, 999].every((size) => {
            const framer = new SampleFramer();
            const joined = [];
            for (let at = 0; at < bytes.length; at += size) {
              joined.push(...framer.push(bytes.subarray(at, at + size)));
            }
            return whole.length === 500 && JSON.stringify(joined) === JSON.stringify(whole);
          });
        }"""
    )
    assert same is True


def add_voice(server: str, recording: Path, voice_id: str) -> None:
    files = {"file": recording.read_bytes()}
    form = {"voice_id": voice_id, "voice_name": voice_id.title()}
    httpx.post(f"{server}/api/voices/clone", data=form, files=files, timeout=30).raise_for_status()


def voice_ids(server: str) -> set[str]:
    return {voice["voice_id"] for voice in httpx.get(f"{server}/api/voices").json()["voices"]}


def test_an_uploaded_voice_shows_its_report_and_can_be_deleted(
    page: Page, server: str, recording: Path
) -> None:
    page.get_by_label("Upload a file").set_input_files(recording)
    expect(page.locator("#take")).to_contain_text("speech.wav")
    page.get_by_label("Name", exact=True).fill("Ann B. Smith")
    expect(page.get_by_label("Voice id")).to_have_value("ann-b-smith")
    page.get_by_role("button", name="Save voice").click()

    expect(page.locator("#clone-status")).to_have_text("Saved as “ann-b-smith”.")
    report = page.locator("#report")
    duration = soundfile.info(recording).duration
    expect(report).to_contain_text(f"{duration:.1f} s,")
    for fact in ("of it speech", "dBFS, peak", "Above noise", "Clipping", "mono"):
        expect(report).to_contain_text(fact)

    page.get_by_role("button", name="Delete Ann B. Smith").click()
    page.get_by_role("button", name="Keep it").click()
    assert "ann-b-smith" in voice_ids(server)
    page.get_by_role("button", name="Delete Ann B. Smith").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator("#voices-status")).to_have_text("Deleted “Ann B. Smith”.")
    expect(page.get_by_role("button", name="Delete Ann B. Smith")).to_have_count(0)
    assert "ann-b-smith" not in voice_ids(server)


def test_a_voice_recorded_in_the_browser_is_kept(page: Page, server: str) -> None:
    page.get_by_role("button", name="Record", exact=True).click()
    expect(page.locator("#record-time")).to_have_text(re.compile(r"^5\.\d s"), timeout=20_000)
    page.get_by_role("button", name="Stop recording").click()
    expect(page.locator("#take")).to_contain_text("recording.webm")
    page.get_by_label("Name", exact=True).fill("Recorded")
    page.get_by_text("Transcript and language").click()
    page.get_by_label("What is said in the recording").fill(SENTENCE)
    page.get_by_label("Language tag").fill("en")
    page.get_by_role("button", name="Save voice").click()
    expect(page.locator("#report")).to_contain_text("webm")
    assert "recorded" in voice_ids(server)


def test_a_file_that_is_no_recording_is_refused_in_the_servers_words(
    page: Page, server: str, tmp_path: Path
) -> None:
    text = tmp_path / "notes.wav"
    text.write_text("This is not sound. " * 500)
    form = {"voice_id": "notes", "voice_name": "Notes"}
    refused = httpx.post(f"{server}/api/voices/clone", data=form, files={"file": text.read_bytes()})
    assert refused.is_client_error
    page.get_by_label("Upload a file").set_input_files(text)
    page.get_by_label("Name", exact=True).fill("Notes")
    page.get_by_role("button", name="Save voice").click()
    expect(page.locator("#clone-error")).to_contain_text(refused.json()["error"]["message"])
    assert "notes" not in voice_ids(server)


def test_a_form_without_a_recording_is_refused_by_the_server(page: Page) -> None:
    page.get_by_label("Name", exact=True).fill("Nobody")
    page.get_by_role("button", name="Save voice").click()
    expect(page.locator("#clone-error")).to_contain_text("file")
    expect(page.locator("#file")).to_have_attribute("aria-invalid", "true")


def test_a_cloned_voice_that_cannot_be_spoken_says_why(page: Page, server: str, recording: Path) -> None:
    add_voice(server, recording, "keeper")
    page.reload()
    page.get_by_role("button", name=re.compile("^Keeper")).click()
    expect(page.locator("#voice")).to_have_value("keeper")
    speak(page, "Hello.")
    sentence = refusal(server, input="Hello.", voice="keeper", speed=1)
    expect(page.locator("#speak-error")).to_contain_text(sentence)


def test_a_voice_removed_meanwhile_is_refused_in_the_servers_words(
    page: Page, server: str, recording: Path
) -> None:
    add_voice(server, recording, "leaver")
    page.reload()
    page.get_by_label("Voice", exact=True).select_option("leaver")
    httpx.delete(f"{server}/api/voices/leaver").raise_for_status()
    speak(page, "Hello.")
    sentence = refusal(server, input="Hello.", voice="leaver", speed=1)
    assert "leaver" in sentence
    expect(page.locator("#speak-error")).to_contain_text(sentence)
    expect(page.get_by_label("Voice", exact=True)).to_have_attribute("aria-invalid", "true")


@pytest.mark.parametrize("tab", ["curl", "Python", "OpenAI"])
def test_the_snippets_run_as_they_stand(page: Page, tab: str, tmp_path: Path) -> None:
    page.get_by_role("tab", name=tab).click()
    code = page.locator("#code").inner_text()
    command = ["sh", "-c", code] if tab == "curl" else [sys.executable, "-c", code]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=60, capture_output=True)
    assert words(tmp_path / "hello.wav") == normal_words("Good morning, the coffee is ready.")


def test_a_key_is_asked_for_when_needed_and_kept_in_the_tab_alone(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path, JUNE_API_KEY="open-sesame") as address, opened(browser, address) as (page, _):
        wrong = {"Authorization": "Bearer wrong"}
        sentence = httpx.get(f"{address}/api/voices", headers=wrong).json()["error"]["message"]
        expect(page.locator("#key-form")).to_be_visible()
        expect(page.locator("#key-error")).to_be_hidden()
        page.get_by_role("textbox", name="API key").fill("wrong")
        page.get_by_role("button", name="Use key").click()
        expect(page.locator("#key-error")).to_contain_text(sentence)
        page.get_by_role("textbox", name="API key").fill("open-sesame")
        page.get_by_role("button", name="Use key").click()
        expect(page.locator("#voice")).to_have_value("joe")
        expect(page.locator("#key-form")).to_be_hidden()
        speak(page, "Good morning.")
        finished(page)
        expect(page.locator("#code")).to_contain_text("Authorization: Bearer $JUNE_API_KEY")
        assert page.evaluate("Object.values(sessionStorage)") == ["open-sesame"]
        assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
        assert "open-sesame" not in page.content()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_it_fits_is_legible_and_has_names_for_everything(
    browser: Browser, server: str, scheme: str, width: int
) -> None:
    motion = "reduce" if scheme == "dark" else "no-preference"
    look = {"color_scheme": scheme, "reduced_motion": motion, "viewport": {"width": width, "height": 800}}
    with opened(browser, server, **look) as (page, watch):
        expect(page.locator("#health-text")).to_have_text("Ready")
        speak(page, "Good morning.")
        finished(page)
        assert watch.refused == []
        speak(page, "")
        expect(page.locator("#speak-error")).to_be_visible()
        page.get_by_text("Transcript and language").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert nameless_controls(page) == []
        assert page.evaluate(PALE_TEXT, 4.5) == []
