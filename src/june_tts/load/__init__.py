"""Drives a server with load and measures what its listeners would hear.

`Target` says where and how to ask, `Plan` and `Point` how much, `run_points` does it with a `Client`, and
`summarise` turns the outcomes of a point into the figures of a report.
"""

from june_tts.load.client import Client
from june_tts.load.drive import Arrivals, Plan, Point, run_point
from june_tts.load.listener import Listener
from june_tts.load.outcome import Outcome
from june_tts.load.run import Watcher, run_points
from june_tts.load.summary import Result, Spread, Summary, summarise
from june_tts.load.target import Api, Format, Target
from june_tts.load.texts import SHORTEST, Texts

__all__ = [
    "SHORTEST",
    "Api",
    "Arrivals",
    "Client",
    "Format",
    "Listener",
    "Outcome",
    "Plan",
    "Point",
    "Result",
    "Spread",
    "Summary",
    "Target",
    "Texts",
    "Watcher",
    "run_point",
    "run_points",
    "summarise",
]
