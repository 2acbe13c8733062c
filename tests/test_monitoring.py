"""What Prometheus collects and Grafana shows: every figure that is asked for is told by a process,
as it goes over the wire."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from functools import cache

import pytest
import yaml  # type: ignore[import-untyped]
from conftest import ROOT
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient
from test_compose import OURS
from web_kit import CannedService

from detector.delivery.watchdog import TROUBLES, Trouble
from detector.live import Figures
from detector.web.beforehand import GateFigures
from detector.web.bodies import Bodies
from detector.web.hub import Hub
from detector.web.inside import GAUGES, inside_app
from detector.web.metrics import metrics
from detector.web.settings import Settings

DEPLOY = ROOT / "deploy"
GRAFANA = DEPLOY / "grafana"
DASHBOARD = json.loads((GRAFANA / "dashboards" / "oriole.json").read_text("utf-8"))
SOURCE = (GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text("utf-8")
SCRAPES = yaml.safe_load((DEPLOY / "prometheus.yml").read_text("utf-8"))
ALERTS = yaml.safe_load((DEPLOY / "alerts.yml").read_text("utf-8"))


class _Shard:
    figures = Figures()
    gauges = dict.fromkeys(GAUGES, 1.0)


@cache
def figures() -> dict[str, set[str]]:
    """Every figure that a door and a worker tell, as it goes over the wire, and its labels."""
    service, settings = CannedService(), Settings()
    for one in (service.figures, _Shard.figures):
        for counter in (one.findings, one.changes, one.undetermined, one.muted):
            counter["one"] = 1
    troubles = [Trouble(kind, "one") for kind in TROUBLES]
    hub = Hub(service.epoch, settings, service.shards)
    told = metrics(service, hub, Bodies(settings), None, lambda: troubles, GateFigures())().decode()

    async def nobody(shard: str, line: bytes, at: int | None) -> None:
        return None

    worker = inside_app(
        lambda: {"case-0": _Shard()}, lambda shard, case: None, nobody, lambda shard, rule: None,
        lambda: True, b"",
    )  # fmt: skip
    told += TestClient(worker).get("/metrics").text
    labels: dict[str, set[str]] = {"up": set()}
    for family in text_string_to_metric_families(told.replace("# EOF\n", "")):
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
    return labels


def asked_by_dashboard() -> list[str]:
    """The expressions of all panels."""
    return [one["expr"] for panel in DASHBOARD["panels"] for one in panel["targets"]]


def asked_by_alerts() -> list[str]:
    """The expressions of all alerts."""
    return [rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]]


def unknown(expression: str) -> set[str]:
    """Figures that an expression asks for and nobody tells, and labels that none of them has."""
    names = set(re.findall(r"\b(?:oriole|process)_\w+|\bup\b", expression.split("#")[0]))
    by = {one for told in re.findall(r"\b(?:by|on) \(([\w, ]*)\)", expression)
          for one in told.split(", ")}  # fmt: skip
    known = {"job", "instance", "worker"}.union(*(figures().get(one, set()) for one in names))
    return (names - set(figures())) | (by - known)


@pytest.mark.parametrize("expression", [*asked_by_dashboard(), *asked_by_alerts()])
def test_what_is_asked_is_told(expression):
    assert re.search(r"oriole_|process_|\bup\b", expression)
    assert unknown(expression) == set()


@pytest.mark.parametrize(
    ("expression", "missing"),
    [
        ("rate(oriole_inputs[1m])", "oriole_inputs"),
        ("oriole_lag_records_total", "oriole_lag_records_total"),
        ("sum by (rule) (oriole_lag_records)", "rule"),
    ],
)
def test_what_nobody_tells_is_found(expression, missing):
    assert unknown(expression) == {missing}


def test_the_dashboard_is_chinese_first_and_asks_the_source_that_there_is():
    sources = yaml.safe_load(SOURCE)["datasources"]
    panels = DASHBOARD["panels"]
    assert DASHBOARD["title"] == "Oriole 黄雀"
    assert {panel["datasource"]["uid"] for panel in panels} == {one["uid"] for one in sources}
    assert all(re.match(r"[一-鿿]", panel["title"]) for panel in panels)
    assert len({panel["id"] for panel in panels}) == len(panels) > 12
    places = [panel["gridPos"] for panel in panels]
    taken = [(p["x"] + i, p["y"] + j) for p in places for i in range(p["w"]) for j in range(p["h"])]
    assert len(set(taken)) == len(taken) and max(x for x, _ in taken) < 24
    (wanted,) = sources
    assert wanted["url"] == "http://prometheus:9090"


def test_every_process_with_figures_is_scraped():
    jobs = {job["job_name"]: job["static_configs"] for job in SCRAPES["scrape_configs"]}
    workers = {
        t: told["labels"]["worker"] for told in jobs["oriole-worker"] for t in told["targets"]
    }
    ports = {name: one["environment"]["ORIOLE_INSIDE"].rpartition(":")[2]
             for name, one in OURS.items() if one["command"][0] == "worker"}  # fmt: skip
    assert workers == {f"{n}:{port}": OURS[n]["command"][-1] for n, port in ports.items()}
    assert jobs["oriole-serve"] == [{"targets": ["serve:8000"]}]


def test_every_alert_says_what_is_wrong_in_both_languages():
    rules = [rule for group in ALERTS["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["labels"]["severity"] in ("page", "ticket")
        for text in (rule["annotations"]["summary"], rule["annotations"]["description"]):
            assert re.search("[一-鿿]", text) and re.search("[a-z]{3}", text), rule["alert"]


def test_a_gate_that_answers_without_judging_is_for_now():
    """Whoever asked got `gate_on_failure` in place of a verdict: somebody is told at once."""
    rules = [rule for group in ALERTS["groups"] for rule in group["rules"]]
    [gate] = [rule for rule in rules if "oriole_gate_failures_total" in rule["expr"]]
    assert gate["labels"]["severity"] == "page" and "for" not in gate
    assert any("oriole_gate_failures_total" in one for one in asked_by_dashboard())


def test_prometheus_takes_its_files():
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    command = ["promtool", "check", "config", str(DEPLOY / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
