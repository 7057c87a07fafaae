"""What Airflow gets from the plugin: the page where it can be, and never more than a line in a log where it cannot."""

from __future__ import annotations

import subprocess
import sys

import emulated  # noqa: F401 - sets Airflow's home before Airflow is imported
import pytest
from airflow_limits import lacks

from airflow_provider_dataworks.plugin import DataWorksPlugin
from airflow_provider_dataworks.timetables import MaintenanceWindowTimetable

# Of what Airflow's API server imports; as an error it would be one of the reasons for having no page.
pytestmark = pytest.mark.filterwarnings("ignore:The anyio.abc.BlockingPortal alias is deprecated")

# What the page needs of Airflow and of FastAPI; each may be gone or be called something else in another release.
NEEDED = (
    "fastapi",
    "airflow.api_fastapi.app",
    "airflow.api_fastapi.core_api.security",
    "airflow.api_fastapi.auth.managers.models.resource_details",
    "airflow.models.xcom",
    "airflow.models.serialized_dag",
    "jinja2",
)


def test_the_page_is_there_from_airflow_3_1_on() -> None:
    """With a place in the navigation; before, there is neither."""
    plugin = DataWorksPlugin()
    without = lacks("page")

    assert plugin.timetables == [MaintenanceWindowTimetable]
    assert [app["url_prefix"] for app in plugin.fastapi_apps] == ([] if without else ["/dataworks"])
    assert [view["href"] for view in plugin.external_views] == ([] if without else ["dataworks/"])
    assert plugin.fastapi_apps is plugin.fastapi_apps  # Airflow takes unfit views out of the list it was given
    assert plugin.external_views is plugin.external_views


@pytest.mark.parametrize("missing", NEEDED)
def test_where_something_is_missing_there_is_no_page(
    missing: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And one line in the log; the timetable, without which no DAG is loaded, stays."""
    for name in [name for name in sys.modules if name.startswith("airflow_provider_dataworks.page")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("records", "xcoms"):
        monkeypatch.delitem(sys.modules, f"airflow_provider_dataworks.{name}", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    plugin = DataWorksPlugin()
    with caplog.at_level("WARNING"):
        assert (plugin.fastapi_apps, plugin.external_views) == ([], [])

    assert plugin.timetables == [MaintenanceWindowTimetable]
    told = [record for record in caplog.records if record.name == "airflow_provider_dataworks.plugin"]
    assert len(told) == (0 if lacks("page") else 1)
    assert all(missing in record.getMessage() for record in told)


def test_importing_the_plugin_costs_no_part_of_the_page() -> None:
    """Each process of Airflow imports it: the page comes only where Airflow asks for apps."""
    program = (
        "import sys; import airflow.plugins_manager, airflow_provider_dataworks.timetables; before = set(sys.modules)\n"
        "import airflow_provider_dataworks.plugin as found\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    added = run.stdout.splitlines()[-1].split()

    assert added == ["airflow_provider_dataworks.plugin"]
