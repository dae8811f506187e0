"""Publishing many events fast, and knowing for each whether the broker has promised to keep it.

Confirms are counted while further messages are on their way, so the speed is that of the connection. When the connection
breaks, the messages in flight are *unknown*: they are not in the result and are not sent again, so "everything that was
confirmed has been delivered" can be asserted without allowing for duplicates of our own making.
"""

from __future__ import annotations

import itertools
import threading
import time
from typing import Iterable

import pika
import pika.exceptions

from .producer import Event, celery_message

_WINDOW = 1000  # unconfirmed messages at once
_SLICE = 200  # messages between two looks at the socket


class BulkPublisher(threading.Thread):
    """Publishes in a thread of its own, across restarts of the broker; `confirmed` and `unknown` hold ids."""

    def __init__(self, url: str | list[str], queue: str, events: Iterable[Event], rate: float | None = None, *,
                 arguments: dict[str, object] | None = None) -> None:
        """RATE: events per second, kept evenly; after an outage there is no burst to catch up.

        Several URLs are those of a cluster's nodes, and taken in turn. ARGUMENTS: those that the queue is declared with.
        """
        super().__init__(name="bulk publisher", daemon=True)
        self.confirmed: list[str] = []
        self.unknown: list[str] = []
        self.sent = 0
        self._urls = itertools.cycle([url] if isinstance(url, str) else url)
        self._queue, self._rate, self._arguments = queue, rate, arguments
        self._events = iter(events)
        self._next: Event | None = next(self._events, None)
        self._in_flight: dict[int, str] = {}
        self._ended = threading.Event()
        self._connection: pika.SelectConnection
        self._channel: pika.channel.Channel | None = None
        self.failure: BaseException | None = None

    def stop(self) -> None:
        """No more new events; those in flight are still waited for."""
        self._ended.set()

    def finish(self, timeout: float = 60) -> list[str]:
        """Waits until everything is sent (or stop() was called) and settled; returns the confirmed ids."""
        self.join(timeout)
        if self.is_alive():
            self._ended.set()
            raise TimeoutError(f"{self.sent} events sent, {len(self.confirmed)} confirmed in {timeout:g} s")
        if self.failure:
            raise self.failure
        return self.confirmed

    def run(self) -> None:
        try:
            while self._next is not None and not self._ended.is_set():
                self._one_connection()
                self.unknown += self._in_flight.values()
                self._in_flight.clear()
                if self._next is not None and not self._ended.is_set():
                    time.sleep(0.1)
        except BaseException as error:  # shown by finish(), in the thread that waits
            self.failure = error

    # --- one connection, from dialling to its end

    def _one_connection(self) -> None:
        self._sequence = 0
        self._channel = None
        self._connection = pika.SelectConnection(
            pika.URLParameters(next(self._urls)), on_open_callback=lambda c: c.channel(on_open_callback=self._opened),
            on_open_error_callback=lambda c, _: c.ioloop.stop(), on_close_callback=lambda c, _: c.ioloop.stop())
        self._connection.ioloop.start()

    def _opened(self, channel: pika.channel.Channel) -> None:
        channel.exchange_declare(self._queue, "direct", durable=True)
        channel.queue_declare(self._queue, durable=True, arguments=self._arguments)
        channel.queue_bind(self._queue, self._queue, routing_key=self._queue)
        channel.confirm_delivery(self._settled, callback=lambda _: self._begin(channel))
        channel.add_on_close_callback(lambda *_: self._end())

    def _begin(self, channel: pika.channel.Channel) -> None:
        self._channel = channel
        self._clock, self._since = time.monotonic(), 0
        self._pump()

    def _pump(self) -> None:
        channel = self._channel
        if channel is None or not channel.is_open:
            return
        room = min(_SLICE, _WINDOW - len(self._in_flight))
        if self._rate is not None:
            room = min(room, int((time.monotonic() - self._clock) * self._rate) - self._since)
        for _ in range(room):
            if self._next is None or self._ended.is_set():
                break
            self._publish(channel, self._next)
            self._next = next(self._events, None)
        if (self._next is None or self._ended.is_set()) and not self._in_flight:
            self._end()
            return
        full = len(self._in_flight) >= _WINDOW or self._rate is not None or self._next is None
        self._connection.ioloop.call_later(0.002 if full else 0, self._pump)

    def _publish(self, channel: pika.channel.Channel, e: Event) -> None:
        body, properties = celery_message(e)
        self._sequence += 1
        self._in_flight[self._sequence] = e.id
        self.sent += 1
        self._since += 1
        channel.basic_publish("", self._queue, body, properties)

    def _settled(self, frame: pika.frame.Method) -> None:
        tag, ack = frame.method.delivery_tag, isinstance(frame.method, pika.spec.Basic.Ack)
        tags = [t for t in self._in_flight if t <= tag] if frame.method.multiple else [tag]
        for t in tags:
            (self.confirmed if ack else self.unknown).append(self._in_flight.pop(t))

    def _end(self) -> None:
        if not (self._connection.is_closing or self._connection.is_closed):
            self._connection.close()


def publish_many(url: str, queue: str, events: Iterable[Event], rate: float | None = None,
                 timeout: float = 300) -> list[str]:
    """Publishes EVENTS as Celery would and returns the ids whose publish was confirmed, in the order of their confirms."""
    publisher = BulkPublisher(url, queue, events, rate)
    publisher.start()
    return publisher.finish(timeout)
