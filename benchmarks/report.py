"""From the results to the page for people, with its plots.

    python benchmarks/report.py

makes docs/benchmarks.md and docs/benchmarks/*.svg anew from what is in benchmarks/results/.
"""

import argparse
from pathlib import Path

import msgspec
from bulk.growth_results import GrowthResults
from bulk.results import BulkResults
from plots import plot_growth, plot_loading, plot_reads
from report_bulk import render_bulk
from report_growth import render_growth
from report_reads import render_reads
from report_workloads import render_workloads
from results import Results
from workloads.results import Row

RESULTS = Path(__file__).with_name("results")
READS = RESULTS / "read_endpoints.json"
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"

_HEAD = """\
# Benchmarks

<!-- Made by benchmarks/report.py from the results. Do not edit. -->

Ratios say more than figures: the machine is shared, and its speed changes from one minute to the next. Each part says
when and on what it was measured. [Writes](benchmarks-writes.md), [PostgreSQL](benchmarks-postgres.md) and
[scale](scale.md) have pages of their own."""

_AGAIN = """\
## Do it again

Install [wrk](https://github.com/wg/wrk) and the sqlite3 shell (Debian, Ubuntu: `apt install wrk sqlite3`), then in a
checkout:

```sh
pip install -e '.[bench]'
python benchmarks/read_endpoints.py
python benchmarks/growth.py
python benchmarks/bulk_load.py --store sqlite
python benchmarks/bulk_load.py --store postgres --accounts 1000000 --follows 4740000
python benchmarks/workload.py w1 --store sqlite    # or w2, w4, w5, w6; postgres; --loop open --rate 2000
python benchmarks/report.py
```

The first runs make the datasets, which takes some minutes, and keep them in `benchmarks/.data/`. `--help` lists the
options. The figures of every round are in `benchmarks/results/`. Close other programs before: the load and the server
need two cores."""


def write_page(folder: Path = RESULTS, page: Path = PAGE) -> None:
    """Write the page from the results that are there, and its plots beside it."""
    plots = page.parent / page.stem
    parts = [_HEAD]
    reads = msgspec.json.decode((folder / READS.name).read_bytes(), type=Results)
    plot_reads(reads, plots / "reads.svg")
    parts += render_reads(reads)
    if (path := folder / "growth.json").exists():
        growth = msgspec.json.decode(path.read_bytes(), type=GrowthResults)
        plot_growth(growth, plots / "growth.svg")
        parts += render_growth(growth)
    loads = [
        msgspec.json.decode(path.read_bytes(), type=BulkResults)
        for engine in ("sqlite", "postgres")
        if (path := folder / f"bulk-{engine}.json").exists()
    ]
    if loads:
        plot_loading(loads, plots / "loading.svg")
        parts += render_bulk(loads)
    rows = [
        row
        for path in sorted((folder / "workloads").glob("*.json"))
        for row in msgspec.json.decode(path.read_bytes(), type=list[Row])
    ]
    if rows:
        parts += render_workloads(rows)
    page.write_text("\n\n".join([*parts, _AGAIN]) + "\n", encoding="utf-8")


def main() -> None:
    """Make the page from results that are there."""
    parser = argparse.ArgumentParser(
        description="Make the page of benchmarks from the results.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER", help="the figures, as JSON")
    parser.add_argument("--page", type=Path, default=PAGE, metavar="FILE", help="where the page goes")
    given = parser.parse_args()
    write_page(given.results, given.page)


if __name__ == "__main__":
    main()
