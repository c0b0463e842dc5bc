"""The voice library in SQLite, PostgreSQL and memory."""

from june_tts.store.database import Limits
from june_tts.store.memory import MemoryVoiceStore
from june_tts.store.opening import open_store

__all__ = ["Limits", "MemoryVoiceStore", "open_store"]
