"""The codes of a run: data, stages, gates, the store, the machine."""

from .codes_config import Code

_DATA = {
    "data.missing-file": Code("A data file does not exist.", "Correct data.path; it starts at the YAML's folder."),
    "data.unreadable": Code("A data file may not be read.", "Check its permissions and those of its folder."),
    "data.file": Code(
        "A data file is not what it should be: damaged, encrypted, a link or a device, or built to expand without "
        "bound.",
        "Write it again with numpy.savez.",
    ),
    "data.memory": Code("The arrays would not fit into memory.", "Use fewer frames, or a machine with more memory."),
    "data.changed": Code("A data file changed while it was read.", "Run again when nothing writes to it."),
    "data.no-library": Code("The package that reads this source is not installed.", "Install `seqpress[data]`."),
    "data.offline": Code(
        "The hub gives no answer, and the cache does not hold the data.",
        "Connect once and plan again, or fetch the files and name their folder: data.path.",
    ),
    "data.unknown-name": Code(
        "sktime, or the hub, has no data set of that name.", "Take the name in the message, or log in."
    ),
    "data.layout": Code("The source does not have the documented arrays or fields.", "Follow docs/data.md."),
    "data.shape": Code("An item is not a (frames, channels) array.", "Give every item two axes, time first."),
    "data.dtype": Code("An array holds something else than real numbers.", "Convert it to floats or integers."),
    "data.count": Code("Two arrays that describe the same items differ in length.", "Give one entry for each item."),
    "data.offsets": Code("Offsets or lengths do not cut the frames into items.", "Rise from 0 to the frame count."),
    "data.channels": Code("Items have different numbers of channels.", "Give every frame the same channels."),
    "data.empty": Code(
        "The data set, or a split of it, has no items.", "Add items, or make the held-out share larger."
    ),
    "data.zero-length": Code("A sequence has no frames.", "Drop it, or mend what cut it."),
    "data.non-finite": Code(
        "A feature is NaN or infinite. It is refused in every split: no quality number comes from it.",
        "Repair or drop the items in the message.",
    ),
    "data.overflow": Code("A feature is too large for float32.", "Rescale the channel."),
    "data.label-value": Code("Labels are of mixed kinds, blank, or none of the label names.", "Write them one way."),
    "data.names": Code("Names of labels or features repeat or are blank.", "Give each its own name."),
    "data.one-class": Code("All items have the same label, so there is nothing to tell apart.", "Add a second class."),
    "data.task": Code(
        "The data is not what the task needs: another kind of frames, no such tag, windows of unequal length.",
        "Choose another task, or follow the message.",
    ),
    "data.label-absent": Code(
        "A label of the validation or test split never occurs in training.", "Train on it, or leave it out."
    ),
    "data.group-leak": Code(
        "Items of one group stand in two splits, so the test would reward knowing the group.",
        "Split by group: data.validation.by and data.test.by.",
    ),
    "data.no-groups": Code("A split by group needs groups and the source has none.", "Add them, or split by class."),
    "data.no-test": Code("The source has no test split of its own.", "Set data.test to hold one out."),
    "data.split-value": Code("The split array names an unknown split.", "Use train, validation and test."),
    "data.too-few": Code("Too few items to hold the wanted share out.", "Add items, or split by random."),
    "data.duplicates": Code(
        "The same item stands in two splits, and data.duplicates forbids it.", "Remove it, or accept it: warn."
    ),
    "data.rows": Code(
        "Rows of a table are out of order, or disagree on what belongs to their sequence.",
        "Sort the file by id and time, and give each sequence one label, group and split.",
    ),
    "data.no-labels": Code("The task needs labels and the source has none.", "Name their column or array."),
    "data.no-times": Code("Something needs the time of frames, and the source has none.", "Name it: data.time."),
    "data.no-classes": Code("A split by class needs one class a sequence.", "Split by group, time or random."),
    "data.time-leak": Code(
        "A sequence of an earlier part goes on beyond the start of a later one, so the past would know the future.",
        "Split at a time that no sequence crosses, or give the split in the source.",
    ),
    "data.stored": Code("A stored data set cannot be read back.", "Run again with --no-cache-read."),
}

_STAGES = {
    "stage.failed": Code("A stage raised an error.", "Read the rule and the place in the message."),
    "stage.died": Code("The process of a stage ended by itself.", "Run again; report it if it repeats."),
    "stage.memory": Code(
        "The process of a stage was killed, most likely for memory.", "Lower batch_size, or run with --jobs 1."
    ),
    "stage.outcome": Code("A stage returned what cannot be stored.", "Report it: that is a bug in the stage."),
    "stage.diverged": Code(
        "The loss became NaN or infinite. The best state so far is kept.",
        "Lower train.learning_rate or train.clip_norm, or lengthen train.warmup.",
    ),
    "stage.non-finite": Code("A model gives NaN or infinity.", "Train it again with a lower learning rate."),
    "stage.export": Code("A network could not be exported to valid ONNX.", "Report it with the configuration."),
    "stage.calibration": Code(
        "Training sequences cannot be used to find the ranges of a static recipe.", "Repair the sequence that is named."
    ),
    "stage.nothing-quantized": Code(
        "A recipe made no weight smaller than float32.", "Take the recipe out of quantize for this student."
    ),
    "model.changed": Code(
        "A file or module that a task depends on changed while it was used.", "Run again when nothing writes to it."
    ),
    "model.weights": Code(
        "teacher.weights lacks a tensor of the network, or has it in another shape.",
        "Set teacher to the sizes that the file was saved with.",
    ),
    "model.unreadable": Code(
        "teacher.weights is no safetensors file, and no .pt file of tensors alone.",
        "Save it with safetensors.torch.save_file.",
    ),
    "model.outputs": Code(
        "The arrays of teacher.outputs do not fit the data set: their shape, order or numbers.",
        "Write one row an item, or all frames end to end, in the order of the split.",
    ),
    "run.incomplete": Code(
        "Some tasks failed, so the report was not written. Everything that finished is kept.",
        "Mend the faults above and run the same command.",
    ),
}

_GATES = {
    "gate.fail": Code(
        "A budget was missed, something became worse than the last release by more than its limit, a provider left "
        "weights to another one, or the ways of computing the same outputs differ by more than their tolerance.",
        "Change the student or the recipe; change the budget only if it was wrong.",
    ),
    "gate.inconclusive": Code(
        "A limit lies inside the uncertainty of what was measured.",
        "Measure more (benchmark.samples, a larger test split), or leave out --strict.",
    ),
    "gate.not-measured": Code("A limit could not be measured on this machine.", "See the reason in the report."),
    "gate.other-pipeline": Code(
        "A finished run was to be judged by the limits of another pipeline.",
        "Name the file of that run with --pipeline, or leave it out to take the run's own.",
    ),
}

_BUNDLES = {
    "bundle.not-found": Code("There is no folder at that place.", "Correct the path."),
    "bundle.missing": Code("A file that the manifest lists is not there.", "Get the bundle again, whole."),
    "bundle.extra": Code(
        "The folder holds something that the manifest does not list.", "Take it out; results belong elsewhere."
    ),
    "bundle.changed": Code("A file has other bytes than the manifest says.", "Get the bundle again."),
    "bundle.link": Code("A file is a link, a pipe, a device, or has a second name.", "Copy the files themselves."),
    "bundle.manifest": Code("manifest.json is damaged, or was changed by hand.", "Get the bundle again."),
    "bundle.newer": Code("The bundle was written by a newer seqpress.", "Update seqpress."),
    "bundle.graph": Code(
        "A graph of the bundle is damaged, or reaches for bytes outside its own file.", "Do not open it."
    ),
    "bundle.disagrees": Code(
        "The manifest says other things about a graph than the graph itself.", "Export the model again."
    ),
    "bundle.golden": Code("golden.npz cannot be read, or lacks cases.", "Get the bundle again."),
    "bundle.replay": Code(
        "The graphs compute something else than they did, or do not run on this machine.",
        "Run selftest.py there; compare the versions in the manifest.",
    ),
    "bundle.other": Code("The bundle is sound and not the one that was asked for.", "Look for the right one."),
    "model.missing": Code("There is no ONNX file or bundle at that place.", "Correct the path."),
    "model.rejected": Code(
        "An ONNX file is damaged, reaches outside its folder, or claims more than it holds.", "Do not open it."
    ),
}

_ALONE = {
    "model.inputs": Code(
        "An ONNX file cannot be fed with sequences as far as seqpress can tell, or answers in another shape.",
        "Say the axes with --layout, constant inputs in the calibration file; of a teacher, name inputs and output.",
    ),
    "model.run": Code(
        "An ONNX file does not run on the sequences given, or answers with what it must not.",
        "Check --layout and the features; of a teacher, what teacher.inputs and teacher.output say.",
    ),
    "model.step": Code("A step graph was given where its whole graph is asked for.", "Give the model.onnx beside it."),
    "calibration.unusable": Code(
        "A model answers the calibration sequences with NaN, or cannot be fed with them.", "Repair the sequences."
    ),
    "stage.recipe": Code("A recipe cannot work on a graph, or made one that does not run.", "Take another recipe."),
    "bench.fell-back": Code(
        "An execution provider is there, and other providers ran the model's weights.",
        "Look at the operators in the message; --fallback warn measures it all the same.",
    ),
    "bench.failed": Code(
        "A model could not be measured on a provider that is there.", "Read what onnxruntime or the process said."
    ),
    "out.taken": Code("There is something where the result is to be written.", "Choose another with --out."),
    "module.missing": Code(
        "An entry point names no module, or no function in it.",
        "Correct it; it is searched in the folder of the YAML file (of `compress export`, in this one) first.",
    ),
    "module.kind": Code("Your function returned something else than a torch module.", "Return an nn.Module."),
    "module.arguments": Code("Your function does not take the arguments.", "Follow its signature."),
    "module.answer": Code(
        "Your own network, loss or metric returned something of another shape or kind, or NaN.",
        "Return what docs/teachers.md says.",
    ),
    "module.claim": Code(
        "Your own encoder breaks a promise: that padding, neighbours or later frames do not count, or that chunks give "
        "what the whole gives.",
        "Mend it, or withdraw the promise: causal, receptive_field.",
    ),
    "module.logits": Code(
        "The module does not map frames and lengths to one logit a class.", "Correct forward, --inputs or --classes."
    ),
    "module.streaming": Code(
        "The module cannot be streamed: it lacks initial_state or advance.", "Add them, or do not ask for streaming."
    ),
    "module.user-code": Code("Your own code raised an error.", "Mend it at the line in the message."),
    "environment.no-torch": Code("torch is not installed.", "Install `seqpress[train]`."),
}

_COMPARE = {
    "compare.changed": Code("The last release changed during a run.", "Run again when nothing writes to it."),
    "compare.nothing": Code(
        "There is no ONNX file, bundle or run folder at that place, or it could not be fetched.",
        "Correct the path or URL; compress inspect shows what a file is.",
    ),
    "compare.incomplete": Code(
        "A run folder has its report and not the artifacts that it tells of.", "Copy artifacts/ along with the report."
    ),
    "compare.predictions": Code("The predictions.npz of a run folder is damaged.", "Take it away, or run again."),
    "compare.archive": Code(
        "An archive is damaged, holds links, names outside its folder, or expands without bound.",
        "Pack the folder again, with zip -r or tar -czf.",
    ),
    "compare.too-many": Code("A folder holds too many files to be a bundle or a run.", "Give the run folder itself."),
    "compare.url": Code("A URL is a chain of several.", "Give one URL, of a file or of a folder."),
    "compare.no-fsspec": Code(
        "A URL needs fsspec, or the library of its protocol.", "Install `seqpress[remote]`, or fetch it beforehand."
    ),
    "compare.no-items": Code("The file of labelled items has no test item.", "Mark some in its split array."),
    "compare.worse": Code(
        "Something that counts is worse than the old one by more than its tolerance.",
        "Mend it; raise the tolerance only if it was wrong.",
    ),
    "compare.inconclusive": Code(
        "The noise is too large, or the test too small, to tell whether the new one is worse.",
        "Use a quieter machine, more --launches or a larger --test; or leave out --strict.",
    ),
}

_STORE = {
    "store.damaged": Code(
        "A stored result is not what its hash says. It was set aside.", "Run again: it is computed anew."
    ),
    "store.unwritable": Code("The store cannot be written.", "Check its permissions, or give another with --store."),
    "store.full": Code("The disk of the store is full.", "Free some space and run again: finished tasks are kept."),
    "store.busy": Code("Another run computes the same task.", "Wait for it, or leave out --no-wait."),
    "store.newer": Code("The store was written by a newer seqpress.", "Update seqpress, or give another --store."),
    "store.foreign": Code("The store's folder holds other things.", "Give an empty folder with --store."),
    "engine.plan": Code("The tasks do not form a graph.", "Report it: that is a bug in the plan."),
    "engine.library-missing": Code("A library that computes a task is not installed.", "Install `seqpress[train]`."),
    "engine.worker": Code("Worker processes do not stay alive.", "Read their last words in the message."),
    "report.missing": Code("There is no finished run at that place.", "Run the pipeline, or correct the path."),
    "report.unreadable": Code(
        "A report.json was changed, or written by another version.",
        "Run the pipeline again: it is quick from the store.",
    ),
    "report.format": Code(
        "A format of the report is not known.", "Take one of html, markdown, json, junit, summary, metrics."
    ),
    "report.unwritable": Code("The folder for the report cannot be written.", "Choose another with --out."),
}

_MACHINE = {
    "environment.unreadable": Code(
        "The pipeline file is there but cannot be read.", "Check its permissions and those of its folder."
    ),
    "environment.memory": Code("The machine ran out of memory.", "Run fewer tasks at a time: --jobs 1."),
    "environment.os": Code(
        "The system refused a file operation: no space, no permission, too many open files.",
        "Mend what the message names, then run the same command: finished tasks are kept.",
    ),
    "signal.interrupted": Code(
        "The command was interrupted from the keyboard.", "Run it again: finished tasks are kept."
    ),
    "signal.terminated": Code("The command got SIGTERM.", "Run it again: finished tasks are kept."),
    "bug": Code(
        "seqpress itself is at fault.", "Report it with the file that the message names; it holds the traceback."
    ),
    "environment.unwritable": Code("A file cannot be written.", "Check the folder and its permissions."),
    "environment.device": Code(
        "compute.device is cuda and no GPU, or no torch built for one, is there.", "Set compute.device to auto or cpu."
    ),
    "regression.no-baseline": Code(
        "The last release is required and cannot be had.",
        "Fetch it to where regression.baseline says, or leave out required for the first release.",
    ),
    "environment.provider": Code(
        "An execution provider that is marked as required is not there.",
        "Install its build of onnxruntime, or drop required.",
    ),
    "environment.runtime-twice": Code(
        "Two distributions bring the module onnxruntime, and overwrite each other's files.",
        "Uninstall both, then install the one that is wanted (docs/providers.md).",
    ),
    "environment.run-folder": Code(
        "Another run took the same run folder.", "Run the command again: everything is in the store."
    ),
}

RUN = {**_DATA, **_STAGES, **_GATES, **_BUNDLES, **_ALONE, **_COMPARE, **_STORE, **_MACHINE}
