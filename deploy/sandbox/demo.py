"""deploy/demo after its packages are installed; see there for what it does.

The story from the first server to the last check: what is published (demo_case.py) is published chapter by chapter, shown as
it lands and compared with what it must come to (demo_check.py).
"""

from __future__ import annotations

import argparse
import json
import queue
import random
import sys
import time
import traceback

from . import demo_case, producer, seed
from .demo_case import Call, Chapter, ScanCall
from .demo_check import Ledger, dead_problems, explain_problems, ledger_problems, receipt_problems, request_problems
from .demo_expect import Expectation
from .demo_machine import COUNTS, DemoFailed, Machine
from .demo_receipt import Inbox
from .demo_rule import DEAD, STAGES
from .demo_screen import Screen, Stop, Stopped, fail
from .processes import StartError, tail
from .receiver import Receiver, Request

DEAD_LETTERS = "notify.dead"
PATIENCE = 30.0  # seconds for the last delivery of a chapter
BETWEEN = 3.0  # seconds between two events afterwards


class Demo:
    def __init__(self, stop: Stop) -> None:
        self.stop, self.screen = stop, Screen(stop)
        self.machine = Machine(stop, self.screen)
        self._arrived: "queue.SimpleQueue[Request]" = queue.SimpleQueue()

    def set_up(self) -> None:
        machine = self.machine
        machine.start_servers()
        receiver = Receiver(keep=False, on_request=self._arrived.put)
        machine.at_end("the receiver", receiver.stop)
        self.workspace = demo_case.seed_workspace(machine.database, receiver.url, machine.key, machine.seal)
        for hook in self.workspace.hooks:
            receiver.script(hook.path, *hook.answers)
        self.expected = Expectation(demo_case.read_filters(machine.database))
        self.inbox = Inbox(self.workspace.hooks, self.expected, demo_case.RETRY)
        self._remarked: set[str] = set()
        machine.start_notifyd()
        machine.start_api(self.workspace.row.id)
        self.screen.head("Is everything as a worker needs it?")
        machine.show("check")

    # --- events and deliveries

    def tell(self) -> None:
        for chapter in demo_case.chapters(self.workspace):
            self._tell(chapter)

    def _tell(self, chapter: Chapter) -> None:
        self.screen.head(chapter.head, chapter.before)
        modern = producer.celery_app(self.machine.rabbit.url)
        old = producer.celery_app(self.machine.rabbit.url, protocol=1)
        try:
            for number, call in enumerate(chapter.calls, 1):
                if isinstance(call, ScanCall):
                    self.expected.add_scan(modern.notify_scan_findings.delay(call.scan.id).id, call)
                else:
                    self._publish(call, old if call.how == "protocol-1" else modern, number)
                self._show(until=time.monotonic() + 0.1)
        finally:
            modern.app.close()
            old.app.close()
        self._show_until_settled()
        if chapter.command:
            self.machine.show(*chapter.command)
        if chapter.after:
            self.screen.say(chapter.after)

    def _publish(self, call: Call, by: producer.Producer, number: int = 0) -> str:
        words = (call.scan.id, call.event_type)
        about = {**({"finding_id": call.finding.id} if call.finding else {}), **call.keywords}
        if call.how == "plain":
            event_id = f"plain-{number}"
            producer.publish_plain(self.machine.rabbit.url, producer.QUEUE,
                                   {"scan_id": call.scan.id, "event_type": call.event_type, **about}, event_id)
        elif call.how == "twice":
            event_id = seed.new_id()
            for _ in range(2):
                by.notify_event.apply_async(words, about, task_id=event_id)
        else:
            event_id = by.notify_event.delay(*words, **about).id
        self.expected.add(event_id, call)
        return event_id

    def _show(self, until: float) -> None:
        """Prints what lands until then."""
        while True:
            self.stop.check()
            self.machine.check_alive()
            left = until - time.monotonic()
            try:
                request = self._arrived.get(timeout=max(0.001, min(0.1, left)))
            except queue.Empty:
                if left <= 0:
                    return
                continue
            self.screen.delivery(self.inbox.add(request))

    def _show_until_settled(self) -> None:
        """Every expected delivery has ended and no message is left but the dead letters: nothing more can come."""
        deadline = time.monotonic() + PATIENCE
        quiet = 0
        while quiet < 2:
            self._show(time.monotonic() + 0.15)
            left = self.machine.queues()
            self._show(time.monotonic())  # what led to these dead letters has arrived by now
            _insist(receipt_problems(self.inbox, self.expected))
            missing = self.inbox.unfinished()
            letters, dead = left.pop(DEAD_LETTERS, 0), len(self.inbox.ended(DEAD))
            if letters > dead:
                raise DemoFailed(f"{letters} messages were dead-lettered instead of {dead}")
            quiet = 0 if missing or left or letters < dead else quiet + 1
            if time.monotonic() > deadline:
                what = [f"event {event} to {self.expected.name_of(hook)}" for event, hook in sorted(missing)]
                raise DemoFailed(f"not within {PATIENCE:g} s: {len(what)} deliveries, of {', '.join(what[:3])}" if what
                                 else f"messages are still in {left}, {letters} of {dead} are dead-lettered")

    # --- what must be true of it

    def verify(self) -> None:
        ledger = self.machine.ledger()
        explained = {event: json.loads(self.machine.notifyctl("explain", "--event", event, "--json"))[0]
                     for event in self.expected.calls}
        _insist([
            *receipt_problems(self.inbox, self.expected), *request_problems(self.inbox, self.expected, self.workspace.hooks),
            *ledger_problems(ledger, self.inbox, self.expected), *explain_problems(explained, self.expected),
            *dead_problems(json.loads(self.machine.notifyctl("dead", "list", "--json")), self.inbox, self.expected)])
        self._show_held_back(ledger)
        self.screen.head("Do the books balance?")
        self.machine.show("stats")
        self.machine.show("audit")
        self.screen.head("What the API says")
        _insist(self.machine.show_api())
        self._show_result()

    def _show_held_back(self, ledger: Ledger) -> None:
        self.screen.head("What the filters held back, and why")
        self.screen.held_back(self.expected)
        sums = {name: sum(row[name] for row in ledger.events.values()) for name in COUNTS}
        held = ", ".join(f"{sums[f'filtered_{stage}']} {stage}" for stage in STAGES)
        self.screen.say(f"  In the ledger: {sums['considered']} pairs of event and integration, {sums['matched']} fired,"
                        f" held back {held}.\n")
        event_id = self.expected.held_back_most()
        call = self.expected.calls[event_id]
        self.screen.say(f"  Ask for an event, here {call.event_type} of \"{call.subject}\":")
        self.machine.show("explain", "--event", event_id, grep="^integration|HELD|^conclusion")

    def _show_result(self) -> None:
        events, wanted, dead = len(self.expected.calls), len(self.expected.deliveries()), len(self.inbox.ended(DEAD))
        again = len(self.inbox.receipts) - wanted
        self.screen.say(self.screen.paint(
            f"\n✓ {events} events, {wanted - dead} deliveries, each exactly once, and {dead} dead as it must be;"
            f" every signature and message verified.\n  {again} further attempts kept their ids and pauses."
            " The ledger, explain and audit agree.", "green"))

    def go_on(self) -> None:
        """An event every few seconds until somebody stops us."""
        self.screen.head(f"Another event every {BETWEEN:g} seconds; Ctrl-C ends it and leaves nothing behind")
        self.screen.say(f"  Look at it from another terminal:\n    {self.machine.programs}/notifyctl -c {self.machine.conf}"
                        " deliveries\n")
        further = demo_case.further_calls(self.machine.database, self.workspace, random.Random())
        celery = producer.celery_app(self.machine.rabbit.url)
        try:
            for call in further:
                event_id = self._publish(call, celery)
                self._show(time.monotonic() + 0.5)
                self.screen.held_back_of_one(event_id, self.expected)
                self._show(time.monotonic() + BETWEEN - 0.5)
                self._remark()
        finally:
            celery.app.close()

    def _remark(self) -> None:
        """What nobody published: by now people try the dashboard, and send tests, replays and exports."""
        for problem in receipt_problems(self.inbox, self.expected):
            if problem not in self._remarked:
                self._remarked.add(problem)
                self.screen.say(self.screen.paint(f"  beside the plan: {problem}", "medium"))


def _insist(wrong: list[str]) -> None:
    """Nothing is wrong, or the demo has failed."""
    if wrong:
        raise DemoFailed(f"{wrong[0]}" + (f" (and {len(wrong) - 1} more)\n" + "\n".join(wrong) if wrong[1:] else ""))


def _show_failure(demo: Demo, reason: str) -> None:
    first, _, rest = reason.partition("\n")
    details = [rest] if rest else []
    if demo.machine.notifyd is not None:
        details.append(f"notifyd's log ends:\n{tail(demo.machine.notifyd.log, 40)}")
    details.append(f"the data is kept in {demo.machine.folder}")
    fail(first, "\n".join(details))


def run(once: bool, stop: Stop) -> int:
    demo = Demo(stop)
    reason = ""
    stopped = verified = False
    try:
        demo.set_up()
        demo.tell()
        demo.verify()
        verified = True
        if not once:
            demo.go_on()
    except Stopped:
        stopped = True
        demo.screen.say("\nstopping …")
    except (DemoFailed, StartError) as error:
        reason = str(error)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
    stop.ignore()
    wrong = demo.machine.clean_up(keep=bool(reason))
    reason = reason or "\n".join(wrong)
    if reason:
        _show_failure(demo, reason)
        return 1
    if stopped and (once or not verified):
        return 128 + stop.number
    demo.screen.say("Everything that was started is stopped, its data is deleted.")
    return 0


def main() -> int:
    options = argparse.ArgumentParser(prog="deploy/demo")
    options.add_argument("--once", action="store_true")
    chosen = options.parse_args()
    return run(chosen.once, Stop())


if __name__ == "__main__":
    sys.exit(main())
