"""``caufc plugins``: which plugins are installed, what they bring, and what is wrong with the broken ones."""

from __future__ import annotations

import json
from typing import Any

import click

from ..descriptors import Backbone
from ..plugin_loader import Plugin
from ..plugin_manager import default_manager
from .json_flag import json_flag
from .options import example

__all__ = ["command"]

HEAD = ("PLUGIN", "FROM", "STATUS", "BRINGS", "TAPS")


@click.command("plugins", **example("caufc plugins", "caufc plugins --json"))
@json_flag("Print one JSON object.")
def plugins(as_json: bool) -> None:
    """List the plugins, what they bring, and why the broken ones are broken."""
    report = default_manager().report()
    if as_json:
        click.echo(json.dumps({"plugins": [_as_data(plugin) for plugin in report]}, indent=2))
        return
    rows = [HEAD, *(row for plugin in report for row in _rows(plugin))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for plugin in report:
        if plugin.reason:
            click.echo(f"{plugin.name} ({plugin.origin}): {plugin.status}: {plugin.reason}")


def _rows(plugin: Plugin) -> list[tuple[str, ...]]:
    brings = [(backbone.id, _tap_count(backbone)) for backbone in plugin.backbones]
    brings += [(f"profile {profile.name}", "") for profile in plugin.profiles]
    brings += [(f"format {item.suffix}", "") for item in plugin.feature_formats]
    brings += [(f"task {task.id}", str(len(task.taps))) for task in plugin.tasks]
    first = (plugin.name, plugin.origin, plugin.status)
    return [(*(first if row == 0 else ("", "", "")), *cells) for row, cells in enumerate(brings or [("-", "")])]


def _tap_count(backbone: Backbone) -> str:
    return "by name" if callable(backbone.taps) else str(len(backbone.taps))


def _as_data(plugin: Plugin) -> dict[str, Any]:
    """A plugin as plain data; ``taps`` is null where they depend on the architecture's name."""
    return {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "status": plugin.status,
        "reason": plugin.reason,
        "backbones": [
            {
                "id": backbone.id,
                "taps": None if callable(backbone.taps) else [tap.name for tap in backbone.taps],
                "requires": list(backbone.requires),
                "runs": backbone.load is not None,
            }
            for backbone in plugin.backbones
        ],
        "profiles": [profile.name for profile in plugin.profiles],
        "feature_formats": [item.suffix for item in plugin.feature_formats],
        "tasks": [task.id for task in plugin.tasks],
    }


command = plugins
