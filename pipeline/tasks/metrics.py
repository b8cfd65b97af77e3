"""Every number of quality that a task measures, by the name it has in facts and budgets. No import is heavy."""

from .metric import Metric

_ALL = (
    Metric("accuracy", "accuracy", "higher", "share", "right answers"),
    Metric("macro_f1", "macro-F1", "higher", "share", "F1 of each class, averaged over classes"),
    Metric("micro_f1", "micro-F1", "higher", "share", "F1 of all marks of all classes together"),
    Metric("ece", "calibration error", "lower", "share", "expected calibration error, 15 bins of confidence"),
    Metric("frame_accuracy", "frame accuracy", "higher", "share", "frames with the right tag"),
    Metric("segment_f1", "segment F1", "higher", "share", "F1 of runs of one tag: right tag, first and last frame"),
    Metric("mse", "MSE", "lower", "", "squared error in standard deviations of the training targets"),
    Metric("mae", "MAE", "lower", "", "absolute error; of forecasts in deviations as MSE, else in the target's unit"),
    Metric("mase", "MASE", "lower", "", "absolute error over that of the seasonal naive forecast in training"),
    Metric("smape", "sMAPE", "lower", "share", "2 |error| over |truth| + |forecast|, from 0 to 2"),
    Metric("pinball", "pinball loss", "lower", "", "of all quantiles, in standard deviations of the training targets"),
    Metric("coverage", "coverage", "higher", "share", "truths from the lowest to the highest quantile"),
    Metric("nll", "NLL", "lower", "nats", "negative log-likelihood of a token, or of all marks of a frame"),
    Metric("perplexity", "perplexity", "lower", "", "exponential of the negative log-likelihood of a token"),
    Metric("bits", "bits", "lower", "bits", "negative log-likelihood of a token to the base 2"),
    Metric("marks_accuracy", "marks accuracy", "higher", "share", "right marks over those there or said"),
    Metric("rmse", "RMSE", "lower", "", "root of the mean squared error, in the target's unit"),
    Metric("r2", "R²", "higher", "", "share of the targets' variance that is explained, at most 1"),
    Metric("auroc", "AUROC", "higher", "share", "an anomalous frame scores above a clean one"),
    Metric("auprc", "AUPRC", "higher", "share", "average precision of anomalous frames"),
    Metric("false_alarms", "false alarms", "lower", "", "clean frames above the threshold, per 1,000"),
    Metric("window_hits", "window hits", "higher", "share", "anomalous stretches with a frame above the threshold"),
    Metric("clean_error", "clean error", "lower", "", "mean score of clean frames"),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}

_MEASURED: dict[str, tuple[str, ...]] = {
    "classification": ("accuracy", "macro_f1", "ece"),
    "tagging": ("frame_accuracy", "macro_f1", "segment_f1"),
    "forecasting": ("mse", "mae", "mase", "smape", "pinball", "coverage"),
    "next-step": ("nll", "perplexity", "bits", "marks_accuracy"),
    "regression": ("rmse", "mae", "r2"),
    "anomaly": ("auroc", "auprc", "false_alarms", "window_hits"),
}
_OF_QUANTILES = ("pinball", "coverage")


def measured_by(kind: str, multilabel: bool = False, quantiles: bool = True) -> tuple[str, ...]:
    """Names of what a task measures, its own metric first.

    Of tokens there is no ``marks_accuracy``, of marks no ``perplexity`` and ``bits``: only the data can tell.

    Args:
        multilabel: several labels a sequence.
        quantiles: whether a forecast answers with quantiles; without them it has no ``pinball`` and ``coverage``.

    >>> measured_by("regression")
    ('rmse', 'mae', 'r2')
    """
    if multilabel:
        return ("micro_f1", "macro_f1", "accuracy", "ece")
    return tuple(name for name in _MEASURED[kind] if quantiles or name not in _OF_QUANTILES)
