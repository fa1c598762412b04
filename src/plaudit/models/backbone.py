"""From a name to a model that scores: an embedded model, a local folder, or a hub id.

Every model is loaded as the family's own `...ForSequenceClassification` with one label and `problem_type: regression`,
so that transformers, vLLM and others read a saved checkpoint unchanged. A head that the files do not hold is drawn from
a named seed: normal with the family's `initializer_range` (0.02 in most), biases zero. Zero weights would make every
response tie.
"""

import json
from dataclasses import dataclass, field
from difflib import get_close_matches
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import torch

from plaudit.errors import OptionError, PlauditError
from plaudit.folders import meant, refuse_changed
from plaudit.models import embedded, foreign, template
from plaudit.models.forward import first_position, is_causal
from plaudit.models.heads.scalar import last_layer
from plaudit.models.padding import settle_padding
from plaudit.models.quiet import quiet
from plaudit.models.tokens import TokenPolicy
from plaudit.report.terminal import note
from plaudit.seeds import generator

LONGEST = 2048  # tokens, where neither the caller nor the checkpoint says
FACTS = "plaudit.json"
HEADS = ("score", "classifier")  # modules that peft's task type trains and saves by itself
SCORERS = ("RewardModel", "ForRewardModeling", "ForCausalLM")  # names under which others save a model with a head
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass
class Loaded:
    """A model with what belongs to it.

    `head`: whether its scoring head was found in the files, imported from another tool's file, or is fresh. `warnings`
    were printed already. `facts` is the checkpoint's plaudit.json ({} elsewhere). `fingerprint` names weights and
    configuration as loaded. `drawn`: modules beside the head that the files lacked (BERT's pooler), drawn as it was.
    """

    model: Any
    tokenizer: Any
    policy: TokenPolicy
    family: str
    origin: str
    head: Literal["found", "imported", "fresh"]
    fingerprint: str
    warnings: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    drawn: tuple[str, ...] = ()


def load_backbone(
    name_or_path: str | Path,
    *,
    dtype: Literal["float32", "bfloat16", "float16"] = "float32",
    seed: int = 0,
    trust_remote_code: bool = False,
    allow_pickles: bool = False,
    for_training: bool = False,
    max_length: int | None = None,
    dropout: bool = True,
    merge: bool = True,
    check_seal: bool = True,
) -> Loaded:
    """Load a model, its tokenizer and its rules of tokenising, in eval mode.

    Args:
        seed: of a head that has to be drawn.
        trust_remote_code, allow_pickles: both run code out of the files; off unless the caller trusts them.
        for_training: a head of several labels is replaced by a fresh one of one label.
        max_length: longest sequence in tokens; by default the checkpoint's own, else the model's limit up to 2,048.
        dropout: False sets every dropout of the configuration to 0.
        merge: False leaves LoRA adapters in peft's wrapper, as they were trained.
        check_seal: False lets a sealed folder pass whose files have changed; only the doctor wants that.

    Raises:
        PlauditError: nothing loadable is there, or files of a sealed folder differ from their digests.
    """
    source, origin = resolve(name_or_path)
    base, adapter = foreign.adapter_base(source)
    source = resolve(base)[0] if adapter else source
    for folder in {Path(source), adapter or Path(source)} if check_seal else ():
        if folder.is_dir():
            refuse_changed(folder)
    trust = {"trust_remote_code": trust_remote_code}
    with quiet():
        own = adapter is not None and (adapter / "tokenizer_config.json").is_file()
        tokenizer = _tokenizer(str(adapter) if own else source, trust)
        brings = adapter is not None and set(foreign.heads_of(adapter).values()) == {1}  # the base may have any head
        config, trained = _config(source, trust, for_training=for_training or brings, dropout=dropout)
        model, missing = _model(source, config, DTYPES[dtype], trust, allow_pickles)
        drawn = _draw(model, missing, source, seed)
        drawn = [name for name in drawn if not adapter or name not in foreign.saved_whole(adapter)]
        warnings = [f"its {name} was not in the files and starts at random" for name in drawn]
        model, head, more = _head(model, source, adapter, trained and not missing, allow_pickles, merge=merge)
    facts = read_facts(adapter) if adapter else {}
    padded = trained and not missing if facts else head == "found"  # ours were trained with the pad settled as here
    warnings += more + settle_padding(model, tokenizer, trained=padded)
    warnings += template.adopt(tokenizer, encoder=not is_causal(model))
    if head == "fresh" and not for_training:
        warnings.append("its files hold no scoring head; a random one is used: its scores mean nothing until trained")
    for warning in warnings:
        note(f"{origin}: {warning}")
    facts = facts or read_facts(source)
    policy = _policy(model, tokenizer, max_length, facts)
    model.name_or_path = model.config._name_or_path = origin  # adapters write it down: a name, not a machine's path
    family = model.config.model_type
    return Loaded(
        model.eval(), tokenizer, policy, family, origin, head, fingerprint(model), warnings, facts, tuple(drawn)
    )


def _head(
    model: Any, source: str, adapter: Path | None, found: bool, allow_pickles: bool, *, merge: bool
) -> tuple[Any, Literal["found", "imported", "fresh"], list[str]]:
    """The model with whatever head lies beside its weights, where it came from, and what is to be said."""
    if adapter:
        model, brought, notes = foreign.with_adapter(model, adapter)
        return model.merge_and_unload() if merge else model, "found" if brought or found else "fresh", notes
    if found:
        return model, "found", []
    values = foreign.value_head(Path(source), allow_pickles=allow_pickles)
    if values is None:
        return model, "fresh", []
    return model, "imported", foreign.put_in(values, last_layer(model))


def resolve(name_or_path: str | Path) -> tuple[str, str]:
    """(what transformers is to load, the name to remember) for an embedded model, a local folder or a hub id."""
    refuse_unknown(name_or_path)
    text = str(name_or_path)
    folder = Path(text).expanduser()
    if folder.is_dir():
        return str(folder), text
    return (str(embedded.path(text)) if text in embedded.names() else text), text


def refuse_unknown(name_or_path: str | Path) -> None:
    """Raise for a name that is no embedded model, no folder of a model, and cannot be a hub id; nothing is fetched.

    >>> refuse_unknown("minilm")
    Traceback (most recent call last):
        ...
    plaudit.errors.OptionError: unknown model 'minilm' (did you mean 'minilm-l6'?)
      see `plaudit models`
    """
    text = str(name_or_path)
    folder = Path(text).expanduser()
    if folder.is_dir():
        if not any((folder / f).is_file() for f in ("config.json", "adapter_config.json")):
            hint = meant(folder, "config.json")
            raise PlauditError(f"{text}: no model here: config.json is missing", advice=hint)
        return
    if text in embedded.names():
        return
    near = get_close_matches(text, embedded.names(), 1)
    if isinstance(name_or_path, Path) or text.startswith((".", "/", "~")) or text.count("/") > 1 or folder.exists():
        raise PlauditError(f"{text}: no such folder")
    if near and "/" not in text:
        raise OptionError([f"unknown model {text!r} (did you mean {near[0]!r}?)"], advice="see `plaudit models`")


def read_facts(folder: str | Path) -> dict[str, Any]:
    """A checkpoint's `plaudit.json`; {} where there is none.

    Raises:
        PlauditError: it is there and is not a JSON object.
    """
    path = Path(folder) / FACTS
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise PlauditError(f"{path}: not JSON: {error}") from error
    if not isinstance(found, dict):
        raise PlauditError(f"{path}: not a JSON object")
    return found


def fingerprint(model: Any) -> str:
    """Digest of configuration and weights: what a score depends on besides its text."""
    h = blake2b(digest_size=16)
    config = {k: v for k, v in model.config.to_dict().items() if k not in ("transformers_version", "_name_or_path")}
    h.update(json.dumps(config, sort_keys=True, default=str).encode())
    for name, weight in sorted(model.state_dict().items()):
        h.update(name.encode())
        h.update(weight.detach().cpu().contiguous().view(torch.uint8).numpy())
    return h.hexdigest()


def _unreadable(source: str, error: Exception) -> PlauditError:
    text = str(error)
    if "trust_remote_code" in text:
        return PlauditError(
            f"{source} brings code of its own",
            advice="pass --trust-remote-code if you trust it (trust_remote_code=True in Python)",
        )
    if Path(source).is_dir():
        return PlauditError(f"{source}: cannot be loaded: {text.splitlines()[0] if text else type(error).__name__}")
    return PlauditError(
        f"{source}: no embedded model, no local folder, and it cannot be had from the hub (offline, or no such id)",
        advice=f"embedded: {', '.join(embedded.names())}; or download it elsewhere and name its folder",
    )


def _tokenizer(source: str | Path, trust: dict[str, bool]) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(source), **trust)
    except (OSError, ValueError, KeyError, ImportError, TypeError) as error:
        raise _unreadable(str(source), error) from error


def _config(source: str, trust: dict[str, bool], *, for_training: bool, dropout: bool) -> tuple[Any, bool]:
    """The configuration with one label, and whether a head in the files, if there is one, is a scoring head."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(source, **trust)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(source, error) from error
    if config.is_encoder_decoder:
        raise PlauditError(f"{source}: encoder-decoder models are not supported", advice="use a decoder or an encoder")
    named = (config.architectures or [""])[0]
    classifier = named.endswith("ForSequenceClassification")
    if classifier and config.num_labels != 1 and not for_training:
        raise PlauditError(f"{source}: its head gives {config.num_labels} numbers per response, and one is needed")
    trained = config.num_labels == 1 if classifier else named.endswith(SCORERS) or not named
    config.num_labels, config.problem_type = 1, "regression"
    if not dropout:
        for part in {id(c): c for c in (config, config.get_text_config())}.values():
            for key, value in part.to_dict().items():
                if ("dropout" in key or "pdrop" in key) and isinstance(value, float):
                    setattr(part, key, 0.0)
    return config, trained


def _model(
    source: str, config: Any, dtype: torch.dtype, trust: dict[str, bool], allow_pickles: bool
) -> tuple[Any, list[str]]:
    """The model and the names of weights that the files do not hold."""
    from transformers import AutoModelForSequenceClassification

    try:
        model, report = AutoModelForSequenceClassification.from_pretrained(
            source, config=config, dtype=dtype, output_loading_info=True, ignore_mismatched_sizes=True,
            use_safetensors=None if allow_pickles else True, **trust,
        )  # fmt: skip
    except ValueError as error:
        if "Unrecognized configuration class" not in str(error):
            raise _unreadable(source, error) from error
        reason = f"{source}: transformers has no sequence classifier for {config.model_type!r} models"
        raise PlauditError(reason, advice="choose another model") from error
    except Exception as error:
        if Path(source).is_dir() and not allow_pickles and not list(Path(source).glob("*.safetensors")):
            raise PlauditError(
                f"{source}: no safetensors file; pickled weights can run code when they are read",
                advice="pass --allow-pickles if you trust it (allow_pickles=True in Python); "
                "`plaudit models PATH --output-dir D --allow-pickles` saves it as safetensors",
            ) from error
        raise _unreadable(source, error) from error
    odd = {k[0] if isinstance(k, tuple) else k for k in report["mismatched_keys"]}
    return model, sorted({*report["missing_keys"], *odd})


def _draw(model: Any, missing: list[str], source: str, seed: int) -> list[str]:
    """Give weights that the files lack their seeded start; only a head may be lacking. Returns what else it took.

    Raises:
        PlauditError: weights of the trunk are missing.
    """
    trunk = model.base_model_prefix + "."
    lost = [name for name in missing if name.startswith(trunk) and "pooler" not in name]
    if lost:
        more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
        raise PlauditError(
            f"{source}: weights are missing: {', '.join(lost[:3])}{more}", advice="the files are damaged"
        )
    std = getattr(model.config.get_text_config(), "initializer_range", None) or 0.02
    weights = dict(model.named_parameters())
    for name in missing:
        weight = weights.get(name)
        if weight is None:
            continue
        with torch.no_grad():
            if weight.ndim > 1:
                draw = generator(seed, f"head {name}").normal(0.0, std, tuple(weight.shape))
                weight.copy_(torch.from_numpy(draw))
            else:
                weight.fill_(1.0 if name.endswith("weight") else 0.0)
    modules = dict.fromkeys(name.removeprefix(trunk).split(".")[0] for name in missing)
    return [name for name in modules if name not in HEADS]


def _one_rope(config: Any) -> int:
    """Positions up to which one set of frequencies is used. `longrope` takes another for a whole batch as soon as one
    sequence in it is longer: a score would depend on its neighbours.
    """
    rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    if (rope.get("rope_type") or rope.get("type")) != "longrope":
        return 1 << 30
    first = rope.get("original_max_position_embeddings") or getattr(config, "original_max_position_embeddings", None)
    return int(first or 1 << 30)


def _policy(model: Any, tokenizer: Any, max_length: int | None, facts: dict[str, Any]) -> TokenPolicy:
    config = model.config.get_text_config()
    causal = is_causal(model)
    limit = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None) or 1 << 30
    limit = min(limit, _one_rope(config))
    limit = min(limit - (0 if causal else first_position(model)), tokenizer.model_max_length or 1 << 30)
    if max_length is not None and max_length > limit:
        raise OptionError([f"max_length {max_length} is beyond the model's {limit} positions"])
    own = facts.get("policy", {}).get("max_length") if isinstance(facts.get("policy"), dict) else None
    length = max_length or min(own if isinstance(own, int) and own > 0 else LONGEST, limit)
    return TokenPolicy(
        tokenizer, int(length), read="last" if causal else "first", share=causal, pad_id=config.pad_token_id
    )
