"""`richlazy measure`: the measures of saved arrays, what it prints, every refusal."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import richlazy as rl
from tests.theory.cli.commands import fail, succeed

RNG = np.random.default_rng(0)
BEFORE = {
    "first": RNG.standard_normal((6, 4)).astype(np.float32),
    "bias": np.zeros(6, np.float32),
    "conv": RNG.standard_normal((2, 3, 3)),
    "readout": RNG.standard_normal((2, 6)),
}
AFTER = {
    "first": BEFORE["first"] + np.outer(np.arange(6), [1, -1, 2, 0]).astype(np.float32),
    "bias": BEFORE["bias"] + np.float32(0.5),
    "conv": BEFORE["conv"] + 1.0,
    "readout": BEFORE["readout"],
}
H0, H1 = RNG.standard_normal((2, 20, 6)) + 1.0
H1 += H0


@pytest.fixture(autouse=True)
def saved(folder):
    from safetensors.numpy import save_file

    for name, arrays in (("before", BEFORE), ("after", AFTER)):
        np.savez(f"{name}.npz", **arrays)
        save_file(arrays, f"{name}.safetensors")
    np.savez("h0.npz", hidden=H0, out=H0[:, :2])
    np.savez("h1.npz", hidden=H1, out=H1[:, :3])
    np.save("k0.npy", H0 @ H0.T)
    np.save("k1.npy", H1 @ H1.T)
    return folder


def measured(*arguments):
    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(succeed("measure", *arguments, "--json"), parse_constant=refuse)


@pytest.mark.parametrize("kind", ["npz", "safetensors"])
def test_weights_layer_by_layer_and_together(kind):
    found = measured(f"before.{kind}", f"after.{kind}")
    assert (found["before"], found["after"]) == (f"before.{kind}", f"after.{kind}")
    assert found["notes"] == []
    weights = found["weights"]
    assert set(weights["layers"]) == set(BEFORE)
    for name, layer in weights["layers"].items():
        w0, wt = BEFORE[name], AFTER[name]
        assert layer["shape"] == list(w0.shape)
        assert layer["weight_change"] == pytest.approx(rl.weight_change(w0, wt), rel=1e-14)
        relative = None if name == "bias" else rl.relative_weight_change(w0, wt)
        assert layer["relative_weight_change"] == relative
    rank = rl.change_rank(BEFORE["first"], AFTER["first"])
    assert weights["layers"]["first"]["participation_rank"] == rank.participation
    assert weights["layers"]["first"]["numerical_rank"] == rank.numerical == 1
    for name in ("bias", "conv", "readout"):  # no matrix, or no change
        assert weights["layers"][name]["participation_rank"] is None
        assert weights["layers"][name]["numerical_rank"] is None
    every = [list(arrays.values()) for arrays in (BEFORE, AFTER)]
    assert weights["all"] == {
        "weight_change": pytest.approx(rl.weight_change(*every), rel=1e-14),
        "relative_weight_change": pytest.approx(rl.relative_weight_change(*every), rel=1e-14),
    }


def test_activations_and_kernels():
    found = measured(
        *("before.npz", "after.npz"),
        *("--activations", "h0.npz", "h1.npz"),
        *("--kernel", "k0.npy", "k1.npy"),
    )
    estimate = rl.cka_estimate(H0, H1)
    assert found["activations"]["hidden"] == {
        "shape": [20, 6],
        "representation_alignment": rl.representation_alignment(H0, H1),
        "cka": estimate.value,
        "cka_standard_error": estimate.standard_error,
        "sign_similarity": rl.sign_similarity(H0, H1),
    }
    assert found["activations"]["out"]["sign_similarity"] is None  # another number of features
    assert found["activations"]["out"]["cka"] == rl.cka(H0[:, :2], H1[:, :3], debiased=True)
    assert found["kernel"] == {
        "array": {
            "shape": [20, 20],
            "kernel_alignment": rl.kernel_alignment(H0 @ H0.T, H1 @ H1.T),
            "kernel_distance": rl.kernel_distance(H0 @ H0.T, H1 @ H1.T),
        }
    }


def test_the_tables_have_the_numbers_of_the_json():
    arguments = ("before.npz", "after.npz", "--activations", "h0.npz", "h1.npz")
    found, printed = measured(*arguments), succeed("measure", *arguments)
    rows = {line.split("  ")[0]: line.split() for line in printed.splitlines() if line}
    first = found["weights"]["layers"]["first"]
    assert rows["first"][1:4] == ["6", "x", "4"]
    numbers = [first[name] for name in ("weight_change", "relative_weight_change")]
    assert [float(cell) for cell in rows["first"][4:]] == pytest.approx([*numbers, 1, 1], rel=1e-5)
    assert rows["bias"][2:] == [f"{math.sqrt(1.5):.6g}", "-", "-", "-"]
    assert rows["all layers"][2:] == [
        *(f"{value:.6g}" for value in found["weights"]["all"].values()),
        *("-", "-"),
    ]
    hidden = found["activations"]["hidden"]
    assert [float(cell) for cell in rows["hidden"][4:]] == pytest.approx(
        [value for name, value in hidden.items() if name != "shape"], rel=1e-5
    )
    assert rows["out"][-1] == "-"


def test_what_is_0_over_0_is_none():
    constant = np.ones((20, 6))
    np.savez("flat.npz", hidden=constant, out=0 * H0[:, :2])
    found = measured("before.npz", "before.npz", "--activations", "h0.npz", "flat.npz")
    assert found["weights"]["all"] == {"weight_change": 0.0, "relative_weight_change": 0.0}
    assert found["activations"]["hidden"]["representation_alignment"] > 0
    assert found["activations"]["out"]["representation_alignment"] is None
    for layer in found["activations"].values():
        assert layer["cka"] is layer["cka_standard_error"] is None
    np.save("zero.npy", np.zeros((20, 20)))
    found = measured("before.npz", "after.npz", "--kernel", "k0.npy", "zero.npy")["kernel"]["array"]
    assert found["kernel_alignment"] is found["kernel_distance"] is None
    printed = succeed("measure", "before.npz", "after.npz", "--kernel", "k0.npy", "zero.npy")
    assert printed.splitlines()[-1].split() == ["array", "20", "x", "20", "-", "-"]


def test_a_cka_may_be_known_without_its_error():
    two = np.zeros((20, 6))
    two[3:5] = H0[3:5]
    np.savez("two.npz", hidden=two, out=two[:, :2])
    found = measured("before.npz", "after.npz", "--activations", "h0.npz", "two.npz")
    hidden = found["activations"]["hidden"]
    assert hidden["cka"] == rl.cka(H0, two, debiased=True)
    assert hidden["cka_standard_error"] is None


def test_counters_are_left_out_with_a_note():
    for name, steps in (("one", 0), ("two", 10_000)):
        np.savez(f"{name}.npz", w=np.eye(2) * (1 + steps), steps=np.array(steps))
    found = measured("one.npz", "two.npz")
    assert found["notes"] == ["left out as counters: 'steps'"]
    assert found["weights"]["all"]["weight_change"] == pytest.approx(math.sqrt(2) * 1e4)
    assert succeed("measure", "one.npz", "two.npz").endswith(
        "note: left out as counters: 'steps'\n"
    )


def test_bfloat16_brings_its_own_rounding():
    rng = np.random.default_rng(1)
    w0 = rng.standard_normal((40, 30))
    wt = w0 + np.outer(rng.standard_normal(40), rng.standard_normal(30))
    for name, w in (("b0", w0), ("b1", wt)):
        bits = (w.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
        about = {"w": {"dtype": "BF16", "shape": [40, 30], "data_offsets": [0, len(bits)]}}
        header = json.dumps(about).encode()
        with open(f"{name}.safetensors", "wb") as file:
            file.write(len(header).to_bytes(8, "little") + header + bits)
    found = measured("b0.safetensors", "b1.safetensors")["weights"]["layers"]["w"]
    assert found["numerical_rank"] == 1


def test_names_have_no_power_over_the_terminal():
    np.savez("odd.npz", **{"a\x1b[31m": np.eye(2), "[bold]b": np.eye(2), "all layers": np.eye(2)})
    printed = succeed("measure", "odd.npz", "odd.npz")
    assert "\x1b" not in printed
    assert "a\\x1b[31m" in printed
    assert "[bold]b" in printed
    assert next(iter(measured("odd.npz", "odd.npz")["weights"]["layers"])) == "a\x1b[31m"


def save(name, **arrays):
    np.savez(f"{name}.npz", **{**BEFORE, **arrays})
    return f"{name}.npz"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"extra": np.eye(2)}, "layer 'extra' is in other.npz alone"),
        ({"first": np.ones((4, 6))}, "layer 'first': initial and final must have the same shapes"),
        ({"bias": np.full(6, np.nan)}, "other.npz: 'bias' must be finite; it has 6 of 6 values"),
    ],
)
def test_weights_that_do_not_belong_together(change, why):
    other = save("other", **change)
    assert why in fail("measure", "before.npz", other)
    assert why in fail("measure", other, "before.npz")


def test_activations_and_kernels_that_do_not_belong_together():
    weights = ("before.npz", "after.npz")
    np.savez("fewer.npz", hidden=H1[:-1], out=H1[:-1])
    told = fail("measure", *weights, "--activations", "h0.npz", "fewer.npz")
    assert told.startswith("layer 'hidden': initial and final must have one row per sample each")
    np.savez("three.npz", hidden=H1[:3], out=H1[:3])
    told = fail("measure", *weights, "--activations", "three.npz", "three.npz")
    assert told == "layer 'hidden': debiased CKA needs 5 samples or more here; there are 3"
    told = fail("measure", *weights, "--activations", "after.npz", "after.npz")
    assert "layer 'bias': initial must have 2 dimensions" in told
    np.save("small.npy", np.eye(3))
    told = fail("measure", *weights, "--kernel", "k0.npy", "small.npy")
    assert told.startswith("layer 'array': initial and final must be square and of one size")
    np.save("h.npy", H0[:6])
    told = fail("measure", *weights, "--kernel", "h.npy", "h.npy")
    assert "not activations" in told
    assert "layer 'hidden' is in h0.npz alone" in fail(
        "measure", *weights, "--activations", "h0.npz", "k0.npy"
    )


def test_files_that_hold_no_weights():
    assert fail("measure", "gone.npz", "after.npz") == "gone.npz: no such file"
    assert "w.csv: holds no layers by name" in fail("measure", "w.csv", "w.csv")
    assert "Missing argument 'AFTER'" in fail("measure", "before.npz")
    assert "pickled.npy: holds pickled objects" in fail("measure", "pickled.npy", "w.npy")
    assert "more than the limit of 1e-06 GB" in fail(
        "measure", "before.npz", "after.npz", "--limit", "1e-6"
    )
    assert "limit must be > 0" in fail("measure", "before.npz", "after.npz", "--limit", "0")
