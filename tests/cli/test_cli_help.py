"""What the command says of itself, and that every setting is a flag and a variable."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from conftest import DEADLINE_S, Ran, command_line, environment, run_process

from upspace import __version__
from upspace.cli import cli
from upspace.server.settings import Settings, all_settings
from upspace.wire.profiles import Behaviour, Quotas

Upspace = Callable[..., Ran]


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command and subcommand with the words that lead to it."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, (*path, name))


COMMANDS = list(commands(cli))
SERVING = [command for path, command in COMMANDS if path in (("serve",), ("demo",))]
SETTINGS = all_settings()


def test_the_commands_are_all_here() -> None:
    assert {path for path, _ in COMMANDS} >= {
        *((), ("serve",), ("demo",), ("migrate",), ("check",)),
        *(("account",), ("account", "add"), ("account", "show"), ("account", "set"), ("account", "delete")),
        *(("token",), ("token", "issue"), ("token", "revoke"), ("token", "list")),
    }


@pytest.mark.parametrize(
    ("path", "command"), COMMANDS, ids=lambda value: " ".join(value) or "upspace" if isinstance(value, tuple) else ""
)
def test_help_tells_of_every_option_and_command(
    run_upspace: Upspace, path: tuple[str, ...], command: click.Command
) -> None:
    for flag in ("--help", "-h"):
        ran = run_upspace(*path, flag)
        assert (ran.code, ran.err) == (0, "")
    words = ran.out.split()
    assert command.help
    assert command.help.split()[0] in words
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
            assert " ".join(parameter.help.split()[:3]) in " ".join(words)
            for flag in (*parameter.opts, *parameter.secondary_opts):
                assert any(flag in word for word in words), flag
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            assert name in words


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_is_a_flag_and_a_variable(setting: object) -> None:
    name = setting.name  # type: ignore[attr-defined]  # a Setting
    assert len(SERVING) == 2
    for command in SERVING:
        (option,) = (parameter for parameter in command.params if parameter.name == name)
        assert "--" + name.replace("_", "-") in option.opts
        assert option.envvar == "UPSPACE_" + name.upper()


def test_every_field_of_the_settings_is_declared() -> None:
    names = {setting.name for setting in SETTINGS}
    fields = {*Settings.__struct_fields__, *Behaviour.__struct_fields__, *Quotas.__struct_fields__}
    assert names == fields - {"behaviour", "quotas"}


def test_every_option_that_is_a_setting_has_a_variable() -> None:
    for path, command in COMMANDS:
        for parameter in command.params:
            if parameter.name == "store":
                assert parameter.envvar == "UPSPACE_STORE", path


def test_without_a_command_the_help_is_shown(run_upspace: Upspace) -> None:
    for path in ((), ("account",), ("token",)):
        assert run_upspace(*path).out == run_upspace(*path, "--help").out


def test_the_version_is_printed(run_upspace: Upspace) -> None:
    assert __version__ in run_upspace("--version").out


@pytest.mark.parametrize(
    "arguments",
    [
        *(
            ("nothing",),
            ("account", "nothing"),
            ("token", "nothing"),
            ("--nothing",),
            ("serve", "--nothing"),
            ("\udcff",),
        ),
        *(("account", "show"), ("account", "show", "1"), ("account", "set", "1"), ("token", "issue"), ("migrate",)),
        *(("demo", "--accounts", "x"), ("demo", "--accounts", "1"), ("demo", "--relations", "-1"), ("serve",)),
        *(
            ("demo", "--store", "sqlite://"),
            ("demo", "--seed", "x"),
            ("demo", "--accounts", "1000", "--relations", "1"),
        ),
        *(("demo", "--workers", "0"), ("demo", "--profile", "x"), ("demo", "--store", "x")),
    ],
)
def test_bad_usage_is_one_line(run_upspace: Upspace, arguments: tuple[str, ...]) -> None:
    ran = run_upspace(*arguments)
    assert ran.code != 0
    assert ran.out == ""
    assert ran.err.startswith("upspace: ")
    assert ran.err.count("\n") == 1, ran.err


def test_the_module_is_the_command() -> None:
    ran = run_process("--version")
    assert (ran.code, ran.err) == (0, "")
    assert __version__ in ran.out
    bad = run_process("nothing")
    assert (bad.code != 0, bad.out, bad.err.count("\n")) == (True, "", 1)


def test_the_variable_of_the_store_is_read_by_commands_that_serve_nothing(file_url: str) -> None:
    assert run_process("token", "list", env={"UPSPACE_STORE": file_url}) == Ran(0, "", "")
    assert (
        run_process("account", "show", "1", env={"UPSPACE_STORE": file_url}).err == "upspace: there is no account 1\n"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="needs a device that is always full")
@pytest.mark.parametrize("arguments", [("--version",), ("checksum",)], ids=" ".join)
def test_what_cannot_be_printed_is_one_line(file_url: str, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            command_line(*arguments),
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment({"UPSPACE_STORE": file_url}),
            timeout=DEADLINE_S,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (1, b"upspace: No space left on device\n")
