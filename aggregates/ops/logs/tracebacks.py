"""Where something failed, and with which error, but never the error's words: they may quote what was to be recorded."""

from collections.abc import Iterator
from traceback import format_tb

from psycopg import Error as DatabaseError


def traceback_of(error: BaseException) -> str:
    """Write the frames and types of an error and of those that led to it, the first one first."""
    return "\n".join(f"{''.join(format_tb(each.__traceback__))}{name_of(each)}" for each in _chain(error))


def name_of(error: BaseException) -> str:
    """Name an error's type and, of the database's and the system's errors, what they say in codes and names of ours."""
    kind = type(error)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    match error:
        case DatabaseError():
            told = error.diag
            details = (error.sqlstate, told.schema_name, told.table_name, told.column_name, told.constraint_name)
            return " ".join((name, *(detail for detail in details if detail)))
        case OSError() if error.errno:
            return f"{name} {error.errno} {error.strerror}"
    return name


def _chain(error: BaseException) -> Iterator[BaseException]:
    found: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in found:
        found.append(one)
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return reversed(found)
