"""The files in tools/serving fit each other, and are what TensorFlow Serving reads."""

import re
from pathlib import Path

import pytest
import yaml

TOOLS = Path(__file__).resolve().parents[2] / "tools" / "serving"


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((TOOLS / "compose.yaml").read_text())


def test_what_is_mounted_is_there_and_what_is_told_is_mounted(compose):
    for service in compose["services"].values():
        mounts = dict(volume.removesuffix(":ro").rsplit(":", 1) for volume in service["volumes"])
        assert all((TOOLS / source).is_file() for source in mounts if source.startswith("./"))
        told = re.findall(r"=(/config/\S+?)}?(?:\s|$)", service.get("command", ""))
        assert set(told) == {target for target in mounts.values() if target.startswith("/config/")}


def test_the_models_are_where_they_are_mounted(compose):
    text_format = pytest.importorskip("google.protobuf.text_format")
    config = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    served = text_format.Parse((TOOLS / "models.config").read_text(), config.ModelServerConfig())
    (model,) = served.model_config_list.config
    assert f"/v1/models/${{MODEL:-{model.name}}} " in str(compose["services"]["cpu"]["healthcheck"])
    assert model.base_path == f"/models/{model.name}"
    assert f"served/{model.name}\n" in (TOOLS / "README.md").read_text()


def test_prometheus_asks_where_the_server_answers(compose):
    (job,) = yaml.safe_load((TOOLS / "prometheus.yml").read_text())["scrape_configs"]
    assert f'path: "{job["metrics_path"]}"' in (TOOLS / "monitoring.config").read_text()
    assert job["static_configs"] == [{"targets": ["serving:8501"]}]
    for name in ("cpu", "gpu"):
        assert compose["services"][name]["networks"]["default"]["aliases"] == ["serving"]
