"""Reads over PostgreSQL, beside everything that they can be compared with."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from agreement import compare_replies, count_failures
from cases import CASES, KNOWN, KNOWN_PER_S, Case, Targets
from cluster import PostgresServer, backends_of, single_selects_per_s
from command import say
from load import ask_for_all, run_wrk
from measure import draw_samples, target_files
from postgres_results import (
    BARE,
    CONNECTIONS_TRIED,
    PEER,
    SINGLE_QUERIES,
    SQLITE,
    UPSPACE,
    ReadCase,
    ReadResults,
)
from results import Method, Run, run_of
from servers import Server, bare_server, memory_of, peer_server, single_query_server, upspace_server

# Replies name images by the URL of the server, and are compared with each other.
_PUBLIC_URL = "http://127.0.0.1:8000"
_SCHEME = "postgresql://"


def measure_reads(
    cluster: PostgresServer, url: str, source: Path, targets: Mapping[Targets, Sequence[int]], method: Method
) -> ReadResults:
    """All cases in all rounds, over the database at `url` and the file `source` with the same rows."""
    samples = draw_samples(targets, seed=1)
    with target_files(targets) as files, _servers(url, source) as servers:
        sizes = _compared(servers, samples)
        with bare_server(sizes) as bare:
            asked = {BARE: bare, **servers}
            if method.warm_up_seconds:
                say("warming up")
                # Lists first: they bring the most accounts into the caches.
                for case in reversed(CASES):
                    _run(asked, case, files[case.targets], method.warm_up_seconds, seed=0)
                _get_to_know(servers, files)
            rounds: dict[str, list[dict[str, Run]]] = {case.name: [] for case in CASES}
            selects = []
            for number in range(1, method.rounds + 1):
                for case in CASES:
                    runs = _run(asked, case, files[case.targets], method.seconds, seed=number)
                    rounds[case.name].append(runs)
                    shown = (f"{name} {run.requests_per_s:,.0f}/s" for name, run in runs.items())
                    say(f"round {number}, {case.name}: {', '.join(shown)}")
                selects.append(single_selects_per_s(cluster, len(targets[Targets.EVERYONE]), method.seconds))
            memory = {name: memory_of(server) for name, server in asked.items()}
            over_postgres = (UPSPACE, PEER, *SINGLE_QUERIES.values())
            backends = {name: backends_of(cluster, servers[name]) for name in over_postgres}
        failed = {case.name: count_failures(servers[UPSPACE].url, case, samples[case.targets]) for case in CASES}
    return ReadResults(
        cases=[
            ReadCase(
                case=case,
                targets=len(targets[case.targets]),
                sampled=len(samples[case.targets]),
                failed_after=failed[case.name],
                reply_bytes=sizes[case.name],
                rounds=rounds[case.name],
            )
            for case in CASES
        ],
        single_selects_per_s=selects,
        memory=memory,
        backends=backends,
    )


@contextmanager
def _servers(url: str, source: Path) -> Iterator[dict[str, Server]]:
    """All that need a database, by their names in the results."""
    public = ("--public-url", _PUBLIC_URL)
    with ExitStack() as stack:
        servers = {UPSPACE: stack.enter_context(upspace_server(url, *public))}
        for connections, name in SINGLE_QUERIES.items():
            options = (*public, "--connections", str(connections))
            servers[name] = stack.enter_context(single_query_server(url, *options))
        peers = "postgresql+asyncpg://" + url.removeprefix(_SCHEME)
        servers[PEER] = stack.enter_context(peer_server(peers, _PUBLIC_URL))
        servers[SQLITE] = stack.enter_context(upspace_server(f"sqlite:///{source}", *public, name=SQLITE))
        yield servers


def _get_to_know(servers: Mapping[str, Server], files: Mapping[Targets, Path]) -> None:
    """Ask upspace, over both engines and with one query a request, for every account: then it knows them all."""
    for name, server in servers.items():
        if name != PEER:
            ask_for_all(server.url, KNOWN.url("{mid}"), files[KNOWN.targets], KNOWN_PER_S)


def _compared(servers: Mapping[str, Server], samples: Mapping[Targets, Sequence[int]]) -> dict[str, int]:
    """The mean size of the replies of each case, after those of all servers were found equal."""
    say("comparing replies")
    # Of one query a request, one is enough: the number of connections is in no reply.
    others = {name: servers[name] for name in (SINGLE_QUERIES[CONNECTIONS_TRIED[0]], PEER, SQLITE)}
    return {
        case.name: max(
            compare_replies(servers[UPSPACE].url, other.url, case, samples[case.targets], who=name)
            for name, other in others.items()
        )
        for case in CASES
    }


def _run(servers: Mapping[str, Server], case: Case, targets: Path, seconds: int, *, seed: int) -> dict[str, Run]:
    """One case against all servers, one right after another, for the same targets in the same order."""
    return {
        name: run_of(
            run_wrk(
                server.url,
                f"/{case.name}{case.url('{mid}')}" if name == BARE else case.url("{mid}"),
                targets,
                seconds=seconds,
                seed=seed,
            )
        )
        for name, server in servers.items()
    }
