#!/usr/bin/env python3
"""Every relative link of every .md file of the tree leads to a file or folder.

Usage: check_links.py ROOT
"""
import pathlib
import re
import sys

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def main(root):
    root = pathlib.Path(root).resolve()
    pages = [p for p in root.rglob("*.md") if not p.relative_to(root).parts[0].startswith(("build", "."))]
    broken = [f"{page.relative_to(root)}: {link}"
              for page in pages
              for link in LINK.findall(page.read_text())
              if "://" not in link and not (page.parent / link).exists()]
    print("\n".join(broken))
    return 1 if broken or len(pages) < 5 else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
