"""JavaScript clients work unchanged: fhir-kit-client and SMART's fhirclient, each with a script of its own.

Their packages, pinned by `package-lock.json`, are installed once into a folder of the user's cache.
"""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
INSTALL = ("npm", "ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund")

pytestmark = [
    pytest.mark.mongo,
    pytest.mark.skipif(
        shutil.which("node") is None or shutil.which("npm") is None, reason="node and npm are not installed"
    ),
]


@pytest.fixture(scope="session")
def packages() -> Path:
    """The folder with the installed packages, of this very lock file."""
    lock = (HERE / "package-lock.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "msma-fhir-clients" / hashlib.sha256(lock).hexdigest()[:16]
    done = folder / "installed"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(HERE / name, folder / name)
        installed = subprocess.run(INSTALL, cwd=folder, capture_output=True, text=True, check=False, timeout=240)
        if installed.returncode:
            pytest.skip(f"npm cannot install the clients here: {installed.stderr.strip()[-300:]}")
        done.touch()
    return folder


@pytest.mark.parametrize("name", ["fhir_kit_client", "fhirclient"])
def test_client_creates_pages_patches_and_deletes(name: str, packages: Path, served_url: str) -> None:
    script = packages / f"{name}.mjs"
    shutil.copy(HERE / script.name, script)
    run = subprocess.run(
        ["node", str(script), served_url, f"urn:client:{name}"],  # noqa: S607 (node of the PATH)
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    seen = json.loads(run.stdout)
    assert [len(page) for page in seen["pages"]] == [2, 2, 1]
    assert sorted(id_ for page in seen["pages"] for id_ in page) == sorted(seen["created"])
    assert len(set(seen["created"])) == 5
    assert (seen["patched"], seen["afterDelete"]) == ("patched", 410)


def test_the_lock_names_no_registry() -> None:
    lock = json.loads((HERE / "package-lock.json").read_text())
    assert all("resolved" not in package for package in lock["packages"].values())
    assert all("integrity" in package for name, package in lock["packages"].items() if name)
