"""Every kind of trouble a task can end in: cause and remedy, once for errors and README; it only holds text.

``docs/readme.py`` writes README's section "Troubleshooting" from this table, and each error names its row there. Which
answer means which trouble is in :mod:`.codes`. The rows about keys are written in :mod:`.key_troubles`.
"""

from __future__ import annotations

from airflow_provider_dataworks.client.errors.advice import RETRIES_LEFT, Rows, Trouble, table
from airflow_provider_dataworks.client.errors.catalog_credentials import KEY_TROUBLES
from airflow_provider_dataworks.exceptions import (
    DataWorksError,
    DataWorksForbidden,
    DataWorksInvalidRequest,
    DataWorksNotFound,
    DataWorksQuotaExceeded,
    DataWorksThrottled,
    DataWorksUnavailable,
    DIJobFailed,
    DIJobWaitTimeout,
    OutsideMaintenanceWindow,
)

_ROWS: Rows = {
    DataWorksThrottled: (
        (
            "throttled",
            "Too many calls for now",
            "Throttling.User, Throttling.Api, Throttling.System, 9990020002, HTTP 429",
            "Calls a second are limited, for the whole account and region; the refused call was not executed.",
            f"{RETRIES_LEFT} If it lasts, let fewer tasks call at once (an Airflow pool), lower max_qps on the "
            "connection, or poll less often.",
        ),
    ),
    DataWorksQuotaExceeded: (
        (
            "daily-quota",
            "Calls of the day used up",
            "Throttling.Api.Risk",
            "The edition's daily limit (100 in Basic Edition) counts the account, with its RAM users, in the region.",
            "The daily limit of calls is reached, and retrying today cannot help. When the day ends is not documented; "
            "most likely at midnight by the region's clock (UTC+8 in China). Then clear the task. Poll less often, or "
            "buy a higher edition.",
        ),
        (
            "edition-quota",
            "Calls of the edition used up",
            "Throttling.Resource",
            "The number of calls that the edition includes is reached; over which time it counts is not documented.",
            "The limit of the edition is reached, and retrying cannot help: buy a higher edition, or call less.",
        ),
    ),
    DataWorksForbidden: (
        (
            "edition-too-low",
            "DataWorks edition too low",
            "Forbidden.Access",
            "API 2020-05-18 has its DI job operations in Enterprise Edition and above only.",
            "DI job calls of API 2020-05-18 need DataWorks Enterprise or Flagship (Ultimate) Edition in this region. "
            "With a lower one set api_version to 2024-05-18 on the connection; that asks for Basic Edition at least.",
        ),
        (
            "ram-action-missing",
            "RAM does not allow the action",
            "Forbidden.RAM, NoPermission, NotAuthorized, 403030, other Forbidden.*",
            "No RAM policy of the caller allows the operation, or one denies it.",
            "Grant the RAM user or role the action dataworks:<operation>, or AliyunDataWorksFullAccess, which the "
            "vendor documents. If it has that, see whether it is a member of the workspace.",
        ),
        (
            "not-in-workspace",
            "Not a member of the workspace, or in too low a role",
            "ResourceNotAuthorized.*",
            "DataWorks checks membership and role besides RAM; which role may operate DI jobs is not documented.",
            "Make the RAM user or role a member of the workspace with a role that operates DI jobs, such as "
            "administrator or O&M, and grant it dataworks:<operation> in RAM if that is missing.",
        ),
        (
            "not-activated",
            "DataWorks is not activated",
            "9990010001",
            "The account of this key has no DataWorks in this region.",
            "Activate DataWorks in this account and region, or correct region and keys of the connection.",
        ),
    ),
    DataWorksNotFound: (
        (
            "no-such-job",
            "No such DI job",
            "500130, *NotFound, *NotExist",
            "There is no DI job of this id here: deleted, mistyped, of another region, account or API version.",
            "Check the id, that the connection's region is the job's, and that api_version is what it was made with.",
        ),
        (
            "no-such-workspace",
            "No such workspace",
            "1101080008",
            "There is no workspace of this id in the region and account.",
            "Check project_id and the connection's region: there is no such workspace.",
        ),
    ),
    DataWorksInvalidRequest: (
        (
            "wrong-api-version",
            "The endpoint does not know the operation",
            "InvalidAction.*, InvalidApi.*, InvalidVersion.*, UnsupportedHTTPMethod",
            "The API version of the connection is not offered at this endpoint, or not to this kind of workspace.",
            "Check api_version on the connection: 2024-05-18 for workspaces of the new Data Studio, 2020-05-18 for "
            "others. If it is right, check region and host.",
        ),
        (
            "wrong-region",
            "No DataWorks API in this region",
            "Forbidden.Not.Server",
            "The endpoint's region does not offer the API.",
            "Set region of the connection to that of the workspace; the DataWorks API is not offered in this one.",
        ),
        (
            "not-dataworks",
            "Something else than DataWorks answered",
            "HTTP 4xx without a code",
            "Another server, a firewall or a proxy answers at this address.",
            "Check host, region and api_version of the connection, and what proxy or firewall stands before it.",
        ),
        (
            "redirect",
            "The endpoint redirects",
            "HTTP 3xx",
            "A login page, proxy or moved host; it is not followed, because that would carry the signature elsewhere.",
            "Check host and region of the connection; something else than DataWorks answers there.",
        ),
        (
            "bad-input",
            "A parameter or field is wrong",
            "",
            "A parameter of the task or a field of the connection makes no sense; nothing was sent.",
            "Correct the parameter or field that the message names.",
        ),
        (
            "request-refused",
            "DataWorks refuses the request",
            "Missing*, Invalid*, 9990030003, other HTTP 4xx",
            "A parameter is not what the operation takes, or the code is not documented.",
            "Correct the parameter that the message names; if it names none, look the code up on the vendor's page of "
            "the operation, or give the request id to its support.",
        ),
        (
            "refused-in-this-state",
            "Stop or restart refused",
            "as in the row above",
            "DataWorks refused StopDIJob or StartDIJob, and the job is still in the state it was in; which states it "
            "refuses is not documented.",
            "Look at the job in the DataWorks console and do there what this task was to do, then clear the task: it "
            "finds the job where it should be. After a refused restart the job is down.",
        ),
    ),
    DataWorksUnavailable: (
        (
            "network",
            "No connection",
            "",
            "Nothing accepts connections at the endpoint, or a firewall drops them; nothing was sent.",
            "Check network and firewall from the machine of this log, and host, region and network (vpc only inside "
            "the VPC) of the connection.",
        ),
        (
            "dns",
            "Host name not found",
            "",
            "The endpoint's name does not resolve on the machine of the log; nothing was sent.",
            "Check region and host of the connection for a typing error, then DNS on the machine of this log.",
        ),
        (
            "tls",
            "TLS failed",
            "",
            "The certificate is not trusted, is not the host's, or no TLS is spoken there; nothing was sent.",
            "Check host and port of the connection; set its ca_file where a proxy or gateway has a certificate of your "
            "company. Certificates are always verified.",
        ),
        (
            "proxy",
            "The proxy refuses",
            "",
            "The proxy that the environment names does not let the connection through; nothing was sent.",
            "Check HTTPS_PROXY in the environment of the machine of this log, or take the endpoint out by NO_PROXY.",
        ),
        (
            "answer-lost",
            "The answer was lost",
            "SignatureNonceUsed",
            "The request may have arrived, but its answer did not: a time-out or a broken connection.",
            f"{RETRIES_LEFT} Each try looks at the job's state before it asks for anything. If it lasts, check the "
            "network and proxy, or raise read_timeout.",
        ),
        (
            "unreadable-answer",
            "The answer cannot be read",
            "",
            "It is cut short, encoded, no JSON or XML, lacks what it must hold, or is no refusal of DataWorks' own; "
            "the request may have had its effect.",
            f"{RETRIES_LEFT} If it lasts, look for a proxy that changes answers, and check host and api_version of "
            "the connection.",
        ),
        (
            "connection-unreadable",
            "The connection cannot be read",
            "",
            "There is none of that name, or Airflow cannot look it up now, and does not tell which; the triggerer "
            "tries until the wait is over.",
            f"{RETRIES_LEFT} If it lasts, see that the connection is visible to the triggerer (the same environment or "
            "secrets backend as the workers'), and that the secrets backend answers.",
        ),
        (
            "restart-not-begun",
            "The restart could not begin",
            "",
            "When the time to wait was over, the job was still stopping, or could not be looked at; nothing was sent.",
            f"{RETRIES_LEFT} If it lasts, look at the job in the DataWorks console, and start it there.",
        ),
        (
            "service-down",
            "DataWorks fails for now",
            "InternalError.*, ServiceUnavailable, HTTP 5xx",
            "An error inside the service or its gateway; the request may have had its effect.",
            f"{RETRIES_LEFT} If it lasts, give the request id to Alibaba Cloud support.",
        ),
    ),
    OutsideMaintenanceWindow: (
        (
            "outside-window",
            "Outside the maintenance window",
            "",
            "The task ran when no window was open, or when less than min_remaining of it was left.",
            "Run it inside the window; in an emergency set ignore_window. Nothing was touched.",
        ),
    ),
    DIJobFailed: (
        (
            "job-failed",
            "The DI job failed",
            "",
            "The job itself ended Failed; its own text is in the message, as far as there is one (API 2020-05-18).",
            "Nothing of it runs, but it may not be in a clean state: see its log in the DataWorks console.",
        ),
        (
            "end-not-accepted",
            "The DI job ended otherwise",
            "",
            "The job is Stopped or Finished, the sensor's accept leaves that out, and waiting changes nothing.",
            "Add that status to accept if it is as good.",
        ),
        (
            "left-down",
            "Stopped DI jobs were not started again",
            "",
            "The maintenance stopped them, and no restart of them succeeded in this run; other jobs may be running.",
            "These jobs are down. Read why in the log of the restart that the message names, then clear that task, or "
            "start the jobs in the DataWorks console.",
        ),
    ),
    DIJobWaitTimeout: (
        (
            "wait-timed-out",
            "The time to wait ran out",
            "",
            "The job did not come to its state within timeout, execution_timeout or the window; how long a stop takes "
            "is not documented.",
            "Look at the job in the DataWorks console; clear this task to wait again, or allow more time.",
        ),
    ),
    DataWorksError: (
        (
            "work-on-a-running-job",
            "A task of a maintenance was not begun",
            "",
            "A DI job of the maintenance runs: only this task was cleared, or somebody started the job meanwhile.",
            "Clear the whole maintenance group of the run (open, stop, check, tasks, restart), inside the window: the "
            "job is then stopped before this task begins, and started again behind it. Nothing was done by this task.",
        ),
        (
            "trigger-not-understood",
            "The trigger's arguments are not understood",
            "",
            "The row that Airflow stored for the trigger was written by another version of this package, or changed.",
            "Clear the task: it looks at the job's state anew, sends nothing twice, and stores a new row. After an "
            "upgrade, scheduler, triggerer and workers must run one version.",
        ),
        (
            "wait-broken",
            "The triggerer met an error that nobody expected",
            "",
            "A mistake in this package, or in what it stands on; the job's state was not learned.",
            "Clear the task: it looks at the job's state anew and sends nothing twice. The traceback is in the "
            "triggerer's log; please report it.",
        ),
        (
            "stop-without-restart",
            "A stop was not begun",
            "",
            "Only the stop of a maintenance was cleared, and its restart is over: that is cleared with the work only.",
            "Clear the whole maintenance group of the run (open, stop, check, tasks, restart), inside the window. "
            "Nothing was touched.",
        ),
        (
            "mixed-versions",
            "The trigger's event is not understood",
            "",
            "Triggerer and workers run versions of this package that are too far apart.",
            "Look at the DI job's status. After an upgrade, scheduler, triggerer and workers must run one version.",
        ),
    ),
}
TROUBLES: dict[str, Trouble] = {**table(_ROWS), **KEY_TROUBLES}
