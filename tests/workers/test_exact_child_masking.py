"""What of a failing request is not kept."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.child.exact.masking import MASK, Masking

HARMLESS = st.text(st.sampled_from("0123456789"), max_size=300)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('{"token": "abc", "user": "x"}', '{"token":"***", "user": "x"}'),
        (r'{"password":"a\"b","n":1}', '{"password":"***","n":1}'),
        ('{"api_keys":["a","b"],"session":{"id":1},"n":1}', '{"api_keys":"***","session":"***","n":1}'),
        ('{"accessToken":12,"n":1}', '{"accessToken":"***","n":1}'),
        (r'{"t":"{\"secret\":\"zz\",\"a\":1}"}', r'{"t":"{\"secret\":\"***\",\"a\":1}"}'),
        ('{"password":"cut o', '{"password":"***"'),
        ("user=a&password=b&x=1", "user=a&password=***&x=1"),
        ("https://u:p@h/x?a=1&access_token=z&b=2#c", "https://***@h/x?a=1&access_token=***&b=2#c"),
        ("https://token@h/", "https://***@h/"),
        ("Authorization: Bearer abcdefgh.ijk", "Authorization: Bearer ***"),
        ('{"name":"Ann","note":"a=b"}', '{"name":"Ann","note":"a=b"}'),
    ],
)
def test_values_of_secret_names_are_masked(text: str, masked: str) -> None:
    assert Masking().text(text, 1_000) == masked


def test_secrets_are_masked_wherever_they_stand() -> None:
    masking = Masking(['s p/"c&x', "hunter22", "abc"])
    spelled = ['s p/"c&x', "s%20p%2F%22c%26x", "s+p%2F%22c%26x", json.dumps('s p/"c&x')[1:-1], "xhunter22x"]
    assert masking.text(" ".join(spelled), 1_000) == f"{MASK} {MASK} {MASK} {MASK} x{MASK}x"
    assert masking.text("abc", 1_000) == "abc"  # too short to be one


def test_secret_headers_are_masked() -> None:
    said = {
        "Authorization": "a", "Proxy-Authorization": "a", "Cookie": "a", "Set-Cookie": "a", "X-Api-Key": "a",
        "X-Session-Id": "a", "X-CSRF-Token": "a",
    }  # fmt: skip
    headers = Masking(["hunter22"]).headers({**said, "Server": "nginx hunter22", "Referer": "/?key=a"}, 50, 100)
    assert headers == {**dict.fromkeys(said, MASK), "Server": f"nginx {MASK}", "Referer": f"/?key={MASK}"}


@given(HARMLESS, HARMLESS, st.integers(1, 300))
def test_no_part_of_a_secret_is_left_by_a_cut(before: str, after: str, most: int) -> None:
    cut = Masking(["hunterSECRET"]).text(f"{before}hunterSECRET{after}hunterSECRET{before}", most)
    assert len(cut) <= most
    assert "hunt" not in cut


@pytest.mark.parametrize("evil", ["key", '"key', "\\", 'key="', '"key":[', "://", "://a@", "Bearer ", '\\"key\\":\\"'])
def test_an_answer_made_to_be_slow_is_not(evil: str) -> None:
    began = time.process_time()
    Masking(["hunter22"]).text(evil * 10_000, 4_096)
    assert time.process_time() - began < 0.1  # all take 1 ms; a pattern that goes back takes seconds
