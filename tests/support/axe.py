"""axe-core, which finds faults that shut people out of a page."""

from __future__ import annotations

from typing import Any


def serious_faults(page: Any) -> list[str]:
    """The serious and critical faults of an open page of Playwright, one a line."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{fault['id']}: {fault['help']}: {node['html'][:160]}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]
