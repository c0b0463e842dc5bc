"""What is spoken into LiveKit rooms."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge


class RoomMetrics:
    def __init__(self, r: CollectorRegistry) -> None:
        self.joins = Counter("tts_room_joins", "Tries to join a room, by outcome", ["outcome"], registry=r)
        self.utterances = Counter(
            "tts_room_utterances", "Utterances in rooms ended, by how", ["state"], registry=r
        )
        self.heard = Counter("tts_room_heard_seconds", "Speech that left for rooms", registry=r)
        self.underruns = Counter(
            "tts_room_underruns", "Times that a room heard silence because speech came too late", registry=r
        )
        self._joined = Gauge("tts_rooms", "Rooms joined", registry=r)
        self._waiting = Gauge("tts_room_waiting", "Utterances that wait for their turn", registry=r)

    def watch_joined(self, joined: Callable[[], float]) -> None:
        """Read the number of rooms at every scrape."""
        self._joined.set_function(joined)

    def watch_waiting(self, waiting: Callable[[], float]) -> None:
        """Read how many utterances wait, over all rooms, at every scrape."""
        self._waiting.set_function(waiting)
