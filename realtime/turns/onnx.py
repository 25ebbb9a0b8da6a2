"""onnxruntime, told to keep to itself: import it from here.

From 1.32 on it writes an id of the device into the user's cache folder and reports its use to its
maker, unless this variable is set before it is loaded. Parlour tells nobody anything.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

__all__ = ["onnxruntime"]
