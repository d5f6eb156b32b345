"""Which laws there are, by the name that a user gives them. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from batchrun.gate.adaptive import adaptive
from batchrun.gate.law import Law
from batchrun.gate.steady import steady

LAWS: Mapping[str, Law] = {"adaptive": adaptive, "steady": steady}
DEFAULT = "adaptive"
