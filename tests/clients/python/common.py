"""What every client here does: it is called as `CLIENT WAY URL ADMIN ID`, does what the function
named WAY says, and prints when it acted. It fails by an exception."""

import asyncio
import inspect
import sys
import time
import urllib.request

WAY, URL, ADMIN, ID = sys.argv[1:5]
HOST, PORT = URL.removeprefix("http://").split(":")
HEADERS = {"x-id": ID}
DEADLINE = {"x-id": ID, "x-timeout-ms": "150"}


def began():
    """Waits until the server's handler runs."""
    urllib.request.urlopen(f"{ADMIN}/began?id={ID}", timeout=10).read()


async def began_async():
    await asyncio.to_thread(began)


def acted():
    print("acted", int(time.time() * 1000), flush=True)


def expect(what, wanted):
    if what != wanted:
        raise SystemExit(f"{what!r} in the place of {wanted!r}")


def fails(what):
    """A context in which something has to fail, other than by `expect`."""

    class Fails:
        def __enter__(self):
            return self

        def __exit__(self, kind, error, _):
            if kind is None:
                raise SystemExit(f"{what} did not fail")
            return not issubclass(kind, (SystemExit, KeyboardInterrupt))

    return Fails()


def main(ways):
    way = ways[WAY.replace("-", "_")]
    result = way()
    if inspect.iscoroutine(result):
        asyncio.run(result)
