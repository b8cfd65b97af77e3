"""``compress cache``: what the store holds, whether it is sound, and what can go."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ..engine import maintenance
from ..engine.disk import human_bytes
from ..engine.store import Store
from ..errors import ConfigError, Fault, InputRejected

app = typer.Typer(
    no_args_is_help=True,
    help="Look after the store of results, .seqpress/ beside the YAML. Nothing in it is ever trusted unhashed.",
)

StoreOption = Annotated[
    Path,
    typer.Option("--store", help="The store's folder.", envvar="SEQPRESS_STORE", show_default=True, file_okay=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout instead of words.")]
DEFAULT_STORE = Path(".seqpress")


@app.command("list")
def list_(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """List the stored results with their sizes; changes nothing."""
    found = maintenance.inventory(Store(store))
    if as_json:
        _print_json(asdict(found))
        return
    width = max((len(entry.task) for entry in found.entries), default=4)
    for entry in found.entries:
        size, used = human_bytes(entry.size_bytes), "" if entry.in_use else "  not used by a latest run"
        typer.echo(f"{entry.task:{width}}  {entry.key[:12]}  {size:>8}  {entry.compute_s:9.2f} s{used}")
    typer.echo(f"{found.root}: {len(found.entries)} results in {_amount(found.objects)}")
    others = (("set aside as damaged", found.quarantine), ("unfinished", found.temporary), ("logs", found.logs))
    for words, amount in others:
        if amount.count:
            typer.echo(f"  {words}: {_amount(amount)}")
    if found.unreadable:
        typer.echo(f"  damaged records: {found.unreadable}; `compress cache verify` sets them aside")


@app.command()
def verify(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Hash everything again. Damage is set aside, to be computed anew by the next run, and ends in exit code 3."""
    verdict = maintenance.verify(Store(store))
    if as_json:
        _print_json(asdict(verdict))
    else:
        state = "damaged, see below" if verdict.damage else "sound"
        typer.echo(f"{verdict.records} sound results, {_amount(verdict.objects)} hashed: {state}")
    if verdict.damage:
        raise InputRejected(
            [
                Fault(
                    "store.damaged",
                    f"{damage.kind} {damage.name[:12]}",
                    damage.reason,
                    hint="it was set aside; the next run computes it anew",
                )
                for damage in verdict.damage
            ]
        )


@app.command()
def gc(
    store: StoreOption = DEFAULT_STORE,
    unused: Annotated[
        bool,
        typer.Option("--unused", help="Also results that no pipeline's latest run used, and what failed tasks left."),
    ] = False,
    quarantine: Annotated[bool, typer.Option("--quarantine", help="Also what was set aside as damaged.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove unfinished work and files that no result refers to. Age does not matter, only use."""
    collected = maintenance.collect(Store(store), unused=unused, quarantine=quarantine)
    if as_json:
        _print_json(asdict(collected))
        return
    typer.echo(
        f"removed {collected.records} results, {collected.objects} files, {collected.temporary} unfinished files, "
        f"{collected.logs} logs, {collected.quarantined} damaged files: {human_bytes(collected.freed_bytes)} freed"
    )


@app.command()
def clear(
    store: StoreOption = DEFAULT_STORE,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove every stored result. The next run computes everything."""
    if not yes:
        if not sys.stdin.isatty():
            rule = "must be confirmed where nobody can be asked"
            raise ConfigError(Fault("cache.confirm", "compress cache clear", rule, hint="add --yes"))
        typer.confirm(f"Remove all results in {os.path.abspath(store)}?", abort=True, err=True)
    freed_bytes = maintenance.clear(Store(store))
    if as_json:
        _print_json({"freed_bytes": freed_bytes})
    else:
        typer.echo(f"{human_bytes(freed_bytes)} freed")


def _amount(amount: maintenance.Amount) -> str:
    return f"{amount.count} files, {human_bytes(amount.size_bytes)}"


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, default=str))
