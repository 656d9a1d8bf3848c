"""Prediction: any image in, probabilities and uncertainty out."""

from pccs.predict.predictor import ModelFacts, Prediction, Predictor

__all__ = ["ModelFacts", "Prediction", "Predictor"]
