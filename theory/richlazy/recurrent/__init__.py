"""Linear recurrent networks: their exact gradient flow, T16 to T20 (`richlazy.recurrent`)."""

from richlazy.recurrent import limits
from richlazy.recurrent.averages import typical
from richlazy.recurrent.averages.expect import expect
from richlazy.recurrent.averages.turn import Turn, turn
from richlazy.recurrent.network import Network
from richlazy.recurrent.record import Expected, Laziness
from richlazy.recurrent.routes import modes
from richlazy.recurrent.sequences import path_length, sequence
from richlazy.recurrent.solution import Solution, State
from richlazy.recurrent.solve import predict, solve
from richlazy.recurrent.task import Task

__all__ = [
    "Expected",
    "Laziness",
    "Network",
    "Solution",
    "State",
    "Task",
    "Turn",
    "expect",
    "limits",
    "modes",
    "path_length",
    "predict",
    "sequence",
    "solve",
    "turn",
    "typical",
]
