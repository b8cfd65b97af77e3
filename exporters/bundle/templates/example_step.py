#!/usr/bin/env python3
"""Stream one sequence through step.onnx, frame by frame. The states start at their reset value and go round."""

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort

here = Path(__file__).resolve().parent
manifest = json.loads((here / "manifest.json").read_text(encoding="utf-8"))
frames_name = next(one["name"] for one in manifest["step"]["inputs"] if one["role"] != "state")
frames = np.load(here / "golden.npz")[f"stream/0/in/{frames_name}"]  # (1, frames, …)

session = ort.InferenceSession(here / "step.onnx")
outputs = [one.name for one in session.get_outputs()]
state = {one["input"]: np.full([1, *one["shape"][1:]], one["reset"], one["dtype"]) for one in manifest["states"]}
for at in range(frames.shape[1]):  # more than one frame a call works too: frames[:, at : at + n]
    answer = dict(zip(outputs, session.run(None, {frames_name: frames[:, at : at + 1], **state}), strict=True))
    state = {one["input"]: answer.pop(one["output"]) for one in manifest["states"]}
    print(f"frame {at + 1}:", {name: [f"{x:.3f}" for x in value.ravel()[:9]] for name, value in answer.items()})
probabilities = answer.get("probabilities")
if probabilities is not None and manifest["labels"]:
    print("label:", manifest["labels"][int(probabilities.reshape(-1, len(manifest["labels"]))[-1].argmax())])
