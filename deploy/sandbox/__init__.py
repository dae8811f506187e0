"""Private servers, a receiver and a producer: what the demo and the tests run notifyd against.

Everything here runs on loopback, on ports the kernel gave, in a folder of its own, beside any number of copies of itself,
and never touches the machine's own RabbitMQ or PostgreSQL. It needs Debian's /usr/bin/python3 with python3-pika,
python3-psycopg2, python3-celery and python3-cryptography, and nothing else.

    processes.py   children that cannot outlive us, process trees, held ports
    servers.py     RabbitServer (rabbit.py) and PostgresServer (postgres.py)
    daemon.py      notifyd itself: its configuration file, its process, its log
    receiver.py    an HTTP receiver that misbehaves on request (answers.py), and checks signatures (signatures.py)
    producer.py    messages as Celery sends them; bulk.py publishes many of them and knows which were confirmed
    seed.py        workspaces, targets, scans, findings, integrations
    vendors/       whom the receiver can play, each as strict as its documentation
    demo.py        deploy/demo: demo_case.py (what is published), demo_rule.py (the rules, said once more), demo_slack.py (what
                   a channel must be told), demo_expect.py (what must come of it), demo_receipt.py (what came), demo_check.py
                   (whether these agree), demo_screen.py (what is printed), demo_machine.py (what is started and stopped),
                   programs.py (notifyd and notifyctl, built and copied)
"""
