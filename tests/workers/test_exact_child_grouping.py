"""Which names are made one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.child.exact.grouping import grouped

UUID = "550e8400-e29b-41d4-a716-446655440000"


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("/users/123", "/users/{id}"),
        ("/v2/users/1/orders/2", "/v2/users/{id}/orders/{id}"),
        ("/2024/report", "/{id}/report"),
        ("/search?q=word&page=2", "/search?q=word&page={id}"),
        ("/geo?lat=-12.5&ids=1,2,3", "/geo?lat={id}&ids={id}"),
        (f"/orders/{UUID}", "/orders/{uuid}"),
        (f"/orders/{UUID.upper()}?next={UUID}", "/orders/{uuid}?next={uuid}"),
        ("/items/507f1f77bcf86cd799439011", "/items/{hex}"),
        ("/items/507F1F77BCF86CD799439011", "/items/{hex}"),
        ("/x/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/x/{ulid}"),
        ("/s/V1StGXR8_Z5jdHi6B-myT", "/s/{token}"),
        ("/s/cjld2cjxh0000qzrmn831i7rn", "/s/{token}"),
        ("/k/0ujtsYcgvSTl8PAuAdqWYSMnLOv", "/k/{token}"),
        ("/a?jwt=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N", "/a?jwt={token}"),
        ("/img/123.png", "/img/{id}.png"),
        (f"/img/{UUID}.jpg", "/img/{uuid}.jpg"),
        ("/days/2025-01-31.csv", "/days/{date}.csv"),
        ("/u/test_00017", "/u/test_{id}"),
        ("GET /users/7", "GET /users/{id}"),
        ("http://10.0.0.1:8080/users/7", "http://10.0.0.1:8080/users/{id}"),
    ],
)
def test_ids_are_one_name(name: str, group: str) -> None:
    assert grouped(name) == group


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "/api/v1",
        "/v2/",
        "/mp3/h264/s3",
        "/error-404",
        "/blog/My-Post-Title-2024-Edition",
        "/how-to-make-10-cakes-in-5-minutes",
        "/p/iphone-15-pro-max-256gb",
        "/static/jquery-3.6.0.min.js",
        "/deadbeefcafe",
        "/search?q=load+testing",
        "http://10.0.0.1",
        "checkout 42",
        "12345",
    ],
)
def test_words_stay(name: str) -> None:
    assert grouped(name) == name


@given(st.text(st.sampled_from("abAB019/-_?&=.{}%:é٣ \n"), max_size=60) | st.text(max_size=40))
def test_a_group_is_its_own_group(name: str) -> None:
    once = grouped(name)
    assert grouped(once) == once
    assert once.count("/") == name.count("/")
