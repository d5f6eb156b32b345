"""Backends: what a table of one may hold, what is said of one that cannot be, and whom a setting is meant for."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchrun.backends import TABLE, Backend, what_if_unknown
from batchrun.errors import BatchrunError, ConfigError, UsageError
from batchrun.gate.law import GateBounds
from batchrun.jobs.job import RequestFlags
from batchrun.providers.provider import BackendConfig
from batchrun.stream.clocks import ClockLimits
from tests.site import Site

LOCAL = 'kind = "openai"\nbase_url = "http://127.0.0.1:11434/v1"'


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def with_tables(site: Site, text: str) -> Site:
    site.beside.write_text(text)
    return site


# -- what a table may hold ---------------------------------------------------------------------------------------------

WHOLE = """
[backends.local]
kind = "openai"
base_url = "http://127.0.0.1:11434/v1"
key_env = "LOCAL_KEY"
key_file = "/keys/local"
model = "llama"
max_tokens = 100
limit_field = "max_completion_tokens"
headers = { X-Team = "night" }
betas = ["one", "two"]
insecure_http = true
target_cpu = 50
min_slots = 2
max_slots = 3
connect_timeout = "1s"
first_byte_timeout = 2
idle_timeout = "3s"
stall_timeout = "4s"
total_timeout = "5m"
"""


def test_an_unknown_model_may_be_somebody_elses(site: Site) -> None:
    """The way to a server of OpenAI's kind is told: the backend that is there, or how to write one."""
    bare = what_if_unknown("claude", site.resolve().backends)
    assert bare.endswith('write [backends.NAME] with kind = "openai" into batchrun.toml and give --backend NAME')
    backends = with_tables(site, WHOLE).resolve().backends
    assert what_if_unknown("claude", backends).endswith("if a server of OpenAI's kind has it give --backend local")
    assert what_if_unknown("local", backends) == "mend the model's name or the base URL"


def test_a_backend_is_all_that_its_table_says(site: Site) -> None:
    """Every setting of a table ends up in the backend."""
    assert all(f"\n{name} = " in WHOLE for name in TABLE)
    config = with_tables(site, WHOLE).resolve()
    assert config.backends["local"] == Backend(
        BackendConfig(
            name="local",
            kind="openai",
            base_url="http://127.0.0.1:11434/v1",
            key_env="LOCAL_KEY",
            key_file=Path("/keys/local"),
            model="llama",
            headers={"X-Team": "night"},
            betas=("one", "two"),
            insecure_http=True,
        ),
        GateBounds(target_cpu=50.0, min_slots=2, max_slots=3),
        ClockLimits(connect=1.0, first_byte=2.0, idle=3.0, stall=4.0, total=300.0),
        max_tokens=100,
        limit_field="max_completion_tokens",
    )


def test_claude_is_always_known(site: Site) -> None:
    """With its defaults, whether others are or not; a table of its own changes it."""
    plain = Backend(BackendConfig(claudes_key=True), GateBounds(), ClockLimits())
    assert site.resolve().backends == {"claude": plain}
    assert with_tables(site, f"[backends.local]\n{LOCAL}\n").resolve().backends["claude"] == plain
    config = with_tables(site, "[backends.claude]\nmax_slots = 3\n").resolve()
    assert config.backends["claude"].bounds.max_slots == 3


# What cannot stand in a table, and what is said of it.
BAD = {
    "a kind that nobody speaks": ('kind = "gopher"', "kind: 'gopher' is not among anthropic, openai"),
    "openai without an address": ('kind = "openai"', "kind: openai needs a base_url beside it, for example http://"),
    "anthropic with the version": (
        'base_url = "https://api.example/v1/"',
        "base_url: 'https://api.example/v1/' ends with /v1; leave that out, or write",
    ),
    "a key among the headers": (
        'headers = { Authorization = "s3cret" }',
        "headers: Authorization: no credentials here",
    ),
    "a key in another header": (
        'headers = { X-Api-Key = "s3cret" }',
        "name the variable that holds the key with key_env",
    ),
    "a key that is no text": ("headers = { x-api-key = 5 }", "headers: x-api-key: no credentials here"),
    "a proxy's key": ('headers = { proxy-authorization = "s3cret" }', "proxy-authorization: no credentials here"),
    "headers in one text": ('headers = "x: s3cret"', 'headers: not a table; write { name = "text" }'),
    "a header that is a number": ("headers = { x = 5 }", "headers: x: the value is no text that a header can hold"),
    "a header of two lines": (r'headers = { x = "s3cret\r\ny: z" }', "the value is no text that a header can hold"),
    "a header with a blank": ('headers = { "x y" = "z" }', "'x y' is no name of a header"),
    "the key as its variable": ('key_env = "sk-s3cret"', "key_env: no name of a variable (the key itself does not"),
    "a variable that is a number": ("key_env = 5", "key_env: no name of a variable"),
    "betas in one text": ('betas = "one"', "betas: 'one' is no list of names"),
    "a beta that is a number": ("betas = [5]", "betas: [5] is no list of names"),
    "a bound of no name": (
        'limit_field = "most"',
        "limit_field: 'most' is not among max_tokens, max_completion_tokens",
    ),
    "a bound that has one name": (
        'limit_field = "max_tokens"',
        "limit_field: the Messages API knows max_tokens alone; leave it out, or set kind to openai",
    ),
    "no slots": ("max_slots = 0", "max_slots: 0 is no whole number above 0"),
    "a misspelt setting": ("max_slot = 5", "max_slot: no setting is called so; did you mean max_slots?"),
    "a setting like the flag": ("base-url = 5", "base-url: no setting is called so; did you mean base_url?"),
    "a setting of the run": ("period = 5", "period: is the same for every backend; put it under [gate]"),
    "a setting of nobody": ("zzz = 5", "zzz: no setting is called so; known here: kind, base_url, key_env"),
}


@pytest.mark.parametrize(("line", "told"), BAD.values(), ids=BAD.keys())
def test_what_cannot_stand_in_a_table_is_told_with_its_place(site: Site, line: str, told: str) -> None:
    """File, table, setting; what might be a key is not written again."""
    with pytest.raises(ConfigError) as bad:
        with_tables(site, f"[backends.odd]\n{line}\n").resolve()
    assert str(bad.value).startswith(f"{site.beside}: [backends.odd] ")
    assert told in str(bad.value)
    assert "s3cret" not in str(bad.value)


@pytest.mark.parametrize("text", ["backends = 5", "[backends]\nlocal = 5", "[backends]\nkind = 'openai'"])
def test_backends_are_tables(site: Site, text: str) -> None:
    """A setting right under [backends] belongs to nobody."""
    with pytest.raises(ConfigError, match=r"\[backends\] holds tables only; write \[backends\.NAME\]"):
        with_tables(site, text).resolve()


def test_a_version_at_the_end_of_claudes_address_is_told_where_it_stands(site: Site) -> None:
    """The SDK adds its own; every request would be a 404. Exit 2 for the flag, 78 for the rest."""
    with pytest.raises(UsageError, match=r"^--base-url: 'https://api\.example/v1' ends with /v1; leave that out"):
        site.resolve(base_url="https://api.example/v1")
    site.environment["BATCHRUN_BASE_URL"] = "https://api.example/v1"
    with pytest.raises(ConfigError, match=r"^BATCHRUN_BASE_URL: "):
        site.resolve()


# -- who is chosen -----------------------------------------------------------------------------------------------------


def test_the_chosen_backend_is_for_lines_that_name_none(site: Site) -> None:
    """What a file says of model and tokens is the backend's default; flags and variables are the run's."""
    general = '[run]\nmodel = "mistral"\nmax_tokens = 50\n'
    with_tables(site, f'{general}[backends.local]\n{LOCAL}\nmodel = "llama"\nmax_tokens = 100\n')
    assert site.resolve().flags.backend == "claude"
    config = site.resolve(backend="local")
    assert config.flags == RequestFlags(None, None, "local")
    local = config.backends["local"]
    assert (local.provider.model, local.max_tokens) == ("llama", 100)
    site.environment["BATCHRUN_MAX_TOKENS"] = "7"
    assert site.resolve(backend="local", model="qwen").flags == RequestFlags("qwen", 7, "local")


def test_a_choice_that_nobody_knows_is_told_where_it_stands(site: Site) -> None:
    """Exit 2 for the flag, 78 for the rest, even where a flag beats it."""
    with_tables(site, f"[backends.local]\n{LOCAL}\n")
    with pytest.raises(UsageError, match=r"^--backend: no backend is called 'loca'; .*use one of: claude, local"):
        site.resolve(backend="loca")
    site.environment["BATCHRUN_BACKEND"] = "loca"
    with pytest.raises(ConfigError, match=r"^BATCHRUN_BACKEND: no backend is called 'loca'; give it a table"):
        site.resolve(backend="claude")


# -- whom a setting is meant for ---------------------------------------------------------------------------------------


def test_of_four_places_the_nearest_wins(site: Site) -> None:
    """Flag, environment, the backend's table, the general section, the default; for the chosen backend."""
    bounds = [site.resolve().backends["claude"].bounds]
    bounds.append(with_tables(site, "[gate]\nmax_slots = 5\n").resolve().backends["claude"].bounds)
    with_tables(site, f"[run]\nbackend = 'local'\n[gate]\nmax_slots = 5\n[backends.local]\n{LOCAL}\nmax_slots = 6\n")
    bounds.append(site.resolve().backends["local"].bounds)
    site.environment["BATCHRUN_MAX_SLOTS"] = "7"
    bounds.append(site.resolve().backends["local"].bounds)
    bounds.append(site.resolve(max_slots="8").backends["local"].bounds)
    assert [each.max_slots for each in bounds] == [256, 5, 6, 7, 8]


def test_a_flag_of_one_backend_goes_to_the_chosen_one(site: Site) -> None:
    """Slots, address, key and model; the others keep theirs."""
    with_tables(site, f"[backends.local]\n{LOCAL}\n")
    given = {"base_url": "http://127.0.0.1:9/v1", "key_file": Path("/k"), "max_slots": "4", "model": "m"}
    for chosen, other in (("local", "claude"), ("claude", "local")):
        before = site.resolve().backends[other]
        address = given | ({"base_url": "http://127.0.0.1:9"} if chosen == "claude" else {})
        backends = site.resolve(backend=chosen, **address).backends
        told = backends[chosen]
        assert (told.provider.base_url, told.provider.key_file) == (address["base_url"], Path("/k"))
        assert (told.bounds.max_slots, told.provider.model) == (4, "m")
        assert backends[other] == before


def test_the_timeouts_and_the_target_of_a_flag_are_everybodys(site: Site) -> None:
    """The host is one, and so is the patience of who waits."""
    with_tables(site, f"[backends.local]\n{LOCAL}\nidle_timeout = 5\n")
    backends = site.resolve(idle_timeout="7", target_cpu="40").backends
    assert {each.clocks.idle for each in backends.values()} == {7.0}
    assert {each.bounds.target_cpu for each in backends.values()} == {40.0}


def test_general_slots_and_timeouts_are_everybodys(site: Site) -> None:
    """Unless a backend's table says otherwise."""
    general = "[run]\nmax_tokens = 9\ninsecure_http = true\n[gate]\nmax_slots = 5\n[clocks]\nidle_timeout = 7\n"
    local = with_tables(site, f"{general}[backends.local]\n{LOCAL}\n").resolve().backends["local"]
    assert (local.bounds.max_slots, local.clocks.idle, local.max_tokens) == (5, 7.0, 9)
    assert local.provider.insecure_http


@pytest.mark.parametrize("chosen", ["claude", "local"])
def test_the_general_address_and_key_are_claudes_alone(site: Site, chosen: str) -> None:
    """Whoever is chosen: a key never goes to a backend that it was not given to."""
    general = f'[run]\nbackend = "{chosen}"\nbase_url = "https://gateway.example"\nkey_file = "/k"\n'
    backends = with_tables(site, f"{general}[backends.local]\n{LOCAL}\n").resolve().backends
    claude, local = backends["claude"].provider, backends["local"].provider
    assert (claude.base_url, claude.key_file) == ("https://gateway.example", Path("/k"))
    assert (local.base_url, local.key_file) == ("http://127.0.0.1:11434/v1", None)


def test_an_address_and_a_key_in_the_environment_do_not_follow_the_flag(site: Site) -> None:
    """cron's lines share an environment: a key that was put there for Claude is not for whom one line chooses."""
    with_tables(site, f"[backends.local]\n{LOCAL}\n")
    site.environment |= {"BATCHRUN_KEY_FILE": "/k", "BATCHRUN_BASE_URL": "https://gateway.example"}
    backends = site.resolve(backend="local").backends
    assert backends["local"].provider.key_file is None
    assert backends["local"].provider.base_url == "http://127.0.0.1:11434/v1"
    assert backends["claude"].provider.key_file == Path("/k")
    site.environment["BATCHRUN_BACKEND"] = "local"
    assert site.resolve().backends["local"].provider.key_file == Path("/k")
    assert site.resolve(backend="claude").backends["claude"].provider.key_file is None


def test_a_general_model_is_the_chosen_backends(site: Site) -> None:
    """The name of a model means nothing to another provider."""
    text = f'[run]\nmodel = "llama"\nbackend = "local"\n[backends.local]\n{LOCAL}\n'
    backends = with_tables(site, text).resolve().backends
    assert (backends["local"].provider.model, backends["claude"].provider.model) == ("llama", None)


# -- what the bound on an answer is called -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base_url", "own", "name"),
    [
        ("https://api.openai.com/v1", "", "max_completion_tokens"),
        ("https://API.OpenAI.com:443/v1", "", "max_completion_tokens"),
        ("https://eu.api.openai.com/v1", "", "max_completion_tokens"),
        ("https://api.openai.com/v1", 'limit_field = "max_tokens"', "max_tokens"),
        ("http://127.0.0.1:11434/v1", "", "max_tokens"),
        ("https://api.openai.com.evil.example/v1", "", "max_tokens"),
        ("https://gateway.example/v1", 'limit_field = "max_completion_tokens"', "max_completion_tokens"),
    ],
)
def test_openai_itself_knows_the_bound_by_its_new_name(site: Site, base_url: str, own: str, name: str) -> None:
    """Its reasoning models refuse max_tokens, while other servers may know nothing else; a table can say so."""
    with_tables(site, f'[backends.odd]\nkind = "openai"\nbase_url = "{base_url}"\n{own}\n')
    config = site.resolve()
    assert config.backends["odd"].speech.limit_field == name
    assert config.backends["claude"].speech.limit_field == "max_tokens"


# -- who may be asked with Claude's key --------------------------------------------------------------------------------

GATEWAY = "https://gateway.example"


@pytest.mark.parametrize(
    ("table", "may"),
    [
        ("", True),
        ('[backends.claude]\nbase_url = "https://api.anthropic.com/"', True),
        ('[backends.claude]\nbase_url = "http://127.0.0.1:11434"', True),
        (f'[backends.claude]\nbase_url = "{GATEWAY}"', False),
        ('[backends.claude]\nbase_url = "https://api.anthropic.com.evil.example"', False),
        ('[backends.claude]\nbase_url = "https://127.0.0.1.evil.example"', False),
        (f'[run]\nbase_url = "{GATEWAY}"', False),
        (f"[backends.claude]\n{LOCAL}", False),
    ],
)
def test_a_settings_file_sends_claudes_key_to_claude_alone(site: Site, table: str, may: bool) -> None:
    """A file that came with the jobs must not carry it elsewhere; whom it names instead needs a key_env."""
    assert with_tables(site, table).resolve().backends["claude"].provider.claudes_key is may


def test_a_flag_or_a_variable_may_send_claudes_key_elsewhere(site: Site) -> None:
    """That is the user's own word, even where a file says something else; of the backend that it is meant for."""
    with_tables(site, f'[run]\nbase_url = "https://other.example"\n[backends.own]\nbase_url = "{GATEWAY}"\n')
    backends = site.resolve(base_url=GATEWAY).backends
    assert (backends["claude"].provider.base_url, backends["claude"].provider.claudes_key) == (GATEWAY, True)
    assert not backends["own"].provider.claudes_key
    backends = site.resolve(base_url=GATEWAY, backend="own").backends
    assert not backends["own"].provider.claudes_key
    assert not backends["claude"].provider.claudes_key
    site.environment["BATCHRUN_BASE_URL"] = GATEWAY
    assert site.resolve().backends["claude"].provider.claudes_key


# -- the least and the most --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("general", "own", "given", "error", "told"),
    [
        ("", "", {"min_slots": "9", "max_slots": "8"}, UsageError, "--min-slots 9 is above --max-slots 8"),
        ("", "", {"min_slots": "300"}, UsageError, "--min-slots 300 is above the default of max_slots, 256"),
        (
            "min_slots = 9",
            "",
            {"max_slots": "8"},
            UsageError,
            "batchrun.toml: [gate] min_slots 9 is above --max-slots 8",
        ),
        ("min_slots = 9\nmax_slots = 8", "", {}, ConfigError, "[gate] min_slots 9 is above {file}: [gate] max_slots 8"),
        ("min_slots = 9", "max_slots = 8", {}, ConfigError, "above {file}: [backends.claude] max_slots 8"),
    ],
)
def test_the_least_is_not_above_the_most(
    site: Site, general: str, own: str, given: dict[str, str], error: type[BatchrunError], told: str
) -> None:
    """Both are named with their places; a slip on the command line is exit 2, the rest 78."""
    with_tables(site, f"[gate]\n{general}\n[backends.claude]\n{own}\n")
    with pytest.raises(error) as bad:
        site.resolve(**given)
    assert told.format(file=site.beside) in str(bad.value)


def test_the_least_may_be_the_most(site: Site) -> None:
    """A gate that never moves."""
    assert site.resolve(min_slots="8", max_slots="8").backends["claude"].bounds == GateBounds(min_slots=8, max_slots=8)
