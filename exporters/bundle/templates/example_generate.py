#!/usr/bin/env python3
"""Continue a sequence: each token is drawn from what step.onnx says of it, and goes back in.

python example.py [how many tokens] [temperature; 0 for the likeliest]
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort

here = Path(__file__).resolve().parent
manifest = json.loads((here / "manifest.json").read_text(encoding="utf-8"))
count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
temperature = float(sys.argv[2]) if len(sys.argv) > 2 else 0.8
tokens = np.load(here / "golden.npz")["stream/0/in/tokens"]  # (1, frames): what is continued

session = ort.InferenceSession(here / "step.onnx")
outputs = [one.name for one in session.get_outputs()]
state = {one["input"]: np.full([1, *one["shape"][1:]], one["reset"], one["dtype"]) for one in manifest["states"]}
rng, said = np.random.default_rng(0), tokens[0].tolist()
for _ in range(count):
    answer = dict(zip(outputs, session.run(None, {"tokens": tokens, **state}), strict=True))
    state = {one["input"]: answer.pop(one["output"]) for one in manifest["states"]}
    logits = answer["logits"][0, -1].astype(np.float64)
    chances = np.exp((logits - logits.max()) / max(temperature, 1e-6))
    said.append(int(rng.choice(len(chances), p=chances / chances.sum())))
    tokens = np.array([said[-1:]], dtype=np.int64)
names = [(manifest.get("vocabulary") or manifest["labels"])[token] for token in said]
unit = manifest.get("device", {}).get("text", {}).get("unit", "characters" if max(map(len, names)) == 1 else "words")
text = (" " if unit == "words" else "").join(names)
if unit == "bpe":  # its pieces spell bytes: printable ones as themselves, the others as letters from U+0100 on
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    spelled = {chr(byte): byte for byte in shown} | {chr(256 + at): byte for at, byte in enumerate(hidden)}
    text = bytes(spelled[letter] for letter in text if letter in spelled).decode(errors="replace")
print(text)
