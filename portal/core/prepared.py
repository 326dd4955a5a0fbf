"""Questions that pages ask again and again: put into SQL once in the life of a process, asked with other values.

Of the 0.4 ms of CPU that a question takes in Django, three quarters go into making its SQL, the same each time.
"""

from collections.abc import Callable
from copy import copy
from datetime import date, datetime
from functools import lru_cache, update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar
from uuid import UUID

from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import (
    DateField,
    DateTimeField,
    Expression,
    Field,
    IntegerField,
    JSONField,
    QuerySet,
    TextField,
    UUIDField,
)
from django.db.models.sql.compiler import SQLCompiler
from django.db.models.sql.subqueries import UpdateQuery

Values = ParamSpec("Values")
Row = TypeVar("Row")
KEPT = 256
"""Of one function: the SQL of so many choices of its keywords stays in memory, the latest ones."""
_Compiled = tuple["QuerySet[Any, Row]", SQLCompiler, str, tuple[Any, ...]]
_FIELDS: dict[type, "Field[Any, Any]"] = {
    UUID: UUIDField(),
    datetime: DateTimeField(),
    date: DateField(),
    int: IntegerField(),
    str: TextField(),
    dict: JSONField(),
}


class Place(Expression):
    """Where a value will stand; the first that `prepared` gives to a function is number 0."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, list["Place"]]:  # type: ignore[override]
        """A parameter; Place itself is found among the parameters later."""
        return "%s", [self]


class prepared(Generic[Values, Row]):
    """Makes a function that returns a query set one that returns its rows, in one query.

    The function runs once, so it must use nothing but its arguments. Those given by position are values, used in
    conditions alone: each a UUID, a moment, a day, a number or a text, never None. Those that only keywords give belong
    to the SQL itself, which is kept for each choice of them: there should be few.
    """

    def __init__(self, build: Callable[Values, "QuerySet[Any, Row]"]) -> None:
        update_wrapper(self, build)
        self._build: Callable[..., QuerySet[Any, Row]] = build
        self._compiled: Callable[..., _Compiled[Row]] = lru_cache(KEPT)(self._compile)

    def __call__(self, *values: Values.args, **chosen: Values.kwargs) -> list[Row]:
        """The rows; raises what a query set does, and KeyError for a value of another type."""
        question, compiled, sql, params = self._compiled(len(values), **chosen)
        connection = connections[question.db]
        filled = _filled(params, values, connection)
        compiler = copy(compiled)  # it knows what each column becomes
        compiler.connection = connection  # this thread's
        compiler.as_sql = lambda *args, **kwargs: (sql, filled)  # type: ignore[method-assign]
        rows = question.all()
        rows.query.get_compiler = lambda *args, **kwargs: compiler  # type: ignore[method-assign]
        return list(rows)

    def first(self, *values: Values.args, **chosen: Values.kwargs) -> Row | None:
        """The first of the rows, or None; all of them are read, so the query set should be cut."""
        return next(iter(self(*values, **chosen)), None)

    def count(self, *values: Values.args, **chosen: Values.kwargs) -> int:
        """How many rows there are, without reading them."""
        question, _, sql, params = self._compiled(len(values), **chosen)
        connection = connections[question.db]
        with connection.cursor() as cursor:
            # The SQL is Django's own; all values are parameters of it.
            cursor.execute(f"SELECT COUNT(*) FROM ({sql}) counted", _filled(params, values, connection))  # noqa: S608
            number: int = cursor.fetchone()[0]
        return number

    def _compile(self, places: int, **chosen: object) -> "_Compiled[Row]":
        question = self._build(*map(Place, range(places)), **chosen)
        compiler = question.query.get_compiler(question.db)
        sql, params = compiler.as_sql()
        compiler.connection = None  # this thread's, which would outlive it; each call sets its own
        return question, compiler, sql, tuple(params)


class prepared_update(Generic[Values]):
    """The same for a change: the function returns the rows to change and what each of their columns becomes.

    Calling it makes the change in one statement and tells how many rows it changed. Values may be objects for JSON
    columns as well, and stand in what columns become.
    """

    def __init__(self, build: Callable[Values, "tuple[QuerySet[Any, Any], dict[str, object]]"]) -> None:
        update_wrapper(self, build)
        self._build: Callable[..., tuple[QuerySet[Any, Any], dict[str, object]]] = build
        self._compiled: Callable[..., tuple[str, str, tuple[Any, ...]]] = lru_cache(KEPT)(self._compile)

    def __call__(self, *values: Values.args, **chosen: Values.kwargs) -> int:
        """How many rows were changed; raises what a query set's `update` does, and KeyError for a value's type."""
        database, sql, params = self._compiled(len(values), **chosen)
        connection = connections[database]
        with connection.cursor() as cursor:
            cursor.execute(sql, _filled(params, values, connection))
            changed: int = cursor.rowcount
        return changed

    def _compile(self, places: int, **chosen: object) -> tuple[str, str, tuple[Any, ...]]:
        rows, changes = self._build(*map(Place, range(places)), **chosen)
        query = rows.query.chain(UpdateQuery)
        query.add_update_values(changes)  # type: ignore[attr-defined]  # the stubs lose the class that was asked for
        database = router.db_for_write(rows.model)
        sql, params = query.get_compiler(database).as_sql()
        return database, sql, tuple(params)


def _filled(params: tuple[Any, ...], values: tuple[Any, ...], connection: BaseDatabaseWrapper) -> tuple[Any, ...]:
    """The parameters of the SQL, with the values in their places."""
    given: list[Any] = [_FIELDS[type(value)].get_db_prep_value(value, connection) for value in values]
    return tuple(given[one.number] if isinstance(one, Place) else one for one in params)
