"""A server, and the ways to what it leans on."""

from dataclasses import dataclass

from tests.faults.proxy import Proxy
from tests.faults.server import Server
from tests.services import Postgres, RedisServer

DATABASE_SECONDS = 1.5
"""JUNE_DATABASE_SECONDS of the server."""


@dataclass(frozen=True)
class Leaning:
    server: Server
    postgres: Postgres
    database: Proxy
    redis_server: RedisServer
    redis: Proxy
