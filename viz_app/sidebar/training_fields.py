"""The fields of the Train panel: what each is called, what it does, and which values are usual."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """One number of a run's settings.

    Args:
        key: dotted, as in `config.yaml`.
        label: for people.
        help: what it does and which values are usual.
        low, high: bounds; None for no upper one.
        step: of the buttons; a whole number for counts.
        format: as `st.number_input` takes it.
        empty: what an empty field means; without it there is always a number.
    """

    key: str
    label: str
    help: str
    low: float = 0.0
    high: float | None = None
    step: float = 1
    format: str | None = None
    empty: str = ""


BASICS = (
    Field(
        "epochs", "Epochs", "Passes through all training images. 5 to 30 to fine-tune; more from scratch.", 1
    ),
    Field(
        "data.batch_size",
        "Images per step",
        "More give steadier steps and need more memory. 2 to 8 on a laptop, 8 to 16 on a GPU.",
        1,
    ),
    Field(
        "data.limit_train",
        "Images at most",
        "Only the first so many images of the training set, for a quick try.",
        1,
        empty="all",
    ),
    Field(
        "data.limit_val",
        "… for validation",
        "Only the first so many images of the validation set.",
        1,
        empty="all",
    ),
)
STEPS = (
    Field(
        "recipe.lr",
        "Learning rate",
        "How far a step goes, at its peak. AdamW: 1e-4 to fine-tune, 1e-3 from scratch. SGD: 0.005 to 0.02.",
        1e-7, 10.0, 1e-4, "%.1e",
    ),
    Field(
        "recipe.weight_decay",
        "Weight decay",
        "Pulls weights towards 0 against overfitting. 0.01 to 0.05 with AdamW, 1e-4 with SGD.",
        0.0, 10.0, 0.01, "%.4g",
    ),
    Field(
        "recipe.warmup_steps",
        "Warm-up steps",
        "The rate grows from 0 over so many steps, then falls along a cosine to 0. 100 to 1,000; too few shake "
        "the first steps.",
    ),
    Field(
        "recipe.clip_norm",
        "Gradient clip",
        "A gradient longer than this is shortened to it, so that one odd batch cannot throw the weights. Usual: 1.",
        1e-6, 1e6, 0.5, "%.3g",
    ),
    Field(
        "recipe.unfreeze_epoch",
        "Backbone rests, epochs",
        "So many epochs train the heads alone: 1 lets new heads settle first, 0 trains all from the start (right "
        "from scratch). Empty: the backbone rests for good.",
        empty="all",
    ),
    Field(
        "recipe.backbone_lr_factor",
        "Backbone's share",
        "The backbone's learning rate as a share of the heads'. 0.1 to fine-tune, 1 from scratch.",
        0.0, 10.0, 0.1, "%.3g",
    ),
)  # fmt: skip
LAMBDAS = tuple(
    Field(
        f"recipe.loss_weights.{name}",
        label,
        f"Weight of {what} in the sum. Usual: 1.",
        0.0,
        1000.0,
        0.5,
        "%.3g",
    )
    for name, label, what in (
        ("rpn_cls", "λ₁ RPN objectness", "the RPN's loss for object or background"),
        ("rpn_bbox", "λ₂ RPN box", "the RPN's loss for the boxes of its proposals"),
        ("fast_rcnn_cls", "λ₃ RoI class", "the second stage's loss for the class"),
        ("fast_rcnn_bbox", "λ₄ RoI box", "the second stage's loss for the refined boxes"),
    )
)
HEAD = (
    Field(
        "model.dropout",
        "Dropout",
        "Share of the hidden numbers of a pyramid's head that each step switches off. 0 to 0.5; 0.1 is usual.",
        0.0, 1.0, 0.05, "%.2f", "the model's own",
    ),
    Field(
        "model.hard_negative_share",
        "Hard negatives",
        "Share of a pyramid's sampled background RoIs that are the most object-like instead of drawn at random. "
        "0 to 0.5.",
        0.0, 1.0, 0.05, "%.2f", "the model's own",
    ),
)  # fmt: skip
RECORD = (
    Field(
        "probes",
        "Probe images",
        "So many validation images are looked through after every epoch, for the time machine.",
        0,
        8,
    ),
    Field(
        "trace_every",
        "X-ray every … steps",
        "Keeps what a step sampled: which anchors and RoIs, and which objects got none. 0 keeps none; 50 to 500.",
    ),
    Field(
        "checkpoint_every",
        "Checkpoint every … steps",
        "Beside the one after every epoch: what a crash loses at most. 0 for none; 200 is usual.",
    ),
    Field(
        "keep_every",
        "Keep every … epochs",
        "So often an epoch's detector stays for good, to compare it. 0 keeps the best and the last only.",
    ),
    Field(
        "patience",
        "Patience, epochs",
        "Ends the run after so many epochs without a better validation. 0 never does.",
    ),
    Field(
        "seed", "Seed", "Of weights, order, samplers and augmentation. The same seed gives the same losses."
    ),
)
