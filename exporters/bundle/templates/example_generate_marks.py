#!/usr/bin/env python3
"""Continue a piece: each mark of the next frame is drawn from what step.onnx says of it, and the frame goes back in.

python example.py [how many frames]
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort

here = Path(__file__).resolve().parent
manifest = json.loads((here / "manifest.json").read_text(encoding="utf-8"))
count = int(sys.argv[1]) if len(sys.argv) > 1 else 32
frames = np.load(here / "golden.npz")["stream/0/in/frames"]  # (1, frames, marks read): what is continued
names = manifest["labels"]
read = [names.index(name) for name in manifest["features"]]  # it may read fewer marks than it foretells

session = ort.InferenceSession(here / "step.onnx")
outputs = [one.name for one in session.get_outputs()]
state = {one["input"]: np.full([1, *one["shape"][1:]], one["reset"], one["dtype"]) for one in manifest["states"]}
rng = np.random.default_rng(0)
for at in range(count):
    answer = dict(zip(outputs, session.run(None, {"frames": frames, **state}), strict=True))
    state = {one["input"]: answer.pop(one["output"]) for one in manifest["states"]}
    marks = rng.random(len(names)) < answer["probabilities"][0, -1]  # each by itself, as the network says them
    frames = marks[None, None, read].astype(np.float32)
    print(f"frame {at + 1}:", " ".join(name for name, on in zip(names, marks, strict=True) if on) or "-")
