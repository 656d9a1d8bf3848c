"""Prediction: any image in, probabilities and uncertainty out."""

from pccs.predict.predictor import Prediction, Predictor

__all__ = ["Prediction", "Predictor"]
