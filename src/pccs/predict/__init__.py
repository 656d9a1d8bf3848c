"""Prediction: any image in, probabilities and uncertainty out."""

from pccs.predict.prediction import Prediction, Seen
from pccs.predict.predictor import Predictor

__all__ = ["Prediction", "Predictor", "Seen"]
