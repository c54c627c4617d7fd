"""Everything that is installed is pinned, with hashes, and as the requirements say that people write."""

import importlib.metadata
import re
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.processes import BASE

NAMES = ("requirements", "requirements-install", "requirements-saml", "requirements-dev", "requirements-bench")
MACHINES = [{"python_version": version, "python_full_version": f"{version}.0"} for version in ("3.11", "3.13")]
LINUX = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "extra": ""}
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def written(name: str) -> Iterator[Requirement]:
    """What people write, and what the files hold that it takes in."""
    for line in (BASE / f"{name}.txt").read_text().splitlines():
        line = line.partition("#")[0].strip()
        if line.startswith("-r "):
            yield from written(line.removeprefix("-r ").removesuffix(".txt"))
        elif line:
            yield Requirement(line)


def locked(name: str) -> list[tuple[Requirement, int]]:
    """What is locked, with how many hashes each has."""
    text = re.sub(r"^\s*#.*\n", "", (BASE / f"{name}.lock").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(Requirement(line.partition(" --hash")[0].strip()), len(HASH.findall(line))) for line in text.splitlines()]


def holds(requirement: Requirement, machine: dict[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({**LINUX, **machine})


@pytest.mark.parametrize("name", NAMES)
def test_each_package_has_one_version_and_hashes(name: str) -> None:
    for requirement, hashes in locked(name):
        assert [one.operator for one in requirement.specifier] == ["=="], requirement
        assert hashes > 0, requirement
    for machine in MACHINES:
        names = [canonicalize_name(one.name) for one, _ in locked(name) if holds(one, machine)]
        assert len(names) == len(set(names)) > 0


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine["python_version"])
@pytest.mark.parametrize("name", NAMES)
def test_what_people_wrote_is_what_is_locked(name: str, machine: dict[str, str]) -> None:
    """After a change of a requirement: `make lock`."""
    pinned = {canonicalize_name(one.name): one.specifier for one, _ in locked(name) if holds(one, machine)}
    for requirement in written(name):
        if holds(requirement, machine):
            assert pinned.get(canonicalize_name(requirement.name)) == requirement.specifier, requirement


@pytest.mark.parametrize("name", ["requirements", "requirements-saml", "requirements-dev"])
def test_what_others_bring_is_locked_too(name: str) -> None:
    pinned = {canonicalize_name(one.name) for one, _ in locked(name) if one.marker is None or one.marker.evaluate()}
    for package in sorted(pinned):
        for text in importlib.metadata.requires(package) or []:
            brought = Requirement(text)
            if brought.marker is None or brought.marker.evaluate({"extra": ""}):
                assert canonicalize_name(brought.name) in pinned, f"{package} brings {brought}"


@pytest.mark.parametrize("name", NAMES)
def test_a_lock_file_names_no_index(name: str) -> None:
    assert not re.search(r"https?:|index-url|find-links", (BASE / f"{name}.lock").read_text())


def test_the_site_and_its_tests_are_of_the_same_versions() -> None:
    of_site, of_saml, of_tests = (
        {(canonicalize_name(one.name), str(one.specifier)) for one, _ in locked(name)}
        for name in ("requirements", "requirements-saml", "requirements-dev")
    )
    assert of_site | of_saml <= of_tests


def test_a_site_without_saml_has_no_packages_of_it() -> None:
    site, saml = ({canonicalize_name(one.name) for one, _ in locked(f"requirements{end}")} for end in ("", "-saml"))
    assert saml == {"isodate", "lxml", "python3-saml", "xmlsec"}
    assert not site & saml
