#!/usr/bin/env python3
"""Run one whole sequence through model.onnx."""

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort

here = Path(__file__).resolve().parent
manifest = json.loads((here / "manifest.json").read_text(encoding="utf-8"))
golden = np.load(here / "golden.npz")

session = ort.InferenceSession(here / "model.onnx")
feeds = {one.name: golden[f"whole/0/in/{one.name}"] for one in session.get_inputs()}
answer = dict(zip([one.name for one in session.get_outputs()], session.run(None, feeds), strict=True))
print({name: [f"{x:.3f}" for x in value.ravel()[:9]] for name, value in answer.items()})
probabilities = answer.get("probabilities")
if probabilities is not None and manifest["labels"]:
    rows = probabilities[0].reshape(-1, len(manifest["labels"]))  # one, or one a frame
    print("label:", ", ".join(manifest["labels"][int(row.argmax())] for row in rows[:20]))
