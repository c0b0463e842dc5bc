"""june-tts for LiveKit Agents: speech from a server of your own.

Environment variables, where the arguments of `TTS` do not say:
- `JUNE_BASE_URL`: where june-tts listens; `http://127.0.0.1:8000` unless set
- `JUNE_API_KEY`: its key, where it wants one
"""

from livekit.agents import Plugin

from .log import logger
from .streams import ChunkedStream, SynthesizeStream
from .tts import TTS
from .version import __version__

__all__ = ["TTS", "ChunkedStream", "SynthesizeStream", "__version__"]


class JunePlugin(Plugin):
    def __init__(self) -> None:
        super().__init__(__name__, __version__, __package__ or __name__, logger)


Plugin.register_plugin(JunePlugin())
