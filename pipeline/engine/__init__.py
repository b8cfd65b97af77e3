"""Plan, store, run: tasks with content keys, computed once, in parallel, and safe against whatever ends a process.

    task.py      what a task, an artifact and a stage are        keys.py     what a key is made of, and why it changed
    plan.py      the graph, hits and misses before a run         store.py    results by content, trusted after hashing
    run.py       the way in                                      executor.py what runs when
    worker.py    the child's side                                pool.py     the parent's side
    border.py    exceptions of stages as faults                  maintenance.py  behind ``compress cache``

The engine knows nothing about neural networks.
"""
