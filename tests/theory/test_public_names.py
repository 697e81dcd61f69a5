"""What `import richlazy` gives: pinned, resolvable, and free of charge."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version

import pytest

import richlazy

PUBLIC = [
    "Curriculum",
    "Expected",
    "Laziness",
    "Network",
    "Solution",
    "Task",
    "Thin",
    "__version__",
    "boundaries",
    "boundary_curves",
    "change_rank",
    "cka",
    "cka_estimate",
    "connectomes",
    "curves",
    "deep",
    "depth",
    "descent",
    "errors",
    "expect",
    "features",
    "files",
    "kernel_alignment",
    "kernel_distance",
    "kernel_speed",
    "laziest",
    "limits",
    "low_rank",
    "modes",
    "path_length",
    "predict",
    "predict_each",
    "recurrent",
    "recurrent_curves",
    "recurrent_limits",
    "relative_weight_change",
    "representation_alignment",
    "riccati",
    "runs",
    "sequence",
    "several_outputs",
    "sign_similarity",
    "solve",
    "spectrum",
    "stacks",
    "target_alignment",
    "weight_change",
]
EVERYWHERE = list(pkgutil.walk_packages(richlazy.__path__, "richlazy."))
ROOMS = sorted(module.name for module in EVERYWHERE if module.ispkg)
#: Modules of an extra that is not among those of the tests, by the library that they need.
APART = {"richlazy.runs.torch": "torch", "richlazy.runs.jax": "jax"}
MODULES = sorted(module.name for module in EVERYWHERE if not module.ispkg)


def test_the_public_names_are_pinned():
    assert dir(richlazy) == PUBLIC
    assert sorted([*richlazy.__all__, "__version__"]) == PUBLIC


def test_the_modules_of_the_recurrent_room_give_what_the_reference_lists():
    assert richlazy.recurrent.modes.__all__ == ["Mode", "geometric"]
    assert richlazy.recurrent.typical.__all__ == ["chain", "network", "tree"]
    assert richlazy.recurrent.limits.__all__ == ["Lazy", "Rich", "lazy", "rich"]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_resolves(name):
    assert getattr(richlazy, name) is not None


def test_the_version_is_the_installed_one():
    assert richlazy.__version__ == version("richlazy")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"^module 'richlazy' has no attribute 'krylow'$"):
        richlazy.krylow  # noqa: B018


@pytest.mark.parametrize("name", MODULES)
def test_every_module_lists_what_it_gives(name):
    if name in APART:
        pytest.importorskip(APART[name])
    module = import_module(name)
    assert len(set(module.__all__)) == len(module.__all__) > 0
    assert [n for n in module.__all__ if n.startswith("_") or not hasattr(module, n)] == []
    assert module.__doc__


@pytest.mark.parametrize("name", ROOMS)
def test_every_room_says_what_it_holds(name):
    assert import_module(name).__doc__


def test_import_costs_nothing():
    """A fresh interpreter: no array library is loaded until a name is used."""
    code = (
        "import json, sys; before = set(sys.modules); import richlazy; dir(richlazy);"
        "print(json.dumps(sorted({m.split('.')[0] for m in set(sys.modules) - before})))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(run.stdout))
    assert "richlazy" in loaded
    assert not loaded & {"numpy", "scipy", "matplotlib", "click", "rich"}
