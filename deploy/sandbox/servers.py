"""The two servers that notifyd needs, private and real; see rabbit.py and postgres.py."""

from .postgres import PostgresServer
from .processes import StartError
from .rabbit import RabbitServer

__all__ = ["PostgresServer", "RabbitServer", "StartError"]
