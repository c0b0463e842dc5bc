"""What the service needs from the outside. Two real implementations each, or it is not a port."""

from june_tts.ports.access import AuditStore, KeyStore, Ledger, LocalLedger, UsageStore
from june_tts.ports.engines import Engine, SpeaksInCodes, Supervised, TellsProgress, VoiceCodec, WarmsVoices
from june_tts.ports.rooms import RoomPublisher
from june_tts.ports.stores import JobStore, PhraseMemory, References, SharedPhrases, VoiceStore, VoiceUseStore

__all__ = [
    "AuditStore",
    "Engine",
    "JobStore",
    "KeyStore",
    "Ledger",
    "LocalLedger",
    "PhraseMemory",
    "References",
    "RoomPublisher",
    "SharedPhrases",
    "SpeaksInCodes",
    "Supervised",
    "TellsProgress",
    "UsageStore",
    "VoiceCodec",
    "VoiceStore",
    "VoiceUseStore",
    "WarmsVoices",
]
