"""The command line: one file a command. The only place that knows Typer, and that prints.

A command resolves its options, calls, renders and exits. Errors of ours end here: their message goes to stderr, their
exit code to the shell, and no user's mistake ever shows a traceback.
"""

from __future__ import annotations

import sys

from batchrun.errors import BatchrunError, ExitCode


def main() -> None:
    """The installed program."""
    from batchrun.cli.app import app_for

    try:
        app_for(sys.argv[1:])()
    except BatchrunError as exc:
        from batchrun.report.plain import printable

        sys.stderr.write(f"batchrun: {printable(str(exc), keep_lines=True)}\n")
        sys.exit(int(exc.exit_code))
    except KeyboardInterrupt:
        # Before the run has its own handlers, or in a command that has none: nothing was sent, nothing is lost.
        sys.exit(int(ExitCode.INTERRUPTED))
    except BrokenPipeError:
        # `batchrun report | head`: the reader has seen enough. The interpreter must not flush into the closed pipe.
        sys.stdout = None
        sys.exit(0)
