"""A crowd of greenlets that make blocking calls: `greenlets.py gevent threads`, say."""

import sys
import time

library, threads = sys.argv[1:]
if library == "gevent":
    from gevent import monkey

    monkey.patch_all(thread=threads == "threads")
    from gevent import Timeout, sleep, spawn

    join = "get"
else:
    import eventlet

    eventlet.monkey_patch()
    from eventlet import Timeout, sleep, spawn

    join = "wait"

import asyncio

import asking

from direct_anyio import model_request


def gather(function, count):
    return {getattr(each, join)() for each in [spawn(function) for _ in range(count)]}


def ticker():
    while True:
        sleep(0.001)
        ticks.append(time.monotonic())


ticks = []
spawn(ticker)
print(gather(asking.whole, 30), gather(lambda: "".join(asking.pieces("Go on.")), 30))
if threads == "threads":
    print("others run meanwhile:", len(ticks) > 5)
    endless = asking.pieces("endless")
    print(next(endless))
    print("beside:", asyncio.run(model_request(asking.MODEL, asking.messages())).text)
    endless.close()
    for late in (lambda: list(asking.pieces("endless")), lambda: list(asking.pieces("silent"))):
        try:
            with Timeout(0.1):
                late()
        except Timeout:
            print("in time")
print(asking.whole(), flush=True)
