import json
import re
import shutil
import socket
import subprocess
import urllib.parse
import urllib.request

import pytest
from process_tools import ROOT, wait_for

SYSTEMD = ROOT / "systemd"
RULES = SYSTEMD / "asmm.rules.yml"
# They appear with their first event, or where the daemon learns.
RARE = {"asmm_rejects_total", "asmm_policy_fallbacks_total", "asmm_learning_failed"}
needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
SCENARIO = f"""
rule_files: [{RULES}]
evaluation_interval: 5s
tests:
  - interval: 5s
    input_series:
      - series: 'up{{job="asmm", instance="a"}}'
        values: '1x11 0x30'
      - series: 'asmm_state{{state="HALTED", instance="b"}}'
        values: '0x11 1x30'
      - series: 'asmm_state{{state="ACTIVE", instance="b"}}'
        values: '1x11 0x30'
      - series: 'asmm_deadman_armed{{instance="c", symbol="BTCUSDT"}}'
        values: '1x11 0x30'
      - series: 'asmm_deadman_armed{{instance="d", symbol="BTCUSDT"}}'
        values: '0x41'
      - series: 'asmm_state{{state="ACTIVE", instance="c"}}'
        values: '1x41'
      - series: 'asmm_state{{state="ACTIVE", instance="d"}}'
        values: '1x41'
    promql_expr_test:
      - expr: count by (alertname, instance) (ALERTS{{alertstate="firing"}})
        eval_time: 50s
        exp_samples: []
      - expr: count by (alertname, instance) (ALERTS{{alertstate="firing"}})
        eval_time: 100s
        exp_samples:
          - {{labels: '{{alertname="AsmmDown", instance="a"}}', value: 1}}
          - {{labels: '{{alertname="AsmmHalted", instance="b"}}', value: 1}}
          - {{labels: '{{alertname="AsmmDeadmanLost", instance="c"}}', value: 1}}
"""


def _promtool(*arguments, text=None):
    return subprocess.run(
        ["promtool", *arguments], check=False, capture_output=True, text=True, input=text, timeout=60
    )


def _named(text):
    return set(re.findall(r"\basmm_\w+", text))


@needs_promtool
def test_the_example_and_its_rules_are_valid():
    """`promtool check config` accepts the scrape example with the alert rules."""
    done = _promtool("check", "config", "--lint-fatal", str(SYSTEMD / "prometheus.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_alerts_fire_when_they_should_and_not_before(tmp_path):
    """Down, halted and a lost dead-man's switch fire; a venue that never had the switch is no alarm."""
    scenario = tmp_path / "scenario.yml"
    scenario.write_text(SCENARIO)
    done = _promtool("test", "rules", str(scenario))
    assert done.returncode == 0, done.stdout + done.stderr


class _Prometheus:
    """A real Prometheus on the shipped example, pointed at one daemon."""

    def __init__(self, folder, port, target):
        config = (SYSTEMD / "prometheus.yml").read_text()
        (folder / "prometheus.yml").write_text(
            config.replace("127.0.0.1:9645", target).replace("5s", "1s").replace("scrape_timeout: 2s", "")
        )
        shutil.copy(RULES, folder)
        self._url = f"http://127.0.0.1:{port}/api/v1/"
        self._log = (folder / "prometheus.log").open("wb")
        self.process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=self._log,
            stderr=self._log,
        )

    def get(self, path, **query):
        """What the API answers; nothing while it does not."""
        try:
            with urllib.request.urlopen(
                self._url + path + "?" + urllib.parse.urlencode(query), timeout=5
            ) as got:
                return json.load(got)["data"]
        except OSError:
            return None

    def names(self):
        """Names of the series of the daemon."""
        found = self.get("query", query='count by (__name__) ({job="asmm"})')
        return {series["metric"]["__name__"] for series in found["result"]} if found else set()

    def close(self):
        """Ends it."""
        self.process.terminate()
        self.process.wait(30)
        self._log.close()


@pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not installed")
def test_a_real_prometheus_scrapes_a_real_daemon(daemon, tmp_path, unused_port):
    """Every metric that a rule reads arrives, every rule can be evaluated, and nothing alarms."""
    maker = daemon(f"service.metrics_port={unused_port}")
    maker.wait_until_quoting()
    with urllib.request.urlopen(f"http://127.0.0.1:{unused_port}/metrics", timeout=10) as answer:
        exposed = answer.read().decode()
    assert _promtool("check", "metrics", text=exposed).returncode in (0, 3)  # 3: remarks of style alone
    server = _Prometheus(tmp_path, _free_port(), f"127.0.0.1:{unused_port}")
    try:
        wait_for(lambda: _named(RULES.read_text()) - RARE <= server.names(), 30, 0.3)
        wait_for(lambda: _evaluated(server), 30, 0.3)
        states = {rule["name"]: (rule["health"], rule["state"]) for rule in _rules(server)}
        assert {health for health, _ in states.values()} == {"ok"}, states
        assert "firing" not in {state for _, state in states.values()}, states
    finally:
        server.close()
    assert maker.end() == 0, maker.text()


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _rules(server):
    found = server.get("rules")
    return [rule for group in found["groups"] for rule in group["rules"]] if found else []


def _evaluated(server):
    rules = _rules(server)
    return rules and all(rule["health"] != "unknown" for rule in rules)
