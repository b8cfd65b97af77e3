"""An ONNX artifact in, numbers out: numpy, onnx and onnxruntime, never torch.

    statistics.py  what n samples can and cannot say     quality.py    accuracy, paired differences
    providers/     a shelf, sessions, proof of use        predict.py    probabilities of a whole split
    feeds.py       real inputs for a grid point           latency.py    interleaved timing (child.py does it)
    footprint.py   bytes, parameters, int8 share          machine.py    what machine, and how quiet it was
    inspection.py  any ONNX file explained                scenarios/    cold start, memory, pace, throughput, step
    process.py     a child process: job in, result out

Results are frozen dataclasses; ``dataclasses.asdict`` of one fills the report's part of the same name.
"""
