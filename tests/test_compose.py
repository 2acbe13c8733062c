"""The scale-out in containers: bounds of every service, commands that there are, health checks that
see. Docker itself is asked where it is installed; no image is needed."""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from conftest import ROOT
from test_deploy import bundle

from deploy import stack
from deploy.running import free_port
from deploy.servers import Kafka
from detector.ledger.postgres_open import open_posting

DEPLOY = ROOT / "deploy"
TEXT = (ROOT / "docker-compose.yml").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {n: s for n, s in SERVICES.items() if str(s.get("image", "")).startswith("oriole:")}
ONCE = {"migrate"}  # ends by itself
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
TELLING = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL|PRIVATE|KEY", re.I)


# --- laws over services ---------------------------------------------------------------------------


def unhealthy(name: str, service: dict[str, Any]) -> bool:
    """Nobody would see that it stands still."""
    return name not in ONCE and not service.get("healthcheck", {}).get("test")


def unlimited(name: str, service: dict[str, Any]) -> bool:
    """It may take the whole machine, memory, processor or disk."""
    limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
    logs = service.get("logging", {}).get("options", {})
    return not ({"cpus", "memory"} <= set(limits) and {"max-size", "max-file"} <= set(logs))


def rooted(name: str, service: dict[str, Any]) -> bool:
    """It is root, or may become it."""
    user = str(service.get("user", "root")).partition(":")[0]
    told = service.get("security_opt", ())
    return user in ("", "0", "root") or "no-new-privileges:true" not in told


def capable(name: str, service: dict[str, Any]) -> bool:
    """It has rights over the machine."""
    more = {"cap_add", "privileged", "network_mode", "pid", "devices"} & set(service)
    return service.get("cap_drop") != ["ALL"] or bool(more)


def writable(name: str, service: dict[str, Any]) -> bool:
    """It may change its own program, or fill the machine's memory by its files."""
    temporary = service.get("tmpfs", ())
    sized = all("size=" in one for one in temporary)
    return not (
        service.get("read_only") and "/tmp" in {t.split(":")[0] for t in temporary} and sized
    )


def exposed(name: str, service: dict[str, Any]) -> bool:
    """Others than this host reach it."""
    ports = [str(one) for one in service.get("ports", ())]
    return any(not re.fullmatch(r"127\.0\.0\.1:\d+:\d+", one) for one in ports)


def telling(name: str, service: dict[str, Any]) -> bool:
    """A value of its environment is a secret, or holds one."""
    for key, value in service.get("environment", {}).items():
        if re.search(r"://[^/@]*:[^/@]*@", str(value)):
            return True
        if TELLING.search(key) and not str(value).startswith("/run/secrets/"):
            return True
    return False


def unmended(name: str, service: dict[str, Any]) -> bool:
    """Once down it stays down."""
    return service.get("restart") != ("no" if name in ONCE else "unless-stopped")


def unordered(name: str, service: dict[str, Any]) -> bool:
    """It waits for what never comes: a health that nobody checks, the end of what does not end."""
    for other, told in service.get("depends_on", {}).items():
        ends = told["condition"] == "service_completed_successfully"
        if ends != (other in ONCE) or (not ends and "healthcheck" not in SERVICES[other]):
            return True
    return False


def unprepared(name: str, service: dict[str, Any]) -> bool:
    """One of ours that begins before its tables, and the kernels' volume, are there."""
    return name in OURS and name not in ONCE and "migrate" not in service.get("depends_on", ())


LAWS: list[tuple[Callable[[str, dict[str, Any]], bool], dict[str, Any]]] = [
    (unhealthy, {"healthcheck": {}}),
    (unlimited, {"deploy": {"resources": {"limits": {"cpus": "1"}}}}),
    (unlimited, {"logging": {"driver": "json-file"}}),
    (rooted, {"user": "0:0"}),
    (rooted, {"security_opt": []}),
    (capable, {"cap_drop": ["NET_RAW"]}),
    (capable, {"privileged": True}),
    (writable, {"read_only": False}),
    (writable, {"tmpfs": ["/tmp"]}),
    (exposed, {"ports": ["8000:8000"]}),
    (exposed, {"ports": ["0.0.0.0:8000:8000"]}),
    (telling, {"environment": {"POSTGRES_PASSWORD": "oriole"}}),
    (telling, {"environment": {"ORIOLE_LEDGER": "postgresql://oriole:oriole@postgres/oriole"}}),
    (unmended, {"restart": "on-failure"}),
    (unordered, {"depends_on": {"migrate": {"condition": "service_healthy"}}}),
    (unprepared, {"depends_on": {}}),
]


@pytest.mark.parametrize("law", dict.fromkeys(law for law, _ in LAWS), ids=lambda law: law.__name__)
def test_every_service_is_bounded(law):
    assert [name for name, service in SERVICES.items() if law(name, service)] == []


@pytest.mark.parametrize(("law", "bad"), LAWS)
def test_a_loose_service_is_rejected(law, bad):
    assert law("serve", copy.deepcopy(SERVICES["serve"]) | bad)


def test_docker_takes_the_file():
    """Its own reading of the file; the daemon is not asked."""
    if shutil.which("docker") is None or said("docker", "compose", "version")[0]:
        pytest.skip("Docker's plug-in compose is not installed")
    assert said("docker", "compose", "--profile", "dashboards", "config", "-q") == (0, "")


def said(*command: str) -> tuple[int, str]:
    """A program's exit code, and what it complains of."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def test_only_what_must_reaches_the_outside():
    networks = COMPOSE["networks"]
    assert networks["inside"] == {"internal": True}
    outside = {name for name, one in SERVICES.items() if set(one["networks"]) != {"inside"}}
    assert outside == {"serve", "deliver", "prometheus", "grafana"}
    published = {name for name, one in SERVICES.items() if "ports" in one}
    assert published == {"serve", "prometheus", "grafana"}


def test_secrets_are_files_that_git_does_not_take():
    files = {name: one["file"] for name, one in COMPOSE["secrets"].items()}
    assert {s for one in SERVICES.values() for s in one.get("secrets", ())} == set(files)
    paths = [*files.values(), "./deploy/secrets/channels/sms"]
    done = subprocess.run(["git", "check-ignore", *paths], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == paths


def test_secrets_are_made_as_their_readme_says(tmp_path):
    """By its own commands, but for the last: to give a file away needs root."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: apt-get install openssl")
    told = (DEPLOY / "secrets" / "README").read_text("utf-8").split("\n\n")[1]
    assert "\n  sudo chown 10001:10001 pgpass " in told
    steps = told.partition("  sudo")[0]
    subprocess.run(["sh", "-euc", steps], cwd=tmp_path, check=True)
    modes = {one.name: one.stat().st_mode & 0o777 for one in tmp_path.iterdir()}
    readable = set(COMPOSE["secrets"]) - {"pgpass"}
    assert modes == {"pgpass": 0o600, "channels": 0o711} | dict.fromkeys(readable, 0o444)
    assert tmp_path.stat().st_mode & 0o777 == 0o700
    password = (tmp_path / "postgres_password").read_text().strip()
    assert len(password) == 48
    place = re.fullmatch(r"postgresql://(.+)@(.+):(.+)/(.+)", COMPOSE["x-place"]["ORIOLE_LEDGER"])
    assert place is not None
    user, host, port, database = place.groups()
    entry = f"{host}:{port}:{database}:{user}:{password}\n"
    assert (tmp_path / "pgpass").read_text() == entry


def test_named_volumes_and_mounted_files_are_there():
    for name, service in SERVICES.items():
        for one in service.get("volumes", ()):
            source = re.sub(r"\$\{\w+:-(.*?)\}", r"\1", one).split(":")[0]
            if not source.startswith("."):
                assert source in COMPOSE["volumes"], f"{name}: {one}"
            elif source != "./deploy/secrets/channels":  # made by whoever makes the secrets
                assert (ROOT / source).exists(), f"{name}: {one}"


# --- commands -------------------------------------------------------------------------------------


@cache
def told_by(command: str) -> str:
    """What a command says of itself."""
    return subprocess.run(
        [sys.executable, "-m", "detector", command, "--help"],
        capture_output=True, text=True, check=True, cwd=ROOT, env={"COLUMNS": "200"},
    ).stdout  # fmt: skip


@pytest.mark.parametrize("name", OURS)
def test_services_run_commands_that_there_are(name):
    words = OURS[name]["command"]
    told = told_by(words[0])
    assert [one for one in words if one.startswith("--") and one not in told] == []


@pytest.mark.parametrize("name", OURS)
def test_a_command_gets_the_environment_that_it_names(name):
    """All that says where the parts are is given, and nothing that nobody reads."""
    environment, words = OURS[name]["environment"], OURS[name]["command"]
    asked = set(re.findall(r"ORIOLE_\w+", told_by(words[0])))
    places = {"ORIOLE_LEDGER", "ORIOLE_BROKER", "ORIOLE_REDIS", "ORIOLE_DATA", "ORIOLE_INSIDE"}
    assert asked & places <= set(environment)
    sources = "".join(p.read_text("utf-8") for p in (ROOT / "detector").rglob("*.py"))
    ours = {one.removesuffix("_FILE") for one in environment if one.startswith("ORIOLE_")}
    assert [one for one in sorted(ours) if f'"{one}"' not in sources] == []


def test_the_same_parts_as_in_the_stack_without_containers():
    assert set(OURS) == {"migrate", *stack.CHILDREN}
    shards = ["--cases", str(stack.CASES), "--operators", str(stack.OPERATORS)]
    assert OURS["migrate"]["command"][-4:] == shards
    for name in set(stack.CHILDREN) - set(stack.LAST):
        assert OURS[name]["command"] == ["worker", "--shard", name.partition("-")[0]]


def test_the_broker_is_set_as_the_one_that_the_tests_run_on(tmp_path):
    """But for addresses, folders, and what only a test wants sooner."""
    environment = {key: str(value) for key, value in SERVICES["kafka"]["environment"].items()}
    apart = re.compile(
        r"listeners|voters|log\.dirs|broker\.\w+\.|num\.partitions|rebalance|node\.id"
    )
    for key, value in Kafka(tmp_path)._properties().items():
        if not apart.search(key):
            assert environment[f"KAFKA_{key.upper().replace('.', '_')}"] == str(value), key


def test_the_database_orders_by_bytes():
    how = SERVICES["postgres"]["environment"]["POSTGRES_INITDB_ARGS"].split()
    assert {"--encoding=UTF8", "--locale=C"} <= set(how)


# --- health checks, run as they stand -------------------------------------------------------------


def health(name: str, port: int = 0, ledger: str = "") -> int:
    """The exit code of a service's own check, its fixed port replaced by one that is free here."""
    how, program, option, code = SERVICES[name]["healthcheck"]["test"]
    assert (how, program, option) == ("CMD", "python", "-c")
    code = re.sub(r'("127\.0\.0\.1"), \d+', rf"\1, {port}", code)
    place = os.environ | {"ORIOLE_LEDGER": ledger}
    done = subprocess.run([sys.executable, "-c", code], env=place, capture_output=True, check=False)
    return done.returncode


@pytest.fixture(params=[200, 503])
def answering(request) -> Iterator[tuple[int, int]]:
    """A server that answers /healthz so, and nothing else; (status, port)."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(request.param if self.path == "/healthz" else 500)
            self.end_headers()

        def log_message(self, *told: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield request.param, server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ["case-1", "serve"])
def test_who_answers_well_is_healthy(name, answering):
    status, port = answering
    assert health(name, port) == (0 if status == 200 else 1)


@pytest.mark.parametrize("name", ["case-1", "serve"])
def test_who_does_not_answer_is_not_healthy(name):
    assert health(name, free_port()) == 1


def test_who_holds_the_right_to_deliver_is_healthy(postgres, template):
    address = postgres.address(postgres.database(template))
    assert health("deliver", ledger=address) == 1
    outbox = open_posting(address)
    try:
        assert health("deliver", ledger=address) == 0
    finally:
        outbox.close()


# --- the image ------------------------------------------------------------------------------------


def test_the_image_is_the_bundle_and_nobody_is_root_in_it():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert f"ARG VERSION={project['version']}\n" in DOCKERFILE
    assert TEXT.count(f":-{project['version']}}}") == 2
    for line in ("python deploy/bundle.py /bundle", "/bundle/install.sh /opt/oriole",
                 "--require-hashes", 'ENTRYPOINT ["oriole"]', 'VOLUME ["/var/cache/oriole"]',
                 f'licenses="{project["license"]}"'):  # fmt: skip
        assert line in DOCKERFILE, line
    last = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    (user,) = re.findall(r"^USER (.*)$", last, re.M)
    assert {user} == {one["user"] for one in OURS.values()}
    assert "://" not in DOCKERFILE
    assert "cluster" in bundle().EXTRAS


def test_what_the_image_is_built_from_holds_all_of_it_and_no_secret():
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
            if line.startswith("!")]  # fmt: skip
    assert all((ROOT / one).exists() for one in kept)
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]
    wanted = {*bundle().BESIDE, *wheel["targets"]["wheel"]["only-include"], "pyproject.toml",
              "requirements.lock", "deploy/bundle.py"}  # fmt: skip
    assert wanted == set(kept)  # and all else is left out, the secrets among it
    assert "\n*\n" in (ROOT / ".dockerignore").read_text("utf-8")
