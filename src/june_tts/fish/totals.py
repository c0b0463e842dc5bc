"""Counts of several processes, one after the other. No torch."""

from dataclasses import fields, replace

from june_tts.fish.events import Stats

COUNTERS = (
    *("steps", "rows", "frames", "illegal_frames", "prefill_columns", "codec_calls", "codec_frames"),
    *("prefix_hits", "prefix_misses", "failed_steps"),
)
"""Of `Stats`, those that only grow. The others say how it is now."""

NOTHING = Stats(**{field.name: 0 for field in fields(Stats)})


def total(before: Stats, now: Stats) -> Stats:
    """What processes that have ended counted, and what the one that runs says."""
    return replace(now, **{name: getattr(before, name) + getattr(now, name) for name in COUNTERS})
