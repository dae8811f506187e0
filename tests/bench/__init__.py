"""The benchmark: tests/bench/run. What it measures and how stands in docs/performance.md.

Everything runs on loopback, on servers, ports and a folder of its own (see deploy/sandbox), and is gone afterwards.

    __main__.py      the command line: what is measured, in which order, and what is done with it
    machine.py       what all runs share: programs, servers, receivers; one vhost for each run
    world.py         a database with workspaces, findings and integrations, and the list of events about them
    load.py          messages as Celery makes them, put into a queue or published at a rate (publish.c, stencil.c)
    receivers.py     nginx, which only counts, and receiver.c, which also tells latencies and misbehaves
    contenders.py    notifyd, and every other program that does its work
    meter.py         CPU time and memory from /proc
    throughput.py    one run over a queue that was filled beforehand
    latency.py       one run at a fixed rate
    rounds.py        the contenders one after the other, three times
    scenarios.py     the list of scenarios; fan_out.py, crowd.py, backlog.py, neighbours.py, storm.py, limited.py, scaling.py,
                     answer_time.py
    figures.py       medians, ratios, bounds
    report.py        the table and bench.json; chart.py the picture
    floor.c          the contender that is nothing but the libraries
"""
