"""The model by hand: `python -m tests.journal.crash [STATES] [SEED]`. Exit 1 where the promise was broken."""

from __future__ import annotations

import sys

from tests.journal.crash.parts import explore_on_all_cores


def main() -> int:
    wanted, seed = (int(word) for word in (*sys.argv[1:], *("100000", "1")[len(sys.argv) - 1 :]))
    findings = explore_on_all_cores(wanted, seed)
    sys.stdout.write("\n".join([str(findings), *findings.violations, ""]))
    return 1 if findings.violations else 0


if __name__ == "__main__":
    sys.exit(main())
