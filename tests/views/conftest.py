"""What the tests of views share: notices are kept, and jobs are waited for as a page does."""

import time


def opened(view):
    """The view, its notices in `told`."""
    view.told = []
    view.param.watch(lambda event: view.told.append(event.new), "notice")
    return view


def settle(view, seconds=60):
    """Refresh until nothing is live, as the page does."""
    end = time.monotonic() + seconds
    while view.live:
        assert time.monotonic() < end, f"still {view.status}: {view.label}"
        time.sleep(0.01)
        view.refresh()
    # What a view no longer waits for may still be in a forward pass, and a test goes on with the same model.
    jobs = getattr(view, "jobs", None)
    for job in [] if jobs is None else list(jobs._live.values()):
        if job.stopping:
            job.wait(seconds)
