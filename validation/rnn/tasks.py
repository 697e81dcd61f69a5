"""The tasks that recurrent networks are trained on: three of neurogym, and images row by row.

Every trial is one of several equally likely conditions, plus white noise of a known standard
deviation at each step and channel. neurogym makes each condition once; drawing trials from them is
left to the device that trains, which is thousands of times faster than stepping neurogym.
"""

from __future__ import annotations

import gzip
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from richlazy.errors import FileError

__all__ = ["TASKS", "Task", "load", "mnist"]

_DT = 100  # ms, a step
_HELD_OUT = 5  # one image in so many of each class is not trained on


@dataclass(frozen=True, eq=False)
class Task:
    """Trials of equal length: one of several equally likely conditions, plus white noise."""

    name: str
    inputs: NDArray[np.float32]  # (conditions, steps, channels), without noise
    noise: NDArray[np.float32]  # (steps, channels), its standard deviation in every condition
    labels: NDArray[np.int32]  # (conditions, steps)
    scored: tuple[int, ...]  # the steps whose cross-entropy counts
    decision: int  # the step at which representation and accuracy are measured
    outputs: int
    held_out: Task | None = None  # images not trained on; None where every trial is drawn anew


@dataclass(frozen=True)
class _Cognitive:
    """A neurogym task: its id there, periods in ms, and what a trial draws from which list."""

    environment: str
    timing: dict[str, int]
    drawn: dict[str, str]
    options: dict[str, Any]


_COGNITIVE = {
    "2AF": _Cognitive(
        "PerceptualDecisionMaking-v0",
        {"fixation": 0, "stimulus": 700, "delay": 0, "decision": 100},
        {"ground_truth": "choices", "coh": "cohs"},
        {},
    ),
    "DMS": _Cognitive(
        "DelayMatchSample-v0",
        {"fixation": 0, "sample": 100, "delay": 500, "test": 100, "decision": 100},
        {"ground_truth": "choices", "sample_theta": "theta"},
        {},
    ),
    "CXT": _Cognitive(
        "ContextDecisionMaking-v0",
        {"fixation": 0, "stimulus": 200, "delay": 500, "decision": 100},
        {
            "ground_truth": "choices",
            "other_choice": "choices",
            "context": "contexts",
            "coh_1": "cohs",
            "coh_2": "cohs",
        },
        {"use_expl_context": True},
    ),
}
TASKS = (*_COGNITIVE, "digits")


def load(name: str, *, legacy: bool = False) -> Task:
    """The task called `name`, one of `TASKS`.

    With `legacy`, the observations are those of neurogym 0.0.2, with which the results of
    arXiv 2310.08513 were made. There, the fixation input of 2AF and CXT is 1 until the decision,
    not in the fixation period only (which these tasks do not have), and the noise of CXT is on all
    channels in the stimulus period, not only on those of the stimuli. DMS and the digits do not
    differ.

    Raises
    ------
    ValueError
        For another name.
    ModuleNotFoundError
        Without neurogym (scikit-learn for the digits), saying how to get it.
    """
    if name not in TASKS:
        raise ValueError(f"task must be one of {', '.join(TASKS)}; it is {name!r}")
    return _digits() if name == "digits" else _cognitive(name, legacy)


def _cognitive(name: str, legacy: bool) -> Task:
    env = _environment(_COGNITIVE[name])
    drawn = _COGNITIVE[name].drawn
    lists = (getattr(env, where) for where in drawn.values())
    conditions = [dict(zip(drawn, values, strict=True)) for values in product(*lists)]

    env.rng = _Ones()
    sd = env.sigma
    noisy, _ = _trials(env, conditions)
    env.sigma = 0
    inputs, labels = _trials(env, conditions)
    noise = np.where(np.any(noisy != inputs, axis=0), sd, 0)
    if legacy and name != "DMS":
        fixation = env.observation_space.name["fixation"]
        inputs[:, : env.start_ind["decision"], fixation] = 1
        if name == "CXT":
            noise[env.start_ind["stimulus"] : env.end_ind["stimulus"]] = sd
    steps = labels.shape[1]
    return Task(
        name,
        inputs=inputs,
        noise=noise.astype(np.float32),
        labels=labels,
        scored=tuple(range(steps)),
        decision=steps - 1,
        outputs=int(env.action_space.n),
    )


class _Ones(np.random.RandomState):
    """Shows where an environment adds noise: each standard normal value drawn is 1."""

    def randn(self, *args: int) -> NDArray[np.float64]:
        return np.ones(args)


def _environment(task: _Cognitive) -> Any:
    """neurogym's environment, without the wrappers that gymnasium puts around it."""
    with warnings.catch_warnings():
        warnings.filterwarnings(  # importing Matplotlib 3.9, which neurogym asks for
            "ignore", r"'\w+' deprecated - use", DeprecationWarning, r"matplotlib\."
        )
        warnings.filterwarnings(
            "ignore", r".*creator metadata doesn't include `render_modes`", UserWarning
        )
        try:
            import neurogym
        except ModuleNotFoundError as error:
            raise _missing("the cognitive tasks", error) from None
        made = neurogym.make(task.environment, dt=_DT, timing=task.timing, **task.options)
    return made.unwrapped


def _trials(
    env: Any, conditions: Iterable[dict[str, Any]]
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Observations (conditions, steps, channels) and labels (conditions, steps)."""
    observations, labels = [], []
    for condition in conditions:
        env.new_trial(**condition)
        observations.append(env.ob)
        labels.append(env.gt)
    return np.array(observations, np.float32), np.array(labels, np.int32)


def _digits() -> Task:
    """The handwritten digits of scikit-learn: 8 steps of 8 pixels; the same split every time."""
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise _missing("the digits", error) from None
    found = load_digits()
    rng = np.random.default_rng(0)
    held_out = np.zeros(len(found.target), dtype=bool)
    for digit in range(10):
        own = rng.permutation(np.flatnonzero(found.target == digit))
        held_out[own[: round(len(own) / _HELD_OUT)]] = True
    train = found.images[~held_out], found.target[~held_out]
    test = found.images[held_out], found.target[held_out]
    return _images("digits", train, test, brightest=16)


def _missing(what: str, error: ModuleNotFoundError) -> ModuleNotFoundError:
    return ModuleNotFoundError(
        f"{what} need {error.name}: python -m pip install -c constraints-rnn.txt -e '.[rnn]'",
        name=error.name,
    )


_Labelled = tuple[NDArray[Any], NDArray[Any]]  # images (n, rows, columns) and digits (n,)


def _images(name: str, train: _Labelled, test: _Labelled, brightest: int) -> Task:
    """Images row by row, the label to be told at the last."""
    held_out: Task | None = None
    for part, (images, digits) in ((f"{name}, held out", test), (name, train)):
        steps = images.shape[1]
        held_out = Task(
            part,
            inputs=np.divide(images, np.float32(brightest), dtype=np.float32),
            noise=np.zeros(images.shape[1:], np.float32),
            labels=np.broadcast_to(digits.astype(np.int32)[:, None], images.shape[:2]),
            scored=(steps - 1,),
            decision=steps - 1,
            outputs=10,
            held_out=held_out,
        )
    assert held_out is not None
    return held_out


def mnist(path: str | Path) -> Task:
    """MNIST row by row, 28 steps of 28 pixels, from the user's own files.

    `path` is a folder with the four IDX files under their usual names (train-images-idx3-ubyte,
    train-labels-idx1-ubyte and the same with t10k, as they are or with .gz), or an .npz file that
    holds x_train, y_train, x_test and y_test.

    Raises
    ------
    FileError
        If a file is missing, damaged, or holds anything but 28 x 28 bytes and digits for each.
    """
    path = Path(path)
    if not path.exists():
        raise FileError(f"{path}: no such file or folder")
    if path.is_dir():
        train, test = (
            (_idx(path, f"{part}-images-idx3-ubyte"), _idx(path, f"{part}-labels-idx1-ubyte"))
            for part in ("train", "t10k")
        )
    else:
        train, test = _npz(path)
    for (images, digits), part in ((train, "training"), (test, "test")):
        _check(path, part, images, digits)
    return _images("MNIST", train, test, brightest=255)


def _idx(folder: Path, name: str) -> NDArray[np.uint8]:
    """The bytes of an IDX file, in the shape that its head says."""
    path = folder / name
    if not path.exists():
        path = folder / f"{name}.gz"
    try:
        with (gzip.open if path.suffix else open)(path, "rb") as handle:
            data = handle.read()
    except FileNotFoundError:
        raise FileError(f"{folder}: has no file {name} or {path.name}") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FileError(f"{path}: is not a complete gzip file ({error})") from None
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror})") from None
    dimensions = 3 if "idx3" in name else 1
    magic = bytes((0, 0, 8, dimensions))  # 8: unsigned bytes
    if data[:4] != magic:
        raise FileError(
            f"{path}: must begin with the magic number {magic.hex()} of an IDX file of bytes in "
            f"{dimensions} dimensions; it begins with {data[:4].hex() or 'nothing'}"
        )
    start = 4 + 4 * dimensions
    shape = [int.from_bytes(data[i : i + 4], "big") for i in range(4, start, 4)]
    size = start + int(np.prod(shape, dtype=object))
    if len(data) != size:
        raise FileError(f"{path}: must have {size} bytes by its head; it has {len(data)}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def _npz(path: Path) -> Sequence[_Labelled]:
    names = ("x_train", "y_train", "x_test", "y_test")
    try:
        if not zipfile.is_zipfile(path):
            raise FileError(f"{path}: must be a folder of IDX files or an .npz file")
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in names if name not in archive.files]
            if missing:
                raise FileError(f"{path}: has no array {', '.join(missing)}")
            arrays = [np.asarray(archive[name]) for name in names]
    except FileError:
        raise
    except Exception as error:  # a damaged file raises errors of many kinds, all meaning the same
        if "allow_pickle" in str(error):
            why = "holds pickled objects, which are never loaded; save arrays of numbers"
        else:
            first_line = (str(error).splitlines() or [type(error).__name__])[0]
            why = f"is not a readable .npz file ({first_line})"
        raise FileError(f"{path}: {why}") from None
    return (arrays[0], arrays[1]), (arrays[2], arrays[3])


def _check(path: Path, part: str, images: NDArray[Any], digits: NDArray[Any]) -> None:
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28) or not len(images):
        raise FileError(
            f"{path}: the {part} images must be (n, 28, 28) bytes; they are "
            f"{images.shape} of {images.dtype}"
        )
    if digits.dtype.kind not in "iu" or digits.shape != images.shape[:1]:
        raise FileError(
            f"{path}: there must be one whole number for each of the {len(images)} {part} images; "
            f"the labels are {digits.shape} of {digits.dtype}"
        )
    if np.any((digits < 0) | (digits > 9)):
        bad = digits[(digits < 0) | (digits > 9)][0]
        raise FileError(f"{path}: the {part} labels must be 0 to 9; one is {bad}")
