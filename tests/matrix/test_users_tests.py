"""The test that the pages show to users runs on every Airflow of the matrix."""

from __future__ import annotations

from pathlib import Path

import pytest
from doc_blocks import run_a_users_tests

pytestmark = pytest.mark.matrix


def test_a_users_tests_run(tmp_path: Path) -> None:
    """With the installed wheel, its fixtures and ``dag.test()``."""
    assert "1 passed" in run_a_users_tests(tmp_path)
