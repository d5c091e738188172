"""The figures as plots: SVG, the same bytes for the same results."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import matplotlib as mpl
from bulk.growth_results import GrowthResults
from bulk.results import BulkResults
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from results import Results

mpl.use("svg")
mpl.rcParams.update({"svg.hashsalt": "upspace", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False})
mpl.rcParams.update({"axes.spines.right": False, "axes.axisbelow": True, "font.family": "sans-serif"})

_COLOURS = {"bare": "#b8bcc4", "upspace": "#00a1d6", "FastAPI": "#fb7299", "Datasette": "#8a6fd1"}


def plot_reads(results: Results, path: Path) -> None:
    """Requests a second of each server by endpoint."""
    figure, axes = _new(8, 3.6)
    series = {
        "bare": [of.summary.bare_requests_per_s for of in results.cases],
        "upspace": [of.summary.upspace_requests_per_s for of in results.cases],
        "FastAPI": [of.summary.peer_requests_per_s for of in results.cases],
        "Datasette": [of.summary.datasette_requests_per_s for of in results.cases],
    }
    _bars(axes, [of.case.name.replace("_", "\n") for of in results.cases], series)
    axes.set_yscale("log")
    axes.set_ylabel("requests a second")
    _save(figure, path)


def plot_loading(all_results: Sequence[BulkResults], path: Path) -> None:
    """Follows a second of upspace and of the bare programs."""
    figure, axes = _new(5, 3.2)
    names = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
    series = {
        "bare": [of.follows / of.bare.seconds for of in all_results],
        "upspace": [of.follows_per_s for of in all_results],
    }
    _bars(axes, [f"{names[of.engine]}\n{of.follows:,} follows" for of in all_results], series)
    axes.set_ylabel("follows a second")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    _save(figure, path)


def plot_growth(results: GrowthResults, path: Path) -> None:
    """The p50 of each kind of request against the number of follows, with the default bound for accounts in memory."""
    figure, axes = _new(8, 4.2)
    follows = [of.follows for of in results.sizes]
    names = list(dict.fromkeys(kind.removesuffix("_star").removesuffix("_random") for kind in results.labels))
    for kind in results.labels:
        is_star = kind.endswith("_star")
        name = kind.removesuffix("_star").removesuffix("_random")
        axes.plot(
            follows,
            [median(sample.p50_ms for sample in runs[kind]) for runs in results.warm[0].runs],
            marker="o",
            markersize=3,
            linewidth=1.2,
            linestyle="--" if is_star else "-",
            color=f"C{names.index(name)}",
            label=f"{name}, the star" if is_star else name,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("follows")
    axes.set_ylabel("p50, ms")
    axes.legend(fontsize=7, frameon=False, bbox_to_anchor=(1, 1), loc="upper left")
    _save(figure, path)


def _new(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(axis="y", color="#e5e7eb", linewidth=0.6)
    return figure, axes


def _bars(axes: Axes, names: Sequence[str], series: dict[str, list[float]]) -> None:
    width = 0.8 / len(series)
    for number, (label, values) in enumerate(series.items()):
        places = [place + (number - (len(series) - 1) / 2) * width for place in range(len(names))]
        axes.bar(places, values, width, label=label, color=_COLOURS[label])
    axes.set_xticks(range(len(names)), names)
    axes.legend(frameon=False, ncols=len(series), loc="lower center", bbox_to_anchor=(0.5, 1))


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None, "Creator": None})
