"""A random Llama of two layers with a byte-level vocabulary of its own: for tests, and for trying the road in seconds.

Nothing is fetched. Weights come from a named seed, the vocabulary from the paragraph below, so every machine builds
the same files.
"""

from pathlib import Path

VERSION = "1"
KIND = "decoder"
PARAMETERS = 115_008
SIZE = 500_000
LICENCE = "Apache-2.0"
VOCABULARY = 640
SPECIALS = ["<|pad|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
PARAGRAPH = """
A good answer does what the question asks, says why, and stops. If the question is about cooking rice, the answer is
about cooking rice: rinse it, use one and a half cups of water for every cup, cover the pot, and wait until the water is
gone. It does not begin with a history of rice. When somebody writes "How do I fix my bike?" you should first ask what
is wrong with it; perhaps the chain came off, or the brakes make a noise. You could say: turn the bike over, look at the
wheels, and check that nothing is loose. I think that is what most people would want to know, and they would thank you
for it. Sometimes the best thing to say is "I don't know", because a wrong answer that sounds right can cost a person
their money, their time, or their health. Please be careful with numbers: 2 + 2 = 4, there are 60 minutes in an hour,
365 days in a year, and 1,000 metres in a kilometre. Sure, here are some of the things that people ask about: the
weather, their work, their friends and family, books, music, films, school, how to learn a language, which computer to
buy, where to go on holiday, and what to have for dinner. There is a list of three points. First, read the whole message
before you start. Second, answer every part of it. Third, if something is not clear, ask. That's all there is to it.
Human: Can you help me with this? Assistant: Of course! What would you like to do? user assistant system
"""


def tokenizer():
    """The tokenizer: byte-level pairs merged on the paragraph, ChatML template, pad and end mark distinct."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    bare.train_from_iterator(
        [PARAGRAPH],
        trainers.BpeTrainer(
            vocab_size=VOCABULARY, special_tokens=SPECIALS, show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )  # fmt: skip
    found = PreTrainedTokenizerFast(
        tokenizer_object=bare, pad_token="<|pad|>", eos_token="<|im_end|>", extra_special_tokens=["<|im_start|>"],
        model_max_length=4096, padding_side="right", clean_up_tokenization_spaces=False,
    )  # fmt: skip
    found.chat_template = TEMPLATE
    return found


def build(folder: Path) -> None:
    """Draw the weights and save model and tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from plaudit.models.quiet import quiet
    from plaudit.seeds import generator

    tok = tokenizer()
    config = LlamaConfig(
        vocab_size=len(tok), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=4096, initializer_range=0.1, tie_word_embeddings=True,
        pad_token_id=tok.pad_token_id, eos_token_id=tok.eos_token_id, bos_token_id=None,
    )  # fmt: skip
    with quiet():
        model = LlamaForCausalLM(config)
        with torch.no_grad():
            for i, (_, weight) in enumerate(sorted(model.named_parameters())):
                if weight.ndim > 1:
                    draw = generator(0, "tiny", i).normal(0.0, config.initializer_range, weight.shape)
                    weight.copy_(torch.from_numpy(draw).to(weight.dtype))
        tok.save_pretrained(folder)
        model.save_pretrained(folder)
