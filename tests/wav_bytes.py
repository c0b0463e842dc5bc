"""PCM as a WAV file, for readers that want one."""

import io
import wave


def wav(pcm: bytes, rate: int) -> bytes:
    """
    Args:
        pcm: mono, 16 bit.
        rate: Hz.
    """
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(pcm)
    return file.getvalue()
