"""What a wheel would contain, checked against the tree."""

from __future__ import annotations

import configparser
from pathlib import Path

import sgdni

ROOT = Path(__file__).parents[1]


def config():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_every_package_is_listed():
    listed = set(config()["options"]["packages"].split())
    found = {
        ".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "sgdni").rglob("__init__.py")
    }
    assert listed == found | {"sgdni.embedded"}


def test_package_map_names_every_part():
    parts = {p.stem for p in (ROOT / "sgdni").iterdir() if not p.name.startswith(("_", "."))}
    words = sgdni.__doc__.replace(",", " ").split()
    assert parts <= set(words)
