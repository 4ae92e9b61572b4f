"""Wheel and sdist are complete, work outside the checkout, and install no other package."""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from support import ROOT

import bas


def _run(*arguments: str, cwd: Path, **environment: str) -> str:
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PIP_NO_INDEX": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheel and sdist, built without a network from the files that git tracks."""
    folder = tmp_path_factory.mktemp("packages")
    checkout = folder / "checkout"
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    for name in filter(None, tracked):
        if name.startswith("tests/") or not (ROOT / name).exists():
            continue
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, checkout / name, follow_symlinks=False)
    _run("-m", "build", "--no-isolation", "--outdir", str(folder / "dist"), cwd=checkout)
    return folder / "dist"


def _modules(names: list[str]) -> set[str]:
    return {name for name in names if name.endswith((".py", ".yaml", "py.typed"))}


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(packages: Path) -> None:
    (wheel,) = packages.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"bas", wheel.name.rsplit("-", 3)[0] + ".dist-info"}
    on_disk = {
        str(file.relative_to(ROOT))
        for folder in ("bas", "bas/extract", "bas/heads", "bas/evaluate", "bas/configs")
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert _modules(names) - {n for n in names if "dist-info" in n} == _modules(list(on_disk))


def test_the_installed_wheel_runs_outside_the_checkout(packages: Path, tmp_path: Path) -> None:
    (wheel,) = packages.glob("*.whl")
    site = tmp_path / "site"
    _run("-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(wheel), cwd=tmp_path)
    tops = {path.name for path in site.iterdir()} - {"bin"}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"bas"}
    code = "import bas.config, bas; print(bas.__file__); print(bas.config.load('heads', head='netvlad').head.kind)"
    where, kind = _run("-c", code, cwd=tmp_path, PYTHONPATH=str(site)).split()
    assert (Path(where).parent, kind) == (site / "bas", "netvlad")
    assert "fit-head" in _run("-m", "bas", "--help", cwd=tmp_path, PYTHONPATH=str(site))


def test_the_sdist_builds_the_same_wheel(packages: Path, tmp_path: Path) -> None:
    (sdist,), (wheel,) = packages.glob("*.tar.gz"), packages.glob("*.whl")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    _run("-m", "build", "--no-isolation", "--wheel", "--outdir", str(tmp_path / "again"), cwd=source)
    (again,) = (tmp_path / "again").glob("*.whl")
    assert sorted(zipfile.ZipFile(again).namelist()) == sorted(zipfile.ZipFile(wheel).namelist())


def test_every_package_lists_what_it_offers() -> None:
    found = pkgutil.walk_packages(bas.__path__, "bas.")
    names = ["bas", *(m.name for m in found if m.ispkg and m.name != "bas.configs")]
    assert len(names) > 30
    for name in names:
        package = importlib.import_module(name)
        assert package.__all__, name
        assert package.__doc__, name
        for public in package.__all__:
            if not hasattr(package, public):  # a package or module, which is imported by its own name
                importlib.import_module(f"{name}.{public}")


@pytest.mark.fault("S15")
def test_every_dependency_has_an_exact_version_and_comes_from_the_index() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert not [one for one in wanted if "@" in one or "://" in one]
    pinned = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        name, version = re.fullmatch(r"([\w.-]+)==([\w.]+)(?: ?;.*)?", line).groups()  # type: ignore[union-attr]
        pinned[_canonical(name)] = version
    assert {_canonical(re.match(r"[\w.-]+", one)[0]) for one in wanted} <= set(pinned)  # type: ignore[index]


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
