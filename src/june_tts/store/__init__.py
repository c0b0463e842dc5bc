"""The voice library in SQLite, PostgreSQL and memory."""

from june_tts.store.database import Limits
from june_tts.store.memory import MemoryVoiceStore
from june_tts.store.opening import Stores, open_store, open_stores

__all__ = ["Limits", "MemoryVoiceStore", "Stores", "open_store", "open_stores"]
