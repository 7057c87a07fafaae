"""What a book says about processes and tasks, for the checks; it judges nothing."""

from __future__ import annotations

from campaign import faults
from campaign.book import Book, End
from campaign.dataworks_model import Call
from campaign.processes import Process


def calls_of(book: Book, process: Process) -> list[Call]:
    """Return the calls of one process."""
    return [call for call in book.service.calls if call.process is process]


def may_have_stopped(book: Book) -> bool:
    """Say whether this run may have stopped the job, by all that the package can know."""
    sent = any(call.action == "StopDIJob" and call.fate != faults.REFUSED for call in book.service.calls)
    stops = [process for process in book.processes if process.task == "stop"]
    killed = any(process.outcome == "killed" for process in stops)
    # Without a store, or with one discarded, nobody knows what earlier tries did: better one restart too many.
    blind = book.schedule.airflow == "2.11" and any(process.try_number > 1 for process in stops)
    blind = blind or (book.schedule.airflow == "3.4" and any(process.since_clear for process in stops))
    return sent or killed or blind


def first_epoch(book: Book, process: Process) -> float:
    """Return the time of day at which a task that may send until a deadline made its first call."""
    alike = [
        call.epoch
        for call in book.service.calls
        if call.process.task == process.task
        and call.process.since_clear == process.since_clear
        and (call.process is process or book.schedule.airflow != "2.11")
    ]
    return alike[0]


def last_told(book: Book, end: End) -> tuple[set[str], Call | None]:
    """What the task's last look told, and the one before where that may have been taken for none."""
    since = end.process.since_clear if end.process else 0
    mine = [
        call
        for call in book.service.calls
        if call.process.task == end.task and call.process.since_clear == since and call.told is not None
    ]
    told: set[str] = set()
    for call in reversed(mine):
        told.add(str(call.told))
        if not call.unsure:
            break
    return told, mine[-1] if mine else None


def error(end: End) -> BaseException | None:
    """Return the error in which a task ended."""
    return end.process.error if end.process else None
