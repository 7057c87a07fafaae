"""The part of the catalogue about calls to DataWorks; only text. The codes are in :mod:`.codes`."""

from __future__ import annotations

from airflow_provider_dataworks.client.errors import ErrorInfo
from airflow_provider_dataworks.exceptions import (
    RETRIES_LEFT,
    DataWorksForbidden,
    DataWorksInvalidRequest,
    DataWorksNotFound,
    DataWorksQuotaExceeded,
    DataWorksThrottled,
    DataWorksUnavailable,
)

CALLS: tuple[ErrorInfo, ...] = (
    ErrorInfo(
        anchor="throttled",
        error=DataWorksThrottled,
        title="Too many calls for now",
        codes="Throttling.User, Throttling.Api, Throttling.System, 9990020002, HTTP 429",
        cause="Calls a second are limited, for the whole account and region; the refused call was not executed.",
        remedy=f"{RETRIES_LEFT} If it lasts, let fewer tasks call at once (an Airflow pool), lower max_qps on the "
        "connection, or poll less often.",
    ),
    ErrorInfo(
        anchor="daily-quota",
        error=DataWorksQuotaExceeded,
        title="Calls of the day used up",
        codes="Throttling.Api.Risk",
        cause="The edition's daily limit (100 in Basic Edition) counts the account, with its RAM users, in the region.",
        remedy="The daily limit of calls is reached, and retrying today cannot help. When the day ends is not "
        "documented; most likely at midnight by the region's clock (UTC+8 in China). Then clear the task. Poll less "
        "often, or buy a higher edition.",
    ),
    ErrorInfo(
        anchor="edition-quota",
        error=DataWorksQuotaExceeded,
        title="Calls of the edition used up",
        codes="Throttling.Resource",
        cause="The number of calls that the edition includes is reached; over which time it counts is not documented.",
        remedy="The limit of the edition is reached, and retrying cannot help: buy a higher edition, or call less.",
    ),
    ErrorInfo(
        anchor="edition-too-low",
        error=DataWorksForbidden,
        title="DataWorks edition too low",
        codes="Forbidden.Access",
        cause="API 2020-05-18 has its DI job operations in Enterprise Edition and above only.",
        remedy="DI job calls of API 2020-05-18 need DataWorks Enterprise or Flagship (Ultimate) Edition in this "
        "region. With a lower one set api_version to 2024-05-18 on the connection; that asks for Basic Edition at "
        "least.",
    ),
    ErrorInfo(
        anchor="ram-action-missing",
        error=DataWorksForbidden,
        title="RAM does not allow the action",
        codes="Forbidden.RAM, NoPermission, NotAuthorized, 403030, other Forbidden.*",
        cause="No RAM policy of the caller allows the operation, or one denies it.",
        remedy="Grant the RAM user or role the action dataworks:<operation>, or AliyunDataWorksFullAccess, which the "
        "vendor documents. If it has that, see whether it is a member of the workspace.",
    ),
    ErrorInfo(
        anchor="not-in-workspace",
        error=DataWorksForbidden,
        title="Not a member of the workspace, or in too low a role",
        codes="ResourceNotAuthorized.*",
        cause="DataWorks checks membership and role besides RAM; which role may operate DI jobs is not documented.",
        remedy="Make the RAM user or role a member of the workspace with a role that operates DI jobs, such as "
        "administrator or O&M, and grant it dataworks:<operation> in RAM if that is missing.",
    ),
    ErrorInfo(
        anchor="not-activated",
        error=DataWorksForbidden,
        title="DataWorks is not activated",
        codes="9990010001",
        cause="The account of this key has no DataWorks in this region.",
        remedy="Activate DataWorks in this account and region, or correct region and keys of the connection.",
    ),
    ErrorInfo(
        anchor="no-such-job",
        error=DataWorksNotFound,
        title="No such DI job",
        codes="500130, *NotFound, *NotExist",
        cause="There is no DI job of this id here: deleted, mistyped, of another region, account or API version.",
        remedy="Check the id, that the connection's region is the job's, and that api_version is what it was made "
        "with.",
    ),
    ErrorInfo(
        anchor="no-such-workspace",
        error=DataWorksNotFound,
        title="No such workspace",
        codes="1101080008",
        cause="There is no workspace of this id in the region and account.",
        remedy="Check project_id and the connection's region: there is no such workspace.",
    ),
    ErrorInfo(
        anchor="wrong-api-version",
        error=DataWorksInvalidRequest,
        title="The endpoint does not know the operation",
        codes="InvalidAction.*, InvalidApi.*, InvalidVersion.*, UnsupportedHTTPMethod",
        cause="The API version of the connection is not offered at this endpoint, or not to this kind of workspace.",
        remedy="Check api_version on the connection: 2024-05-18 for workspaces of the new Data Studio, 2020-05-18 "
        "for others. If it is right, check region and host.",
    ),
    ErrorInfo(
        anchor="wrong-region",
        error=DataWorksInvalidRequest,
        title="No DataWorks API in this region",
        codes="Forbidden.Not.Server",
        cause="The endpoint's region does not offer the API.",
        remedy="Set region of the connection to that of the workspace; the DataWorks API is not offered in this one.",
    ),
    ErrorInfo(
        anchor="not-dataworks",
        error=DataWorksInvalidRequest,
        title="Something else than DataWorks answered",
        codes="HTTP 4xx without a code",
        cause="Another server, a firewall or a proxy answers at this address.",
        remedy="Check host, region and api_version of the connection, and what proxy or firewall stands before it.",
    ),
    ErrorInfo(
        anchor="redirect",
        error=DataWorksInvalidRequest,
        title="The endpoint redirects",
        codes="HTTP 3xx",
        cause="A login page, proxy or moved host; it is not followed, because that would carry the signature "
        "elsewhere.",
        remedy="Check host and region of the connection; something else than DataWorks answers there.",
    ),
    ErrorInfo(
        anchor="bad-input",
        error=DataWorksInvalidRequest,
        title="A parameter or field is wrong",
        cause="A parameter of the task or a field of the connection makes no sense; nothing was sent.",
        remedy="Correct the parameter or field that the message names.",
    ),
    ErrorInfo(
        anchor="request-refused",
        error=DataWorksInvalidRequest,
        title="DataWorks refuses the request",
        codes="Missing*, Invalid*, 9990030003, other HTTP 4xx",
        cause="A parameter is not what the operation takes, or the code is not documented.",
        remedy="Correct the parameter that the message names; if it names none, look the code up on the vendor's "
        "page of the operation, or give the request id to its support.",
    ),
    ErrorInfo(
        anchor="refused-in-this-state",
        error=DataWorksInvalidRequest,
        title="Stop or restart refused",
        codes="as in the row above",
        cause="DataWorks refused StopDIJob or StartDIJob, and the job is still in the state it was in; which states "
        "it refuses is not documented.",
        remedy="Look at the job in the DataWorks console and do there what this task was to do, then clear the task: "
        "it finds the job where it should be. After a refused restart the job is down.",
    ),
    ErrorInfo(
        anchor="network",
        error=DataWorksUnavailable,
        title="No connection",
        cause="Nothing accepts connections at the endpoint, or a firewall drops them; nothing was sent.",
        remedy="Check network and firewall from the machine of this log, and host, region and network (vpc only "
        "inside the VPC) of the connection.",
    ),
    ErrorInfo(
        anchor="dns",
        error=DataWorksUnavailable,
        title="Host name not found",
        cause="The endpoint's name does not resolve on the machine of the log; nothing was sent.",
        remedy="Check region and host of the connection for a typing error, then DNS on the machine of this log.",
    ),
    ErrorInfo(
        anchor="tls",
        error=DataWorksUnavailable,
        title="TLS failed",
        cause="The certificate is not trusted, is not the host's, or no TLS is spoken there; nothing was sent.",
        remedy="Check host and port of the connection; set its ca_file where a proxy or gateway has a certificate of "
        "your company. Certificates are always verified.",
    ),
    ErrorInfo(
        anchor="proxy",
        error=DataWorksUnavailable,
        title="The proxy refuses",
        cause="The proxy that the environment names does not let the connection through; nothing was sent.",
        remedy="Check HTTPS_PROXY in the environment of the machine of this log, or take the endpoint out by NO_PROXY.",
    ),
    ErrorInfo(
        anchor="answer-lost",
        error=DataWorksUnavailable,
        title="The answer was lost",
        codes="SignatureNonceUsed",
        cause="The request may have arrived, but its answer did not: a time-out or a broken connection.",
        remedy=f"{RETRIES_LEFT} Each try looks at the job's state before it asks for anything. If it lasts, check "
        "the network and proxy, or raise read_timeout.",
    ),
    ErrorInfo(
        anchor="unreadable-answer",
        error=DataWorksUnavailable,
        title="The answer cannot be read",
        cause="It is cut short, encoded, no JSON or XML, lacks what it must hold, or is no refusal of DataWorks' "
        "own; the request may have had its effect.",
        remedy=f"{RETRIES_LEFT} If it lasts, look for a proxy that changes answers, and check host and api_version "
        "of the connection.",
    ),
    ErrorInfo(
        anchor="connection-unreadable",
        error=DataWorksUnavailable,
        title="The connection cannot be read",
        cause="There is none of that name, or Airflow cannot look it up now, and does not tell which; the triggerer "
        "tries until the wait is over.",
        remedy=f"{RETRIES_LEFT} If it lasts, see that the connection is visible to the triggerer (the same "
        "environment or secrets backend as the workers'), and that the secrets backend answers.",
    ),
    ErrorInfo(
        anchor="restart-not-begun",
        error=DataWorksUnavailable,
        title="The restart could not begin",
        cause="When the time to wait was over, the job was still stopping, or could not be looked at; nothing was "
        "sent.",
        remedy=f"{RETRIES_LEFT} If it lasts, look at the job in the DataWorks console, and start it there.",
    ),
    ErrorInfo(
        anchor="service-down",
        error=DataWorksUnavailable,
        title="DataWorks fails for now",
        codes="InternalError.*, ServiceUnavailable, HTTP 5xx",
        cause="An error inside the service or its gateway; the request may have had its effect.",
        remedy=f"{RETRIES_LEFT} If it lasts, give the request id to Alibaba Cloud support.",
    ),
)
