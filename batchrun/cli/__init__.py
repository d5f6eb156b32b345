"""The command line: one file a command. The only place that knows Typer, and that prints.

A command resolves its options, calls, renders and exits. Errors of ours end here: their message goes to stderr, their
exit code to the shell, and no user's mistake ever shows a traceback.
"""

from __future__ import annotations

import sys

from batchrun.cli.streams import Facts, flush, open_facts, open_missing, remark
from batchrun.errors import BatchrunError, ExitCode


def main() -> None:
    """The installed program."""
    open_missing()
    facts = open_facts()
    code = _call(facts)
    fault = flush(sys.stdout)
    if fault is not None and not code:
        code = _told(fault)
    flush(sys.stderr)
    sys.exit(code)


def _call(facts: Facts) -> int:
    """Do what the command line says; gives the exit code."""
    from batchrun.cli.app import app_for

    try:
        app_for(sys.argv[1:])()
    except BatchrunError as exc:
        remark(str(exc), keep_lines=True)
        return int(exc.exit_code)
    except KeyboardInterrupt:
        # Before the run has its own handlers, or in a command that has none: nothing was sent, nothing is lost.
        return int(ExitCode.INTERRUPTED)
    except SystemExit as end:
        # Typer makes a 1 of a broken pipe.
        if isinstance(end.__context__, OSError) and end.__context__ is facts.fault:
            return _told(end.__context__)
        return int(end.code or 0)
    except OSError as exc:
        if exc is not facts.fault:
            raise
        return _told(exc)
    return int(ExitCode.OK)


def _told(fault: OSError) -> int:
    """The exit code of a command whose facts did not arrive."""
    if isinstance(fault, BrokenPipeError):
        return int(ExitCode.OK)  # `batchrun report | head`: the reader has seen enough
    remark(f"standard output cannot be written ({fault.strerror or fault}); send it elsewhere")
    return int(ExitCode.IO_ERROR)
