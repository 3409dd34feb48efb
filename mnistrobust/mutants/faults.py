"""The mistakes, as edits of the library's source, from `faults.toml`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

from mnistrobust.errors import MnistRobustError, unknown


@dataclass(frozen=True)
class Edit:
    """A piece of text in a file of the package, and what stands there instead."""

    file: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One mistake: a name, what was done, and the edits that do it.

    The first of `sizes` is tried, and the next where no claim sees it; `unseen` says why the suite
    does not see the first.
    """

    name: str
    mistake: str
    edits: tuple[Edit, ...] = field(repr=False)
    sizes: tuple[str, ...] = ("",)
    unseen: str | None = None

    def described(self, size: str) -> str:
        """Return the mistake in words, at a size."""
        return self.mistake.replace("{size}", size)

    def put_into(self, package: Path, size: str) -> None:
        """Edit a copy of the package; MnistRobustError where a text is not there just once."""
        for name in {edit.file for edit in self.edits}:
            path = package / name
            text = path.read_text("utf-8")
            edits = {self._place(text, edit): edit for edit in self.edits if edit.file == name}
            for start, edit in sorted(edits.items(), reverse=True):
                after = edit.after.replace("{size}", size)
                text = text[:start] + after + text[start + len(edit.before) :]
            path.write_text(text, "utf-8")

    def _place(self, text: str, edit: Edit) -> int:
        if text.count(edit.before) != 1:
            raise MnistRobustError(
                f"Fault {self.name}: expected once in mnistrobust/{edit.file}, found "
                f"{text.count(edit.before)} times: {edit.before!r}; adapt the fault."
            )
        return text.index(edit.before)


def _load() -> Mapping[str, Fault]:
    text = files("mnistrobust").joinpath("mutants", "faults.toml").read_text("utf-8")
    return MappingProxyType(
        {
            name: Fault(
                name=name,
                edits=tuple(Edit(**edit) for edit in fields.pop("edits")),
                sizes=tuple(fields.pop("sizes", ("",))),
                **fields,
            )
            for name, fields in tomllib.loads(text).items()
        }
    )


FAULTS = _load()


def fault_named(name: str) -> Fault:
    """Return the fault of that name; UsageError with the nearest name when there is none."""
    if name not in FAULTS:
        raise unknown("fault", name, FAULTS)
    return FAULTS[name]
