"""Models that can be pulled, and where they are published. Sizes and hashes are those of the release."""

from dataclasses import dataclass
from typing import Literal

from june_tts.errors import InvalidRequest
from june_tts.models.verified import Published

Variant = Literal["int8", "fp32"]


@dataclass(frozen=True, slots=True)
class Release:
    """A model as its publisher offers it."""

    name: str
    title: str
    url: str
    """Folder of the files: a file's address is this, a slash and its name."""
    license: str
    languages: tuple[str, ...]
    variants: dict[str, Published]
    """The model itself, by variant; the first one is the default."""
    shared: tuple[Published, ...]
    """What every variant needs beside it."""

    def files(self, variant: str | None = None) -> tuple[Published, ...]:
        """What to fetch for a variant, smallest first, so that a wrong address is found out soon.

        Raises:
            InvalidRequest: no such variant.
        """
        chosen = variant or next(iter(self.variants))
        if chosen not in self.variants:
            raise InvalidRequest(
                f"variant {chosen!r}: {self.name} has {', '.join(self.variants)}", param="variant"
            )
        return tuple(sorted((*self.shared, self.variants[chosen]), key=lambda file: file.size))


@dataclass(frozen=True, slots=True)
class HubRelease:
    """A model in a repository of a model hub, which states sizes and hashes itself.

    Its publisher hands it out against an agreement, so only who has an account could note them here.
    """

    name: str
    title: str
    engine: str
    repository: str
    """`owner/name` on the hub."""
    files: tuple[str, ...]
    about_bytes: int
    """Before the hub was asked."""
    license: str
    terms: str
    """What the licence means to the user, in a sentence."""
    languages: tuple[str, ...]


KOKORO_INT8 = Published(
    "kokoro-v1.0.int8.onnx", 92_361_271, "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
)
KOKORO_FP32 = Published(
    "kokoro-v1.0.onnx", 325_532_387, "7d5df8ecf7d4b1878015a32686053fd0eebe2bc377234608764cc0ef3636a6c5"
)
KOKORO_VOICES = Published(
    "voices-v1.0.bin", 28_214_398, "bca610b8308e8d99f32e6fe4197e7ec01679264efed0cac9140fe9c29f1fbf7d"
)

KOKORO = Release(
    name="kokoro",
    title="Kokoro 82M v1.0, all voices",
    url="https://github.com/thewh1teagle/kokoro-onnx/releases/download/model-files-v1.0",
    license="Apache-2.0",
    languages=("en-US", "en-GB", "es", "fr-FR", "hi", "it", "pt-BR"),
    variants={"int8": KOKORO_INT8, "fp32": KOKORO_FP32},
    shared=(KOKORO_VOICES,),
)

FISH_S1_MINI = HubRelease(
    name="fish/s1-mini",
    title="OpenAudio S1-mini",
    engine="fish",
    repository="fishaudio/openaudio-s1-mini",
    files=("config.json", "model.pth", "tokenizer.tiktoken", "special_tokens.json", "codec.pth"),
    about_bytes=3_610_000_000,
    license="CC-BY-NC-SA-4.0",
    terms="not for commercial use; who passes it on must name Fish Audio and keep the licence",
    languages=("en", "zh", "ja", "de", "fr", "es", "ko", "ar", "ru", "nl", "it", "pl", "pt"),
)

RELEASES: tuple[Release | HubRelease, ...] = (KOKORO, FISH_S1_MINI)


def release(name: str) -> Release | HubRelease:
    """Raises: InvalidRequest, where nothing of that name can be pulled."""
    for known in RELEASES:
        if known.name == name:
            return known
    names = ", ".join(known.name for known in RELEASES)
    raise InvalidRequest(f"no model is called {name!r}: expected one of {names}", param="name")
