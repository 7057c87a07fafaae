"""Checks ids, DAG and first tasks of a maintenance as its DAG is made; never looks at a job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_dataworks.values import int64, invalid, is_template

if TYPE_CHECKING:
    from airflow_provider_dataworks.version_compat import TaskGroup


def checked_ids(di_job_ids: Any) -> Any:
    """
    Return the ids as they were given, checked as far as they are known.

    :raises DataWorksInvalidRequest: (a ValueError) none is given, one is no id, or one is given twice.
    """
    if is_template(di_job_ids):
        return di_job_ids
    if isinstance(di_job_ids, int | str):
        int64(di_job_ids, "di_job_ids")
        return di_job_ids
    if not isinstance(di_job_ids, Iterable) or isinstance(di_job_ids, Mapping):
        raise invalid("di_job_ids", f"a {type(di_job_ids).__name__} is neither an id nor a list of ids")
    given = list(di_job_ids)
    known = [int64(each, "di_job_ids") for each in given if not is_template(each)]
    if not given:
        raise invalid("di_job_ids", "is empty", "Give the ids of the DI jobs to maintain.")
    if twice := sorted({each for each in known if known.count(each) > 1}):
        raise invalid("di_job_ids", f"{', '.join(map(str, twice))} is given twice", "Give each job once.")
    return given


def refuse_what_breaks_the_promise(dag: Any) -> None:
    """Refuse a DAG that would skip the restart, or end green although the maintenance failed."""
    if getattr(dag, "dagrun_timeout", None) is not None:
        raise ValueError(
            f"dagrun_timeout: DAG {dag.dag_id!r} has one, and it would skip the restart, leaving jobs down. "
            "Remove it; give tasks an execution_timeout, and use overrun_alert() to be told."
        )
    # It skips what is left when a task fails, the leaf too: of a failed maintenance the run ends in success.
    if getattr(dag, "fail_fast", False) or getattr(dag, "fail_stop", False):  # 2.11 says fail_stop
        raise ValueError(
            f"fail_fast: DAG {dag.dag_id!r} has it, and a failed maintenance would end in a green run. Remove it; a "
            "task that fails keeps those behind it from running anyhow."
        )


def refuse_roots_that_pass_over_a_failed_stop(work: TaskGroup) -> None:
    """Refuse work whose first tasks have a trigger rule by which they run on a job that was not stopped."""
    for task in work.get_roots():
        rule = getattr(task, "trigger_rule", "all_success")
        if rule != "all_success" and not getattr(task, "is_teardown", False):
            name = getattr(rule, "value", rule)
            raise ValueError(
                f"trigger_rule: {task.node_id!r} begins the maintenance and has {name!r}, so it would run although the "
                "stop failed. Remove it there; tasks behind it may have any."
            )
