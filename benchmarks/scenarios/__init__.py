"""What a deployment does besides calling a warm model back to back: one scenario a file, in processes of its own.

    measure.py     the ones that are asked for, as one result
    cold_start.py  from a started interpreter to the first answer      memory.py      peak of such a process
    paced.py       a stream at its own pace: deadlines                 throughput.py  batches back to back
    step.py        latency of a streaming graph                        energy.py      from a real counter, or none
    stream.py      what a streaming graph is fed                       advance.py     its states after real chunks

A scenario's file holds its result, the parent's half (``measure``) and the child's half (``child``). Importing this
package imports nothing, because a cold start is measured behind it.
"""
