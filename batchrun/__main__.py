"""`python -m batchrun`: the same program as the installed `batchrun`."""

from batchrun.cli import main

main()
