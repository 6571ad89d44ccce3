"""Training by gradient descent and SGD: `train` for one problem, `train_many` for many small ones at once."""

from .batch import Batch, train_many
from .checkpoints import jacobian_extremes
from .driver import State, train
from .trajectory import Checkpoint, Trajectory

__all__ = ["Batch", "Checkpoint", "State", "Trajectory", "jacobian_extremes", "train", "train_many"]
