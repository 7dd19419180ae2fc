"""Which pixels and which cells of the pyramid a logit hangs on: its gradient, with the box held fixed.

To the image: the greatest magnitude of the gradient over the channels (Simonyan, Vedaldi and Zisserman 2014, "Deep
Inside Convolutional Networks", section 3). Not gradient x input: the input is normalised, so that a pixel of the
training set's mean colour would count for nothing, whatever it shows. Plain gradients pass the tests of Adebayo et
al. 2018, "Sanity Checks for Saliency Maps"; guided backpropagation does not.

To each map: gradient x activation, summed over the channels, with its sign: what each cell adds to the logit, to
first order (Shrikumar et al. 2016; Grad-CAM, Selvaraju et al. 2017, before its average over the map, which would
mix the one RoI with all that lies outside it). It is the gradient of what the head reads from that map, so that a
level which another one was made from takes no part of its share.

Shapes: `C` channels, (h, w) network frame before padding, (h_l, w_l) cells of level l. Boxes are xyxy in the
**network** frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from detector.explaining.logits import (
    Answer,
    AnyLogit,
    ClassLogit,
    ObjectnessLogit,
    network_input,
    pyramid_maps,
)
from detector.tracing.looking import looking

if TYPE_CHECKING:
    from detector.models.detector import Detector
    from detector.tracing.trace import Trace


@dataclass(frozen=True, slots=True, eq=False)
class Saliency:
    """What one logit hangs on.

    Args:
        about: the logit.
        value: the logit, computed anew.
        probability: what softmax or sigmoid makes of it.
        image: float [h, w], network frame without padding: how much the logit moves per unit of the normalised
            input, at most over the three channels; never negative.
        levels: for each map of the pyramid, by its name in the trace, float [h_l, w_l] over the padded input:
            what each cell adds to the logit (gradient x activation, summed over the channels); negative where
            it speaks against it.
    """

    about: AnyLogit
    value: float
    probability: float
    image: Tensor
    levels: Mapping[str, Tensor]

    @property
    def shares(self) -> dict[str, float]:
        """The share, 0 to 1, of each level in the magnitudes of all; zeros where there are none.

        RoIAlign pools a RoI from one level, and an anchor is judged on its own level: that one has all of it.
        """
        sums = {name: float(values.abs().sum()) for name, values in self.levels.items()}
        total = sum(sums.values())
        return {name: one / total if total > 0 else 0.0 for name, one in sums.items()}


def class_saliency(detector: Detector, trace: Trace, box: Tensor, label: int) -> Saliency:
    """What the logit of a category hangs on, for a RoI that is held fixed; no detection need exist there.

    A fresh forward of the trace's input, with gradients to the input and the maps alone: the model is left as it
    was, its parameters' gradients included.

    Args:
        detector: what the trace was captured from.
        trace: the image.
        box: float [4], network frame; any box.
        label: category, 0 (background) to K-1.

    Raises:
        ValueError: a box without area, no such category, or a model that lets no gradient through.
    """
    return saliency_of(detector, trace, ClassLogit(box, label))


def objectness_saliency(detector: Detector, trace: Trace, anchor: int) -> Saliency:
    """What the objectness of an anchor hangs on; as `class_saliency`.

    Raises:
        ValueError: no such anchor, another detector's trace, or a model that lets no gradient through.
    """
    return saliency_of(detector, trace, ObjectnessLogit(anchor))


def saliency_of(detector: Detector, trace: Trace, about: AnyLogit) -> Saliency:
    """`class_saliency` or `objectness_saliency`, by the kind of logit; raises what they raise."""
    try:
        return _saliency(detector, trace, about)
    except RuntimeError as error:  # torch's own: a layer without derivative, an overwritten tensor, no memory
        reason = str(error).strip().partition("\n")[0].partition(":")[0]
        raise ValueError(f"the gradient of this model cannot be worked out: {reason}") from error


def _saliency(detector: Detector, trace: Trace, about: AnyLogit) -> Saliency:
    model = detector.model
    with looking(model), torch.enable_grad():
        source = network_input(detector, trace)[None].requires_grad_()
        maps = pyramid_maps(model, source.clone())  # a clone: a model may write into its input
        # Cut off from one another: the coarsest map is often pooled from the one before it.
        read = {name: value.detach().requires_grad_() for name, value in maps.items()}
        answer = about.ask(model, read, trace)
        to_maps = _to_maps(answer, read)
        to_input = _to_input(maps, to_maps, source)
    height, width = trace.input.network_size
    return Saliency(
        about,
        float(answer.logit.detach()),
        float(answer.probability.detach()),
        to_input[0].abs().amax(dim=0)[:height, :width].float().cpu(),
        {name: (to_maps[name] * value.detach())[0].sum(dim=0).float().cpu() for name, value in maps.items()},
    )


def _to_maps(answer: Answer, read: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Gradient of the logit to each map that the head read, zeros where it read nothing."""
    if not answer.logit.requires_grad:
        raise ValueError(
            "the second stage or the RPN of this model runs without gradients; no saliency can be had"
        )
    gradients = torch.autograd.grad(
        answer.logit.sum(), list(read.values()), allow_unused=True, materialize_grads=True
    )
    return dict(zip(read, gradients, strict=True))


def _to_input(maps: Mapping[str, Tensor], to_maps: Mapping[str, Tensor], source: Tensor) -> Tensor:
    """The gradient carried on through the backbone, from the maps that got any of it."""
    carrying = [name for name, gradient in to_maps.items() if bool((gradient != 0).any())]
    if not carrying:
        return torch.zeros_like(source)
    if not all(maps[name].requires_grad for name in carrying):
        raise ValueError("the backbone of this model runs without gradients; no saliency can be had")
    outputs, gradients = [maps[name] for name in carrying], [to_maps[name] for name in carrying]
    return torch.autograd.grad(outputs, source, gradients, materialize_grads=True, allow_unused=True)[0]
