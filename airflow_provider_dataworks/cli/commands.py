"""The commands, their arguments and their help, as a table of plain values; cheap to import: no Airflow, no client.

Airflow imports it whenever somebody types ``airflow``. What an argument means is checked where the command runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from textwrap import fill
from typing import Any

_WIDTH = 78
GOOD, NO, USAGE, NOT_REACHED, REFUSED, AIRFLOW, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
GROUP = "dataworks"
GROUP_HELP = "Look at DataWorks DI jobs, and start again what is down"
EXIT_CODES = """Exit codes, of every command:
  0  good: yes, or done
  1  no: a job is down, a window is closed, a check is not good
  2  wrong input: an argument, or a field of the connection
  3  DataWorks was not reached, or is throttling: try again
  4  DataWorks refused: key, permission, quota, no such job
  5  Airflow could not be read: its database, a connection or a DAG
  130  interrupted"""


@dataclass(frozen=True)
class Option:
    """
    One argument of a command.

    :param flags: its name, or its flags: the short one first, or the long one alone.
    :param settings: further keyword arguments of ``argparse``.
    """

    flags: tuple[str, ...]
    help: str
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def kwargs(self) -> dict[str, Any]:
        """Keyword arguments of ``argparse``, and of Airflow's ``Arg``."""
        return {"help": self.help, **self.settings}


@dataclass(frozen=True)
class Command:
    """
    One command.

    :param runs: the function that runs it, as ``module:name`` in this folder; it takes the arguments and the output.
    :param examples: pairs of what it is for, and its arguments.
    """

    name: str
    help: str
    description: str
    runs: str
    options: tuple[Option, ...]
    examples: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """What it does, in lines that fit a terminal."""
        return fill(self.description, _WIDTH, break_on_hyphens=False)

    def epilog(self, program: str) -> str:
        """
        Return examples and exit codes, for the end of its help.

        :param program: how it is called, such as ``airflow dataworks``.
        """
        lines = [f"  # {what}\n{_line(f'{program} {self.name}', arguments)}" for what, arguments in self.examples]
        return "\n".join(["Examples:", *lines, "", EXIT_CODES])


def _line(command: str, arguments: str) -> str:
    whole = f"  {command} {arguments}".rstrip()
    return whole if len(whole) <= _WIDTH else f"  {command} \\\n    {arguments}"


_IDS = Option(("di_job_id",), "Id of a DI job; several may be given", {"nargs": "*", "metavar": "DI_JOB_ID"})
_CONN = Option(
    ("-c", "--conn-id"),
    "Airflow connection; dataworks_default if left out",
    {"default": "dataworks_default"},
)
_PROJECT = Option(("-p", "--project-id"), "Workspace; that of the connection if left out", {"metavar": "PROJECT_ID"})
_OUTPUT = Option(
    ("-o", "--output"),
    "table for people (the default), or json for programs",
    {"choices": ("table", "json"), "default": "table"},
)
_VERBOSE = Option(("-v", "--verbose"), "Show on stderr what is logged, too", {"action": "store_true"})
_DAG = Option(("-d", "--dag-id"), "Only what runs of this DAG stopped", {"metavar": "DAG_ID"})
_RUN = Option(("-r", "--run-id"), "Only what this run stopped; goes with --dag-id", {"metavar": "RUN_ID"})
_MIN_REMAINING = "Seconds that must be left of a window for a stop"

COMMANDS: tuple[Command, ...] = (
    Command(
        "check",
        "Check connection, key, clock, rights and API versions",
        "Check what tasks need: the connection's fields, the key, this machine's clock, the rights that can be asked "
        "without touching anything, and how both API versions see a DI job. It makes about ten calls, and changes "
        "nothing. Whether the key may stop and start a job, DataWorks does not tell.",
        "check:check",
        (
            Option(
                ("-j", "--di-job-id"),
                "DI job to look at; one of the workspace if left out",
                {"metavar": "DI_JOB_ID"},
            ),
            _PROJECT,
            _CONN,
            _OUTPUT,
            _VERBOSE,
        ),
        (("The default connection", ""), ("Another one, by a job that you know", "--conn-id dataworks_prod -j 11668")),
    ),
    Command(
        "status",
        "Show the DI jobs of a workspace, or those given, with their lag",
        "Show DI jobs with their status and how far they are behind their source. Without ids: those of the workspace. "
        "The lag is known with API 2024-05-18 only, and costs a call for each job that runs: it is asked for up to 20 "
        "jobs, or with --lag for all.",
        "status:status",
        (
            _IDS,
            _PROJECT,
            Option(
                ("-s", "--status"),
                "Show only jobs in this status; may be repeated",
                {"action": "append", "metavar": "STATUS"},
            ),
            Option(
                ("--expect",),
                "Exit with 1 where a job is in another; repeatable",
                {"action": "append", "metavar": "STATUS"},
            ),
            Option(("--lag",), "Ask for the lag of every job that runs", {"action": "store_true"}),
            Option(("--no-lag",), "Ask for no lag", {"action": "store_true"}),
            _CONN,
            _OUTPUT,
            _VERBOSE,
        ),
        (
            ("All jobs of the connection's workspace", ""),
            ("Two jobs, for a script: exit code 0 only if both run", "11668 11743 --expect Running"),
            ("What does not run, as JSON", "-s Stopped -s Failed --output json"),
        ),
    ),
    Command(
        "plan",
        "Say what the next run of a DAG would do, and touch nothing",
        "Say what the next run of a DAG would do: its windows, its DI jobs with their state, the checks of a preflight "
        "and the calls it needs. The DAG is read from its file, as the DAG processor reads it; nothing is touched. "
        "The window is judged by its next opening.",
        "plan:plan",
        (
            Option(("dag_id",), "Id of the DAG", {"metavar": "DAG_ID"}),
            Option(
                ("-f", "--dag-file"),
                "Read the DAG from this file",
                {"metavar": "FILE"},
            ),
            _OUTPUT,
            _VERBOSE,
        ),
        (("Will tonight's maintenance work?", "orders_maintenance"),),
    ),
    Command(
        "down",
        "List DI jobs that runs stopped and that are still down",
        "List the DI jobs that tasks of this Airflow stopped and did not start again: since when, and by which run. "
        "By default DataWorks is asked how each job is now; with --offline nothing but Airflow's database is read.",
        "down:down",
        (
            _DAG,
            _RUN,
            Option(("--offline",), "Do not ask DataWorks how the jobs are now", {"action": "store_true"}),
            _CONN,
            _OUTPUT,
            _VERBOSE,
        ),
        (("Is anything down?", ""), ("What a DAG left down, without a call", "--dag-id orders_maintenance --offline")),
    ),
    Command(
        "restart",
        "Start DI jobs again: those of a run, or those given",
        "Start DI jobs that are down, and wait until they run. Each is looked at first: one that runs is left alone. "
        "It resumes where it stopped. You are asked before anything is sent, unless you say --yes. Of a run that is "
        "still under way, whose tasks may be at work on the jobs, the question says so, and --yes is refused unless "
        "you say --even-if-running, too. A job that a run stopped is started by the connection that the run used. "
        "A job that has lost its place in the log of its "
        "source fails soon after its start: therefore the wait for --healthy-for.",
        "restart:restart",
        (
            _IDS,
            _DAG,
            _RUN,
            Option(("-y", "--yes"), "Do not ask", {"action": "store_true"}),
            Option(
                ("--even-if-running",), "Start jobs of a run that is still under way, too", {"action": "store_true"}
            ),
            Option(("--no-wait",), "Return once DataWorks took the requests", {"action": "store_true"}),
            Option(
                ("--timeout",), "Seconds to wait for each job to run; 1800", {"default": "1800", "metavar": "SECONDS"}
            ),
            Option(
                ("--healthy-for",),
                "Seconds that the jobs have to keep running; 120",
                {"default": "120", "metavar": "SECONDS"},
            ),
            Option(("--poll-interval",), "Seconds between looks; 10", {"default": "10", "metavar": "SECONDS"}),
            _CONN,
            _VERBOSE,
        ),
        (
            ("One job", "11668"),
            ("All that a run left down", "-d orders_maintenance -r manual__2026-01-01T02:00:00+00:00"),
            ("From a script, without a question", "11668 11743 --yes"),
        ),
    ),
    Command(
        "window",
        "Say whether a window is open, why not, and when next",
        "Say whether a maintenance window is open, why not, and when it opens next: the windows of a DAG, or one that "
        "you describe. It asks DataWorks nothing; of a DAG it reads Airflow's database.",
        "window:window",
        (
            Option(("dag_id",), "Id of the DAG whose windows to show", {"nargs": "?", "metavar": "DAG_ID"}),
            Option(("--cron",), "When it opens; may be repeated", {"action": "append", "metavar": "CRON"}),
            Option(("--duration",), "How long it stays open: seconds, or like PT3H", {"metavar": "DURATION"}),
            Option(("--timezone",), "Zone whose clock counts, such as Asia/Shanghai", {"metavar": "ZONE"}),
            Option(
                ("--freeze",),
                "Frozen: 2026-01-29, or 2026-01-29/2026-02-02; repeatable",
                {"action": "append", "metavar": "DATES"},
            ),
            Option(
                ("--at",),
                "This moment (ISO 8601; UTC without a zone), not now",
                {"metavar": "MOMENT"},
            ),
            Option(("-n", "--count"), "Openings to show; 5", {"default": "5", "metavar": "NUMBER"}),
            Option(("--min-remaining",), f"{_MIN_REMAINING}; 0", {"default": "0", "metavar": "SECONDS"}),
            _OUTPUT,
            _VERBOSE,
        ),
        (
            ("The windows of a DAG", "orders_maintenance"),
            ("One that you think about", "--cron '0 2 * * SUN' --duration PT3H --timezone Asia/Shanghai"),
        ),
    ),
    Command(
        "explain",
        "Explain an error: its cause, and what to do",
        "Show what is known of an error, by the name that errors of this package end with, by DataWorks' error code or "
        "by an HTTP status. It asks nobody: no connection, no database. Without an argument it lists all names.",
        "explain:explain",
        (
            Option(("code",), "Name of an error, code of DataWorks, or HTTP status", {"nargs": "?", "metavar": "CODE"}),
            _OUTPUT,
            _VERBOSE,
        ),
        (
            ("An error's last line names it", "throttled"),
            ("A code of DataWorks", "Forbidden.Access"),
            ("All names", ""),
        ),
    ),
)
BY_NAME = {command.name: command for command in COMMANDS}
