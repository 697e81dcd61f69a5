"""What a table is: headers, row names, edge lists, spectra; a doubt is refused with its option."""

from __future__ import annotations

import gzip
import io

import numpy as np
import pytest

from richlazy import files
from tests.theory.sources.reading import dense, message

W = [[0, 0.5, 0.1], [0.3, 0, 0.2], [0.4, 0.6, 0]]
BODY = "0,0.5,0.1\n0.3,0,0.2\n0.4,0.6,0\n"
LABELLED = "7001,0,0.5,0.1\n7002,0.3,0,0.2\n7003,0.4,0.6,0\n"
IDS = ("7001", "7002", "7003")


@pytest.mark.parametrize(
    ("text", "rows", "columns"),
    [
        ('"7001","7002","7003"\n' + BODY, None, IDS),
        ("bodyId,KC1,KC2,KC3\n" + LABELLED, IDS, ("KC1", "KC2", "KC3")),
        ("root_id,7001,7002,7003\n" + LABELLED, IDS, IDS),
        ("neuron,a,b,c\n" + LABELLED, IDS, ("a", "b", "c")),
        (",7001,7002,7003\n" + LABELLED, IDS, IDS),
        (",0,1,2\n" + LABELLED, IDS, ("0", "1", "2")),
        (",a,b,c\nx,0,0.5,0.1\ny,0.3,0,0.2\nz,0.4,0.6,0\n", ("x", "y", "z"), ("a", "b", "c")),
        ('"","7001","7002","7003"\n' + LABELLED, IDS, IDS),
        ('"7001","7002","7003"\n' + LABELLED, IDS, IDS),  # R: one name less
        ("a,b,c\n" + LABELLED, IDS, ("a", "b", "c")),
        ("x,0,0.5,0.1\ny,0.3,0,0.2\nz,0.4,0.6,0\n", ("x", "y", "z"), None),
    ],
)
def test_names_of_rows_and_columns_are_kept_and_never_weights(put, text, rows, columns):
    found = files.read(put("w.csv", text))
    np.testing.assert_array_equal(found.values, W)
    assert (found.format, found.rows, found.columns) == ("matrix", rows, columns)
    for names in (rows, columns):
        assert names is None or ", ".join(names) in found.description


@pytest.mark.parametrize(
    ("text", "option", "given"),
    [
        ("7001,7002,7003\n" + BODY, "--header yes or --header no", {"header": True}),
        ("0,1,2\n" + BODY, "--header yes or --header no", {"header": True}),
        (LABELLED, "--index yes or --index no", {"index": True}),
        ("foo,a,b,c\n" + LABELLED, "--index yes or --index no", {"index": True}),
    ],
)
def test_numbers_that_look_like_ids_are_refused_with_the_option(put, text, option, given):
    path = put("w.csv", text)
    assert option in message(path)
    np.testing.assert_array_equal(files.read(path, **given).values, W)
    other = files.read(path, **dict.fromkeys(given, False), format="matrix").values
    assert other.max() > 1


@pytest.mark.parametrize("text", ["0\n0.5\n0.25\n", "7001\n0.5\n0.25\n"])
def test_one_column_under_a_number_that_may_be_its_name(put, text):
    path = put("s.csv", text)
    assert "--header yes or --header no" in message(path)
    np.testing.assert_array_equal(files.read(path, header=True).values, [0.5, 0.25])


def test_a_first_row_of_numbers_is_numbers_and_that_is_said(put):
    found = files.read(put("w.csv", "1,2\n3,4\n"))
    np.testing.assert_array_equal(found.values, [[1, 2], [3, 4]])
    assert found.notes == ("line 1 read as numbers (--header yes: as names)",)
    assert files.read(put("w.csv", "1,2\n3,4\n"), header=True, format="matrix").values.tolist() == [
        [3, 4]
    ]


EDGES = "1,2,12\n1,3,5\n2,3,7\n"
AS_EDGES = [[0, 0, 0], [12, 0, 0], [5, 7, 0]]


@pytest.mark.parametrize(
    "header",
    [
        "pre,post,weight",
        "bodyId_pre,bodyId_post,weight",
        "pre_root_id,post_root_id,syn_count",
        "pre_pt_root_id,post_pt_root_id,n_syn",
        "source,target,weight",
        "Source,Target,Weight",
        "FROM,TO,count",
        "from_id,to_id,w",
        "presynaptic,postsynaptic,anything",
    ],
)
def test_the_header_of_an_edge_list_in_every_dialect(put, header):
    for text in (f"{header}\n{EDGES}", f"{header}\n{EDGES}".replace(",", "\t")):
        found = files.read(put("e.tsv" if "\t" in text else "e.csv", text))
        assert (found.format, found.neurons, found.notes) == ("edges", ("1", "2", "3"), ())
        np.testing.assert_array_equal(dense(found.values), AS_EDGES)


def test_columns_are_found_by_name_and_the_rest_is_named(put):
    text = "syn_count,post_root_id,neuropil,pre_root_id\n12,2,AL,1\n5,3,AL,1\n7,3,MB,2\n"
    found = files.read(put("e.csv", text))
    np.testing.assert_array_equal(dense(found.values), AS_EDGES)
    assert found.notes == ("columns left out: 'neuropil'",)


def test_without_a_column_of_weights_each_edge_weighs_one(put):
    for text in (
        "source,target\na,b\nb,c\n",
        "Source,Target,Type,Id\na,b,Directed,7\nb,c,Directed,8\n",
    ):
        found = files.read(put("e.csv", text))
        assert dense(found.values).tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
        assert "no column of weights: every edge weighs 1" in found.notes


@pytest.mark.parametrize("header", ["", "neuronA,neuronB,k\n"])
def test_two_columns_of_whole_numbers_beside_a_third_are_not_guessed(put, header):
    path = put("e.csv", header + EDGES)
    assert "say --format edges or --format matrix" in message(path)
    np.testing.assert_array_equal(dense(files.read(path, format="edges").values), AS_EDGES)
    matrix = files.read(path, format="matrix")
    np.testing.assert_array_equal(matrix.values, [[1, 2, 12], [1, 3, 5], [2, 3, 7]])


def test_a_graph_as_two_columns_behind_comments(put):
    path = put("g.txt", "# a graph\n# FromNodeId\tToNodeId\n1\t2\n2\t3\n3\t1\n")
    assert "say --format edges" in message(path)
    found = files.read(path, format="edges")
    assert dense(found.values).tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    assert found.notes[0] == "comment lines skipped: 2"


def test_names_in_two_columns_and_a_number_are_edges_and_that_is_said(put):
    found = files.read(put("e.csv", "a,b,3\nb,c,2\n"))
    assert dense(found.values).tolist() == [[0, 0, 0], [3, 0, 0], [0, 2, 0]]
    assert found.notes == ("columns 1 and 2 read as pre and post",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pre,post,n\na,b,\n", "e.csv, line 2: an empty cell is not a real number"),
        ("pre,post,n\na,,1\n", "e.csv, line 2: an edge must name two neurons; one is missing"),
        ("pre,post,n\nNA,b,1\n", "e.csv, line 2: an edge must name two neurons"),
        ("pre,post,n\n7.2E+17,7.3E+17,4\n", "line 2: '7.2E+17' is an id that has lost its digits"),
        ("pre,post,n\n0.5,b,4\n", "e.csv, line 2: '0.5' is a number and names no neuron"),
        ("bodyId,pre,post\n1,2,3\n4,5,6\n", "pre and post beside 'bodyId' may be numbers of syn"),
        ("source,target,type,n\na,b,Undirected,1\n", "has undirected edges; list each both ways"),
        ("pre,post,count,strength\na,b,1,2\n", "the weight may be 'count', 'strength'; name its"),
        ("a,b\nb,c\n", "say --header yes or --header no"),
        ("1,2,3,4\n5,6,7,8\n", "--header"),
        (",a\n,1\nx,2\n", "line 2: column 1 names the rows, and one has no name"),
        ("KC1,KC2,bodyId\n0.5,1,7001\n0.1,2,7002\n", "column 3, 'bodyId', looks like ids"),
        ("component,eigenvalue\n1,5.5\n2,3.5\n3,1.5\n", "holds squares of singular values"),
        ("PC,Variance_explained\nPC1,0.7\nPC2,0.2\n", "holds squares of singular values"),
        ("component,singular_value,share\n1,5,0.7\n2,3,0.2\n3,1,0.1\n", "beside other columns"),
        ("PC,eigenValue,percent\nPC1,5.5,70\nPC2,3.5,30\n", "'eigenValue' may be a spectrum"),
        ("0.5,0.1\n0.2,3\n7001,7002\n", "row 3 of the numbers holds whole ones far above all"),
        ("0.5,0.1,7001\n0.2,3,7002\n", "column 3 of the numbers holds whole ones far above"),
        ("a,b\n1,2,3.5\n1,3,4.5\n", "column 1 names the rows, it seems, and some names are the s"),
        ("1,5\n2,3\n3,1\n", "say --format edges or --format matrix"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(put, text, expected):
    assert expected in message(put("e.csv", text))


@pytest.mark.parametrize("name", ["component", "index", "k", "rank"])
def test_a_scree_table_is_a_spectrum(put, name):
    text = f"{name},singular_value\n1,5\n2,3\n3,1\n"
    given = {"index": True} if name == "k" else {}
    found = files.read(put("s.csv", text), **given)
    assert found.kind == "spectrum"
    np.testing.assert_array_equal(found.values, [5, 3, 1])


def test_format_decides(put):
    path = put("w.csv", "3,2,1\n")
    assert files.read(path).kind == "spectrum"
    found = files.read(path, format="matrix")
    assert (found.kind, found.values.tolist()) == ("weights", [[3, 2, 1]])
    assert "must be one row or column; the table is 2 x 2" in message(
        put("w.csv", "1.5,2\n3,4\n"), lambda path: files.read(path, format="spectrum")
    )
    with pytest.raises(ValueError, match="format must be one of"):
        files.read(path, format="edge")


def test_transpose_turns_the_matrix_and_its_names(put):
    found = files.read(put("w.csv", ",a,b\nx,1.5,2\ny,3,4\nz,5,6\n"), transpose=True)
    np.testing.assert_array_equal(found.values, [[1.5, 3, 5], [2, 4, 6]])
    assert (found.rows, found.columns) == (("a", "b"), ("x", "y", "z"))
    assert "transposed" in found.description
    path = put("e.csv", "pre,post,n\na,b,3\n")
    turned = files.read(path, transpose=True)
    np.testing.assert_array_equal(dense(turned.values), dense(files.read(path).values).T)
    assert "--transpose has no meaning for a spectrum" in message(
        put("s.csv", "3\n2\n"), lambda path: files.read(path, transpose=True)
    )


@pytest.mark.parametrize("cell", ["nan", "NaN", "NA", "", "null", "None", "N/A"])
def test_the_unknown_is_refused_or_zero_when_told(put, cell):
    path = put("w.csv", f"1.5,2\n3,{cell}\n")
    assert "line 2: " in message(path)
    assert "--missing zero" in message(path)
    found = files.read(path, missing="zero")
    np.testing.assert_array_equal(found.values, [[1.5, 2], [3, 0]])
    assert found.notes == ("missing values read as zero: 1",)


def test_an_empty_weight_is_zero_when_told(put):
    found = files.read(put("e.csv", "pre,post,n\na,b,\nb,a,2\n"), missing="zero")
    np.testing.assert_array_equal(dense(found.values), [[0, 2], [0, 0]])
    assert "missing values read as zero: 1" in found.notes


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("w.csv", "1,5;2,5\n3;4,25\n"),
        ("w.csv", "1.5;2.5\n3;4.25\n"),
        ("w.csv", "1.5\t2.5\n3\t4.25\n"),
        ("w.tsv", "1,5\t2,5\n3\t4,25\n"),
        ("w.txt", "1.5 2.5\n 3\t 4.25 \n"),
        ("w.dat", "1.5\t2.5\n3\t4.25\n"),
        ("w.txt", "1.5, 2.5\n3, 4.25\n"),
        ("w.csv", "1.5,2.5\n3,4.25\n".encode("utf-16")),
        ("w.csv.gz", gzip.compress(b"1.5,2.5\n3,4.25\n", mtime=0)),
        ("w.txt.gz", gzip.compress(b"# made by savetxt\n1.5 2.5\n3 4.25\n", mtime=0)),
    ],
)
def test_separators_decimals_encodings_and_packing(put, name, text):
    np.testing.assert_array_equal(files.read(put(name, text)).values, [[1.5, 2.5], [3, 4.25]])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.5;2,5\n3;4,25\n", "has decimal commas and points, as in '4,25' and '1.5'"),
        ("1,234;2,500\n3;4,250\n", "'1,234' may have a decimal comma or separate thousands"),
        ("1.5,2\n3,4\n".encode("utf-16-le"), "holds zero bytes, as UTF-16 without its mark does"),
        (b"1.5,2\n3,\xe9\n", "line 2: is not UTF-8 text"),
    ],
)
def test_what_is_not_plain_text_is_refused(put, text, expected):
    assert expected in message(put("w.csv", text))


def test_savetxt_is_read_back(put):
    matrix = np.random.default_rng(0).standard_normal((5, 4))
    out = io.StringIO()
    np.savetxt(out, matrix, header="five rows")
    np.testing.assert_array_equal(files.read(put("w.txt", out.getvalue())).values, matrix)


def test_integers_beyond_float64_are_said_to_be_rounded(put):
    found = files.read(put("w.csv", "9007199254740993,1.5\n1,9007199254740992\n"))
    assert found.notes == ("integers beyond 2^53 rounded to float64: 1",)
    assert found.values[0, 0] == 2.0**53


def test_ids_in_the_columns_of_a_stored_array(put, tmp_path):
    np.save(tmp_path / "e.npy", [[100200301, 100200302, 12], [100200302, 100200303, 5]])
    path = tmp_path / "e.npy"
    assert "say --format edges or --format matrix" in message(path)
    assert files.read(path, format="edges").neurons == ("100200301", "100200302", "100200303")
    assert files.read(path, format="matrix").values.shape == (2, 3)
    np.save(path, [[7001, 0.5, 0.1], [7002, 0.25, 0.3], [7003, 0.1, 0.2]])
    assert "column 1 looks like ids" in message(path)


def test_what_was_read_for_machines(put):
    record = files.read(put("e.csv", f"pre,post,n\n{EDGES}")).to_dict()
    assert record == {
        "kind": "weights",
        "format": "edges",
        "shape": [3, 3],
        "orientation": "hidden x inputs, W1[post, pre]",
        "entries": 3,
        "smallest": 5.0,
        "largest": 12.0,
        "neurons": "1, 2, 3",
        "stored": 2.0**-53,
    }


@pytest.mark.parametrize(
    ("text", "commas"), [("1,5;2\n3;4,25\n", True), ("1.5;2\n3;4.25\n", False)]
)
def test_decimal_commas_are_said(put, text, commas):
    found = files.read(put("w.csv", text))
    np.testing.assert_array_equal(found.values, [[1.5, 2.0], [3.0, 4.25]])
    assert ("decimal commas read as points" in found.notes) is commas
