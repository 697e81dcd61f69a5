"""Tables, edge lists and Matrix Market: what is read, and what is refused at which line."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from richlazy import files, writing
from tests.theory.sources.reading import dense, message, stored

HEAD = "%%MatrixMarket matrix"


def test_column_names_are_noted(put):
    result = files.read(put("w.csv", "first,x_2\n1,2\n3,4\n"))
    np.testing.assert_array_equal(result.values, [[1, 2], [3, 4]])
    assert result.notes == ("line 1 read as column names",)
    assert files.read(put("s.csv", "singular value\n2\n1\n")).kind == "spectrum"


def test_column_numbers_that_are_written_as_values_are_values(put):
    np.testing.assert_array_equal(
        files.read(put("w.csv", "0.0,1,2\n3,4,5\n")).values, np.arange(6.0).reshape(2, 3)
    )


def test_an_edge_list_puts_post_in_rows_and_pre_in_columns(put):
    content = 'pre,post,synapses\nb,a,3\n"c, d",b,-1.5\na,a,2\nb,a,0.5\nsilent,a,0\n'
    result = files.read(put("circuit.csv", content))
    assert result.kind == "weights"
    assert result.neurons == ("a", "b", "c, d", "silent")
    expected = np.zeros((4, 4))
    expected[0, 1], expected[1, 2], expected[0, 0] = 3.5, -1.5, 2.0
    np.testing.assert_array_equal(dense(result.values), expected)
    assert result.values.nnz == 3
    assert result.notes == (
        "self-edges kept on the diagonal: 1",
        "edges of weight zero, kept only as neurons: 1",
        "repeated edges, added up: 1",
    )


@pytest.mark.parametrize("content", ["Pre,POST, n\n2,10,5\n", "pre\tpost\tn\n2\t10\t5\n"])
def test_neurons_sort_as_text_and_the_header_takes_any_case(put, content):
    result = files.read(put("e.tsv" if "\t" in content else "e.csv", content))
    assert (result.neurons, result.notes) == (("10", "2"), ())
    np.testing.assert_array_equal(dense(result.values), [[0, 5], [0, 0]])


def test_a_self_edge_of_no_weight_is_none(put):
    result = files.read(put("e.csv", "pre,post,n\na,a,0\na,b,1\nb,b,2\nb,b,-2\n"))
    assert result.notes == (
        "edges of weight zero, kept only as neurons: 1",
        "repeated edges, added up: 1",
    )


def test_one_self_edge_is_a_matrix_and_no_spectrum(put):
    result = files.read(put("e.csv", "pre,post,n\na,a,-1\n"))
    assert (result.kind, dense(result.values).tolist()) == ("weights", [[-1.0]])


@given(
    edges=st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from("cdef"), st.integers(-3, 3)),
        min_size=1,
        max_size=20,
    )
)
def test_an_edge_list_equals_its_loop(tmp_path_factory, edges):
    path = tmp_path_factory.mktemp("edges") / "e.csv"
    lines = ["pre,post,weight", *(f"{pre},{post},{weight}" for pre, post, weight in edges)]
    writing.write_text(path, "\n".join(lines))
    neurons = sorted({name for pre, post, _ in edges for name in (pre, post)})
    expected = np.zeros((len(neurons), len(neurons)))
    for pre, post, weight in edges:
        expected[neurons.index(post), neurons.index(pre)] += weight
    if not expected.any():
        assert "every entry is zero" in message(path)
        return
    result = files.read(path)
    assert result.neurons == tuple(neurons)
    np.testing.assert_array_equal(dense(result.values), expected)
    assert result.values.nnz == np.count_nonzero(expected)
    pairs = Counter((pre, post) for pre, post, _ in edges)
    repeated = sum(count - 1 for count in pairs.values())
    assert (f"repeated edges, added up: {repeated}" in result.notes) == (repeated > 0)
    own = np.count_nonzero(np.diag(expected))
    assert (f"self-edges kept on the diagonal: {own}" in result.notes) == (own > 0)


def test_repeated_entries_of_a_sparse_matrix_are_added_up(put):
    text = "%%MatrixMarket matrix coordinate real general\n2 2 3\n1 2 1\n1 2 2\n2 1 5\n"
    result = files.read(put("w.mtx", text))
    np.testing.assert_array_equal(dense(result.values), [[0, 3], [5, 0]])
    assert result.notes == ("repeated entries, added up: 1",)


@pytest.mark.parametrize("layout", ["array", "coordinate"])
@pytest.mark.parametrize(
    ("sign", "numbers"),
    [
        (0, np.float64),
        (1, np.float64),
        (-1, np.float64),
        (0, np.int64),
        (-1, np.int64),
        (1, np.uint8),
    ],
)
def test_matrix_market_agrees_with_what_scipy_writes(put, layout, sign, numbers):
    upper = np.array([[0, 3, 4], [0, 0, 5], [0, 0, 0]])
    matrix = (upper + sign * upper.T + max(sign, 0) * np.diag([1, 2, 3])).astype(numbers)
    symmetry = {0: "general", 1: "symmetric", -1: "skew-symmetric"}[sign]
    written = matrix if layout == "array" else scipy.sparse.coo_array(matrix)
    content = stored(scipy.io.mmwrite, written, symmetry=symmetry)
    assert f" {symmetry}\n".encode() in content
    values = files.read(put("w.mtx", content)).values
    assert isinstance(values, np.ndarray) == (layout == "array")
    np.testing.assert_array_equal(dense(values), matrix)


def test_matrix_market_with_more_digits_than_a_float_holds(put):
    values = [1 / 3, 2 / 3, -1e-5, np.pi]
    lines = [f"{HEAD} array real general", "2 2", *(str(Decimal(value)) for value in values)]
    assert all(len(line) > 40 for line in lines[2:])
    result = files.read(put("w.mtx", "\n".join(lines)))
    np.testing.assert_array_equal(result.values.T.ravel(), values)


def test_a_pattern_has_weights_of_one(put):
    text = "%%MatrixMarket matrix coordinate pattern symmetric\n%note\n\n3 3 2\n2 1\n3 3\n"
    values = dense(files.read(put("w.mtx", text)).values)
    np.testing.assert_array_equal(values, [[0, 1, 0], [1, 0, 0], [0, 0, 1]])


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("w.csv", "1,2\n3\n", "w.csv, line 2: must have 2 cells like line 1; it has 1"),
        ("w.csv", "a,b\n1,2\n1,2,3\n", "w.csv, line 3: must have 2 cells like line 1; it has 3"),
        ("w.csv", "1,2\n\n3,4\n", "w.csv, line 2: is blank; remove it or fill it in"),
        ("w.csv", "\n1,2\n", "w.csv, line 1: is blank"),
        ("w.csv", "a,b\n", "w.csv: holds column names and no numbers"),
        (
            "w.csv",
            "1,2\n3,x\n",
            "w.csv, line 2: 'x' is not a real number (cells are separated by commas)",
        ),
        ("w.tsv", "1\t2\n3:4\t5\n", "'3:4' is not a real number (cells are separated by tabs)"),
        ("w.csv", "1;2\n3;4;5\n", "w.csv, line 1: '1;2' is not a real number"),
        ("w.csv", "1.0x\n0.5\n", "w.csv, line 1: '1.0x' is not a real number"),
        ("w.csv", "-.5x\n0.5\n", "w.csv, line 1: '-.5x' is not a real number"),
        ("w.csv", "a,2\n3,4\n", "w.csv, line 1: 'a' is not a real number"),
        ("w.csv", "1,2\n3,\n", "w.csv, line 2: an empty cell is not a real number"),
        ("w.csv", "1,2\n3,1+2j\n", "w.csv, line 2: '1+2j' is not a real number"),
        ("w.csv", "1,2\n3,1_000\n", "w.csv, line 2: '1_000' is not a real number"),
        ("w.csv", "1,2\n3,__import__('os')\n", "line 2: \"__import__('os')\" is not a real number"),
        ("w.csv", "1,2\n3," + "y" * 99, f"line 2: '{'y' * 37}...' is not a real number"),
        ("w.csv", "1,2\n3,nan\n", "w.csv, line 2: 'nan' is not a finite number"),
        ("w.csv", "1,-inf\n3,4\n", "w.csv, line 1: '-inf' is not a finite number"),
        ("w.csv", "1,2\n3,1e999\n", "w.csv, line 2: '1e999' is not a finite number"),
        ("w.csv", "id,a,\nx,1,2\n", "w.csv, line 1: 'a' is not a real number (cells"),
        (
            "w.csv",
            "0,1,2\n5,4,3\n",
            "w.csv, line 1: 0,1,2 looks like names of columns saved as a header; say --header yes "
            "or --header no",
        ),
        ("w.csv", b"1,2\n3,\xff\n", "w.csv, line 2: is not UTF-8 text; save it as such"),
        ("w.csv", b"\x93NUMPY\x01", "w.csv, line 1: is not UTF-8 text"),
        ("w.csv", "1,2\n3,\x00\n", "w.csv, line 2: '\\x00' is not a real number"),
        ("w.csv", '1,2\n"3,4\n', "w.csv, line 2: unexpected end of data"),
        ("w.csv", "0,0\n0,0\n", "w.csv: every entry is zero; at least one must not be"),
        # edge lists
        ("e.csv", "pre,post,p,q\na,b,1,2\n", "e.csv: the weight may be 'p', 'q'; name its column"),
        ("e.csv", "pre,post,1\na,b,1\n", "it is 'pre,post,1'"),
        ("e.csv", "pre,post,\na,b,1\n", "it is 'pre,post,'"),
        ("e.csv", "pre,post,n\n", "e.csv: holds a header and no edges"),
        ("e.csv", "pre,post,n\na,b\n", "e.csv, line 2: an edge must have 3 cells; it has 2"),
        (
            "e.csv",
            "pre,post,n\na,b,1\n ,b,1\n",
            "e.csv, line 3: an edge must name two neurons; one is missing",
        ),
        ("e.csv", "pre,post,n\na,b,many\n", "e.csv, line 2: 'many' is not a real number"),
        ("e.csv", "pre,post,n\na,b,inf\n", "e.csv, line 2: 'inf' is not a finite number"),
        (
            "e.csv",
            "pre,post,n\na,b,1e308\na,b,1e308\n",
            "e.csv: entry [1, 0] is inf; it must be finite",
        ),
        ("e.csv", "pre,post,n\na,b,1\na,b,-1\n", "e.csv: every entry is zero"),
        # Matrix Market
        (
            "w.mtx",
            "1 2\n",
            "w.mtx, line 1: must be %%MatrixMarket matrix, array or coordinate, real, integer or "
            "(coordinate) pattern, general, symmetric or skew-symmetric; it is '1 2'",
        ),
        ("w.mtx", f"{HEAD} array complex general\n1 1\n1 2\n", "w.mtx, line 1: must be %%Matrix"),
        ("w.mtx", f"{HEAD} array pattern general\n1 1\n", "w.mtx, line 1: must be %%MatrixMarket"),
        ("w.mtx", "\n", "it is ''"),
        ("w.mtx", b"\xff\xff", "w.mtx, line 1: is not UTF-8 text"),
        ("w.mtx", f"{HEAD} array real general\n", "w.mtx, line 2: must be the size; it is ''"),
        (
            "w.mtx",
            f"{HEAD} array real general\n%\n2 2 4\n",
            "line 3: must be the size; it is '2,2,4'",
        ),
        (
            "w.mtx",
            f"{HEAD} array real general\n0 2\n",
            "w.mtx, line 2: must be an integer from 1 to 2147483647; it is '0'",
        ),
        ("w.mtx", f"{HEAD} array real general\n{'1' * 5000} 2\n", "it is '1111"),
        (
            "w.mtx",
            f"{HEAD} array real symmetric\n2 3\n1\n1\n1\n1\n1\n",
            "w.mtx, line 2: a symmetric matrix must be square",
        ),
        (
            "w.mtx",
            f"{HEAD} array real general\n2 2\n1\n2\n3\n",
            "w.mtx: must have 4 entries, by its line 2; it has 3",
        ),
        ("w.mtx", f"{HEAD} array real symmetric\n2 2\n1\n2\n3\n4\n", "must have 3 entries"),
        ("w.mtx", f"{HEAD} array real skew-symmetric\n2 2\n1\n2\n", "must have 1 entries"),
        ("w.mtx", f"{HEAD} coordinate real general\n2 2 9\n1 1 5\n", "must have 9 entries"),
        (
            "w.mtx",
            f"{HEAD} array real general\n2 1\n1 7\n2\n",
            "w.mtx, line 3: must have 1 cells; it has 2",
        ),
        (
            "w.mtx",
            f"{HEAD} array real general\n2 1\n1\n2n\n",
            "w.mtx, line 4: '2n' is not a real number",
        ),
        ("w.mtx", f"{HEAD} array real general\n2 1\n1\ninf\n", "'inf' is not a finite number"),
        (
            "w.mtx",
            f"{HEAD} coordinate real general\n2 2 1\n1 3 1\n",
            "w.mtx, line 3: must be an integer from 1 to 2; it is '3'",
        ),
        ("w.mtx", f"{HEAD} coordinate real general\n2 2 1\n0 1 1\n", "1 to 2; it is '0'"),
        ("w.mtx", f"{HEAD} coordinate real general\n2 2 0\n", "w.mtx: every entry is zero"),
        (
            "w.mtx",
            f"{HEAD} array real general\n2147483647 2147483647\n1\n",
            "w.mtx: must have 4611686014132420609 entries",
        ),
    ],
)
def test_a_bad_line_is_named(put, name, content, expected):
    assert expected in message(put(name, content))
