"""Models leave as a zip, a bundle or ONNX and come back the same; what was tampered with stays outside."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from medssl.errors import MissingPackageError, ModelError, StorageError, UsageError
from medssl.exchange.formats import ModelFormat
from medssl.exchange.models import Statement, export_model, read_model_file
from medssl.inference.channels import ChannelRules, SeriesCondition, write_channel_rules
from medssl.learning.model import load_model, read_weights, save_model
from safetensors.torch import save

SAID = Statement(licence="CC-BY-4.0", limits="Not for children.")


@pytest.fixture
def exported(model_folder: Path, tmp_path: Path) -> Path:
    path = tmp_path / "kidney.zip"
    export_model(model_folder, path, "zip", SAID)
    return path


@pytest.mark.parametrize(
    ("name", "file_format"), [("k.zip", "zip"), ("bundle", "monai"), ("bundle.zip", "monai")]
)
def test_a_model_comes_back_as_it_left(
    model_folder: Path, tmp_path: Path, name: str, file_format: ModelFormat
) -> None:
    export_model(model_folder, tmp_path / name, file_format, SAID)
    before, after = read_weights(model_folder), read_model_file(tmp_path / name)
    assert after.plan == before.plan
    assert after.card == before.card.model_copy(
        update={"licence": "CC-BY-4.0", "limits": "Not for children."}
    )
    assert after.tensors.keys() == before.tensors.keys()
    assert all(torch.equal(after.tensors[key], tensor) for key, tensor in before.tensors.items())


@pytest.mark.parametrize(("name", "file_format"), [("k.zip", "zip"), ("bundle", "monai"), ("k.onnx", "onnx")])
def test_the_rules_for_its_channels_travel_with_a_model(
    model_folder: Path, tmp_path: Path, name: str, file_format: ModelFormat
) -> None:
    if file_format == "onnx":
        pytest.importorskip("onnxruntime", reason="an ONNX file is tried with onnxruntime")
    shutil.copytree(model_folder, tmp_path / "model")
    condition = SeriesCondition(description="t1.*sag", not_description="loc", contrast=False)
    rules = ChannelRules({"MR": (condition,)})
    write_channel_rules(tmp_path / "model", rules)
    export_model(tmp_path / "model", tmp_path / name, file_format, SAID)
    assert read_model_file(tmp_path / name).rules == rules
    if file_format != "onnx":
        (card,) = list((tmp_path / name).rglob("README.md")) or [None]
        text = card.read_text() if card else zipfile.ZipFile(tmp_path / name).read("MODEL_CARD.md").decode()
        assert "description has 't1.*sag', description lacks 'loc', without contrast agent" in text


def test_rules_for_other_channels_neither_leave_nor_enter(model_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(model_folder, tmp_path / "model")
    write_channel_rules(tmp_path / "model", ChannelRules({"T2": (SeriesCondition(description="t2"),)}))
    with pytest.raises(UsageError, match="do not fit the model"):
        export_model(tmp_path / "model", tmp_path / "k.zip", "zip", SAID)
    assert not (tmp_path / "k.zip").exists()


def test_the_same_model_gives_the_same_zip(model_folder: Path, tmp_path: Path, exported: Path) -> None:
    export_model(model_folder, tmp_path / "again.zip", "zip", SAID)
    assert (tmp_path / "again.zip").read_bytes() == exported.read_bytes()


def test_the_card_says_what_a_stranger_must_know(exported: Path) -> None:
    with zipfile.ZipFile(exported) as archive:
        card = archive.read("MODEL_CARD.md").decode()
    for words in (
        "Kidneys / small",
        "CC-BY-4.0",
        "Not for children.",
        "Not a medical device",
        "SCT 64033007",
    ):
        assert words in card
    for words in ("2 annotated and 5 other", "seed 7", "0.810", "2.5 x 2 x 2.2 mm", "| 4 | Kidney |"):
        assert words in card


def test_onnx_computes_the_same_and_comes_back(model_folder: Path, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    path = tmp_path / "kidney.onnx"
    export_model(model_folder, path, "onnx", SAID)
    model = load_model(model_folder)
    image = np.random.default_rng(0).normal(size=(3, 1, 16, 24, 24)).astype(np.float32)
    (logits,) = onnxruntime.InferenceSession(path).run(["logits"], {"image": image})
    with torch.inference_mode():
        expected = model.network(torch.from_numpy(image))["segmentation"]
    np.testing.assert_allclose(logits, expected.numpy(), atol=1e-4)
    back = read_model_file(path)
    assert back.card.heads == ("segmentation",)
    assert back.plan == model.plan
    before = read_weights(model_folder).tensors
    assert all(torch.equal(tensor, before[name]) for name, tensor in back.tensors.items())


def test_without_onnx_the_package_to_install_is_named(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingPackageError, match=r"medssl\[onnx\]"):
        export_model(model_folder, tmp_path / "k.onnx", "onnx", SAID)
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_exists_is_overwritten(model_folder: Path, exported: Path, tmp_path: Path) -> None:
    before = exported.read_bytes()
    with pytest.raises(StorageError, match="exists already"):
        export_model(model_folder, exported, "zip", SAID)
    assert exported.read_bytes() == before
    with pytest.raises(UsageError, match=r"does not end in \.onnx"):
        export_model(model_folder, tmp_path / "model", "onnx", SAID)


def test_a_pretrained_model_travels_only_where_a_training_can_begin(
    model_folder: Path, tmp_path: Path
) -> None:
    weights = read_weights(model_folder)
    encoder = {name: tensor for name, tensor in weights.tensors.items() if name.startswith("encoder.")}
    (tmp_path / "pretrained").mkdir()
    network = load_model(model_folder).network
    card = weights.card.model_copy(update={"heads": ()})
    save_model(tmp_path / "pretrained", torch.nn.ModuleDict({"encoder": network.encoder}), weights.plan, card)
    with pytest.raises(ModelError, match="cannot segment yet"):
        export_model(tmp_path / "pretrained", tmp_path / "bundle", "monai", SAID)
    export_model(tmp_path / "pretrained", tmp_path / "p.zip", "zip", SAID)
    assert read_model_file(tmp_path / "p.zip").tensors.keys() == encoder.keys()


# What must not be trusted


def rewritten(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    target = path.with_name("changed.zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target


def _described_anew(files: dict[str, bytes], **changed: bytes) -> None:
    """Change files and let the manifest say so, as somebody would who wants to fool us."""
    import hashlib

    manifest = json.loads(files["manifest.json"])
    for name, content in changed.items():
        path = name.replace("_", ".")
        files[path] = content
        manifest["files"][path] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    files["manifest.json"] = json.dumps(manifest).encode()


def _pickle(files: dict[str, bytes]) -> None:
    import pickle

    _described_anew(files, weights_safetensors=pickle.dumps({"encoder": [1.0]}))


def _other_shapes(files: dict[str, bytes]) -> None:
    _described_anew(files, weights_safetensors=save({"encoder.levels.0.0.conv.weight": torch.zeros(2)}))


def _not_finite(files: dict[str, bytes]) -> None:
    from safetensors.torch import load

    tensors = load(files["weights.safetensors"])
    next(iter(tensors.values()))[0] = float("nan")
    _described_anew(files, weights_safetensors=save(tensors))


def _huge_network(files: dict[str, bytes]) -> None:
    plan = json.loads(files["plan.json"])
    plan["network"]["features"] = [10**9, 10**9]
    _described_anew(files, plan_json=json.dumps(plan).encode())


def _many_levels(files: dict[str, bytes]) -> None:
    plan = json.loads(files["plan.json"])
    for key in ("features", "strides", "kernels", "convolutions"):
        plan["network"][key] = plan["network"][key][:1] * 100_000
    _described_anew(files, plan_json=json.dumps(plan).encode())


def _newer(files: dict[str, bytes]) -> None:
    files["manifest.json"] = files["manifest.json"].replace(b'"version": 1', b'"version": 2')


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda files: files.pop("weights.safetensors"), "weights.safetensors is missing"),
        (lambda files: files.pop("manifest.json"), "not a model that MedSSL exported"),
        (lambda files: files.update({"plan.json": files["plan.json"] + b" "}), "larger than"),
        (lambda files: files.update({"card.json": b"x" * len(files["card.json"])}), "not as it was exported"),
        (lambda files: files.update({"manifest.json": b"[" * 100_000}), "manifest"),
        (lambda files: files.update({"../outside": b""}), "leads out of it"),
        (lambda files: files.update({"/etc/passwd": b""}), "leads out of it"),
        (lambda files: files.update({"C:/x": b""}), "leads out of it"),
        (lambda files: files.update({"CARD.json": b""}), "two files of one name"),
        (_pickle, "weights .* are damaged"),
        (_other_shapes, "do not fit its plan"),
        (_huge_network, "do not fit its plan"),
        (_many_levels, "do not fit its plan"),
        (_not_finite, "not finite"),
        (_newer, "A newer MedSSL"),
    ],
)
def test_what_was_changed_is_refused_with_a_reason(
    exported: Path, change: Callable[[dict[str, bytes]], None], words: str
) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        read_model_file(rewritten(exported, change))
    assert caught.value.remedy


def test_a_zip_bomb_is_left_after_what_it_promised(exported: Path) -> None:
    def inflate(files: dict[str, bytes]) -> None:
        files["weights.safetensors"] = bytes(80_000_000)  # 80 kB in the zip

    with pytest.raises(ModelError, match="larger than"):
        read_model_file(rewritten(exported, inflate))


def test_a_file_that_is_cut_short_or_something_else_is_refused(exported: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.zip"
    cut.write_bytes(exported.read_bytes()[:-200])
    with pytest.raises(ModelError, match="damaged"):
        read_model_file(cut)
    spoilt = bytearray(exported.read_bytes())
    spoilt[60:600] = bytes(255 - byte for byte in spoilt[60:600])
    cut.write_bytes(spoilt)
    with pytest.raises(ModelError, match=r"damaged"):
        read_model_file(cut)
    (tmp_path / "text.onnx").write_bytes(b"not ONNX at all")
    with pytest.raises(ModelError, match=r"not an ONNX file|not exported by MedSSL"):
        read_model_file(tmp_path / "text.onnx")
    with pytest.raises(ModelError, match="does not exist"):
        read_model_file(tmp_path / "gone.zip")


def test_a_zip_that_only_some_programs_unpack_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "odd.zip", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("manifest.json", "{}" * 1000)
    with pytest.raises(ModelError, match="unusual way"):
        read_model_file(tmp_path / "odd.zip")


def test_a_bundle_of_other_software_is_not_run(model_folder: Path, tmp_path: Path) -> None:
    export_model(model_folder, tmp_path / "bundle", "monai", SAID)
    shutil.rmtree(tmp_path / "bundle" / "medssl")
    with pytest.raises(ModelError, match=r"that MedSSL did not export.* are code") as told:
        read_model_file(tmp_path / "bundle")
    assert "medssl case annotate" in told.value.remedy
