"""What a wheel would contain, checked against the tree."""

from __future__ import annotations

import ast
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


LEVELS = (
    "files checks blas colours shared products arrays users", "layers losses optimizers", "module",
    "synthetic", "interface", "gradcheck network", "mlp data", "training", "timeline settings",
    "methods", "cuts",
    "benchmark plots", "cli course", "__main__",
)


def test_nothing_imports_from_above():
    level = {part: i for i, parts in enumerate(LEVELS) for part in parts.split()}
    wrong = []
    for path in (ROOT / "sgdni").rglob("*.py"):
        part = path.relative_to(ROOT / "sgdni").parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            if part != "__init__" and module and module.startswith("sgdni."):
                other = module.split(".")[1]
                if other != part and level[other] > level[part]:
                    wrong.append(f"{path.name} imports {module}")
    assert wrong == []


def test_package_map_names_every_part():
    parts = {p.stem for p in (ROOT / "sgdni").iterdir() if not p.name.startswith(("_", "."))}
    words = sgdni.__doc__.replace(",", " ").split()
    assert parts <= set(words)
