"""Relation writes over PostgreSQL: committed in groups beside one transaction each, and what they do to reads."""

import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from cluster import PostgresServer, backends_of, copied_database
from command import say
from postgres_results import SINGLE_COMMITS, WriteResults, WriteRound
from results import Method
from servers import Server, memory_of, single_commit_server, upspace_server
from write_load import (
    VIEWERS,
    WRITE_CONNECTIONS,
    WriteLoad,
    is_clean,
    prepare_writes,
    read,
    read_under_writes,
    run_writes,
    write,
    writes_of,
)
from write_report import Writes

# Each run of random accounts has a number of its own, so that nobody follows whom they follow already.
_RUNS = len(SINGLE_COMMITS) + 2


class Hot:
    """Writes towards the most followed account. Each run goes on where the last one ended: all change something."""

    def __init__(self, load: WriteLoad) -> None:
        self._load = load
        self._done = 0

    def write(self, server: Server, seconds: int) -> Writes:
        """One run."""
        only = (str(self._load.most_followed), str(self._done))
        counted = run_writes(server, self._load, seconds, 0, only=only)
        # Those that were on their way at the end have been done as well.
        self._done += counted.requests + WRITE_CONNECTIONS
        return writes_of(counted)


def measure_writes(cluster: PostgresServer, source: Path, method: Method) -> WriteResults:
    """All rounds on a copy of the filled database, and the check of it afterwards."""
    with copied_database(cluster, "written") as url, tempfile.TemporaryDirectory() as folder:
        load = prepare_writes(url, source, Path(folder))
        hot = Hot(load)
        with ExitStack() as stack:
            grouped = stack.enter_context(upspace_server(url))
            singles = {
                name: stack.enter_context(single_commit_server(url, "--connections", str(connections)))
                for connections, name in SINGLE_COMMITS.items()
            }
            found = []
            for number in range(method.rounds + 1):
                # The first one warms up caches, and is short.
                seconds = method.seconds if number else 1
                of = _measure_round(load, hot, grouped, singles, seconds, number * _RUNS)
                if number:
                    found.append(of)
                    say(f"writes, round {number}: {of}")
            memory, backends = memory_of(grouped), backends_of(cluster, grouped)
        say("checking")
        began = time.perf_counter()
        clean = is_clean(url)
        check_s = round(time.perf_counter() - began, 1)
    return WriteResults(
        viewers=VIEWERS,
        connections=WRITE_CONNECTIONS,
        rounds=found,
        memory=memory,
        backends=backends,
        clean_afterwards=clean,
        check_s=check_s,
    )


def _measure_round(
    load: WriteLoad, hot: Hot, grouped: Server, singles: Mapping[str, Server], seconds: int, number: int
) -> WriteRound:
    single = {name: write(server, load, seconds, number + it) for it, (name, server) in enumerate(singles.items())}
    best = max(singles, key=lambda name: single[name].per_s)
    number += len(singles)
    runs = write(grouped, load, seconds, number)
    single_hot = hot.write(singles[best], seconds)
    grouped_hot = hot.write(grouped, seconds)
    alone = read(grouped, load, seconds, number)
    busy, meanwhile = read_under_writes(grouped, load, seconds, number + 1)
    return WriteRound(
        single=single,
        single_hot=single_hot,
        grouped=runs,
        hot=grouped_hot,
        reads_alone=alone,
        reads_under_writes=busy,
        writes_under_reads=meanwhile,
    )
