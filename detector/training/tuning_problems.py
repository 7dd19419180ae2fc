"""What is wrong with a study's database, in one sentence that never holds its password."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class StorageProblem(ValueError):
    """A database that cannot be used; the sentence holds no password."""


def shown_url(url: str) -> str:
    """The URL for people: with stars for its password."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return f"{url.partition('://')[0]}://…"


@contextmanager
def saying_where(url: str) -> Iterator[None]:
    """Errors of the database as one sentence that names it, without its password."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    from detector.training.tuning_patience import DatabaseGone

    try:
        yield
    except (ImportError, NoSuchModuleError) as error:
        raise StorageProblem(
            f"there is no driver for {shown_url(url)}; install one (for MySQL: pip install pymysql, and write "
            "mysql+pymysql://…)"
        ) from error
    except ArgumentError:
        raise StorageProblem(f"the storage {shown_url(url)} is no URL that can be read") from None
    except DatabaseGone as gone:
        cause = _cause(gone, url)
        raise StorageProblem(
            f"{gone} ({cause}); what is done is kept in it: see to it, then give the same command again"
        ) from None
    except (SQLAlchemyError, StorageInternalError) as error:
        raise StorageProblem(f"the database {shown_url(url)} cannot be used: {_cause(error, url)}") from None


def _cause(error: BaseException, url: str) -> str:
    """What the driver says, its first line, without anything that could hold the password."""
    from sqlalchemy.engine import make_url

    while error.__cause__ is not None:
        error = error.__cause__
    original = getattr(error, "orig", None) or error
    lines = str(original).strip().splitlines() or [type(original).__name__]
    password = make_url(url).password
    first = lines[0].replace(str(password), "***") if password else lines[0]
    return first[:300].rstrip(".")
