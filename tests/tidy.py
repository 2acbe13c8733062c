"""House rules as plain functions: source text in, complaints out, none when all is well."""

import ast
import builtins
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Source:
    """One Python file: its path from the project root and its text."""

    path: str
    text: str
    tree: ast.Module = field(init=False, repr=False)

    def __post_init__(self):
        object.__setattr__(self, "tree", ast.parse(self.text, self.path))

    @property
    def module(self) -> str:
        """Dotted name; that of the package for an `__init__.py`."""
        parts = PurePosixPath(self.path).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def read_sources(root: Path, *folders: str) -> list[Source]:
    """All Python files under the folders, in the order of their paths."""
    paths = sorted(path for folder in folders for path in (root / folder).rglob("*.py"))
    return [Source(path.relative_to(root).as_posix(), path.read_text("utf-8")) for path in paths]


# --- what may not be written, and what to write instead ---------------------------------------


class Ban(NamedTuple):
    """A dotted name that only files under some paths may use."""

    name: str
    instead: str
    allowed: tuple[str, ...] = ()


EDGES = ("detector/__main__.py", "detector/adapters/")
AN_INPUT = "take the instant as an argument: time is an input"
A_HASH = "derive it as a hash of its cause, so that a replay derives it again"
A_RECORD = "write records with msgspec and columns with numpy: loading must not run code"

BANS = (
    Ban("time.time", AN_INPUT, EDGES),
    Ban("time.time_ns", AN_INPUT, EDGES),
    Ban("datetime.datetime.now", AN_INPUT, EDGES),
    Ban("datetime.datetime.today", AN_INPUT, EDGES),
    Ban("datetime.datetime.utcnow", AN_INPUT + "; it is naive besides"),
    Ban("datetime.date.today", AN_INPUT, EDGES),
    Ban(
        "time",
        "nothing here may know a clock; durations are measured in replay",
        ("replay/", "detector/cli/simulate.py", *EDGES),
    ),
    Ban("random", A_HASH),
    Ban("numpy.random", A_HASH, ("detector/simulate/",)),
    Ban("secrets", A_HASH, EDGES),
    Ban("os.urandom", A_HASH, EDGES),
    Ban("uuid", A_HASH),
    Ban("os.environ", "read it in the composition root and pass the value on", EDGES),
    Ban("os.getenv", "read it in the composition root and pass the value on", EDGES),
    Ban("socket", "speak to the network in an adapter", (*EDGES, "detector/web/server.py")),
    Ban("urllib.request", "speak to the network in an adapter", EDGES),
    Ban("http.client", "speak to the network in an adapter", EDGES),
    Ban("print", "return the text, or write it through rich in the command line"),
    Ban("pickle", A_RECORD),
    Ban("marshal", A_RECORD),
    Ban("shelve", A_RECORD),
)


def names_used(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import, builtin and attribute, seen through import aliases."""
    bound: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.split(".")[0]
                bound[alias.asname or first] = alias.name if alias.asname else first
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                bound[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield node.lineno, f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in bound and hasattr(builtins, node.id):
            yield node.lineno, node.id
        elif isinstance(node, ast.Name | ast.Attribute):
            name = dotted(node, bound)
            if name:
                yield node.lineno, name


def dotted(node: ast.expr, bound: dict[str, str]) -> str | None:
    """`dt.datetime.now` as `datetime.datetime.now`; None where the root was not imported."""
    if isinstance(node, ast.Name):
        return bound.get(node.id)
    if isinstance(node, ast.Attribute):
        root = dotted(node.value, bound)
        return f"{root}.{node.attr}" if root else None
    return None


def banned_names(source: Source) -> list[str]:
    """Uses of a name on the ban list, each with what to write instead."""
    found = {
        f"{source.path}:{line}: {ban.name}: {ban.instead}"
        for line, name in names_used(source.tree)
        for ban in BANS
        if (name == ban.name or name.startswith(ban.name + "."))
        and not source.path.startswith(ban.allowed)
    }
    return sorted(found)


def swallowed_errors(source: Source) -> list[str]:
    """Bare `except`, and handlers of everything that do nothing."""
    complaints = []
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        if node.type is None:
            complaints.append(f"{source.path}:{node.lineno}: bare except: name what may go wrong")
        elif "Exception" in ast.unparse(node.type) and all(map(does_nothing, node.body)):
            complaints.append(
                f"{source.path}:{node.lineno}: swallows every error: say so or let it rise"
            )
    return complaints


def does_nothing(node: ast.stmt) -> bool:
    """`pass`, `continue`, `...`"""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, ast.Pass | ast.Continue)


# --- size and words -----------------------------------------------------------------------------


def too_long(source: Source) -> list[str]:
    """Files and functions past their hard limits."""
    complaints = []
    lines = len(source.text.splitlines())
    if lines > FILE_LINES_MAX:
        complaints.append(f"{source.path}: {lines} lines: which noun is missing?")
    for node in ast.walk(source.tree):
        if isinstance(node, FUNCTIONS):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                complaints.append(f"{source.path}:{node.lineno}: {node.name}: {lines} lines")
    return complaints


def undocumented(source: Source) -> list[str]:
    """Modules, public functions and public classes without a docstring."""
    complaints = []
    if source.tree.body and not ast.get_docstring(source.tree):
        complaints.append(f"{source.path}: the module says nowhere what it is for")
    for node in source.tree.body:
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef)) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node):
            complaints.append(f"{source.path}:{node.lineno}: {node.name} has no docstring")
    return complaints


def stems(text: str) -> set[str]:
    """Its words in lower case, without a final s; a Chinese character counts as one."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", text).lower()
    return {word.removesuffix("s") for word in re.findall(r"[a-z0-9]+|[\u4e00-\u9fff]", spaced)}


FILLER = stems(
    "a an the of to for from in on and or this that is are it its with by given new all each "
    "class function method module object helper returns gets do does makes"
)


def restating(source: Source) -> list[str]:
    """Docstrings that say no word which the signature does not say already."""
    complaints = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Module):
            name, line, known = source.module, 1, source.module
        elif isinstance(node, ast.ClassDef):
            name, line, known = node.name, node.lineno, node.name
        elif isinstance(node, FUNCTIONS):
            name, line, known = node.name, node.lineno, f"{node.name} {ast.unparse(node.args)}"
        else:
            continue
        text = ast.get_docstring(node)
        if text is not None and stems(text) - FILLER <= stems(known):
            complaints.append(
                f"{source.path}:{line}: the docstring of {name} only repeats its name"
            )
    return complaints


# --- what imports what --------------------------------------------------------------------------

# Foreign packages by the longest matching path. The contracts in pyproject.toml say who alone may
# have polars and its like; this says that nobody has anything else.
FOREIGN = {
    "detector/": {"numpy", "msgspec"},
    "detector/compiled.py": {"numba"},
    "detector/workcalendar.py": {"numpy", "msgspec", "holidays"},
    "detector/web/": {"msgspec", "fastapi", "starlette"},
    "detector/web/server.py": {"fastapi", "starlette", "uvicorn"},
    "detector/web/words.py": {"babel", "starlette"},
    "detector/web/pages/frame.py": {"msgspec", "jinja2", "markupsafe", "starlette"},
    "detector/web/pages/account.py": {"fastapi", "markupsafe", "starlette"},
    "detector/web/pages/export.py": {"msgspec", "xlsxwriter", "fastapi", "starlette"},
    "detector/web/answer_page.py": {"msgspec", "fastapi", "starlette", "jinja2"},
    "detector/web/notices.py": {"numpy", "msgspec", "fastapi", "starlette"},
    "detector/web/metrics.py": {"prometheus_client"},
    "detector/web/inside.py": {"msgspec", "starlette", "prometheus_client"},
    "detector/adapters/": set(),
    "detector/adapters/logs.py": {"structlog"},
    "detector/adapters/qr.py": {"segno"},
    "detector/adapters/http_out.py": {"httpx2"},
    "detector/adapters/sms_http.py": {"msgspec"},
    "detector/adapters/webhook.py": {"msgspec", "standardwebhooks"},
    "detector/adapters/robots.py": {"msgspec"},
    "detector/adapters/smpp.py": {"smpp34"},
    "detector/adapters/templates.py": {"msgspec"},
    "detector/adapters/oidc.py": {"msgspec", "httpx2", "authlib", "joserfc"},
    "detector/adapters/apprise_channel.py": {"apprise"},
    "detector/adapters/kafka.py": {"aiokafka"},
    "detector/adapters/faust_group.py": {"faust"},
    "detector/adapters/redis_live.py": {"msgspec", "redis"},
    "detector/documents/": {"msgspec"},
    "detector/documents/render.py": {"jinja2"},
    "detector/documents/pdf.py": {"weasyprint"},
    "detector/ledger/": {"numpy", "msgspec"},
    "detector/ledger/journal.py": {"numpy", "zstandard"},
    "detector/ledger/tables.py": {"sqlalchemy"},
    "detector/ledger/questions.py": {"sqlalchemy"},
    "detector/ledger/notice_questions.py": {"sqlalchemy"},
    "detector/ledger/watching_sql.py": {"sqlalchemy"},
    "detector/ledger/verdicts_sql.py": {"sqlalchemy"},
    "detector/ledger/epochs_sql.py": {"sqlalchemy"},
    "detector/ledger/postgres.py": {"sqlalchemy"},
    "detector/ledger/postgres_open.py": {"sqlalchemy", "psycopg", "alembic"},
    "detector/ledger/postgres_copy.py": {"sqlalchemy", "psycopg"},
    "detector/ledger/statement.py": {"sqlalchemy"},
    "detector/ledger/sqlite.py": {"sqlalchemy"},
    "detector/ledger/outbox_sql.py": {"sqlalchemy"},
    "detector/ledger/serials.py": {"sqlalchemy"},
    "detector/ledger/sqlite_file.py": {"sqlalchemy", "pysqlite3", "alembic"},
    "detector/ledger/migrations/": {"sqlalchemy", "alembic"},
    "detector/accounts/": {"msgspec"},
    "detector/accounts/tables.py": {"sqlalchemy"},
    "detector/accounts/book.py": {"sqlalchemy"},
    "detector/accounts/store.py": {"msgspec", "sqlalchemy"},
    "detector/accounts/audit.py": {"msgspec", "sqlalchemy"},
    "detector/accounts/opening.py": {"sqlalchemy"},
    "detector/accounts/replies.py": {"sqlalchemy"},
    "detector/accounts/passwords.py": {"pwdlib"},
    "detector/accounts/codes.py": {"pyotp"},
    "detector/live/switch.py": {"tomlkit"},
    "detector/live/limits.py": {"tomlkit"},
    "detector/live/snapshot.py": {"numpy", "msgspec", "zstandard"},
    "detector/simulate/": {"numpy", "msgspec", "polars"},
    "detector/cli/": {"msgspec", "typer"},
    "detector/cli/screen.py": {"msgspec", "rich"},
    "detector/cli/tune.py": {"rich", "typer"},
    "detector/__main__.py": {"msgspec", "typer"},
    "replay/": {"numpy", "msgspec", "polars", "zstandard"},
    "replay/progress.py": {"rich"},
    "replay/show.py": {"msgspec", "rich"},
}
OWN = {"detector", "replay", "__future__"}


def imported(source: Source) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import, lazy ones included; `from a import b` gives `a.b`."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = imported_base(source, node)
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def imported_base(source: Source, node: ast.ImportFrom) -> str:
    """The module that `from … import` names, relative ones made absolute."""
    if not node.level:
        return node.module or ""
    package = PurePosixPath(source.path).parts[: -node.level]
    return ".".join([*package, *([node.module] if node.module else [])])


LEARNER_MAY = {"numpy", "msgspec", "collections", "itertools", "typing", "math"}


def foreign_imports(source: Source) -> list[str]:
    """Imports that the file's place does not allow; a rule or learner has its kit, nothing else."""
    if source.path.startswith(("rules/", "models/")):
        rule = source.path.startswith("rules/")
        kit = ("detector.rulekit.",) if rule else ("detector.learnkit.", "detector.counting.")
        allowed = {"numpy"} if rule else LEARNER_MAY
        refused = [
            (line, name)
            for line, name in imported(source)
            if name.split(".")[0] not in allowed and not name.startswith(kit)
        ]
    else:
        places = [place for place in FOREIGN if source.path.startswith(place)]
        allowed = FOREIGN[max(places, key=len)] if places else set()
        known = allowed | OWN | sys.stdlib_module_names
        refused = [
            (line, name) for line, name in imported(source) if name.split(".")[0] not in known
        ]
    instead = ", ".join(sorted(allowed)) or "nothing foreign"
    return [f"{source.path}:{line}: {name}: allowed here: {instead}" for line, name in refused]


REACHED = (
    "rules/",
    "models/",
    "detector/__main__.py",
    "detector/testing.py",
    "detector/ledger/migrations/",
)


def unreachable(sources: list[Source]) -> list[str]:
    """Modules that nothing leads to: no rule, command, migration, nor what is shipped for tests."""
    by_module = {source.module: source for source in sources}
    seen: set[str] = set()
    waiting = [s.module for s in sources if s.path.startswith(REACHED)]
    while waiting:
        name = waiting.pop()
        if name in by_module and name not in seen:
            seen.add(name)
            for _, target in imported(by_module[name]):
                parts = target.split(".")
                waiting += [".".join(parts[:n]) for n in range(1, len(parts) + 1)]
    return [
        f"{by_module[name].path}: nothing leads to it" for name in sorted(by_module.keys() - seen)
    ]


def contract_floors(pyproject: str) -> list[set[str]]:
    """Modules of every floor in the import-linter contract, highest first."""
    contracts = tomllib.loads(pyproject)["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c["type"] == "layers")
    return [set(re.findall(r"[\w.]+", layer)) for layer in layers]


def floorless(sources: list[Source], pyproject: str) -> list[str]:
    """Modules that the contract forgets, and so would let import anything."""
    placed = set().union(*contract_floors(pyproject))
    return [
        f"{source.path}: give it a floor in pyproject.toml"
        for source in sources
        if not source.path.endswith("__init__.py")
        and not any(
            source.module == name or source.module.startswith(name + ".") for name in placed
        )
    ]


# --- text files ---------------------------------------------------------------------------------

LEAKS = {
    r"(?<![\w.~-])/(?:work|root|home|Users)/": "a path of one machine",
    r"https?://[\w.-]*(?:pythonhosted\.org|pypi\.org/simple|registry\.npmjs\.org|repo\d*\.maven)": (
        "a registry's address"
    ),
    r"(?:index-url|find-links)[ =]\s*\S*/": "a registry's address",
}


def leaks(path: str, text: str) -> list[str]:
    """Machine paths and registry addresses, which mean nothing in another clone."""
    return [
        f"{path}:{number}: {what}: {line.strip()[:80]}"
        for number, line in enumerate(text.splitlines(), 1)
        for pattern, what in LEAKS.items()
        if re.search(pattern, line)
    ]


def headings(text: str) -> list[int]:
    """Levels of a Markdown text's headings, code blocks left out."""
    prose = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.DOTALL | re.MULTILINE)
    return [len(marks) for marks in re.findall(r"^(#+) ", prose, flags=re.MULTILINE)]


def links(text: str) -> list[str]:
    """Files that a Markdown text links to, without their anchors; the web is left out."""
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    return [t.partition("#")[0] for t in targets if "://" not in t and not t.startswith("#")]


def lock_gaps(pyproject: str, wanted: str, lock: str) -> list[str]:
    """Packages asked for and not locked, pins without a hash, and addresses in the lock."""
    project = tomllib.loads(pyproject)
    asked = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    asked += [line for line in wanted.splitlines() if line and not line.startswith("#")]
    pins = re.findall(r"^([\w.-]+)==(?:.*\\\n)+.*", lock, flags=re.MULTILINE)
    unhashed = [pin for pin in re.split(r"\n(?=\S)", lock.strip()) if "--hash=sha256:" not in pin]
    names = {re.split(r"[^\w.-]", line)[0] for line in asked}
    return (
        [f"requirements.lock: {name} is missing: make lock" for name in sorted(names - set(pins))]
        + [f"requirements.lock: no hash: {pin}" for pin in unhashed]
        + [f"requirements.lock: an address: {x}" for x in re.findall(r"\S+://\S+", lock)]
    )
