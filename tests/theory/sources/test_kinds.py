"""Kinds of files beside text and NumPy's: MATLAB, graphs, Parquet and Feather, safetensors."""

from __future__ import annotations

import json
from functools import partial

import networkx
import numpy as np
import pyarrow
import pyarrow.feather
import pyarrow.parquet
import pytest
import safetensors.numpy
import scipy.io
import scipy.sparse

from richlazy import files
from tests.theory.sources.reading import dense, message, npy, npz, stored

W = np.array([[1.5, 0.0, -2.0], [0.0, 0.25, 3.0]])
TYPES = ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "?"]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("packed", [False, True])
def test_matlab_arrays_of_every_type(put, dtype, packed):
    array = np.array([[9, 0, 2, 1], [0, 5, 1, 3], [8, 1, 0, 4]]).astype(dtype)
    content = stored(scipy.io.savemat, {"W": array}, do_compression=packed)
    found = files.read(put("w.mat", content))
    np.testing.assert_array_equal(found.values, array)
    assert found.stored == (2.0**-24 if dtype == "f4" else 2.0**-53)


@pytest.mark.parametrize("packed", [False, True])
def test_matlab_sparse_arrays(put, packed):
    matrix = scipy.sparse.random_array((40, 30), density=0.1, rng=np.random.default_rng(0))
    content = stored(scipy.io.savemat, {"W": matrix.tocsc()}, do_compression=packed)
    np.testing.assert_array_equal(dense(files.read(put("w.mat", content)).values), matrix.toarray())


def test_matlab_version_4(put):
    content = stored(scipy.io.savemat, {"W": W}, format="4")
    np.testing.assert_array_equal(files.read(put("w.mat", content)).values, W)


def test_one_array_of_several_by_its_name(put, tmp_path):
    others = {"V": np.eye(2), "text": "hello", "record": {"x": 1}}
    safetensors.numpy.save_file({"W": W, "V": np.eye(2)}, tmp_path / "w.safetensors")
    for name, content in (
        ("w.mat", stored(scipy.io.savemat, {"W": W, **others})),
        ("w.npz", npz(W=W, V=np.eye(2))),
        ("w.safetensors", (tmp_path / "w.safetensors").read_bytes()),
    ):
        path = put(name, content)
        assert "or have one named as FILE:NAME; it holds 2, named [" in message(path)
        found = files.read(f"{path}:W")
        np.testing.assert_array_equal(found.values, W)
        assert found.name == "w"
        assert "holds no array named 'X'; it holds 2" in message(f"{path}:X")
    path = put("w.csv", "1.5,2\n3,4\n")
    assert "holds no arrays by name; leave out :W" in message(f"{path}:W")


def test_matlab_7_3_and_complex(put):
    assert "save('w.mat', 'W', '-v7')" in message(put("w.mat", b"MATLAB 7.3 MAT-file" + bytes(600)))
    complex_ = stored(scipy.io.savemat, {"W": W * 1j})
    assert "must hold real numbers" in message(put("w.mat", complex_))


@pytest.mark.parametrize("kind", ["graphml", "gexf"])
def test_graphs(put, kind):
    graph = networkx.DiGraph()
    graph.add_weighted_edges_from([("a", "b", 2.5), ("b", "c", 1.0)])
    write = getattr(networkx, f"write_{kind}")
    found = files.read(put(f"g.{kind}", stored(lambda out: write(graph, out))))
    assert (found.format, found.neurons) == ("edges", ("a", "b", "c"))
    np.testing.assert_array_equal(dense(found.values), [[0, 0, 0], [2.5, 0, 0], [0, 1, 0]])
    undirected = networkx.Graph([(1, 2), (2, 2)])
    undirected.add_node(7)
    found = files.read(put(f"g.{kind}", stored(lambda out: write(undirected, out))))
    np.testing.assert_array_equal(dense(found.values), [[0, 1], [1, 1]])
    assert "undirected edges read both ways" in found.notes
    assert "no column of weights: every edge weighs 1" in found.notes
    assert "nodes without edges, left out: 1" in found.notes


def test_entities_of_xml_are_not_read(put):
    bomb = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "b">]><graphml/>'
    assert "has a document type or entities" in message(put("g.graphml", bomb))
    assert "has a document type" in message(put("g.gexf", bomb.encode("utf-16")))


WRITERS = {"parquet": pyarrow.parquet.write_table, "feather": pyarrow.feather.write_feather}


def written(kind, columns):
    return stored(lambda out: WRITERS[kind](pyarrow.table(columns), out))


@pytest.mark.parametrize("kind", WRITERS)
def test_tables_of_columns(put, kind):
    single = {"a": W[0].astype(np.float32), "b": W[1].astype(np.float32)}
    found = files.read(put(f"w.{kind}", written(kind, single)))
    np.testing.assert_array_equal(found.values, W.T)
    assert (found.columns, found.stored) == (("a", "b"), 2.0**-24)
    ids = [720575940629970489, 720575940629970490]
    edges = {"pre_root_id": ids, "post_root_id": ids[::-1], "syn_count": [5, 3]}
    found = files.read(put(f"e.{kind}", written(kind, edges)))
    assert found.neurons == tuple(map(str, ids))
    np.testing.assert_array_equal(dense(found.values), [[0, 3], [5, 0]])
    floats = edges | {"pre_root_id": np.array(ids, dtype=float)}
    assert "stores ids as floats" in message(put(f"e.{kind}", written(kind, floats)))
    labelled = {"bodyId": [7001, 7002], "x": [0.5, 1.0], "y": [0.25, 2.0]}
    found = files.read(put(f"w.{kind}", written(kind, labelled)))
    assert found.rows == ("7001", "7002")
    np.testing.assert_array_equal(found.values, [[0.5, 0.25], [1, 2]])
    gaps = {"x": [0.5, None], "y": [0.25, 2.0]}
    path = put(f"w.{kind}", written(kind, gaps))
    assert "--missing zero" in message(path)
    assert files.read(path, missing="zero").values[1, 0] == 0


def pandas_table(kind, columns, index):
    """As pandas writes it: the metadata name the columns that are an index."""
    about = {b"pandas": json.dumps({"index_columns": index}).encode()}
    table = pyarrow.table(columns).replace_schema_metadata(about)
    return stored(lambda out: WRITERS[kind](table, out))


@pytest.mark.parametrize("kind", WRITERS)
def test_one_stored_index_names_the_rows(put, kind):
    columns = {"x": [0.5, 1.0], "y": [0.25, 2.0], "cell": ["KC1", "KC2"]}
    path = put(f"w.{kind}", pandas_table(kind, columns, ["cell"]))
    found = files.read(path)
    assert (found.rows, found.columns) == (("KC1", "KC2"), ("x", "y"))
    np.testing.assert_array_equal(found.values, [[0.5, 0.25], [1, 2]])
    assert "the stored index read as row names" in found.notes
    range_index = [{"kind": "range", "start": 0, "stop": 2, "step": 1}]
    numbered = {name: columns[name] for name in "xy"}
    found = files.read(put(f"n.{kind}", pandas_table(kind, numbered, range_index)))
    assert (found.rows, found.columns) == (None, ("x", "y"))
    both = put(f"b.{kind}", pandas_table(kind, columns | {"side": ["L", "R"]}, ["cell", "side"]))
    assert "must have one index at most" in message(both)
    for empty, word in ((columns, "rows"), ({}, "rows"), ({"cell": ["a", "b"]}, "columns")):
        table = {name: v if word == "columns" else v[:0] for name, v in empty.items()}
        path = put(f"e.{kind}", pandas_table(kind, table, ["cell"] if word == "columns" else []))
        assert f"holds no {word}" in message(path)


@pytest.mark.parametrize(("dtype", "held"), [(np.float64, 2**53 - 1), (np.float32, 2**24 - 1)])
def test_ids_that_floats_may_have_rounded_are_refused(put, dtype, held):
    """2^53 is what float64 makes of 2^53 + 1 too, and float32 has such pairs from 2^24 on."""
    for largest, kept in ((held, True), (held + 1, False)):
        ids = np.array([1, largest]).astype(dtype)
        edges = {"pre_root_id": ids, "post_root_id": [7, 8], "syn_count": [5, 3]}
        table = put("e.parquet", written("parquet", edges))
        array = put("e.npy", npy(np.array([[1, 7, 5], [largest, 8, 3]], dtype=dtype)))
        if kept:
            assert set(files.read(table).neurons) == {"1", "7", "8", str(held)}
            assert set(files.read(array, format="edges").neurons) == {"1", "7", "8", str(held)}
        else:
            assert "stores ids as floats" in message(table)
            edges_of = partial(files.read, format="edges")
            assert "stores ids as floats" in message(array, edges_of)


@pytest.mark.parametrize(("largest", "kept"), [(2**53 - 1, True), (2**53 + 1, False)])
def test_integers_with_gaps_are_read_where_floats_hold_them(put, largest, kept):
    path = put("w.parquet", written("parquet", {"x": [largest, None], "y": [1.0, 2.0]}))
    read = partial(files.read, missing="zero", format="matrix")
    if kept:
        assert read(path).values[0, 0] == largest
    else:
        assert "missing values among large integers" in message(path, read)


def test_safetensors_of_every_width(put):
    for dtype, unit in ((np.float64, 2.0**-53), (np.float32, 2.0**-24), (np.float16, 2.0**-11)):
        found = files.read(put("w.safetensors", safetensors.numpy.save({"w": W.astype(dtype)})))
        np.testing.assert_array_equal(found.values, W)
        assert found.stored == unit
    for kind in "iu":
        for size in (1, 2, 4, 8):
            whole = np.array([[0, 1, 2], [3, 120, 7]], dtype=f"{kind}{size}")
            found = files.read(put("w.safetensors", safetensors.numpy.save({"w": whole})))
            np.testing.assert_array_equal(found.values, whole)
            assert found.stored == 2.0**-53
    # bfloat16: the upper halves of float32, which hold these values exactly.
    upper = (W.astype("<f4").view("<u4") >> 16).astype("<u2")
    head = b'{"w":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}}'
    raw = len(head).to_bytes(8, "little") + head + upper.tobytes()
    found = files.read(put("w.safetensors", raw))
    np.testing.assert_array_equal(found.values, W)
    assert found.stored == 2.0**-8


@pytest.mark.parametrize("suffix", ["pt", "pth", "pkl", "pickle"])
def test_a_pickle_is_not_opened_and_one_line_says_how_to_convert(put, suffix):
    text = message(put(f"w.{suffix}", b"cos\nsystem\n(S'exit 1'\ntR."))
    assert "which can run code when it is opened, so it is not" in text
    assert "np.save('w.npy'" in text


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("g.graphml", "networkx", "graphs"),
        ("w.parquet", "pyarrow", "tables"),
        ("w.feather", "pyarrow", "tables"),
        ("w.safetensors", "safetensors", "tensors"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(put, monkeypatch, name, package, extra):
    monkeypatch.setattr("richlazy.sources.formats.import_module", _without(package))
    assert message(put(name, b"x" * 100)) == (
        f"{name}: needs the package {package}; install it: pip install 'richlazy[{extra}]'"
    )


def _without(package):
    from importlib import import_module

    def load(module):
        if module.partition(".")[0] == package:
            raise ImportError(module)
        return import_module(module)

    return load


def test_options_that_mean_nothing_are_refused(put):
    path = put("w.npy", npy(W))
    for option in ("header", "index"):
        text = message(path, lambda path, option=option: files.read(path, **{option: True}))
        assert f"--{option} has no meaning for .npy" in text
    npz_ = put("s.npz", stored(scipy.sparse.save_npz, scipy.sparse.csr_array(W)))
    text = message(npz_, lambda path: files.read(path, format="edges"))
    assert "holds a sparse matrix; --format edges is for tables" in text
