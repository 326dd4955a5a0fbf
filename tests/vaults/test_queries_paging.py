"""Keyset pages: every row once, in order, whatever the order and the size."""

import pytest
from django.db.models import QuerySet
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from portal.accounts.models import User
from portal.core.errors import Invalid
from portal.core.paging import COUNTED, counted, page_of
from tests.factories import person
from tests.long import MANY

ORDERS = [("username", "id"), ("-username", "id"), ("created_at", "-id"), ("full_name", "created_at", "-id"), ("-id",)]


@pytest.fixture
def people(db: None) -> QuerySet[User]:
    for number in range(23):
        person(f"user-{number:02}", full_name=f"Group {number % 4}")
    return User.objects.all()


def walk(rows: QuerySet[User], order: tuple[str, ...], limit: int) -> list[int]:
    """The keys of all rows, page by page."""
    keys: list[int] = []
    after: str | None = ""
    while after is not None:
        page = page_of(rows, *order, after=after, limit=limit)
        assert len(page.items) <= limit
        assert page.first is (after == "")
        keys += [one.pk for one in page.items]
        after = page.next
    return keys


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("limit", [1, 4, 22, 23, 24])
def test_pages_joined_are_the_whole_list(order: tuple[str, ...], limit: int, people: QuerySet[User]) -> None:
    assert walk(people, order, limit) == list(people.order_by(*order).values_list("pk", flat=True))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("limit", [1, 4, 22, 23, 24])
def test_the_way_back_is_the_way_forward_in_reverse(order: tuple[str, ...], limit: int, people: QuerySet[User]) -> None:
    pages = [page_of(people, *order, limit=limit)]
    while (after := pages[-1].next) is not None:
        pages.append(page_of(people, *order, limit=limit, after=after))
    assert [page.first for page in pages] == [True] + [False] * (len(pages) - 1)
    back = [pages[-1]]
    while (before := back[-1].previous) is not None:
        back.append(page_of(people, *order, limit=limit, after=before))
    assert [page.items for page in reversed(back)] == [page.items for page in pages]
    assert (back[-1].first, back[-1].previous) == (True, None)
    assert [page.next for page in back[1:]] == [page.next for page in reversed(pages[:-1])]


@pytest.mark.parametrize("limit", [1, 4, 23])
def test_rows_in_parts_are_one_list(limit: int, people: QuerySet[User]) -> None:
    parts = [people.filter(full_name="Group 1"), people.exclude(full_name="Group 1")]
    whole, after = list(people.order_by("full_name", "-username", "id")), ""
    for begin in range(0, len(whole), limit):
        order = ("full_name", "-username", "id")
        page = page_of(parts, *order, after=after, limit=limit, full=User.objects.only("full_name", "username"))
        assert page.items == whole[begin : begin + limit]
        assert (page.next is None) == (begin + limit >= len(whole))
        if begin:
            assert page_of(parts, *order, after=page.previous or "", limit=limit).items == whole[begin - limit : begin]
        after = page.next or ""


def test_the_number_is_exact_as_far_as_it_is_counted(
    people: QuerySet[User], django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, part = page_of(people, "id"), page_of(people, "id", limit=4)
    with django_assert_num_queries(0):
        assert counted(people, whole) == "23"
    with django_assert_num_queries(1):
        assert counted(people, part) == "23"
    assert COUNTED == 1_000
    monkeypatch.setattr("portal.core.paging.COUNTED", 22)
    assert counted(people, part) == "22+"


def test_an_empty_list_has_one_empty_page(db: None) -> None:
    page = page_of(User.objects.all(), "id")
    assert (page.items, page.next, page.first, bool(page)) == ([], None, True, False)


def test_a_page_is_one_query(people: QuerySet[User], django_assert_num_queries: DjangoAssertNumQueries) -> None:
    first = page_of(people, "username", "id", limit=5)
    with django_assert_num_queries(1):
        page_of(people, "username", "id", after=first.next or "", limit=5)


def test_a_cursor_of_another_list_is_refused(people: QuerySet[User]) -> None:
    cursor = page_of(people, "username", "id", limit=5).next or ""
    with pytest.raises(Invalid) as refused:
        page_of(people, "-id", after=cursor)
    assert list(refused.value.errors) == ["after"]


@given(after=st.text(min_size=1, max_size=80))
@settings(max_examples=200 * MANY)
def test_no_cursor_can_be_made_up(after: str) -> None:
    with pytest.raises(Invalid):
        page_of(User.objects.all(), "username", "id", after=after)
