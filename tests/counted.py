"""`counted`: when a test is over, what notifyd has counted is what it has written into the ledger.

PostgreSQL itself notes each end of a delivery that a worker writes, so that nothing which happens to the row afterwards (a replay, a
drop, retention) takes part. docs/metrics.md says which identities hold, and when only an upper bound does:

  - nobody was killed and no connection was lost: counted and written are the same, and each message received was settled or requeued,
    unless a worker left before it was done (`handed_back` in its line worker_leaves);
  - else counted <= written: a worker that dies between the commit and the counting has written more, and so has one whose connection
    was lost with the answer.
"""

from __future__ import annotations

from typing import Any, Iterator

import pytest

STATES = ("delivered", "canceled", "dead")

NOTE_ENDS = """
CREATE SCHEMA counted;
CREATE TABLE counted.ends (state text NOT NULL);
CREATE FUNCTION counted.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF current_setting('application_name') LIKE 'pencheff-notify worker%' THEN
        INSERT INTO counted.ends VALUES (NEW.state);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER counted_insert AFTER INSERT ON notify.deliveries FOR EACH ROW
    WHEN (NEW.state IN ('delivered', 'canceled', 'dead')) EXECUTE FUNCTION counted.note();
CREATE TRIGGER counted_update AFTER UPDATE OF state ON notify.deliveries FOR EACH ROW
    WHEN (NEW.state IN ('delivered', 'canceled', 'dead') AND NEW.state IS DISTINCT FROM OLD.state) EXECUTE FUNCTION counted.note();
"""


def _ended(one: Any) -> dict[str, int] | None:
    """What its last line says of it; None: it was killed and has none."""
    lines = one.events("ended")
    return {name: int(lines[-1][name]) for name in ("received", "settled", "requeued", *STATES)} if lines else None


def _was_calm(one: Any) -> bool:
    unasked = [e for e in one.events("child_ended") if e["level"] != "info" or e["status"] not in ("0",)]
    return not (unasked or one.events("database_link_down") or one.events("broker_link_down"))


def compare(daemons: list[Any], written: dict[str, int]) -> None:
    said = [_ended(one) for one in daemons]
    counted = {state: sum(each[state] for each in said if each) for state in STATES}
    calm = all(said) and all(_was_calm(one) for one in daemons)
    print(f"counted {counted}, written {written}{', calm' if calm else ''}")
    for state in STATES:
        assert counted[state] <= written[state], f"{state}: counted {counted[state]}, written {written[state]}"
        assert not calm or counted[state] == written[state], f"{state}: counted {counted[state]}, written {written[state]}"
    for one, each in zip(daemons, said) if calm else ():
        if all(e["handed_back"] == "0" for e in one.events("worker_leaves")):
            assert each["received"] == each["settled"] + each["requeued"], each


@pytest.fixture
def counted(request: pytest.FixtureRequest, stage: Any) -> Iterator[None]:
    """To be asked for before notifyd, so that it looks when that has ended."""
    stage.database.execute(NOTE_ENDS)
    yield
    rows = dict(stage.database.query("SELECT state, count(*) FROM counted.ends GROUP BY 1"))
    compare(getattr(request.node, "notifyds", []), {state: rows.get(state, 0) for state in STATES})
