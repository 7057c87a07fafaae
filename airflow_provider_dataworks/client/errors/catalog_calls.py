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
        title="Too many calls",
        codes="Throttling.User, Throttling.Api, Throttling.System, 9990020002, HTTP 429",
        cause="DataWorks limits the calls per second of the whole account in a region. The refused call was not "
        "executed.",
        remedy=f"{RETRIES_LEFT} If it keeps happening, limit how many tasks call at once (with an Airflow pool), "
        "lower max_qps on the connection, or poll less often.",
    ),
    ErrorInfo(
        anchor="daily-quota",
        error=DataWorksQuotaExceeded,
        title="Daily quota of calls used up",
        codes="Throttling.Api.Risk",
        cause="DataWorks limits the calls per day of an account, with its RAM users, in a region. The limit depends "
        "on the edition (100 in Basic Edition).",
        remedy="Retrying today cannot help: the daily quota is used up. The vendor does not document when the day "
        "ends, most likely at midnight in the region (UTC+8 in China). Clear the task after that. Poll less often, "
        "or buy a higher edition.",
    ),
    ErrorInfo(
        anchor="edition-quota",
        error=DataWorksQuotaExceeded,
        title="Quota of the edition used up",
        codes="Throttling.Resource",
        cause="The number of calls included in the DataWorks edition is used up. The vendor does not document the "
        "period it covers.",
        remedy="Retrying cannot help: the quota of the edition is used up. Buy a higher edition, or make fewer calls.",
    ),
    ErrorInfo(
        anchor="edition-too-low",
        error=DataWorksForbidden,
        title="DataWorks edition too low",
        codes="Forbidden.Access",
        cause="In API 2020-05-18, operations on DI jobs need Enterprise Edition or above.",
        remedy="Use DataWorks Enterprise or Flagship (Ultimate) Edition in this region, which API 2020-05-18 needs. "
        "With a lower edition, set api_version to 2024-05-18 on the connection; it needs Basic Edition or above.",
    ),
    ErrorInfo(
        anchor="ram-action-missing",
        error=DataWorksForbidden,
        title="No permission in RAM",
        codes="Forbidden.RAM, NoPermission, NotAuthorized, 403030, other Forbidden.*",
        cause="No RAM policy of the caller allows the operation, or a policy denies it.",
        remedy="Grant the RAM user or role the action dataworks:<operation>, or the policy "
        "AliyunDataWorksFullAccess, which the vendor documents. If it has this permission, check that it is a member "
        "of the workspace.",
    ),
    ErrorInfo(
        anchor="not-in-workspace",
        error=DataWorksForbidden,
        title="Not a member of the workspace, or role too low",
        codes="ResourceNotAuthorized.*",
        cause="DataWorks checks workspace membership and role in addition to RAM. The vendor does not document which "
        "roles may operate DI jobs.",
        remedy="Make the RAM user or role a member of the workspace, with a role that may operate DI jobs, such as "
        "administrator or O&M. If needed, also grant it dataworks:<operation> in RAM.",
    ),
    ErrorInfo(
        anchor="not-activated",
        error=DataWorksForbidden,
        title="DataWorks is not activated",
        codes="9990010001",
        cause="DataWorks is not activated for this account in this region.",
        remedy="Activate DataWorks for this account in this region, or correct the region or the keys of the "
        "connection.",
    ),
    ErrorInfo(
        anchor="no-such-job",
        error=DataWorksNotFound,
        title="No such DI job",
        codes="500130, *NotFound, *NotExist",
        cause="There is no DI job with this id here. It was deleted, the id is mistyped, or the job belongs to "
        "another region, account or API version.",
        remedy="Check the id of the job. Check that the connection has the job's region, and the api_version with "
        "which the job was created.",
    ),
    ErrorInfo(
        anchor="no-such-workspace",
        error=DataWorksNotFound,
        title="No such workspace",
        codes="1101080008",
        cause="There is no workspace with this id in this region and account.",
        remedy="Check project_id and the region of the connection.",
    ),
    ErrorInfo(
        anchor="wrong-api-version",
        error=DataWorksInvalidRequest,
        title="Operation unknown at this endpoint",
        codes="InvalidAction.*, InvalidApi.*, InvalidVersion.*, UnsupportedHTTPMethod",
        cause="This endpoint, or this kind of workspace, does not support the API version of the connection.",
        remedy="Check api_version on the connection: 2024-05-18 for workspaces with the new Data Studio, 2020-05-18 "
        "for others. If it is right, check region and host.",
    ),
    ErrorInfo(
        anchor="needs-2024",
        error=DataWorksInvalidRequest,
        title="Not in API 2020-05-18",
        cause="Metrics, events, run details and logs of a DI job exist in API 2024-05-18 only, and the connection has "
        "the older one.",
        remedy="Set api_version to 2024-05-18 on the connection, or leave out what needs it: max_lag, and what is told "
        "of tables, events and logs.",
    ),
    ErrorInfo(
        anchor="alarm-rule-not-safe",
        error=DataWorksInvalidRequest,
        title="An alarm rule cannot be switched safely",
        cause="In API 2020-05-18 a change replaces the whole rule, and the service does not show all of it, such as "
        "masked receivers.",
        remedy="Switch the rule in the DataWorks console, set api_version to 2024-05-18 on the connection, which "
        "switches a rule alone, or leave its alarms on.",
    ),
    ErrorInfo(
        anchor="wrong-region",
        error=DataWorksInvalidRequest,
        title="No DataWorks API in this region",
        codes="Forbidden.Not.Server",
        cause="The API is not available in the region of the endpoint.",
        remedy="Set the region of the connection to the region of the workspace.",
    ),
    ErrorInfo(
        anchor="not-dataworks",
        error=DataWorksInvalidRequest,
        title="The answer is not from DataWorks",
        codes="HTTP 4xx without a code",
        cause="Another server, a firewall or a proxy answers at this address.",
        remedy="Check host, region and api_version of the connection. Check whether a proxy or firewall answers "
        "instead of DataWorks.",
    ),
    ErrorInfo(
        anchor="redirect",
        error=DataWorksInvalidRequest,
        title="The endpoint redirects",
        codes="HTTP 3xx",
        cause="A login page, a proxy or a host that has moved. The redirect is not followed, because it would send "
        "the signature elsewhere.",
        remedy="Check host and region of the connection: a server other than DataWorks answers there.",
    ),
    ErrorInfo(
        anchor="bad-input",
        error=DataWorksInvalidRequest,
        title="Invalid parameter or field",
        cause="A parameter of the task or a field of the connection is not valid. Nothing was sent.",
        remedy="Correct the parameter or field named in the message.",
    ),
    ErrorInfo(
        anchor="request-refused",
        error=DataWorksInvalidRequest,
        title="DataWorks refuses the request",
        codes="Missing*, Invalid*, 9990030003, other HTTP 4xx",
        cause="The operation does not accept one of the parameters, or the code is not documented.",
        remedy="Correct the parameter named in the message. If none is named, look up the code on the vendor's page "
        "for the operation, or give the request id to the vendor's support.",
    ),
    ErrorInfo(
        anchor="refused-in-this-state",
        error=DataWorksInvalidRequest,
        title="Stop or restart refused",
        codes="as in the row above",
        cause="DataWorks refused StopDIJob or StartDIJob, and the job's status has not changed. The vendor does not "
        "document in which statuses it refuses.",
        remedy="Stop or start the job in the DataWorks console, as this task should have done. Then clear the task: "
        "it checks the job's status and goes on. After a refused restart the job is down.",
    ),
    ErrorInfo(
        anchor="network",
        error=DataWorksUnavailable,
        title="No connection",
        cause="Nothing accepts connections at the endpoint, or a firewall blocks them. Nothing was sent.",
        remedy="Check network and firewall on the machine of this log. Check host, region and network of the "
        "connection; network vpc works only inside the VPC.",
    ),
    ErrorInfo(
        anchor="dns",
        error=DataWorksUnavailable,
        title="Host name not found",
        cause="The host name of the endpoint cannot be resolved on the machine of the log. Nothing was sent.",
        remedy="Check region and host of the connection for typing errors. Then check DNS on the machine of this log.",
    ),
    ErrorInfo(
        anchor="tls",
        error=DataWorksUnavailable,
        title="TLS failed",
        cause="The certificate is not trusted or belongs to another host, or the server does not use TLS. Nothing "
        "was sent.",
        remedy="Check host and port of the connection. If a proxy or gateway uses a certificate of your company, set "
        "ca_file. Certificates are always verified.",
    ),
    ErrorInfo(
        anchor="proxy",
        error=DataWorksUnavailable,
        title="The proxy refuses the connection",
        cause="The proxy set in the environment does not allow the connection. Nothing was sent.",
        remedy="Check HTTPS_PROXY in the environment of the machine of this log, or add the endpoint to NO_PROXY.",
    ),
    ErrorInfo(
        anchor="answer-lost",
        error=DataWorksUnavailable,
        title="The answer was lost",
        codes="SignatureNonceUsed",
        cause="The request may have reached DataWorks, but no answer came back: a timeout or a broken connection.",
        remedy=f"{RETRIES_LEFT} Each try checks the job's state before it sends anything. If it keeps happening, "
        "check the network and proxy, or raise read_timeout.",
    ),
    ErrorInfo(
        anchor="unreadable-answer",
        error=DataWorksUnavailable,
        title="Unreadable answer",
        cause="The answer is cut short, compressed, incomplete, not JSON or XML, or not a refusal from DataWorks. "
        "The request may have had its effect.",
        remedy=f"{RETRIES_LEFT} If it keeps happening, look for a proxy that changes answers, and check host and "
        "api_version of the connection.",
    ),
    ErrorInfo(
        anchor="connection-unreadable",
        error=DataWorksUnavailable,
        title="The Airflow connection cannot be read",
        cause="It does not exist, or Airflow cannot look it up now; Airflow does not say which. A deferred task "
        "retries until its wait ends.",
        remedy=f"{RETRIES_LEFT} If it keeps happening, check that the triggerer can see the connection (it needs the "
        "same environment or secrets backend as the workers), and that the secrets backend answers.",
    ),
    ErrorInfo(
        anchor="alarms-not-known",
        error=DataWorksUnavailable,
        title="Which alarm rules are off cannot be read or noted",
        cause="Airflow's Variable with the rules that a maintenance has switched off could not be read or written, "
        "or somebody has deleted or edited it.",
        remedy=f"{RETRIES_LEFT} If it keeps happening, check in the DataWorks console whether the alarm rules of the "
        "DI job are on.",
    ),
    ErrorInfo(
        anchor="restart-not-begun",
        error=DataWorksUnavailable,
        title="The restart could not begin",
        cause="When the time to wait was over, the job was still stopping, or its status could not be read. Nothing "
        "was sent.",
        remedy=f"{RETRIES_LEFT} If it keeps happening, check the job in the DataWorks console, and start it there.",
    ),
    ErrorInfo(
        anchor="service-down",
        error=DataWorksUnavailable,
        title="DataWorks is temporarily unavailable",
        codes="InternalError.*, ServiceUnavailable, HTTP 5xx",
        cause="The service or its gateway had an internal error. The request may have had its effect.",
        remedy=f"{RETRIES_LEFT} If it keeps happening, give the request id to Alibaba Cloud support.",
    ),
)
