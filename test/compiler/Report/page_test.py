#!/usr/bin/env python3
"""The HTML page loads nothing from elsewhere, and holds the same report as the
JSON; it is written whole or not at all.

Usage: page_test.py EXAMPLES FOLDER
"""
import html.parser
import json
import os
import re
import subprocess
import sys

failures = []


def check(condition, what):
    if not condition:
        failures.append(str(what)[:2000])


def tarn(*words, code=0):
    ran = subprocess.run(["tarn", *map(str, words)], capture_output=True, text=True, timeout=120,
                         check=False)
    check(ran.returncode == code,
          f"tarn {' '.join(map(str, words))}\nexit {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return ran


class Page(html.parser.HTMLParser):
    """Elements, their attributes, and the text of scripts and styles."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.references, self.ids = [], {}, [], set()

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.ids.add(attributes.get("id"))
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            if name in attributes:
                self.references.append((tag, name, attributes[name]))
        if tag in ("script", "style"):
            self.open.append(attributes.get("id") or tag)

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self.open.pop()

    def handle_data(self, data):
        if self.open:
            self.text[self.open[-1]] = self.text.get(self.open[-1], "") + data


def main(examples, folder):
    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)
    model = ["model.tarn", "--set", "layers=2,heads=2,width=32,context=16,vocab=256",
             "--shape", "B=4,T=16", "--budget", "64MiB"]
    with open(f"{examples}/gpt2/gpt2.tarn", encoding="utf-8") as source:
        text = source.read()
    # A comment that would end the script that it is embedded in.
    text = "// </script><script>alert(1)</script> {{plan}} &amp; \u2028\n" + text
    with open("model.tarn", "w", encoding="utf-8") as file:
        file.write(text)
    report = json.loads(tarn("plan", *model, "--json", "--report", "out.html").stdout)
    with open("out.html", encoding="utf-8") as file:
        page_text = file.read()
    page = Page()
    page.feed(page_text)
    page.close()
    check(not page.references, f"the page refers to {page.references}")
    code = page.text["script"] + page.text["style"]
    check(not re.search(r"fetch\(|XMLHttpRequest|import\(|@import|url\(|WebSocket|sendBeacon", code),
          "the page's code loads something")
    addresses = set(re.findall(r"https?://[^'\"\s)]+", code)) - {"http://www.w3.org/2000/svg"}
    check(not addresses, f"the page's code knows {addresses}")
    check(json.loads(page.text["plan"]) == report, "the page's report is not the JSON")
    sources = json.loads(page.text["sources"])
    check(sources.get("model.tarn") == text.split("\n")[:-1], "the page has other lines than the model")
    check("alert(1)" not in code, "the model's text became code")
    check(not re.search(r"\{\{\w+\}\}", page_text.replace("{{plan}} &amp;", "")), "a mark was left")
    # Every element that the code looks up is there.
    wanted = set(re.findall(r"\$\('([a-z]+)'\)", page.text["script"]))
    check(len(wanted) > 10 and wanted <= page.ids, f"missing: {wanted - page.ids}")

    said = tarn("plan", *model, "--report", "nowhere/out.html", "-q", code=1).stderr
    check(said.count("error:") == 1 and "nowhere/out.html" in said, said)
    os.mkdir("folder.html")
    said = tarn("plan", *model, "--report", "folder.html", "-q", code=1).stderr
    check(said.count("error:") == 1 and "folder.html" in said, said)
    check(sorted(os.listdir(".")) == ["folder.html", "model.tarn", "out.html"], os.listdir("."))

    # Models of the library are in no file; their lines are in the page all the same.
    config = os.path.join(examples, "../test/frontends/HuggingFace/Inputs/toys/deepseek-v3.json")
    tarn("plan", config, "--shape", "B=1,T=8", "--report", "config.html", "-q")
    library = Page()
    with open("config.html", encoding="utf-8") as file:
        library.feed(file.read())
    lines = json.loads(library.text["sources"]).get("huggingface/deepseek.tarn", [])
    check(any("experts" in line for line in lines), list(json.loads(library.text["sources"])))

    # A plan that does not fit has a page too, which says so.
    said = tarn("plan", *model[:-1], "300KiB", "--report", "small.html", code=1)
    check("does not fit" in said.stderr and "DOES NOT FIT" in said.stdout, said)
    small = Page()
    with open("small.html", encoding="utf-8") as file:
        small.feed(file.read())
    check(json.loads(small.text["plan"])["fits"] is False, "the page of what does not fit")

    if failures:
        print("\n\n".join(failures[:20]))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
