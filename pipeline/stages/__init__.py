"""One stage a file: artifacts in, one artifact out. A stage knows artifacts, not other stages.

Nothing heavy is imported at the top of these modules that the stage does not always need: a worker imports a stage only
when it has a task for it.
"""
