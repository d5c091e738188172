"""What the figures were measured on and with."""

import platform
import re
import sqlite3
from importlib.metadata import version
from pathlib import Path

import apsw
import psutil
from results import Machine

_PACKAGES = (
    "upspace",
    "granian",
    "uvloop",
    "apsw",
    "msgspec",
    "fastapi",
    "pydantic",
    "sqlalchemy",
    "aiosqlite",
    "uvicorn",
)
_MODEL = re.compile(r"^model name\s*: (.+)$", re.MULTILINE)


def describe_machine() -> Machine:
    """Processor, cores, memory and load of this machine; nothing that names it."""
    model = _MODEL.search(Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return Machine(
        cpu=model[1] if model else platform.machine(),
        cores=psutil.cpu_count() or 1,
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        load_before=round(psutil.getloadavg()[0], 2),
    )


def find_versions(wrk: str, *more: str) -> dict[str, str]:
    """Versions of everything that takes part, by name; `more` are further packages."""
    found = versions_of(*_PACKAGES, *more)
    found["sqlite of upspace (apsw)"] = apsw.sqlite_lib_version()
    found["sqlite of the peer (Python)"] = sqlite3.sqlite_version
    return found | {"wrk": wrk}


def versions_of(*packages: str) -> dict[str, str]:
    """The versions of Python and of these packages."""
    return {"python": platform.python_version()} | {package: version(package) for package in packages}
