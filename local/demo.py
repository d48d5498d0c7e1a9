"""The demo: creates, changes and deletes a stack on this machine, and checks each promise by asking the API.

    python -m local.demo

prints each event when it happens, and at the end the results. The exit code is 0 if every promise was kept, 1 if one
was not kept or something failed, 130 after Ctrl-C and 143 after SIGTERM.
"""

from __future__ import annotations

import signal
import sys
import time

from local.chapters import LIFE, demo_names
from local.engine import Engine, Terminated, running_engine
from local.page import Page
from local.story import FAILURES, Story, conclude


def play(engine: Engine, page: Page) -> Story:
    """Deploy the provider and run the steps of the demo."""
    page.heading("Deploy the provider, as to AWS")
    with page.timed("sam build"):
        engine.build_provider()
    with page.timed("sam deploy"):
        engine.deploy_provider()
    page.table({"exports": f"{engine.provider_stack}-ServiceToken"})
    story = Story(engine, page, demo_names())
    story.play(LIFE)
    return story


def main() -> int:
    page = Page(sys.stdout)
    started = time.monotonic()
    page.heading("Custom::CustomerProfilesDomain on this machine: no AWS account, no Docker")
    try:
        with running_engine() as engine:
            page.table({"CloudFormation": f"{engine.endpoint_url}  (ministack)"})
            page.table({"Customer Profiles": f"{engine.stand_in_url}  (local/customerprofiles)"})
            try:
                story = play(engine, page)
            except Exception:
                page.error(engine.diagnosis())
                raise
    except KeyboardInterrupt as stop:
        page.error("Stopped, and so is everything that the demo had started.")
        return 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)
    except FAILURES as error:
        page.error(f"The demo failed: {error}")
        return 1
    return 0 if conclude(story, time.monotonic() - started) else 1


if __name__ == "__main__":
    sys.exit(main())
