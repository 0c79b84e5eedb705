"""Check gradients written by hand against finite differences, for code of your own too.

>>> print(check_layer(MyLayer(4, 3), x, np.random.default_rng(0)))

Everything is float64, and every check works on one minibatch that you supply.
"""

from sgdni.gradcheck.layer import check_layer
from sgdni.gradcheck.loss import check_loss
from sgdni.gradcheck.report import Failure, Kink, Report
from sgdni.gradcheck.synthetic import check_synthetic

__all__ = ["Failure", "Kink", "Report", "check_layer", "check_loss", "check_synthetic"]
