"""Who may call a fake server: keys, their limits and the audit log in memory."""

from june_tts.cache.memory_ledger import MemoryLedger
from june_tts.http.access import AccessControl
from june_tts.service.audit import Audit
from june_tts.service.key_desk import KeyDesk
from june_tts.service.keys import KeyRing, SettingsKey
from june_tts.service.rates import RateMeter
from june_tts.service.usage import UsageBook
from june_tts.store.access_memory import MemoryAuditStore, MemoryKeyStore
from june_tts.telemetry.metrics import Metrics
from june_tts.types import KeyLimits


def fake_access(
    metrics: Metrics,
    api_key: str | None = None,
    defaults: KeyLimits | None = None,
    *,
    hosts: tuple[str, ...] = (),
    origins: tuple[str, ...] = (),
) -> AccessControl:
    """As `bootstrap/access.py` builds it; nothing runs beside it."""
    kept = MemoryKeyStore()
    given = (SettingsKey("settings", "JUNE_API_KEY", api_key),) if api_key else ()
    keys = KeyRing(kept, given, metrics.access)
    meter = RateMeter(
        keys.limits,
        defaults or KeyLimits(),
        MemoryLedger(),
        None,
        metrics.access,
        owner="fake",
        book=UsageBook(None),
    )
    audit = Audit(MemoryAuditStore())
    desk = KeyDesk(kept, audit, keys.look)
    return AccessControl(keys, meter, desk, audit, metrics.access, hosts, origins)
