"""Every option of training, typed once: flags, YAML, help and the Python call come from here."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat


class TrainOptions(BaseModel):
    """How a reward model is trained. Names follow transformers' TrainingArguments where it has them."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    tuning: Literal["full", "lora", "frozen"] = "full"
    """Which weights move: all of them, LoRA adapters and the head, or the head alone on a frozen trunk."""
    epochs: float = Field(1.0, gt=0)
    """Passes over the training preferences; may be a fraction."""
    max_steps: int = Field(0, ge=0)
    """Stop after this many optimiser steps; 0 means by epochs."""
    batch_size: int = Field(16, ge=1)
    """Preferences in one optimiser step, over all processes together."""
    batch_tokens: int = Field(4096, ge=16)
    """Token budget of one micro-batch. It changes memory and speed, never the result."""
    learning_rate: float | None = Field(None, gt=0)
    """Peak learning rate; by default 2e-5 (full), 2e-4 (lora), 1e-3 (frozen)."""
    warmup_ratio: float = Field(0.05, ge=0, lt=1)
    """Share of the steps over which the learning rate rises linearly."""
    lr_scheduler_type: Literal["cosine", "linear", "constant"] = "cosine"
    """How the learning rate falls after warm-up."""
    min_lr_ratio: float = Field(0.0, ge=0, le=1)
    """Where cosine and linear end, as a share of the peak."""
    weight_decay: float = Field(0.0, ge=0)
    """Decoupled weight decay on matrices; vectors (norms, biases) are exempt."""
    adam_beta1: float = Field(0.9, ge=0, lt=1)
    """AdamW's first decay."""
    adam_beta2: float = Field(0.999, ge=0, lt=1)
    """AdamW's second decay."""
    adam_epsilon: float = Field(1e-8, gt=0)
    """AdamW's epsilon."""
    max_grad_norm: float = Field(1.0, ge=0)
    """Clip the gradient's norm at this; 0 leaves it alone (it is measured either way)."""
    divergence_factor: float = Field(1000.0, ge=0)
    """Stop at a step whose loss is more than so many times what equal scores would pay for its rows, or what the first
    steps paid, if that is more; 0 stops only where a number is not finite."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """bfloat16 computes under autocast; weights, optimiser, head and loss stay in float32."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, an eighth more time (a third in bfloat16)."""
    dropout: bool = False
    """Use the dropout of the model's configuration; off unless asked, since it makes scores of one text differ."""
    lora_r: int = Field(16, ge=1)
    """LoRA rank."""
    lora_alpha: float = Field(32.0, gt=0)
    """LoRA scale."""
    lora_dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout before the adapters."""
    lora_targets: str = "all-linear"
    """Modules that get adapters, comma separated, or all-linear."""
    max_length: int | None = Field(None, ge=8)
    """Longest sequence in tokens; longer prompts lose their oldest turns first, and that is counted."""

    loss: Literal["bradley_terry", "rao_kupper", "davidson"] = "bradley_terry"
    """Loss of a pair."""
    list_loss: Literal["pairs", "plackett_luce"] = "pairs"
    """What becomes of ranked lists: all their pairs, or one Plackett-Luce likelihood."""
    point_loss: Literal["mse", "bce"] = "mse"
    """Loss of responses that carry a rating or a label and no rival."""
    loss_options: dict[str, FiniteFloat] = {}
    """Options of the losses chosen, as --loss-options.NAME=VALUE: top_k (plackett_luce), prior, and a (rao_kupper) or
    b (davidson), which fixes the tie parameter that is learned otherwise."""
    rating: str = ""
    """Name of the rating that pointwise rows are trained on; by default the only one there is."""
    pointwise_coefficient: float = Field(1.0, ge=0)
    """Weight of the pointwise part beside the pairwise one; 0 leaves ratings out."""
    center_rewards_coefficient: float = Field(0.0, ge=0)
    """Weight of (chosen + rejected)^2, which keeps rewards around zero; 0.01 is usual."""
    ignore_columns: bool = False
    """Train as if the files carried no target, margin and weight."""

    contrastive: Literal["none", "simcse", "swav"] = "none"
    """Contrastive regulariser beside the loss: two noisy views of each response should agree."""
    contrastive_on: Literal["pairs", "difference"] = "pairs"
    """What is viewed: the two responses of a comparison, or their difference in both directions."""
    contrastive_beta: float | None = Field(None, ge=0)
    """Weight of the regulariser; by default 1 (simcse), 0.1 (swav on pairs), 0.5 (swav on differences)."""
    contrastive_temperature: float | None = Field(None, gt=0)
    """Temperature of the regulariser; by default 0.05 (simcse), 0.1 (swav)."""
    contrastive_prototypes: int | None = Field(None, ge=2)
    """Prototypes of swav; by default 50 on pairs, 20 on differences."""
    contrastive_noise: Literal["attention", "hidden"] = "attention"
    """What the views drop: attention weights (two passes through the model), or parts of what the head reads (one).
    A model that cannot read token trees takes hidden."""
    contrastive_dropout: float = Field(0.05, ge=0, lt=1)
    """Share that a view drops."""
    meta: str = ""
    """File of response groups, labels unread, that the model should tell apart while it learns (MetaRM)."""
    meta_layout: str = ""
    """Read the meta groups in this layout instead of the one recognised; --layout is about the training files."""
    meta_eta: float = Field(0.01, ge=0)
    """Step of the ascent on the meta groups; 0 is plain training."""
    meta_order: Literal["first", "exact"] = "first"
    """Whether the descent is differentiated through the ascent: first, as the paper, or exact (second order)."""
    meta_batch_size: int = Field(0, ge=0)
    """Meta groups in one step; 0 means as many as preferences."""
    smoothing_beta: float = Field(0.0, ge=0, le=1)
    """How far each label moves towards what the model believes after every epoch; 0 leaves labels alone."""
    margin: Literal["none", "constant", "strength", "batch_mean", "confidence", "running"] = "none"
    """Margin asked of every comparison beside the one its row carries."""
    margin_scale: float = Field(1.0, ge=0)
    """Factor on that margin (of constant: the margin itself)."""
    margin_cap: float = Field(3.0, ge=0)
    """The largest such margin, either way."""
    margin_decay: float = Field(0.9, ge=0, lt=1)
    """Memory of the running margin: share of its mean that a step keeps."""

    eval: str = ""
    """File of held-out preferences; by default a share of the prompt groups is set aside."""
    held_out: float = Field(0.1, ge=0, lt=1)
    """Share of prompt groups held out (at most 1,000 groups)."""
    group_by: Literal["auto", "first_user_turn", "prompt", "group", "id"] = "auto"
    """What makes two preferences belong to one prompt group; auto: the file's group, else the first user turn."""
    eval_steps: int = Field(0, ge=0)
    """Judge the held-out preferences every so many steps; 0 means four times, and at the end."""
    save_steps: int = Field(0, ge=0)
    """Save a checkpoint every so many steps; 0 means whenever the held-out loss is the best so far, and at the end."""
    save_total_limit: int = Field(2, ge=1)
    """How many checkpoints are kept, the best and the newest always among them."""
    early_stopping_patience: int = Field(0, ge=0)
    """Stop after so many evaluations in a row without a better one; 0 means never."""
    metric_for_best_model: Literal["loss", "accuracy"] = "loss"
    """What the best checkpoint is best in, on held-out preferences: plain Bradley-Terry loss (of ratings the point
    loss; of both their sum, by the pointwise coefficient), or accuracy."""
    logging_steps: int = Field(1, ge=1)
    """Write the metrics of every so-many-th step, and of the last."""
    report_to: str = ""
    """Trackers beside metrics.jsonl, comma separated: trackio, tensorboard, wandb."""

    seed: int = 0
    """Seed of the order, the new head and dropout."""
    device: str = ""
    """cpu, cuda, cuda:1, ...; by default what accelerate finds."""
    trust_remote_code: bool = False
    """Allow code that comes with a model."""
    allow_pickles: bool = False
    """Read pickled weights and heads (pytorch_model.bin, value_head.bin); a pickle can run code when it is read."""

    def peak(self) -> float:
        """The peak learning rate after defaults."""
        return self.learning_rate or {"full": 2e-5, "lora": 2e-4, "frozen": 1e-3}[self.tuning]
