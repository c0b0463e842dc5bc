"""What speaks batches."""

from june_tts.service.admission import Admission
from june_tts.service.batch import Batches, BatchRules
from june_tts.service.synthesis import Synthesizer
from june_tts.settings import Settings
from june_tts.telemetry.metrics import Metrics


def batches_of(
    settings: Settings, synthesizer: Synthesizer, admission: Admission, metrics: Metrics
) -> Batches:
    return Batches(synthesizer, admission, metrics.batch, batch_rules(settings))


def batch_rules(settings: Settings) -> BatchRules:
    return BatchRules(
        items=settings.batch_items,
        characters=settings.batch_chars,
        at_once=settings.batch_at_once,
        batches=settings.batches,
        audio_bytes=settings.batch_item_mb << 20,
    )
