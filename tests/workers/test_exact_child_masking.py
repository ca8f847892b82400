"""What of a failing request is not kept."""

from __future__ import annotations

import base64
import html
import json
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.utils import requote_uri

from workers.child.exact import masking
from workers.child.exact.masking import OVERLAP_CHARS, Masking
from workers.child.exact.named import is_secret
from workers.child.exact.spellings import MASK, Span

HARMLESS = st.text(st.sampled_from("0123456789"), max_size=300)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('{"token": "abc", "user": "x"}', '{"token": "***", "user": "x"}'),
        (r'{"password":"a\"b","n":1}', '{"password":"***","n":1}'),
        ('{"api_keys":["a","b"],"session":{"id":1},"n":1}', '{"api_keys":"***","session":"***","n":1}'),
        ('{"accessToken":12,"n":1}', '{"accessToken":"***","n":1}'),
        (r'{"t":"{\"secret\":\"zz\",\"a\":1}"}', r'{"t":"{\"secret\":\"***\",\"a\":1}"}'),
        ('{"password":"cut o', '{"password":"***"'),
        ("user=a&password=b&x=1", "user=a&password=***&x=1"),
        ("https://u:p@h/x?a=1&access_token=z&b=2#c", "https://***@h/x?a=1&access_token=***&b=2#c"),
        ("https://token@h/", "https://***@h/"),
        ("Authorization: Bearer abcdefgh.ijk", "Authorization: ***"),
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


STRUCTURES = [
    ("X-Api-Key: S3CR\r\nHost: ok", "X-Api-Key: ***\r\nHost: ok"),
    ('Set-Cookie: a="S3CR"; b=S3CR\r\nHost: ok', "Set-Cookie: ***\r\nHost: ok"),
    ('Authorization: Digest a="S3CR", b="S3CR"\nHost: ok', "Authorization: ***\nHost: ok"),
    ("curl -H 'X-Auth-Token: S3CR' http://ok/", "curl -H 'X-Auth-Token: ***' http://ok/"),
    (r'{"raw":"GET /\r\nCookie: a=S3CR; b=S3CR\r\nHost: ok"}', r'{"raw":"GET /\r\nCookie: ***\r\nHost: ok"}'),
    ("<a:password b='c'>S3CR<d>S3CR</d></a:password>ok", "<a:password b='c'>***</a:password>ok"),
    ("&lt;password&gt;S3CR&lt;/password&gt;ok", "&lt;password&gt;***&lt;/password&gt;ok"),
    ("<user password = 'S3CR S3CR' n='1'/>", "<user password = '***' n='1'/>"),
    ('<input name="csrf_token" value="S3CR">', '<input name="csrf_token" value="***">'),
    ('name="password"\r\n\r\nS3CR\nS3CR\r\n--b\r\nok', 'name="password"\r\n\r\n***\r\n--b\r\nok'),
    ("db:\n  password: S3CR S3CR\n  host: ok", "db:\n  password: ***\n  host: ok"),
    ("a:\n  private_key: |\n    S3CR\n    S3CR\n  host: ok", "a:\n  private_key: ***\n  host: ok"),
    ("{'password': 'S3CR \"x', 'n': 1}", "{'password': '***', 'n': 1}"),
    ("{password: 'S3CR x', n: 1}", "{password: ***, n: 1}"),
    ('[["Cookie","a=S3CR; b"],["Host","ok"]]', '[["Cookie","***"],["Host","ok"]]'),
    ('{"credentials":{"a":{"b":"S3CR"},"c":["}S3CR"]},"n":1}', '{"credentials":"***","n":1}'),
    (r'{"t":"{\"session\":{\"a\":[\"S3CR\"]},\"n\":1}"}', r'{"t":"{\"session\":\"***\",\"n\":1}"}'),
    (r'{"\u0070assword":"S3CR","n":1}', r'{"\u0070assword":"***","n":1}'),
    ("pass%77ord=S3CR&n=1", "pass%77ord=***&n=1"),
    ("?code=S3CR&n=1", "?code=***&n=1"),
    ("Invalid token: S3CR, try again", "Invalid token: ***, try again"),
]


@pytest.mark.parametrize(("text", "masked"), STRUCTURES)
def test_secret_names_are_known_in_all_structures(text: str, masked: str) -> None:
    assert Masking().text(text, 1_000) == masked


@pytest.mark.parametrize(
    "name",
    [
        "pass", "passphrase", "passwd", "pwd", "jwt", "sig", "X-Amz-Signature", "sid", "PHPSESSID", "otp",
        "OTPCode", "pin", "userPin", "user-pins", "csrf", "xsrf", "credential", "x-access-foo",
    ],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "compass", "author", "pinned", "PINNED", "signal", "decode", "code", "passenger", "keyboard",
        "status",
    ],
)  # fmt: skip
def test_names_that_only_look_like_them(name: str) -> None:
    assert not is_secret(name)
    assert Masking().text(f'{{"{name}":"ok"}} {name}: ok', 1_000) == f'{{"{name}":"ok"}} {name}: ok'


@pytest.mark.parametrize(
    "value", ['S3cr/et+v&al"ue\u2039\xe9>', 'a b\\"c\nd\U0001f600e', "it's%25odd&amp;", "K/" * 900 + "end"]
)
def test_values_are_known_in_all_spellings(value: str) -> None:
    plain, raw = json.dumps(value)[1:-1], value.encode()
    spelled = [
        value, quote(value), quote(value, safe=""), quote_plus(value), quote(quote(value)), plain,
        requote_uri(f"http://h/{value}").removeprefix("http://h/"), json.dumps(plain)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1], html.escape(value), html.escape(plain),
        plain.replace("/", r"\/").replace("&", r"\u0026").replace("<", r"\u003C").replace(">", r"\u003e"),
        *(base64.b64encode(b"u" * users + b":" + raw).decode() for users in range(3)),
        base64.urlsafe_b64encode(raw).decode(),
    ]  # fmt: skip
    masking = Masking([value])
    assert [masking.text(f"[ {one} ] ok", 30_000) for one in spelled] == [f"[ {MASK} ] ok"] * len(spelled)
    assert {masking.text(f"{'-' * 95} {one}", 100) for one in spelled} == {f"{'-' * 95} {MASK}"}


def test_no_more_is_searched_than_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[int] = []

    def note(text: str) -> list[Span]:
        searched.append(len(text))
        return []

    monkeypatch.setattr(masking, "named_spans", note)
    known = Masking([f"{number}x" * 4_000 for number in range(10, 110)])
    known.text("-" * 128_000, 4_096)
    assert searched == [4_096 + OVERLAP_CHARS]
    assert all("_pattern" not in vars(value) for value in known._values)  # none was so much as compiled


def test_headers_are_bounded_together() -> None:
    assert 5 < len(Masking().headers({f"H{number}": "-" * 9_000 for number in range(50)}, 50, 500)) < 10


WRITE = """
import sys
from workers.child.exact.failed import SPENT_A_SECOND, Failed
from workers.child.exact.errors import Kind
failed, ticks = Failed(sys.argv[1], []), iter(range(1_000))
for number in range(10):
    failed.take(Kind(number, "GET", "/", "bad"), "GET", {"url": "/"})
failed.write(lambda: None, clock=lambda: next(ticks) * SPENT_A_SECOND / 2.5)
print(len(open(sys.argv[1]).readlines()))
failed.write(lambda: None, most=100)
print(len(open(sys.argv[1]).readlines()))
"""
"""In a process of its own, as Locust patches the one that imports it."""


def test_examples_take_a_bounded_part_of_a_second(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE, str(tmp_path / "failed")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["3", "10"]
