"""Containers as both versions of control groups tell them, on recorded trees."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchrun.gate.container import Container, CpuUse
from tests.gate.recorded import GROUPS, record, version_1, version_2


def test_the_lowest_quota_on_the_way_up_counts(tmp_path: Path) -> None:
    """Version 2: half a core here, two above; used and held back as its own level tells."""
    inside = Container(record(tmp_path, version_2(usage=2_500_000, throttled=400_000)))
    assert inside.cpu() == CpuUse(0.5, 2.5, 0.4)
    assert inside.pressure == tmp_path / GROUPS / "jobs.slice/night/cpu.pressure"


def test_what_is_cached_of_files_is_free(tmp_path: Path) -> None:
    """512 MB less 100 that are in use, of which 20 are a cache; a level without a limit has no say."""
    assert Container(record(tmp_path, version_2())).free_memory() == (432 << 20, 512 << 20)


def test_version_1_inside_a_container(tmp_path: Path) -> None:
    """Its path is not there; its own group is the top."""
    inside = Container(record(tmp_path, version_1(usage=3_000_000_000, throttled=250_000_000)))
    assert inside.cpu() == CpuUse(1.5, 3.0, 0.25)
    assert inside.free_memory() == (66 << 20, 256 << 20)
    assert inside.pressure is None


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/cgroup": "0::/\n", f"{GROUPS}/cgroup.controllers": "cpu\n"},
        {"proc/self/cgroup": "0::/\n", f"{GROUPS}/cgroup.controllers": "", f"{GROUPS}/cpu.max": "max 100000\n"},
        {"proc/self/cgroup": "1:cpu:/\n", f"{GROUPS}/cpu/cpu.cfs_quota_us": "-1\n"},
        {"proc/self/cgroup": "broken"},
    ],
)
def test_where_nothing_is_limited_there_is_nothing_to_tell(files: dict[str, str], tmp_path: Path) -> None:
    """Outside of containers, on a Mac, in a kernel that tells something else."""
    free = Container(record(tmp_path, files))
    assert (free.cpu(), free.free_memory(), free.pressure) == (None, None, None)


def test_a_quota_without_an_account_is_still_one(tmp_path: Path) -> None:
    """What all of the container use is not known then; what we use is."""
    files = {name: text for name, text in version_1().items() if "cpuacct.usage" not in name}
    assert Container(record(tmp_path, files)).cpu() == CpuUse(1.5, None, 0.0)


def test_a_path_does_not_lead_out_of_the_groups(tmp_path: Path) -> None:
    """A namespace may show its path with dots."""
    files = version_2() | {"proc/self/cgroup": "0::/../../jobs.slice/night\n"}
    told = Container(record(tmp_path, files)).cpu()
    assert told is not None
    assert told.cores == 0.5


def test_cores_on_which_we_are_kept_are_an_allowance(tmp_path: Path) -> None:
    """With or without a quota, the smaller one."""
    assert Container(record(tmp_path / "none", {}), kept_on=1.0).cpu() == CpuUse(1.0, None, 0.0)
    assert Container(record(tmp_path / "more", version_1()), kept_on=1.0).cpu() == CpuUse(1.0, None, 0.0)
    less = Container(record(tmp_path / "less", version_2()), kept_on=1.0).cpu()
    assert less is not None
    assert less.cores == 0.5
