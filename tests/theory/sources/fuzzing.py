"""Damage valid files of every kind and read them: refused in one line, or read right.

`python -m tests.theory.sources.fuzzing --count 10000` from a clone; the tests run a short form.
Each case has its own seed, so that one can be run again: `--first N --count 1`. What is looked
for: an error that is no `FileError`, a warning, a reading that takes more than `SECONDS`, a
process that dies, and a silent change: numbers that an independent, slow reading of the same
bytes does not have, or ids among the weights.
"""

from __future__ import annotations

import argparse
import gzip
import io
import multiprocessing
import re
import signal
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import scipy.io
import scipy.sparse

from richlazy import files
from richlazy.errors import FileError
from tests.theory.sources.reading import dense, npy, npz, stored

SECONDS = 10
IDS = (100200301, 100200302, 100200303, 100200304, 720575940629970489)
W = np.array([[1.5, 0.25, -2.0, 0.0], [0.125, 0.25, 3e-3, 7.0], [4.0, -0.5, 0.75, 2.5]])
BODY = "0,0.5,0.1\n0.3,0,0.2\n0.4,0.6,0\n"
EDGES = (
    "bodyId_pre,bodyId_post,weight\n100200301,100200302,12\n100200301,100200303,5\n"
    "100200302,100200303,7\n100200303,100200304,9\n100200304,100200301,3\n"
)


class Hang(BaseException):
    """Not an Exception, so that no reader takes it for a damaged file."""


def texts():
    rows = [[repr(x) for x in row] for row in W.tolist()]
    table = "\n".join(",".join(row) for row in rows) + "\n"
    return {
        "w.csv": table,
        "w.tsv": table.replace(",", "\t"),
        "w.txt": table.replace(",", "  "),
        "w.dat": "# two\n# comments\n" + table.replace(",", " "),
        "semi.csv": table.replace(",", ";").replace(".", ","),
        "utf16.csv": table.encode("utf-16"),
        "header.csv": "a,b,c,d\n" + table,
        "ids.csv": '"100200301","100200302","100200303"\n' + BODY,
        "pandas.csv": ",100200301,100200302,100200303\n"
        + "".join(f"10020030{k + 1},{row}\n" for k, row in enumerate(BODY.split())),
        "index.csv": "bodyId,KC1,KC2,KC3\n"
        + "".join(f"10020030{k + 1},{row}\n" for k, row in enumerate(BODY.split())),
        "spectrum.csv": "component,singular_value\n1,5\n2,3\n3,1\n",
        "edges.csv": EDGES,
        "edges.tsv": EDGES.replace(",", "\t"),
        "names.csv": 'source,target,weight,type\na,b,1.5,x\nb,c,2,y\n"c, d",a,4,z\n',
        "root.csv": "pre_root_id,post_root_id,roi,syn_count\n720575940629970489,100200301,A,4\n",
    }


def binaries():
    found = {
        "w.npy": npy(W),
        "f4.npy": npy(W.astype(np.float32)),
        "int.npy": npy(np.arange(12).reshape(3, 4)),
        "w.npz": npz(w=W),
        "sparse.npz": stored(scipy.sparse.save_npz, scipy.sparse.csr_array(W)),
        "coo.npz": stored(scipy.sparse.save_npz, scipy.sparse.coo_array(W)),
        "array.mtx": stored(scipy.io.mmwrite, W),
        "coordinate.mtx": stored(scipy.io.mmwrite, scipy.sparse.coo_array(W)),
        "w.mat": stored(scipy.io.savemat, {"W": W}),
        "packed.mat": stored(scipy.io.savemat, {"W": W}, do_compression=True),
        "four.mat": stored(scipy.io.savemat, {"W": W}, format="4"),
        "sparse.mat": stored(scipy.io.savemat, {"W": scipy.sparse.csc_array(W)}),
    }
    import networkx as nx
    import pyarrow
    import pyarrow.feather
    import pyarrow.parquet
    import safetensors.numpy

    graph = nx.DiGraph()
    graph.add_weighted_edges_from([("a", "b", 2.5), ("b", "c", 1.0), ("c", "a", 0.5)])
    found["w.graphml"] = stored(lambda out: nx.write_graphml(graph, out))
    found["w.gexf"] = stored(lambda out: nx.write_gexf(graph, out))
    table = pyarrow.table({"a": W[:, 0], "b": W[:, 1], "c": W[:, 2]})
    edges = pyarrow.table(
        {"pre_root_id": list(IDS[:3]), "post_root_id": list(IDS[1:4]), "syn_count": [5, 3, 2]}
    )
    for name, each in (("w", table), ("edges", edges)):
        found[f"{name}.parquet"] = stored(
            lambda out, each=each: pyarrow.parquet.write_table(each, out)
        )
        found[f"{name}.feather"] = stored(
            lambda out, each=each: pyarrow.feather.write_feather(each, out)
        )
    found["w.safetensors"] = safetensors.numpy.save({"w": W.astype(np.float32)})
    return found


def seeds():
    """Every valid file, text ones gzipped too."""
    found = {k: v if isinstance(v, bytes) else v.encode() for k, v in texts().items()}
    packed = {f"{name}.gz": gzip.compress(found[name], mtime=0) for name in ("w.csv", "edges.csv")}
    return found | binaries() | packed


def damaged(data, rng):
    """One to four changes: bytes, pieces, lines, delimiters, the header, the encoding."""
    data = bytearray(data)
    for _ in range(int(rng.choice([1, 1, 2, 3, 4]))):
        kind, size = int(rng.integers(11)), max(len(data), 1)
        at, end = sorted(int(k) for k in rng.integers(size, size=2))
        if kind == 0 and data:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            data = data[:end]
        elif kind == 2:
            data[at:at] = data[at : min(end, at + 40)]
        elif kind == 3:
            del data[at : min(end, at + int(rng.integers(1, 30)))]
        elif kind == 4 and data:
            data[at] = int(rng.choice(list(b'0123456789,;\t .-e\n"_NnaA#%\x00\xff')))
        elif kind == 5:
            lines = bytes(data).split(b"\n")
            k, j = (int(x) for x in rng.integers(len(lines), size=2))
            lines[k], lines[j] = lines[j], lines[k]
            data = bytearray(b"\n".join(lines))
        elif kind == 6:
            lines = bytes(data).split(b"\n")
            k = int(rng.integers(len(lines)))
            lines[k : k + int(rng.integers(2))] = [lines[k]] * int(rng.integers(3))
            data = bytearray(b"\n".join(lines))
        elif kind == 7:
            old, new = (bytes([int(b)]) for b in rng.choice(list(b",;\t ."), size=2))
            data = bytearray(bytes(data).replace(old, new, int(rng.integers(1, 30))))
        elif kind == 8:
            header, mark, rest = bytes(data).partition(b"\n")
            words = [b"pre,post,n", b"a,b,c", b"1,2,3", b"source,target", b"", b'"x","y"']
            data = bytearray(
                [words[int(rng.integers(6))], header + header][int(rng.integers(2))] + mark + rest
            )
        elif kind == 9 and data:
            data[at : at + 4] = rng.bytes(4)
        elif kind == 10:
            text = bytes(data).decode("latin-1")
            data = bytearray(text.encode(str(rng.choice(["utf-8", "utf-16", "utf-16-le"]))))
    return bytes(data)


def slow_tokens(data, name):
    """All that could be numbers in a text, in no order: a reading with nothing clever in it."""
    if name.endswith(".gz"):
        data = gzip.decompress(data)
    text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    found = Counter()
    for token in re.split(r"[;\t \r\n\"]+|,", text) + re.split(
        r"[;\t \r\n\"]+", text.replace(",", ".")
    ):
        try:
            found[float(token)] += 1
        except ValueError:
            continue
    return found


def silent_change(read, name, data):
    """What is wrong with numbers that were read, None if nothing is."""
    values = dense(read.values)
    if not np.all(np.isfinite(values)) or not np.any(values):
        return "not finite, or zero"
    one_row = read.kind == "spectrum"  # a line that is left of an edge list is a row of numbers
    if not one_row and any(float(label) in values for label in IDS):
        return "an id among the weights"
    kind = name.removesuffix(".gz").rpartition(".")[2]
    if kind in ("csv", "tsv", "txt", "dat", "mtx"):
        summed = any("added up" in note for note in read.notes)
        if read.format == "edges" or summed or b"skew" in data[:80].lower():
            return None  # sums and mirrors: compared in the tests of edge lists
        tokens = slow_tokens(data, name)
        strange = [x for x in np.unique(values[values != 0]).tolist() if not tokens[x]]
        if strange and b"pattern" not in data[:80].lower():
            return f"{strange[0]} is not in the file"
        if kind != "mtx":
            labels = sum(len(names) for names in (read.rows, read.columns) if names is not None)
            if values.size + labels > sum(tokens.values()) + labels:
                return "more numbers than the file has"
    elif kind == "npy":
        wanted = np.load(io.BytesIO(data), allow_pickle=False)
        if not np.array_equal(np.ravel(values), np.ravel(wanted)):
            return "NumPy reads other numbers"
    elif kind == "npz" and read.kind == "weights" and name == "w.npz":
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            if not np.array_equal(values, archive[archive.files[0]]):
                return "NumPy reads other numbers"
    return None


def one(number, folder, valid):
    """Run case `number`; returns its file, "read" or "refused", and what is wrong or was said."""
    rng = np.random.default_rng(number)
    name = sorted(valid)[number % len(valid)]
    data = damaged(valid[name], rng)
    path = Path(folder) / f"{number}-{name}"
    path.write_bytes(data)

    def stop(*_):
        raise Hang

    old = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            read = files.read(path)
    except FileError as error:
        text = str(error)
        bad = "\n" in text or not text.isprintable()
        return (
            name,
            "refused",
            "a message of several lines" if bad else None,
            text.partition(": ")[2],
        )
    except Hang:
        return name, "hang", f"over {SECONDS} s", ""
    except BaseException as error:
        return name, "crash", f"{type(error).__name__}: {error}", ""
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)
        path.unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the readers that ours is compared with
        try:
            return name, "read", silent_change(read, name, data), ""
        except Exception as error:
            return name, "read", f"read, but not by others: {type(error).__name__}: {error}", ""


def batch(first, count, queue):
    """Cases first ... first + count - 1, in a process of their own that may die."""
    valid = seeds()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, first + count):
            queue.put((number, *one(number, folder, valid)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--said", action="store_true", help="print what refusals said")
    options = parser.parse_args()
    counts, said, wrong = Counter(), Counter(), []
    for first in range(options.first, options.first + options.count, options.batch):
        size = min(options.batch, options.first + options.count - first)
        queue = multiprocessing.SimpleQueue()
        worker = multiprocessing.Process(target=batch, args=(first, size, queue))
        worker.start()
        done = 0
        while done < size and (worker.is_alive() or not queue.empty()):
            if queue.empty():
                worker.join(0.01)
                continue
            number, name, what, fault, text = queue.get()
            done += 1
            counts[what] += 1
            said[re.sub(r"\d+|'[^']*'", "N", text)[:110]] += 1
            if fault:
                wrong.append((number, name, what, fault))
        worker.join()
        if done < size:
            counts["died"] += 1
            wrong.append((first + done, "?", "died", f"exit code {worker.exitcode}"))
    print(", ".join(f"{what} {count}" for what, count in sorted(counts.items())))
    for fault in wrong:
        print(*fault)
    if options.said:
        for text, count in said.most_common():
            print(f"{count:6} {text}")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
