"""The measurement of lists and cards that are kept: by a server with room for all of them."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from cases import KEPT, KEPT_MB, KNOWN_PER_S, WRITES_PER_S, Case, Targets
from command import say
from load import ask_for_all, run_wrk
from results import Beside, Kept, KeptCase, Run, ratio_of, run_of
from servers import Server, memory_of, upspace_server
from steady_writes import writes_going_on


def measure_kept(original: Path, bare: Server, files: Mapping[Targets, Path], rounds: int, seconds: int) -> Kept:
    """Alone, and under writes, after everything has been asked for once. What is written to is a copy of `original`."""
    say(f"with {KEPT_MB:,} MB for replies")
    alone: dict[str, list[tuple[Run, Run]]] = {case.name: [] for case in KEPT}
    under_writes: dict[str, list[tuple[Run, Run]]] = {case.name: [] for case in KEPT}
    rates = []
    with tempfile.TemporaryDirectory(dir=original.parent) as folder:
        store = f"sqlite:///{shutil.copy(original, Path(folder, 'written.db'))}"
        with upspace_server(store, "--reply-cache-mb", str(KEPT_MB)) as upspace:
            for number in range(1, rounds + 1):
                for case in KEPT:
                    ask_for_all(upspace.url, case.url("{mid}"), files[case.targets], KNOWN_PER_S)
                for case in KEPT:
                    runs = _beside_bare(bare, upspace, case, files[case.targets], seconds, number)
                    alone[case.name].append(runs)
                with writes_going_on(store, files[Targets.EVERYONE], WRITES_PER_S, number) as reached:
                    for case in KEPT:
                        runs = _beside_bare(bare, upspace, case, files[case.targets], seconds, number)
                        under_writes[case.name].append(runs)
                rates.append(reached.per_s)
            memory = memory_of(upspace)
    return Kept(
        reply_cache_mb=KEPT_MB,
        writes_per_s=median(rates),
        memory=memory,
        cases=[
            KeptCase(case=case, alone=_beside(alone[case.name]), under_writes=_beside(under_writes[case.name]))
            for case in KEPT
        ],
    )


def _beside_bare(
    bare: Server, upspace: Server, case: Case, targets: Path, seconds: int, number: int
) -> tuple[Run, Run]:
    url = case.url("{mid}")
    its = run_of(run_wrk(bare.url, f"/{case.name}{url}", targets, seconds=seconds, seed=number))
    ours = run_of(run_wrk(upspace.url, url, targets, seconds=seconds, seed=number))
    say(f"round {number}, {case.name}: bare {its.requests_per_s:,.0f}/s, upspace {ours.requests_per_s:,.0f}/s")
    return its, ours


def _beside(rounds: Sequence[tuple[Run, Run]]) -> Beside:
    return Beside(
        bare=[its for its, _ in rounds],
        upspace=[ours for _, ours in rounds],
        to_bare=ratio_of([ours.requests_per_s / its.requests_per_s for its, ours in rounds]),
    )
