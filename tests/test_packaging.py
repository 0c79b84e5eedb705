"""What a wheel would contain, checked against the tree."""

from __future__ import annotations

import configparser
from pathlib import Path

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
