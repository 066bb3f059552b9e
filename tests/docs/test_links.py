"""Links within the repository lead somewhere, and no file names where packages come from."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from .pages import ROOT, anchors, prose

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_INDEX_OF_CARGO = re.compile(r'source = "registry\+https://github\.com/rust-lang/[a-z.]+-index"')
"""What every lock file of cargo says, wherever packages are fetched from."""
_ADDRESSES = re.compile(
    r"https?://[^\s\"'<>)]*(?:pypi|pythonhosted|crates\.io|npmjs|artifactory|nexus)"
    r"|https?://[^\s\"'<>)]*/simple\b"
    r"|\bregistry\+"
    r"|(?<!no-emit-)\b(?:extra-)?index-url\b|(?<!no-emit-)\bfind-links\b"
    r"|\b(?:PIP|UV)_(?:EXTRA_)?(?:INDEX|FIND_LINKS)\w*"
    r"|\breplace-with\s*=",
    re.IGNORECASE,
)


def repository_files() -> list[Path]:
    """The files of the repository, those that are not committed yet among them."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no clone of the repository", allow_module_level=True)
    return [path for name in listed.splitlines() if (path := ROOT / name).is_file()]


PAGES = sorted(path for path in repository_files() if path.suffix == ".md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_relative_links_lead_somewhere(page: Path) -> None:
    # A link may be broken over two lines.
    for target in _LINK.findall(re.sub(r"\n(?=\S)", " ", "\n".join(prose(page)))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, fragment = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        assert linked.is_relative_to(ROOT), f"{target} leads out of the repository"
        assert linked.exists(), f"{target} does not exist"
        if fragment and linked.suffix == ".md":
            assert fragment in anchors(linked), f"{target} has no such section"


def test_every_page_of_the_documentation_is_linked_from_the_readme() -> None:
    text = (ROOT / "README.md").read_text()
    assert not [path.name for path in (ROOT / "docs").glob("*.md") if f"(docs/{path.name})" not in text]


def test_no_file_names_where_packages_come_from() -> None:
    found = []
    for path in repository_files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        if path.name == "Cargo.lock":
            text = _INDEX_OF_CARGO.sub("", text)
        if path != Path(__file__).resolve():
            found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in _ADDRESSES.finditer(text)]
    assert not found
