"""Who may ask, for how much, and what is written down of it."""

from calendar import monthrange
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Literal

Scope = Literal["speak", "voices", "admin"]
SCOPES: tuple[Scope, ...] = ("speak", "voices", "admin")


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request this is, where the server asks for keys."""

    key_id: str
    """Public: it is in the audit log, and what fairness and rates go by."""
    name: str
    """For people."""
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """What one caller may have. None: the server's default; 0: as much as it likes."""

    requests_per_minute: int | None = None
    characters_per_minute: int | None = None
    audio_seconds_per_minute: int | None = None
    streams: int | None = None
    """At once."""
    characters_per_day: int | None = None
    """A day begins at midnight UTC, a month on its first."""
    characters_per_month: int | None = None
    audio_seconds_per_day: int | None = None
    audio_seconds_per_month: int | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is kept: its secret is known to its holder alone."""

    key_id: str
    name: str
    sha256: str = field(repr=False)
    """Of the secret, in hex."""
    scopes: frozenset[Scope]
    limits: KeyLimits
    created_at: datetime
    created_by: str
    """Key id of whoever made it, or `cli`; empty where the server was open."""
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    revision: int = 0
    """Of all changes to keys, the number of the last one to this."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who changed what. Nothing that anyone wrote or said is in it."""

    at: datetime
    actor: str
    """Key id, or `cli`; empty where the server was open."""
    action: str
    subject: str
    """Id of the voice or key."""
    request_id: str
    outcome: str
    """`success`, or the code of the error."""
    number: int = 0
    """Given by the store, rising."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a caller had on one day (UTC)."""

    key_id: str
    day: date
    requests: int = 0
    characters: int = 0
    audio_seconds: float = 0.0


BudgetKind = Literal["requests", "characters", "audio_seconds"]
BudgetWindow = Literal["minute", "day", "month"]


@dataclass(frozen=True, slots=True)
class Budget:
    """What a caller may have of something in a time. A minute's is a bucket that fills steadily; a day's or
    a month's is a count that begins anew with each, in UTC."""

    kind: BudgetKind
    window: BudgetWindow
    limit: int

    @property
    def name(self) -> str:
        """Of the limit: `characters_per_day`."""
        return f"{self.kind}_per_{self.window}"

    @property
    def seconds(self) -> int:
        """Of its window; of a month, the longest there are."""
        return {"minute": 60, "day": 86_400, "month": 31 * 86_400}[self.window]

    def period(self, now: datetime) -> str:
        """Names the day or month: `2026-11-22`, `2026-11`; empty for a minute, which has no beginning."""
        if self.window == "minute":
            return ""
        return now.isoformat()[: len("2026-11-22" if self.window == "day" else "2026-11")]

    def rest(self, now: datetime) -> float:
        """Seconds until the day or month ends; 0 for a minute."""
        if self.window == "minute":
            return 0.0
        now = now.astimezone(UTC)
        of_day = now.hour * 3600 + now.minute * 60 + now.second + now.microsecond / 1e6
        days = 1 if self.window == "day" else monthrange(now.year, now.month)[1] - now.day + 1
        return days * 86_400 - of_day


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of one budget."""

    budget: Budget
    charge: float = 0.0
    """Taken whatever is left; below 0 it is given back."""
    need: float = 0.0
    """Taken where there is room for the needs of all orders, else nothing."""
    want: float = 0.0
    """Taken with the need, as much of it as there is."""
    known: float = 0.0
    """Of a day or month: what is known to be used. A ledger that knows nothing begins from there."""
    certain: bool = False
    """So much is used at least, though the ledger says less: it was away, and may have forgotten."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a ledger gave of one budget: the need and as much as could be of the want, or nothing."""

    granted: float
    left: float
    """In the ledger after that, below 0 where it was overcharged."""
    wait: float
    """Seconds after which the need would fit; 0 where it does."""
