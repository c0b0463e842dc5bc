"""Playing sound while it is being made, where the optional package sounddevice and a device are there."""

from typing import Any, Self

from june_tts.errors import EngineFailed
from june_tts.types import Samples

INSTALL = "the package sounddevice is not installed (pip install 'june-tts[play]')"


def why_silent() -> str | None:
    """Why nothing can be played here; None where it can."""
    try:
        import sounddevice
    except ImportError:
        return INSTALL
    except OSError as bad:
        return f"the system library PortAudio is missing ({bad})"
    try:
        sounddevice.query_devices(kind="output")
    except (sounddevice.PortAudioError, ValueError):
        return "there is no sound output device"
    return None


class Speaker:
    """The default output device. Its calls block as long as the device's buffer is full."""

    def __init__(self, sample_rate: int) -> None:
        """Raises: EngineFailed, where the device cannot be opened."""
        import sounddevice

        self._errors = sounddevice.PortAudioError
        try:
            self._stream: Any = sounddevice.OutputStream(samplerate=sample_rate, channels=1, dtype="float32")
            self._stream.start()
        except self._errors as bad:
            raise EngineFailed(f"the sound device cannot be opened: {bad}") from bad

    def write(self, samples: Samples) -> None:
        """Raises: EngineFailed, where the device went away."""
        try:
            self._stream.write(samples.reshape(-1, 1))
        except self._errors as bad:
            raise EngineFailed(f"the sound device failed: {bad}") from bad

    def drain(self) -> None:
        """Return when everything has been heard."""
        self._stream.stop()

    def close(self) -> None:
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
