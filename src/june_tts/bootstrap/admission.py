"""The queue in front of the engines."""

from june_tts.service.admission import Admission, AdmissionRules
from june_tts.settings import Settings
from june_tts.telemetry.metrics import Metrics
from june_tts.telemetry.recorder import Recorder


def rules_of(settings: Settings) -> AdmissionRules:
    """The settings' limits."""
    return AdmissionRules(
        settings.max_streams,
        settings.queue,
        {
            "interactive": settings.queue_seconds,
            "normal": settings.queue_normal_seconds,
            "batch": settings.queue_batch_seconds,
        },
    )


def admission_of(settings: Settings, metrics: Metrics, recorder: Recorder) -> Admission:
    """As the settings have it, with nothing learned yet."""
    return Admission(rules_of(settings), metrics.admission, recorder.refused)
