"""Plans which pages of a workspace's list are worth a call, by what earlier pages told; never makes a call itself."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable

from airflow_provider_dataworks.client.models import Page
from airflow_provider_dataworks.client.operations import PAGE_SIZE
from airflow_provider_dataworks.exceptions import DataWorksError, DataWorksThrottled

log = logging.getLogger(__name__)

# Pages that failed in a row after which the jobs are asked for one by one, once: a list may be broken by itself.
_PATIENCE = 3


class PagePlanner:
    """
    The list of DI jobs of one workspace, as learned from its pages.

    :param possible: whether the workspace is known, so that it can be listed at all.
    """

    def __init__(self, *, possible: bool) -> None:
        self._possible = possible
        self._pages = 1  # until a page tells
        self._page_of: dict[int, int] = {}
        self._unlisted: set[int] = set()
        self._scanning: set[int] | None = None
        self._failed = 0  # pages in a row
        self.busy = False  # whether the last page was refused for now, so that asking for single jobs is no use either

    def pages_for(self, job_ids: set[int]) -> Iterable[int]:
        """
        Yield the pages that save calls over asking for each job by itself; may yield more as pages tell of more.

        A page pays if it holds two of the jobs; a full scan of the pages if more jobs than pages would be asked for.
        """
        self.busy = False
        if not self._possible:
            return
        unlocated = job_ids - self._page_of.keys() - self._unlisted
        together = Counter(self._page_of[job_id] for job_id in job_ids & self._page_of.keys())
        worth = sorted(page for page, jobs in together.items() if jobs > 1)
        if len(unlocated) <= max(1, self._pages - len(worth)):
            yield from worth
            return
        self._scanning = set(unlocated)
        page = 1
        # The rest of a scan is dropped where it would cost more than what is still missing from it.
        while page <= self._pages and (page in worth or len(self._scanning) > self._pages - page):
            yield page
            page += 1
        if page > self._pages:
            self._unlisted |= self._scanning
        self._scanning = None

    def seen(self, number: int, page: Page, wanted: Iterable[int]) -> None:
        """Learn from a page: how many there are, and which jobs stand on it and which no longer do."""
        self._failed = 0
        self._pages = max(1, -(-page.total // PAGE_SIZE))
        here = {job.id for job in page.jobs}
        for job_id in wanted:
            if self._page_of.get(job_id) == number and job_id not in here:
                del self._page_of[job_id]
        self._page_of.update(dict.fromkeys(here, number))
        self._unlisted -= here
        if self._scanning is not None:
            self._scanning -= here

    def failed(self, error: DataWorksError) -> None:
        """Learn from a page that failed: a permanent error means that this account may not list."""
        self._scanning = None
        self._failed += not isinstance(error, DataWorksThrottled)
        self.busy = error.retryable and (isinstance(error, DataWorksThrottled) or self._failed % _PATIENCE != 0)
        if not error.retryable:
            self._possible = False
            log.warning("The workspace cannot be listed, so each DI job is asked for by itself: %s", error.summary)
