"""What the scripts that are Python share: a line per step, and the end of the process at the first that fails."""
import os
import sys
import time
import traceback


def step(name):
    """Runs the decorated function now, and prints a line; ends the process with 1 when it fails."""

    def run(work):
        start = time.monotonic()
        try:
            work()
        except BaseException:
            print(f"failed: {name}: {traceback.format_exc()}")
            sys.stdout.flush()
            # threads of members go on otherwise
            os._exit(1)
        print(f"ok: {name} ({(time.monotonic() - start) * 1000:.0f} ms)")

    return run


def until(what, holds):
    """Returns once `holds()`; raises after 30 s."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, f"waited 30 s for: {what}"
        time.sleep(0.02)


def refused(call, text):
    """What `call` raises, which must contain `text`."""
    try:
        result = call()
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        assert text.lower() in said.lower(), said
        return said
    raise AssertionError(f"it is not refused: {result}")
