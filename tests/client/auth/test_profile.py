"""Profiles of the vendor's tools, read by the vendor's library: once for a process, in silence, with nothing quoted."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alibabacloud_credentials import provider
from alibabacloud_credentials.utils import auth_constant

from airflow_provider_dataworks.client.auth import profile as profiles
from airflow_provider_dataworks.client.auth.credentials import Credentials
from airflow_provider_dataworks.client.auth.profile import Profile
from airflow_provider_dataworks.exceptions import DataWorksAuthError

SECRET = "profile/secret+text="
INI = f"[default]\ntype = access_key\naccess_key_id = LTAIini\naccess_key_secret = {SECRET}\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home without profiles, and a process that has read none."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(auth_constant, "HOME", str(tmp_path))  # the library reads the variable once
    for name in ("PROFILE", "CREDENTIALS_FILE", "CLI_PROFILE_DISABLED"):
        monkeypatch.delenv(f"ALIBABA_CLOUD_{name}", raising=False)
    profiles._providers.clear()
    yield tmp_path
    profiles._providers.clear()


def configure(home: Path, **modes: dict[str, str]) -> Path:
    """Write the command line's file; the first profile is the current one."""
    path = home / ".aliyun" / "config.json"
    path.parent.mkdir(exist_ok=True)
    found = [{"name": name, **fields} for name, fields in modes.items()]
    path.write_text(json.dumps({"current": next(iter(modes)), "profiles": found}))
    return path


def access_key(identity: str) -> dict[str, str]:
    """A profile that is an AccessKey."""
    return {"mode": "AK", "access_key_id": identity, "access_key_secret": SECRET}


def keys_of(name: str | None = None) -> Credentials:
    """Ask for a profile, blocking."""
    return Profile(name).fetch(lambda: 0.0)


def test_the_current_profile_of_the_command_line_comes_first(home: Path, monkeypatch: pytest.MonkeyPatch):
    """Then the one named, by the connection before the environment."""
    token = {"mode": "StsToken", "access_key_id": "STS.other", "access_key_secret": SECRET, "sts_token": "its-token"}
    configure(home, main=access_key("LTAImain"), other=token)

    assert keys_of().access_key_id == "LTAImain"
    assert keys_of("other") == Credentials("STS.other", SECRET, "its-token")
    monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", "other")
    assert keys_of().access_key_id == "STS.other"
    assert keys_of("main").access_key_id == "LTAImain"


def test_the_ini_file_comes_second(home: Path, monkeypatch: pytest.MonkeyPatch):
    """Where the command line has no such profile, or is switched off."""
    ini = home / ".alibabacloud" / "credentials.ini"
    ini.parent.mkdir()
    ini.write_text(INI)
    assert keys_of().access_key_id == "LTAIini"

    configure(home, default=access_key("LTAImain"))
    assert keys_of("default").access_key_id == "LTAImain"
    monkeypatch.setenv("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "true")
    assert keys_of("default").access_key_id == "LTAIini"

    elsewhere = home / "elsewhere.ini"
    elsewhere.write_text(INI.replace("LTAIini", "LTAIelsewhere"))
    monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_FILE", str(elsewhere))
    assert keys_of().access_key_id == "LTAIelsewhere"


def test_one_object_is_asked_for_a_profile_until_its_file_changes(home: Path, monkeypatch: pytest.MonkeyPatch):
    """Some of them start a thread that never ends; but keys rotated in the file must be seen."""
    configure(home, main=access_key("LTAImain"))
    made: list[Any] = []
    whole = provider.CLIProfileCredentialsProvider

    def counting(**arguments: Any) -> Any:
        made.append(whole(**arguments))
        return made[-1]

    monkeypatch.setattr(provider, "CLIProfileCredentialsProvider", counting)
    for _ in range(3):
        keys_of()
    assert len(made) == 1

    path = configure(home, main=access_key("LTAIrotated"))
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert keys_of().access_key_id == "LTAIrotated"
    assert len(made) == 2
    assert len(profiles._providers) == 1, "of some modes each starts a thread that never ends"


def test_a_profile_without_keys_says_where_it_was_looked_for(home: Path):
    """And what kind of error each place had, in words of our own."""
    configure(home, main={"mode": "AK", "access_key_id": "LTAImain", "access_key_secret": ""})

    with pytest.raises(DataWorksAuthError, match=r"profile main.*config\.json.*credentials\.ini") as caught:
        keys_of("main")

    assert "aliyun configure list" in str(caught.value)


class Leaky:
    """A provider whose errors and log lines hold what it got."""

    def __init__(self, **_: Any) -> None:
        pass

    def get_credentials(self) -> Any:
        logging.getLogger("credentials").error("upstream said %s", SECRET)
        logging.getLogger("urllib3.connectionpool").debug("GET /?SecurityToken=%s", SECRET)
        raise RuntimeError(f"upstream said {SECRET}")


def test_nothing_that_the_library_says_is_passed_on(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
):
    """Its exceptions hold answers of services, and so do its log lines."""
    configure(home, main=access_key("LTAImain"))
    monkeypatch.setattr(provider, "CLIProfileCredentialsProvider", Leaky)

    with caplog.at_level(logging.DEBUG), pytest.raises(DataWorksAuthError, match="RuntimeError") as caught:
        keys_of()
    logging.getLogger("urllib3.connectionpool").warning("somebody else's line")

    error = caught.value
    assert error.__cause__ is None
    for text in (str(error), repr(vars(error)), caplog.text, *capfd.readouterr()):
        assert SECRET not in text
    assert "somebody else's line" in caplog.text


def test_keys_without_a_secret_are_none(home: Path, monkeypatch: pytest.MonkeyPatch):
    """The library hands such out."""

    class Half:
        def __init__(self, **_: Any) -> None:
            pass

        def get_credentials(self) -> Any:
            return self

        def get_access_key_id(self) -> str:
            return "LTAIhalf"

        def get_access_key_secret(self) -> str:
            return ""

    configure(home, main=access_key("LTAImain"))
    monkeypatch.setattr(provider, "CLIProfileCredentialsProvider", Half)

    with pytest.raises(DataWorksAuthError, match="no complete keys"):
        keys_of()


@pytest.fixture
def forgotten(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let the library be imported anew."""

    def forget() -> None:
        for name in [name for name in sys.modules if name.startswith("alibabacloud_credentials.")]:
            monkeypatch.delitem(sys.modules, name)

    return forget


def test_importing_the_library_leaves_loggers_as_they_were(home: Path, forgotten: Callable[[], None]):
    """It gives one named just ``credentials`` three handlers and a level, so that lines come twice."""
    logger = logging.getLogger("credentials")
    mine = logging.NullHandler()
    logger.handlers[:] = [mine]
    logger.setLevel(logging.NOTSET)
    forgotten()
    configure(home, main=access_key("LTAImain"))

    assert keys_of().access_key_id == "LTAImain"
    assert (logger.handlers, logger.level) == ([mine], logging.NOTSET)
    logger.handlers.clear()


def test_without_the_library_the_extra_to_install_is_named(home: Path, monkeypatch: pytest.MonkeyPatch):
    """It is not among what every installation brings."""
    configure(home, main=access_key("LTAImain"))
    monkeypatch.setitem(sys.modules, "alibabacloud_credentials.provider", None)

    with pytest.raises(DataWorksAuthError, match=r"pip install 'airflow-provider-dataworks\[credentials\]'"):
        keys_of()


def test_what_its_own_threads_say_is_dropped_too():
    """They renew keys in the background, and log what went wrong with the answer in it."""
    record = logging.LogRecord("credentials", logging.ERROR, provider.__file__, 1, "text", None, None)
    other = logging.LogRecord("credentials", logging.ERROR, __file__, 1, "text", None, None)

    assert not profiles._hushed.filter(record)
    assert profiles._hushed.filter(other)
