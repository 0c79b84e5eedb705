"""What a wheel would contain, checked against the tree."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def config():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_every_package_is_listed():
    listed = set(config()["options"]["packages"].split())
    found = {".".join(p.parent.relative_to(ROOT).parts)
             for top in ("sgdni", "sgdni_course") for p in (ROOT / top).rglob("__init__.py")}
    assert listed == found | {"sgdni.embedded"}


def test_the_groups_are_the_extras():
    tomllib = pytest.importorskip("tomllib")  # Python 3.11 and later
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    extra = config()["options.extras_require"]["test"].splitlines()
    assert groups["test"] == [line for line in extra if line and not line.startswith("#")]
