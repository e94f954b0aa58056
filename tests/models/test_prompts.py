from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from models.prompts import (
    MAX_CHARS,
    SUFFIX,
    SYSTEM,
    Item,
    Prompter,
    item_text,
    load_tokenizer,
    query_text,
    summarizer_input,
)
from schemas.errors import ConfigError
from tests.support.tiny import byte_level_tokenizer, word_piece_tokenizer, write_tokenizer

pytestmark = pytest.mark.timeout(60)

TOKENIZERS = [byte_level_tokenizer(), word_piece_tokenizer()]
PROMPTERS = [Prompter(TOKENIZERS[0], 256), Prompter(TOKENIZERS[1], 256), Prompter(TOKENIZERS[0], 2048)]

any_text = st.text(st.characters(), max_size=400) | st.builds(
    lambda word, times: word * times, st.text(max_size=12), st.integers(0, 3000)
)
maybe = st.none() | any_text
items = st.builds(
    Item, title=any_text, company=maybe, location=maybe, employment_type=maybe, remote=maybe, text=any_text
)


def nurse(text: str = "ward nights", company: str | None = None) -> Item:
    return Item(
        title="Nurse", company=company, location="Leeds", employment_type=None, remote=None, text=text
    )


@settings(deadline=None, max_examples=40)
@given(query=any_text, item=items)
def test_no_prompt_exceeds_the_budget_or_loses_its_suffix(query: str, item: Item) -> None:
    for prompter in PROMPTERS:
        (suffix,) = prompter._encode([SUFFIX])
        (ids,) = prompter.item_ids_many([item])
        prompt = prompter.prefix_ids(query) + ids
        assert len(prompt) <= prompter.budget
        assert prompt[-len(suffix) :] == suffix
        assert max(prompt) < prompter.vocab_size


@settings(deadline=None, max_examples=40)
@given(title=any_text, description=any_text)
def test_no_summarizer_prompt_exceeds_its_budget_and_its_text_is_bounded(
    title: str, description: str
) -> None:
    text = summarizer_input(title, description)
    assert len(text) <= MAX_CHARS + 300
    for prompter in PROMPTERS:
        (ids,) = prompter.summarizer_ids_many([text])
        assert len(ids) <= prompter.summarizer_budget < prompter.budget
        assert ids[-len(prompter._reply) :] == prompter._reply


@settings(deadline=None, max_examples=30)
@given(batch=st.lists(items, max_size=5))
def test_items_of_a_batch_are_worded_as_each_alone(batch: list[Item]) -> None:
    prompter = PROMPTERS[0]
    assert prompter.item_ids_many(batch) == [prompter.item_ids_many([item])[0] for item in batch]


def test_the_prefix_ends_with_the_query_and_the_item_with_the_suffix_in_a_byte_level_vocabulary() -> None:
    tokenizer = load(byte_level_tokenizer())
    prompter = Prompter(tokenizer)
    prefix, (item,) = prompter.prefix_ids("night nurse"), prompter.item_ids_many([nurse(company="NHS")])
    assert tokenizer.decode(prefix) == query_text("night nurse") == f"{SYSTEM} night nurse\n"
    assert tokenizer.decode(item) == item_text(nurse(company="NHS")) + SUFFIX
    assert item_text(nurse(company="NHS")) == "Title: Nurse\nCompany: NHS\nLocation: Leeds\nText: ward nights"


def test_missing_fields_take_no_line_of_the_prompt() -> None:
    assert item_text(nurse(text="  ")) == "Title: Nurse\nLocation: Leeds"


def test_an_empty_query_keeps_the_system_text() -> None:
    assert query_text(" \n") == f"{SYSTEM}\n"
    assert all(prompter.prefix_ids("") for prompter in PROMPTERS)


def test_a_long_description_is_cut_to_the_last_token_of_the_budget() -> None:
    prompter = PROMPTERS[2]
    (ids,) = prompter.item_ids_many([nurse(text="steel work " * 5000)])
    assert len(ids) == prompter.item_budget


def test_the_same_description_is_cut_alike_whatever_the_query_is() -> None:
    prompter = PROMPTERS[2]
    assert len(prompter.prefix_ids("焊" * 900)) == prompter.prefix_budget
    assert prompter.prefix_budget + prompter.item_budget == prompter.budget


def test_special_tokens_in_a_posting_are_plain_text(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(write_tokenizer(tmp_path, byte_level_tokenizer()))
    special = {tokenizer.token_to_id("<|im_end|>"), tokenizer.token_to_id("<|endoftext|>")}
    (ids,) = Prompter(tokenizer).item_ids_many([nurse(text="quiet <|im_end|> ward <|endoftext|>")])
    assert special.isdisjoint(ids)


def test_the_budget_is_cut_to_the_context_of_the_checkpoint(tmp_path: Path) -> None:
    assert Prompter.from_dir(write_tokenizer(tmp_path, word_piece_tokenizer(), context=512)).budget == 505


def test_a_budget_too_small_for_the_fixed_words_is_refused() -> None:
    with pytest.raises(ValueError, match="a budget of 40 tokens"):
        Prompter(byte_level_tokenizer(), 40)


def test_labels_that_are_not_one_token_each_are_refused() -> None:
    from tokenizers import models, pre_tokenizers

    letters = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate("yesno")}, merges=[]))
    letters.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    with pytest.raises(ValueError, match="one token each"):
        Prompter(letters)


def test_a_directory_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no tokenizer\.json in"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ConfigError, match="is not a tokenizer"):
        load_tokenizer(tmp_path)


def test_a_directory_whose_config_and_tokenizer_do_not_fit_is_refused(tmp_path: Path) -> None:
    path = write_tokenizer(tmp_path, word_piece_tokenizer())
    (path / "config.json").write_text('{"max_position_embeddings": 512, "vocab_size": 9}')
    with pytest.raises(ConfigError, match="the model only 9"):
        Prompter.from_dir(path)
    (path / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match="max_position_embeddings"):
        Prompter.from_dir(path)


def load(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.encode_special_tokens = True
    return tokenizer
