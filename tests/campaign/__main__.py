"""``python -m campaign``: lives through many schedules in several processes, or through one; tells what was found."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from multiprocessing import get_context

from campaign import settings
from campaign.breaks import BREAKS
from campaign.campaign import Found, explained, first_lines, live_through, noticed, smallest


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line says; return 1 if anything was not right."""
    given = _arguments(arguments)
    if given.seed is not None:
        return _one(given)
    if given.breaks:
        return _breaks(given)
    begin = time.perf_counter()
    found: list[Found] = []
    for batch in _batches(given):
        found += batch
    seconds = time.perf_counter() - begin
    print(
        f"{given.schedules} schedules in {seconds:.0f} s, {given.schedules / seconds:.0f} a second: "
        f"{len({each.seed for each in found})} went wrong."
    )
    _tell(found, given)
    return 1 if found else 0


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make test-fire", description=__doc__)
    parser.add_argument("--schedules", type=int, default=10_000, metavar="N", help="how many (10000)")
    parser.add_argument("--first", type=int, default=1_000, metavar="SEED", help="seed of the first (1000)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, metavar="N", help="how many at once")
    parser.add_argument("--seed", type=int, metavar="SEED", help="live through this one, shrink it and show its book")
    parser.add_argument("--breaks", action="store_true", help="break the package on purpose and see what is noticed")
    parser.add_argument("--all-kinds", action="store_true", help="also what NOT_YET_MENDED switches off")
    parser.add_argument("--as-it-is", action="store_true", help="do not shrink")
    return parser.parse_args(arguments)


def _batches(given: argparse.Namespace) -> Iterator[list[Found]]:
    size = 250
    jobs = [
        (given.first + begin, min(size, given.schedules - begin), settings.switched_off(all_kinds=given.all_kinds))
        for begin in range(0, given.schedules, size)
    ]
    if given.processes == 1:
        yield from (live_through(job) for job in jobs)
        return
    # Fresh processes after some batches: nothing that one schedule leaves behind may last for long.
    with get_context("spawn").Pool(given.processes, maxtasksperchild=4) as pool:
        yield from pool.imap(live_through, jobs)


def _tell(found: list[Found], given: argparse.Namespace) -> None:
    by_check: dict[str, list[Found]] = defaultdict(list)
    for each in found:
        by_check[each.check].append(each)
    for check, count in Counter(
        {check: len({each.seed for each in these}) for check, these in by_check.items()}
    ).most_common():
        these = by_check[check]
        seeds = list(dict.fromkeys(each.seed for each in these))
        print(f"\n{check}: {count} schedules. Seeds: {', '.join(map(str, seeds[:10]))}{' ..' if seeds[10:] else ''}")
        print(f"  {these[0].text}")
        if not given.as_it_is:
            print(f"  the smallest part of seed {seeds[0]} that does it too:")
            print(f"  {smallest(seeds[0], check, settings.switched_off(all_kinds=given.all_kinds))!r}")
    if found:
        print('\nOne again, with its book: make test-fire ARGS="--seed N"')


def _one(given: argparse.Namespace) -> int:
    without = settings.switched_off(all_kinds=given.all_kinds)
    found = live_through((given.seed, 1, without))
    for each in found:
        print(f"{each.check}: {each.text}")
    if not found:
        print("Nothing went wrong.")
    checks = list(dict.fromkeys(each.check for each in found))
    for check in checks or [""]:
        schedule = explained(given.seed, check if not given.as_it_is else "", without)
        print(f"\n{schedule[0]!r}")
        print(*first_lines(schedule[1]), sep="\n")
    return 1 if found else 0


def _breaks(given: argparse.Namespace) -> int:
    """Print which break of the package is noticed by what, and how soon; unbroken, nothing may be noticed."""
    without, most = settings.switched_off(all_kinds=given.all_kinds), min(given.schedules, 1000)
    missed = 0
    print(f"{'broken':45} {'noticed at schedule':20} by the check")
    with get_context("spawn").Pool(given.processes) as pool:
        jobs = [(number, most, without) for number in range(len(BREAKS))]
        for name, tried, check in pool.starmap(noticed, jobs, chunksize=1):
            missed += not tried
            print(f"{name:45} {tried or f'NOT in {most}'!s:20} {check}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
