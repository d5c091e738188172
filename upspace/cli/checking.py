"""`upspace check`."""

from collections import Counter
from contextlib import aclosing

import click

from upspace.cli.common import store_option, with_store
from upspace.store.interface import Finding, Progress, Store

# So many findings of a kind are printed; of the others it is only said how many there are.
_SHOWN = 20


@click.command()
@click.option("--repair", is_flag=True, help="mend what follows from the rest, and say what was mended")
@store_option
def check(repair: bool, store: str) -> int:
    """Check that what is stored agrees, while others use it.

    Prints a line for each fact that does not agree with the others: follows that are not in the list of followers,
    one-sided mutual follows, counters that miscount, members of groups that do not exist, remains of deleted accounts,
    rows that belong to nobody. The exit code is 0 if everything agrees in the end, 1 if something does not.

    With --repair, lists of followers, mutual follows, derived counters and rows that belong to nothing are mended. What
    cannot be told from the rest is left as it is, and printed as needing a person.
    """
    return with_store(lambda opened: _report(opened, repair=repair), store)


async def _report(store: Store, *, repair: bool) -> int:
    """Print what a check finds; the exit code."""
    from tqdm import tqdm

    kinds: Counter[str] = Counter()
    outcomes: Counter[bool | None] = Counter()
    checked = 0
    async with aclosing(store.check(repair=repair)) as steps:
        # No bar where there is no terminal.
        with tqdm(desc="checking accounts", unit_scale=True, mininterval=0.2, disable=None) as bar:
            async for step in steps:
                if isinstance(step, Progress):
                    bar.total = step.total
                    bar.update(step.done - checked)
                    checked = step.done
                    continue
                kinds[step.kind] += 1
                outcomes[step.mended] += 1
                if kinds[step.kind] <= _SHOWN:
                    bar.write(_line(step))
    for kind, count in kinds.items():
        if count > _SHOWN:
            click.echo(f"and {count - _SHOWN} more: {kind.replace('_', ' ')}")
    click.echo(_summary(checked, outcomes))
    return 1 if outcomes[None] or outcomes[False] else 0


def _line(finding: Finding) -> str:
    if finding.mended is None:
        return finding.text
    return f"{'mended' if finding.mended else 'needs a person'}: {finding.text}"


def _summary(checked: int, outcomes: Counter[bool | None]) -> str:
    if not outcomes:
        return f"accounts checked: {checked}; everything agrees"
    parts = [f"accounts checked: {checked}", f"wrong: {outcomes.total()}"]
    for mended, words in ((True, "mended"), (None, "to be mended with --repair"), (False, "for a person")):
        if outcomes[mended]:
            parts.append(f"{words}: {outcomes[mended]}")
    return "; ".join(parts)
