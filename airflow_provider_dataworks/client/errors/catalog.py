"""Every kind of trouble a task can end in: cause and remedy, once for errors and README; it only holds text.

``docs/readme.py`` writes README's section "Troubleshooting" from this table, and each error names its row there. Which
answer means which trouble is in :mod:`.codes`. The rows about keys are written in :mod:`.key_troubles`.
"""

from __future__ import annotations

from airflow_provider_dataworks.client.errors import RETRIES_LEFT, ErrorInfo, by_anchor
from airflow_provider_dataworks.client.errors.catalog_credentials import CREDENTIAL_ERRORS
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

CATALOG: dict[str, ErrorInfo] = by_anchor(
    ErrorInfo(
        error=DataWorksThrottled,
        anchor="throttled",
        title="Too many calls for now",
        codes="Throttling.User, Throttling.Api, Throttling.System, 9990020002, HTTP 429",
        cause="Calls a second are limited, for the whole account and region; the refused call was not executed.",
        remedy=(
            f"{RETRIES_LEFT} If it lasts, let fewer tasks call at once (an Airflow pool), lower max_qps on the "
            "connection, or poll less often."
        ),
    ),
    ErrorInfo(
        error=DataWorksQuotaExceeded,
        anchor="daily-quota",
        title="Calls of the day used up",
        codes="Throttling.Api.Risk",
        cause="The edition's daily limit (100 in Basic Edition) counts the account, with its RAM users, in the region.",
        remedy=(
            "The daily limit of calls is reached, and retrying today cannot help. When the day ends is not documented; "
            "most likely at midnight by the region's clock (UTC+8 in China). Then clear the task. Poll less often, or "
            "buy a higher edition."
        ),
    ),
    ErrorInfo(
        error=DataWorksQuotaExceeded,
        anchor="edition-quota",
        title="Calls of the edition used up",
        codes="Throttling.Resource",
        cause="The number of calls that the edition includes is reached; over which time it counts is not documented.",
        remedy="The limit of the edition is reached, and retrying cannot help: buy a higher edition, or call less.",
    ),
    ErrorInfo(
        error=DataWorksForbidden,
        anchor="edition-too-low",
        title="DataWorks edition too low",
        codes="Forbidden.Access",
        cause="API 2020-05-18 has its DI job operations in Enterprise Edition and above only.",
        remedy=(
            "DI job calls of API 2020-05-18 need DataWorks Enterprise or Flagship (Ultimate) Edition in this region. "
            "With a lower one set api_version to 2024-05-18 on the connection; that asks for Basic Edition at least."
        ),
    ),
    ErrorInfo(
        error=DataWorksForbidden,
        anchor="ram-action-missing",
        title="RAM does not allow the action",
        codes="Forbidden.RAM, NoPermission, NotAuthorized, 403030, other Forbidden.*",
        cause="No RAM policy of the caller allows the operation, or one denies it.",
        remedy=(
            "Grant the RAM user or role the action dataworks:<operation>, or AliyunDataWorksFullAccess, which the "
            "vendor documents. If it has that, see whether it is a member of the workspace."
        ),
    ),
    ErrorInfo(
        error=DataWorksForbidden,
        anchor="not-in-workspace",
        title="Not a member of the workspace, or in too low a role",
        codes="ResourceNotAuthorized.*",
        cause="DataWorks checks membership and role besides RAM; which role may operate DI jobs is not documented.",
        remedy=(
            "Make the RAM user or role a member of the workspace with a role that operates DI jobs, such as "
            "administrator or O&M, and grant it dataworks:<operation> in RAM if that is missing."
        ),
    ),
    ErrorInfo(
        error=DataWorksForbidden,
        anchor="not-activated",
        title="DataWorks is not activated",
        codes="9990010001",
        cause="The account of this key has no DataWorks in this region.",
        remedy="Activate DataWorks in this account and region, or correct region and keys of the connection.",
    ),
    ErrorInfo(
        error=DataWorksNotFound,
        anchor="no-such-job",
        title="No such DI job",
        codes="500130, *NotFound, *NotExist",
        cause="There is no DI job of this id here: deleted, mistyped, of another region, account or API version.",
        remedy="Check the id, that the connection's region is the job's, and that api_version is what it was made with.",
    ),
    ErrorInfo(
        error=DataWorksNotFound,
        anchor="no-such-workspace",
        title="No such workspace",
        codes="1101080008",
        cause="There is no workspace of this id in the region and account.",
        remedy="Check project_id and the connection's region: there is no such workspace.",
    ),
    ErrorInfo(
        error=DataWorksInvalidRequest,
        anchor="wrong-api-version",
        title="The endpoint does not know the operation",
        codes="InvalidAction.*, InvalidApi.*, InvalidVersion.*, UnsupportedHTTPMethod",
        cause="The API version of the connection is not offered at this endpoint, or not to this kind of workspace.",
        remedy=(
            "Check api_version on the connection: 2024-05-18 for workspaces of the new Data Studio, 2020-05-18 for "
            "others. If it is right, check region and host."
        ),
    ),
    ErrorInfo(
        error=DataWorksInvalidRequest,
        anchor="wrong-region",
        title="No DataWorks API in this region",
        codes="Forbidden.Not.Server",
        cause="The endpoint's region does not offer the API.",
        remedy="Set region of the connection to that of the workspace; the DataWorks API is not offered in this one.",
    ),
    ErrorInfo(
        error=DataWorksInvalidRequest,
        anchor="not-dataworks",
        title="Something else than DataWorks answered",
        codes="HTTP 4xx without a code",
        cause="Another server, a firewall or a proxy answers at this address.",
        remedy="Check host, region and api_version of the connection, and what proxy or firewall stands before it.",
    ),
    ErrorInfo(
        error=DataWorksInvalidRequest,
        anchor="redirect",
        title="The endpoint redirects",
        codes="HTTP 3xx",
        cause="A login page, proxy or moved host; it is not followed, because that would carry the signature elsewhere.",
        remedy="Check host and region of the connection; something else than DataWorks answers there.",
    ),
    ErrorInfo(
        error=DataWorksInvalidRequest,
        anchor="bad-input",
        title="A parameter or field is wrong",
        cause="A parameter of the task or a field of the connection makes no sense; nothing was sent.",
        remedy="Correct the parameter or field that the message names.",
    ),
    ErrorInfo(
        error=DataWorksInvalidRequest,
        anchor="request-refused",
        title="DataWorks refuses the request",
        codes="Missing*, Invalid*, 9990030003, other HTTP 4xx",
        cause="A parameter is not what the operation takes, or the code is not documented.",
        remedy=(
            "Correct the parameter that the message names; if it names none, look the code up on the vendor's page of "
            "the operation, or give the request id to its support."
        ),
    ),
    ErrorInfo(
        error=DataWorksInvalidRequest,
        anchor="refused-in-this-state",
        title="Stop or restart refused",
        codes="as in the row above",
        cause=(
            "DataWorks refused StopDIJob or StartDIJob, and the job is still in the state it was in; which states it "
            "refuses is not documented."
        ),
        remedy=(
            "Look at the job in the DataWorks console and do there what this task was to do, then clear the task: it "
            "finds the job where it should be. After a refused restart the job is down."
        ),
    ),
    ErrorInfo(
        error=DataWorksUnavailable,
        anchor="network",
        title="No connection",
        cause="Nothing accepts connections at the endpoint, or a firewall drops them; nothing was sent.",
        remedy=(
            "Check network and firewall from the machine of this log, and host, region and network (vpc only inside "
            "the VPC) of the connection."
        ),
    ),
    ErrorInfo(
        error=DataWorksUnavailable,
        anchor="dns",
        title="Host name not found",
        cause="The endpoint's name does not resolve on the machine of the log; nothing was sent.",
        remedy="Check region and host of the connection for a typing error, then DNS on the machine of this log.",
    ),
    ErrorInfo(
        error=DataWorksUnavailable,
        anchor="tls",
        title="TLS failed",
        cause="The certificate is not trusted, is not the host's, or no TLS is spoken there; nothing was sent.",
        remedy=(
            "Check host and port of the connection; set its ca_file where a proxy or gateway has a certificate of your "
            "company. Certificates are always verified."
        ),
    ),
    ErrorInfo(
        error=DataWorksUnavailable,
        anchor="proxy",
        title="The proxy refuses",
        cause="The proxy that the environment names does not let the connection through; nothing was sent.",
        remedy="Check HTTPS_PROXY in the environment of the machine of this log, or take the endpoint out by NO_PROXY.",
    ),
    ErrorInfo(
        error=DataWorksUnavailable,
        anchor="answer-lost",
        title="The answer was lost",
        codes="SignatureNonceUsed",
        cause="The request may have arrived, but its answer did not: a time-out or a broken connection.",
        remedy=(
            f"{RETRIES_LEFT} Each try looks at the job's state before it asks for anything. If it lasts, check the "
            "network and proxy, or raise read_timeout."
        ),
    ),
    ErrorInfo(
        error=DataWorksUnavailable,
        anchor="unreadable-answer",
        title="The answer cannot be read",
        cause=(
            "It is cut short, encoded, no JSON or XML, lacks what it must hold, or is no refusal of DataWorks' own; "
            "the request may have had its effect."
        ),
        remedy=(
            f"{RETRIES_LEFT} If it lasts, look for a proxy that changes answers, and check host and api_version of "
            "the connection."
        ),
    ),
    ErrorInfo(
        error=DataWorksUnavailable,
        anchor="connection-unreadable",
        title="The connection cannot be read",
        cause=(
            "There is none of that name, or Airflow cannot look it up now, and does not tell which; the triggerer "
            "tries until the wait is over."
        ),
        remedy=(
            f"{RETRIES_LEFT} If it lasts, see that the connection is visible to the triggerer (the same environment or "
            "secrets backend as the workers'), and that the secrets backend answers."
        ),
    ),
    ErrorInfo(
        error=DataWorksUnavailable,
        anchor="restart-not-begun",
        title="The restart could not begin",
        cause="When the time to wait was over, the job was still stopping, or could not be looked at; nothing was sent.",
        remedy=f"{RETRIES_LEFT} If it lasts, look at the job in the DataWorks console, and start it there.",
    ),
    ErrorInfo(
        error=DataWorksUnavailable,
        anchor="service-down",
        title="DataWorks fails for now",
        codes="InternalError.*, ServiceUnavailable, HTTP 5xx",
        cause="An error inside the service or its gateway; the request may have had its effect.",
        remedy=f"{RETRIES_LEFT} If it lasts, give the request id to Alibaba Cloud support.",
    ),
    ErrorInfo(
        error=OutsideMaintenanceWindow,
        anchor="outside-window",
        title="Outside the maintenance window",
        cause="The task ran when no window was open, or when less than min_remaining of it was left.",
        remedy="Run it inside the window; in an emergency set ignore_window. Nothing was touched.",
    ),
    ErrorInfo(
        error=DIJobFailed,
        anchor="job-failed",
        title="The DI job failed",
        cause="The job itself ended Failed; its own text is in the message, as far as there is one (API 2020-05-18).",
        remedy="Nothing of it runs, but it may not be in a clean state: see its log in the DataWorks console.",
    ),
    ErrorInfo(
        error=DIJobFailed,
        anchor="end-not-accepted",
        title="The DI job ended otherwise",
        cause="The job is Stopped or Finished, the sensor's accept leaves that out, and waiting changes nothing.",
        remedy="Add that status to accept if it is as good.",
    ),
    ErrorInfo(
        error=DIJobFailed,
        anchor="left-down",
        title="Stopped DI jobs were not started again",
        cause="The maintenance stopped them, and no restart of them succeeded in this run; other jobs may be running.",
        remedy=(
            "These jobs are down. Read why in the log of the restart that the message names, then clear that task, or "
            "start the jobs in the DataWorks console."
        ),
    ),
    ErrorInfo(
        error=DIJobWaitTimeout,
        anchor="wait-timed-out",
        title="The time to wait ran out",
        cause=(
            "The job did not come to its state within timeout, execution_timeout or the window; how long a stop takes "
            "is not documented."
        ),
        remedy="Look at the job in the DataWorks console; clear this task to wait again, or allow more time.",
    ),
    ErrorInfo(
        error=DataWorksError,
        anchor="work-on-a-running-job",
        title="A task of a maintenance was not begun",
        cause="A DI job of the maintenance runs: only this task was cleared, or somebody started the job meanwhile.",
        remedy=(
            "Clear the whole maintenance group of the run (open, stop, check, tasks, restart), inside the window: the "
            "job is then stopped before this task begins, and started again behind it. Nothing was done by this task."
        ),
    ),
    ErrorInfo(
        error=DataWorksError,
        anchor="trigger-not-understood",
        title="The trigger's arguments are not understood",
        cause="The row that Airflow stored for the trigger was written by another version of this package, or changed.",
        remedy=(
            "Clear the task: it looks at the job's state anew, sends nothing twice, and stores a new row. After an "
            "upgrade, scheduler, triggerer and workers must run one version."
        ),
    ),
    ErrorInfo(
        error=DataWorksError,
        anchor="wait-broken",
        title="The triggerer met an error that nobody expected",
        cause="A mistake in this package, or in what it stands on; the job's state was not learned.",
        remedy=(
            "Clear the task: it looks at the job's state anew and sends nothing twice. The traceback is in the "
            "triggerer's log; please report it."
        ),
    ),
    ErrorInfo(
        error=DataWorksError,
        anchor="stop-without-restart",
        title="A stop was not begun",
        cause="Only the stop of a maintenance was cleared, and its restart is over: that is cleared with the work only.",
        remedy=(
            "Clear the whole maintenance group of the run (open, stop, check, tasks, restart), inside the window. "
            "Nothing was touched."
        ),
    ),
    ErrorInfo(
        error=DataWorksError,
        anchor="mixed-versions",
        title="The trigger's event is not understood",
        cause="Triggerer and workers run versions of this package that are too far apart.",
        remedy="Look at the DI job's status. After an upgrade, scheduler, triggerer and workers must run one version.",
    ),
    *CREDENTIAL_ERRORS.values(),
)
