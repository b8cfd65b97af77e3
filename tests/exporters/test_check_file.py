"""The attacks that onnx and onnxruntime are known for, and what must still pass."""

import contextlib
import os
import shutil
import stat

import numpy as np
import onnx
import pytest
from hypothesis import example, given, settings, strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data
from seqpress.exporters.foreign import wire
from seqpress.exporters.foreign.check_file import Limits, check_file
from seqpress.exporters.foreign.check_tensors import FileRejected

WEIGHT = np.arange(12, dtype=np.float32).reshape(3, 4)


def ends(kind=TensorProto.FLOAT):
    return [helper.make_tensor_value_info(name, kind, ["n", 4]) for name in ("x", "y")]


def make(nodes=(), tensors=(), functions=(), opsets=(("", 20),)):
    main = [helper.make_node("Identity", ["x"], ["y"]), *nodes]
    graph = helper.make_graph(main, "g", ends()[:1], ends()[1:], list(tensors))
    imports = [helper.make_opsetid(*one) for one in opsets]
    return helper.make_model(graph, opset_imports=imports, ir_version=10, functions=list(functions))


def outside(name="w", location="w.bin", **entries):
    tensor = numpy_helper.from_array(WEIGHT, name)
    set_external_data(tensor, location)
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=str(value))
    tensor.ClearField("raw_data")
    return tensor


@pytest.fixture
def save(tmp_path):
    """Write a model into its own folder, with good data beside it and a secret above."""
    (tmp_path / "secret").write_bytes(WEIGHT.tobytes())
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "w.bin").write_bytes(WEIGHT.tobytes())

    def write(model):
        path = folder / "model.onnx"
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        return path

    return write


def refused(path, match, **options):
    with pytest.raises(FileRejected, match=match) as caught:
        check_file(path, **options)
    return caught.value


def test_a_good_file_passes_and_comes_back_parsed(save):
    path = save(make(tensors=[numpy_helper.from_array(WEIGHT, "w")]))
    checked = check_file(path)
    assert (checked.size_bytes, checked.external) == (path.stat().st_size, {})
    assert checked.model.graph.node[0].op_type == "Identity"


@pytest.mark.parametrize("kind", ["gru", "lstm-wide-both", "tcn", "transformer"])
def test_what_we_export_passes(exported, kind, save):
    check_file(save(exported[kind][1]), single_file=True)


def test_data_beside_the_model_pass_and_are_counted(save):
    path = save(make(tensors=[outside(offset=0, length=WEIGHT.nbytes), outside("v", offset=0)]))
    assert check_file(path).external == {"w.bin": WEIGHT.nbytes}
    refused(path, "must lie in the model's own file; got in 'w.bin'", single_file=True)


def test_data_in_a_folder_below_pass(save):
    path = save(make(tensors=[outside(location="part/w.bin")]))
    (path.parent / "part").mkdir()
    shutil.copy(path.parent / "w.bin", path.parent / "part" / "w.bin")
    assert check_file(path).external == {"part/w.bin": WEIGHT.nbytes}


LOCATIONS = ["../secret", "sub/../../secret", "./w.bin", "/etc/passwd", "", ".", "..", "a//b", "w.bin/", "C:/w.bin",
             "a\\w.bin", "w.bin\0.txt", "*/_ORT_MEM_ADDR_/*", "file:///etc/passwd", "nowhere.bin"]  # fmt: skip


@pytest.mark.parametrize("location", LOCATIONS)
def test_no_name_leads_out_of_the_folder(save, location):
    refused(save(make(tensors=[outside(location=location)])), "must lie in")


def test_a_symbolic_link_to_data_is_refused(save, tmp_path):
    path = save(make(tensors=[outside(location="link.bin")]))
    (path.parent / "link.bin").symlink_to(tmp_path / "secret")
    refused(path, "behind a symbolic link")


def test_a_linked_folder_is_refused(save, tmp_path):
    path = save(make(tensors=[outside(location="up/secret")]))
    (path.parent / "up").symlink_to(tmp_path, target_is_directory=True)
    refused(path, "'up/secret': behind a symbolic link")


def test_a_hard_link_to_data_is_refused(save, tmp_path):
    # onnxruntime reads it
    path = save(make(tensors=[outside(location="hard.bin")]))
    os.link(tmp_path / "secret", path.parent / "hard.bin")
    refused(path, "2 hard links")


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_data_that_are_no_file_are_refused_and_nothing_hangs(save, kind):
    path = save(make(tensors=[outside(location="odd")]))
    (os.mkfifo if kind == "pipe" else os.mkdir)(path.parent / "odd")
    refused(path, "a folder, pipe or device")


@pytest.mark.parametrize(
    ("entries", "match"),
    [
        ({"offset": -4}, "whole number from 0 as offset; got '-4'"),
        ({"offset": "1e3"}, "whole number"),
        ({"offset": " 0"}, "whole number"),
        ({"offset": "٣"}, "whole number"),
        ({"offset": "9" * 30}, "whole number"),
        ({"offset": 4}, "must end inside its data file of 48 bytes; got offset 4, length 48"),
        ({"offset": 2**62}, "must end inside"),
        ({"length": 10**12}, r"must have 48 bytes for its shape \[3, 4\]; got 1000000000000"),
        ({"length": 44}, "must have 48 bytes"),
        ({"length": ""}, "whole number from 0 as length"),
        ({"basepath": "/etc"}, "each once at most; got 'location', 'basepath'"),
        ({"raw_data": "x"}, "each once at most"),
    ],
)
def test_a_tensor_may_only_claim_bytes_that_are_there(save, entries, match):
    refused(save(make(tensors=[outside(**entries)])), match)


def test_a_place_said_twice_is_refused(save):
    tensor = outside()
    tensor.external_data.add(key="location", value="../secret")
    refused(save(make(tensors=[tensor])), "each once at most")


def test_data_both_inside_and_outside_are_refused(save):
    tensor = outside()
    tensor.raw_data = WEIGHT.tobytes()
    refused(save(make(tensors=[tensor])), "either inside or outside")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.DEFAULT
    refused(save(make(tensors=[tensor])), "either inside or outside")
    stale = numpy_helper.from_array(WEIGHT, "w")
    stale.external_data.add(key="location", value="../secret")
    refused(save(make(tensors=[stale])), "either inside or outside")


def test_the_same_bytes_claimed_without_end_are_refused(save):
    tensors = [outside(f"w{index}") for index in range(100)]
    refused(save(make(tensors=tensors)), "must use the bytes of its data files at most 4 times")


def hidden(kind):
    """A model that reaches out from somewhere deep."""
    bad = outside(location="../secret")
    if kind == "attribute":
        return make([helper.make_node("Constant", [], ["c"], value=bad)])
    if kind == "list of tensors":
        return make([helper.make_node("Odd", [], ["c"], values=[bad], domain="some.one")])
    if kind == "sparse":
        model = make()
        indices = numpy_helper.from_array(np.arange(12), "i")
        model.graph.sparse_initializer.append(helper.make_sparse_tensor(bad, indices, [24]))
        return model
    if kind in ("subgraph", "subgraph of a subgraph"):
        branch = helper.make_graph([helper.make_node("Identity", ["w"], ["b"])], "inner", [], ends()[1:], [bad])
        if kind == "subgraph of a subgraph":
            inner = helper.make_node("If", ["x"], ["b"], then_branch=branch, else_branch=branch)
            branch = helper.make_graph([inner], "outer", [], ends()[1:])
        return make([helper.make_node("If", ["x"], ["z"], then_branch=branch, else_branch=branch)])
    constant = helper.make_node("Constant", [], ["c"], value=bad)
    if kind == "function":
        opset = [helper.make_opsetid("", 20)]
        return make(functions=[helper.make_function("f", "F", [], ["c"], [constant], opset)])
    model = make()
    info = model.training_info.add()
    info.algorithm.CopyFrom(helper.make_graph([constant], "t", [], ends()[1:]))
    return model


@pytest.mark.parametrize(
    "kind",
    ["attribute", "list of tensors", "sparse", "subgraph", "subgraph of a subgraph", "function", "training"],
)
def test_no_depth_hides_a_tensor(save, kind):
    refused(save(hidden(kind)), r"must lie inside the model's folder; got in '\.\./secret'")


def test_a_compiled_part_in_another_file_is_refused(save):
    node = helper.make_node("EPContext", ["x"], ["z"], domain="com.microsoft", embed_mode=0, ep_cache_context="../s")
    refused(save(make([node])), "must carry its compiled part inside the file")


def tensor(**fields):
    one = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2])
    for key, value in fields.items():
        getattr(one, key).extend(value) if isinstance(value, list) else setattr(one, key, value)
    return one


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        (tensor(raw_data=bytes(7)), r"must hold 8 bytes for its shape \[2\]; got 7"),
        (tensor(raw_data=bytes(9)), "must hold 8 bytes"),
        (tensor(), "must hold 2 entries"),
        (tensor(float_data=[1.0]), "must hold 2 entries"),
        (tensor(int64_data=[1, 2]), "must hold its numbers in float_data; got int64_data"),
        (tensor(raw_data=bytes(8), float_data=[1.0, 2.0]), "must hold its numbers once"),
        (tensor(data_type=999, raw_data=bytes(8)), "known element type; got type 999"),
        (tensor(data_type=0), "known element type"),
        (TensorProto(name="w", data_type=1, dims=[-1], raw_data=b""), "possible shape"),
        (TensorProto(name="w", data_type=1, dims=[2**40, 2**40], raw_data=b""), "possible shape"),
        (TensorProto(name="w", data_type=1, dims=[2**40], raw_data=bytes(8)), "must hold 4398046511104 bytes"),
        (TensorProto(name="w", data_type=8, dims=[2], string_data=[b"a"]), "must hold 2 entries"),
        (TensorProto(name="w", data_type=8, dims=[1], raw_data=b"a"), "must hold its numbers once"),
        (TensorProto(name="w", data_type=1, dims=[1], raw_data=bytes(4), segment={"begin": 0, "end": 1}), "whole"),
    ],
)
def test_a_tensor_holds_what_its_shape_says(save, bad, match):
    refused(save(make(tensors=[bad])), match)


@pytest.mark.parametrize("dtype", ["INT4", "UINT4", "FLOAT16", "BFLOAT16", "INT8", "BOOL", "COMPLEX64", "FLOAT8E5M2"])
@pytest.mark.parametrize("raw", [True, False])
def test_every_way_to_store_numbers_passes(save, dtype, raw):
    values = np.array([1, 0, 1], dtype=np.complex64 if dtype == "COMPLEX64" else np.float32)
    kind = getattr(TensorProto, dtype)
    data = helper.make_tensor("w", kind, [3], values)
    if raw and not data.HasField("raw_data"):
        data = numpy_helper.from_array(numpy_helper.to_array(data), "w")
    check_file(save(make(tensors=[data])))


def test_hostile_names_are_shown_harmless(save):
    bad = tensor(raw_data=b"")
    bad.name = "w\x1b[31m\n" + 300 * "a"
    error = refused(save(make(tensors=[bad])), "must hold 8 bytes")
    assert error.where.isprintable()
    assert len(error.where) < 150


@pytest.mark.parametrize("kind", ["symlink", "hard link", "pipe", "folder"])
def test_the_model_must_be_a_file_of_its_own(save, tmp_path, kind):
    good, odd = save(make()), tmp_path / "odd.onnx"
    if kind == "symlink":
        odd.symlink_to(good)
    elif kind == "hard link":
        os.link(good, odd)
    else:
        (os.mkfifo if kind == "pipe" else os.mkdir)(odd)
    if kind == "folder":
        with pytest.raises((FileRejected, IsADirectoryError)):
            check_file(odd)
    else:
        refused(odd, {"symlink": "a symbolic link", "hard link": "2 hard links", "pipe": "regular file"}[kind])


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no devices here")
def test_a_device_is_not_read():
    assert stat.S_ISCHR(os.stat("/dev/zero").st_mode)
    refused("/dev/zero", "must be a regular file")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        check_file(tmp_path / "gone.onnx")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a model", b"name: pipeline\n", b"\x08\x0a", bytes(100)])
def test_no_model_at_all(save, content):
    refused(save(content), "must be an ONNX model")


def test_limits_on_bytes_fields_and_depth(save):
    path = save(make(tensors=[numpy_helper.from_array(WEIGHT, "w")]))
    refused(path, "must be at most 10 bytes", limits=Limits(model_bytes=10))
    refused(path, "more than 5 fields", limits=Limits(fields=5))
    refused(path, "nest deeper than 2", limits=Limits(depth=2))
    refused(save(make(tensors=[outside()])), "at most 40 bytes of data files", limits=Limits(external_bytes=40))


def field(number, content):
    """A length-delimited protobuf field."""
    length, head = len(content), bytes([number << 3 | 2])
    while length >= 0x80:
        head, length = head + bytes([length & 0x7F | 0x80]), length >> 7
    return head + bytes([length]) + content


def test_subgraphs_nested_beyond_any_stack(save):
    graph = b""
    for _ in range(3000):
        graph = field(1, field(5, field(6, graph)))  # node, attribute, graph
    refused(save(field(7, graph)), "nest deeper than 60")


def test_a_small_file_of_very_many_nodes(save):
    assert Limits().fields == 2_000_000
    refused(save(field(7, b"\x0a\x00" * 150_000)), "more than 100000 fields", limits=Limits(fields=100_000))


def test_a_name_that_is_no_text(save):
    refused(save(field(7, field(1, field(4, b"\xff\xfe")))), "not UTF-8")


@pytest.mark.parametrize(
    "bad", [b"\x0b", b"\x0c", b"\x3f", b"\x00\x00", b"\x08" + b"\xff" * 11, b"\x3a\x7f", b"\x0d\x00"]
)
def test_bytes_that_are_no_protobuf(bad):
    with pytest.raises(wire.Unparsable):
        wire.scan(bad)


def function(name, calls):
    nodes = [helper.make_node(call, ["x"], ["y"], domain="f") for call in calls]
    return helper.make_function("f", name, ["x"], ["y"], nodes, [helper.make_opsetid("", 20)])


def calling(*functions):
    nodes = [helper.make_node(functions[0].name, ["x"], ["z"], domain="f")]
    return make(nodes, functions=functions, opsets=[("", 20), ("f", 1)])


def test_functions_that_call_themselves(save):
    refused(save(calling(function("a", ["b"]), function("b", ["a"]))), "must not call itself")


def test_functions_that_expand_without_bound(save):
    laughs = [function(f"f{at}", [f"f{at + 1}"] * 10) for at in range(30)] + [function("f30", ["Relu"])]
    refused(save(calling(*laughs)), r"at most 1000000 nodes .* got about 10\^3")


def test_functions_that_call_too_deep(save):
    chain = [function(f"f{at}", [f"f{at + 1}"]) for at in range(2000)] + [function("f2000", ["Relu"])]
    refused(save(calling(*chain)), "must call functions at most 50 deep")


def test_a_few_functions_pass(save):
    check_file(save(calling(function("a", ["b", "b"]), function("b", ["Relu"]))))


def test_a_truncated_file_is_refused_at_every_byte(save):
    data = make(tensors=[numpy_helper.from_array(WEIGHT, "w")]).SerializeToString()
    whole = save(data)
    check_file(whole)
    for length in range(len(data)):
        try:
            found = check_file(save(data[:length]))
        except FileRejected:
            continue
        # cut between two fields of the model it is whole protobuf, of a smaller model
        assert found.model.SerializeToString(deterministic=True) == data[:length]


@example([(3, 255)])
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_whatever_the_bytes_the_answer_is_a_verdict(tmp_path_factory, changes):
    folder = tmp_path_factory.getbasetemp() / "verdict"
    folder.mkdir(exist_ok=True)
    data = bytearray(make(tensors=[numpy_helper.from_array(WEIGHT, "w"), outside("v")]).SerializeToString())
    for at, value in changes:
        data[at % len(data)] = value
    (folder / "model.onnx").write_bytes(data)
    with contextlib.suppress(FileRejected):
        assert isinstance(check_file(folder / "model.onnx").model, onnx.ModelProto)


def test_an_error_crosses_process_borders():
    import pickle

    error = pickle.loads(pickle.dumps(FileRejected("here", "must be so", "that")))
    assert (error.where, error.rule, error.got) == ("here", "must be so", "that")
