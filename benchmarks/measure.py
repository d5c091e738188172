"""The measurement: servers over one store, asked in turns."""

import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from agreement import compare_replies, count_failures
from cases import CASES, KNOWN, KNOWN_PER_S, PEER_GOAL, WORKER_MEMORY_GOAL_MB, Case, Targets
from command import look_at_machine, say
from dataset import build_dataset, count_rows, find_targets
from kept_replies import measure_kept
from load import CONNECTIONS, THREADS, ask_for_all, require_wrk, run_wrk
from machine import find_versions
from msgspec import Struct
from results import CaseResult, Method, Results, Round, Run, run_of, summarize
from servers import Server, bare_server, datasette_server, memory_of, peer_server, upspace_server

from upspace.data.community import Community

SAMPLE = 200
"""How many replies of each case are compared with the peer's before the load, and looked at after it."""


class Plan(Struct, frozen=True, kw_only=True):
    """What to measure, on which rows, for how long. `folder` is where the rows are kept."""

    community: Community
    folder: Path
    rounds: int
    seconds: int
    warm_up_seconds: int


class Servers(Struct, frozen=True):
    """The servers, all running. `rows` is what Datasette puts before the names of tables."""

    bare: Server
    upspace: Server
    peer: Server
    datasette: Server
    rows: str


def measure(plan: Plan) -> Results:
    """All of it: rows, servers, comparison of replies, load, memory.

    Raises LoadError, ServerError, DisagreementError, CommunityMismatchError or StoreError.
    """
    began = datetime.now(UTC).date().isoformat()
    versions = find_versions(require_wrk(), "datasette")
    machine = look_at_machine()
    store = build_dataset(plan.folder, plan.community)
    targets = find_targets(store)
    samples = draw_samples(targets, plan.community.seed)
    with (
        target_files(targets) as files,
        upspace_server(f"sqlite:///{store}") as upspace,
        peer_server(f"sqlite+aiosqlite:///file:{store}?mode=ro&uri=true", upspace.url) as peer,
        datasette_server(store) as datasette,
    ):
        say("comparing replies")
        sizes = {case.name: compare_replies(upspace.url, peer.url, case, samples[case.targets]) for case in CASES}
        with bare_server(sizes) as bare:
            rounds = _measure_rounds(plan, Servers(bare, upspace, peer, datasette, f"/{store.stem}"), files)
            memory = {server.name: memory_of(server) for server in (bare, upspace, peer, datasette)}
            kept = measure_kept(store, bare, files, plan.rounds, plan.seconds)
        failed = {case.name: count_failures(upspace.url, case, samples[case.targets]) for case in CASES}
    return Results(
        date=began,
        machine=machine,
        versions=versions,
        dataset=count_rows(store, plan.community.seed, targets[Targets.MOST_FOLLOWED][0]),
        method=Method(
            rounds=plan.rounds,
            seconds=plan.seconds,
            warm_up_seconds=plan.warm_up_seconds,
            connections=CONNECTIONS,
            threads=THREADS,
        ),
        cases=[
            CaseResult(
                case=case,
                targets=len(targets[case.targets]),
                sampled=len(samples[case.targets]),
                failed_after=failed[case.name],
                reply_bytes=sizes[case.name],
                peer_goal=PEER_GOAL,
                summary=summarize(rounds[case.name]),
                rounds=rounds[case.name],
            )
            for case in CASES
        ],
        memory=memory,
        memory_goal_mb=WORKER_MEMORY_GOAL_MB,
        kept=kept,
    )


def _measure_rounds(plan: Plan, servers: Servers, files: Mapping[Targets, Path]) -> dict[str, list[Round]]:
    """The rounds of each case by its name. One round goes through all cases, after an unmeasured one to warm up."""
    if plan.warm_up_seconds:
        say("warming up")
        for case in CASES:
            _measure_round(servers, case, files[case.targets], plan.warm_up_seconds, seed=0)
        ask_for_all(servers.upspace.url, KNOWN.url("{mid}"), files[KNOWN.targets], KNOWN_PER_S)
    rounds: dict[str, list[Round]] = {case.name: [] for case in CASES}
    for number in range(1, plan.rounds + 1):
        for case in CASES:
            of = _measure_round(servers, case, files[case.targets], plan.seconds, seed=number)
            rounds[case.name].append(of)
            say(
                f"round {number}, {case.name}: bare {of.bare.requests_per_s:,.0f}/s, "
                f"upspace {of.upspace.requests_per_s:,.0f}/s, peer {of.peer.requests_per_s:,.0f}/s, "
                f"datasette {of.datasette.requests_per_s:,.0f}/s"
            )
    return rounds


def _measure_round(servers: Servers, case: Case, targets: Path, seconds: int, *, seed: int) -> Round:
    """One case against the servers, one right after another, for the same targets in the same order."""

    def run(server: Server, url: str) -> Run:
        return run_of(run_wrk(server.url, url, targets, seconds=seconds, seed=seed))

    url = case.url("{mid}")
    return Round(
        bare=run(servers.bare, f"/{case.name}{url}"),
        upspace=run(servers.upspace, url),
        peer=run(servers.peer, url),
        datasette=run(servers.datasette, servers.rows + case.datasette),
    )


def draw_samples(targets: Mapping[Targets, Sequence[int]], seed: int) -> dict[Targets, list[int]]:
    """The accounts whose replies are compared and looked at."""
    chosen = random.Random(seed)
    return {kind: chosen.sample(mids, min(SAMPLE, len(mids))) for kind, mids in targets.items()}


@contextmanager
def target_files(targets: Mapping[Targets, Sequence[int]]) -> Iterator[dict[Targets, Path]]:
    """The targets as files that wrk's script reads, one mid a line."""
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for kind, mids in targets.items():
            files[kind] = Path(folder, f"{kind.name.lower()}.txt")
            files[kind].write_text("".join(f"{mid}\n" for mid in mids), encoding="ascii")
        yield files
