"""What a package of bioimage.io says to people: from what the model's file knows, and nothing else."""

from __future__ import annotations

from pccs.nets import ModelFacts
from pccs.nets.model_file import Measured, Origin


def read_me(facts: ModelFacts, origin: Origin) -> str:
    """``README.md`` of the package."""
    classes = "".join(f"| {k} | {cell(one.name)} | {one.export} |\n" for k, one in enumerate(facts.classes))
    return (
        f"# Segmentation model of {cell(origin.project) or 'a project'}\n\n"
        f"A U-Net, trained half-supervised with {origin.program or 'napari-pccs'}"
        f"{_run(origin)}. It takes 2D images of {facts.channels} channel{'s' * (facts.channels > 1)}, and "
        "gives the probability of each class at each pixel.\n\n"
        f"| channel | class | mask value |\n| --- | --- | --- |\n{classes}\n"
        f"## Trained on\n\n{_trained_on(origin)}\n\n"
        f"## Images\n\n{_images(facts, origin)}\n\n"
        "Large images go through in parts: each part should bring the margin of the description (*halo*) "
        "on every side. The network normalises by what it sees, so that parts of very different content may "
        "meet visibly; napari-pccs settles that once for the whole image.\n\n"
        f"## Validation\n\n{_measured(origin.measured)}\n\n"
        "To validate it on images of your own: annotate some of them completely, compute Dice of each class, "
        "and look at the worst.\n\n"
        "The test tensors and the cover are of a made-up image, so that no picture of the project goes out.\n"
    )


def _run(origin: Origin) -> str:
    return f" (run {cell(origin.run)}, step {origin.step})" if origin.run else ""


def _trained_on(origin: Origin) -> str:
    if not origin.images:
        return "Its file does not say."
    said = (
        f"{origin.images:,} image planes, {origin.annotated:,} of them annotated, "
        f"{origin.complete:,} completely."
    )
    begun = "".join(f"\n- {cell(one.file)}, `{one.digest}`" for one in origin.ancestors)
    return f"{said}\n\nIt began with:\n{begun}" if begun else said


def _images(facts: ModelFacts, origin: Origin) -> str:
    if facts.pixel_mm is not None:
        high, wide = (f"{1000 * side / facts.scale:.4g}" for side in facts.pixel_mm)
        size = f"Bring images to pixels of {high} × {wide} µm (height × width)"
    elif facts.scale != 1:
        size = f"Resize images by the factor {facts.scale:.4g}"
    else:
        size = "Images keep their size"
    prepared = (
        f"values are cut off at {origin.window[0]:g} and {origin.window[1]:g}"
        if origin.window is not None
        else "values are cut off at the 0.5th and 99.5th percentile of the image, then brought to mean 0 and "
        "standard deviation 1; of three channels all together, else of each"
    )
    numbers = ", ".join(map(str, origin.channels))
    chosen = f" Of the stored channels it takes {numbers}." if numbers else ""
    return f"{size}, and pad them at the end to steps of 16 pixels. In the description: {prepared}.{chosen}"


def _measured(measured: Measured | None) -> str:
    if measured is None:
        return "Nothing was measured."
    error = f" ± {measured.error:.3f} (standard error over images)" if measured.error is not None else ""
    rows = "".join(f"| {cell(name)} | {dice:.3f} |\n" for name, dice in measured.per_class.items())
    table = f"\n\n| class | Dice |\n| --- | --- |\n{rows}" if rows else ""
    return (
        f"Dice {measured.dice:.3f}{error} on annotated places of {measured.items} images that were kept out "
        f"of training, at step {measured.step}. These are figures of that project's images; of others "
        f"nothing is known.{table}"
    )


def cell(text: str) -> str:
    """Text that stays one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")
