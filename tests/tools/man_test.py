#!/usr/bin/env python3
"""The man pages and README.md against the program.

 - Each subcommand of `culvert --help` has a section in culvert(8). Each option and word of `culvert SUB --help` has
   an entry there, which names its fixed values too, and no entry is about an option that does not exist.
 - Each key that the parser of the configuration file names has an entry in culvert.toml(5), and the reverse.
 - The parser accepts the examples of configuration files and of `culvert run`.
 - scdoc makes the pages, and man (or groff) renders them without a warning.

An entry is a line that starts with the name in bold, with indented text below it. Nothing is started: each call of
the program ends at a word or key that does not exist, before it touches the system.

usage: man_test.py CULVERT SOURCE-FOLDER; exit status 0, 1 (the complaints are printed), 77 (the rest has passed, but
scdoc is missing)
"""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

# Longer than what the program takes for a misspelling of something that it knows.
UNKNOWN = "a_name_that_no_version_of_culvert_knows"
EVERYWHERE = ["--help", "--version"]  # options of any program, described once
# By kind of section: each table of it, as the page calls it, and the text of a file that leads into it.
TABLES = {
    "device": {"[device.NAME]": "[device.d]", "[[device.NAME.tunnel]]": "[device.d]\n[[device.d.tunnel]]"},
    "ndp": {"[ndp.IFACE]": "[ndp.e]", "[ndp.IFACE.probe]": "[ndp.e]\n[ndp.e.probe]",
            "[[ndp.IFACE.rule]]": "[ndp.e]\n[[ndp.e.rule]]"},
}


# ---- the pages ------------------------------------------------------------------------------------
class Entry:
    def __init__(self, term, text):
        self.names = re.findall(r"(?:^|, )\*([\w-]+)\*", term, re.MULTILINE)
        self.bold = set(re.findall(r"\*([^*]+)\*", term + "\n" + text))


def entries(page):
    """The entries of each section: {heading: [Entry]}."""
    sections, term, text, is_literal = {"": []}, [], [], False
    heading = ""

    def end():
        if term and text:
            sections[heading].append(Entry("\n".join(term), "\n".join(text)))
        term.clear()
        text.clear()

    for line in page.splitlines():
        if line.startswith("```"):
            is_literal = not is_literal
        elif line.startswith("# "):
            end()
            heading = line[2:]
            sections[heading] = []
        elif line.startswith("*") and not is_literal:
            if text:
                end()
            term.append(line)
        elif line.startswith("\t") and term:
            text.append(line)
        else:
            end()
    end()
    return sections


def code_blocks(page):
    """(language, text) of each block between lines of three backquotes."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return [(language, text.replace("\\\\\n", "\\\n")) for language, text in blocks]


# ---- what the program says ------------------------------------------------------------------------
def literals(argument):
    """The fixed values of an argument: sit and gre of "sit|gre", any of "A|any"."""
    values = (argument or "").removesuffix(",...").split("|")
    return [value for value in values if len(values) > 1 and re.fullmatch(r"[a-z][\w-]*", value)]


def options_in(text):
    """{"--io": ["auto", "uring", "epoll"], ...}, from the help of one subcommand."""
    found = re.findall(r"^  (?:-\w,\s*)?(--[\w-]+)(?: (\S+))?", text, re.MULTILINE)
    return {name: literals(argument) for name, argument in found if name not in EVERYWHERE}


def words_in(text):
    """The same for the list below "Words:"; "[no]csum" is two words, and so is "up|down"."""
    words = {}
    listed = re.search(r"^Words:\n((?:  .*\n)+)", text, re.MULTILINE)
    for name, argument in re.findall(r"^  (\S+)(?: (\S+))?(?: .*)?$", listed[1] if listed else "", re.MULTILINE):
        for word in [name[4:], "no" + name[4:]] if name.startswith("[no]") else name.split("|"):
            words[word] = literals(argument)
    return words


def subcommands_in(text):
    listed = re.search(r"^Subcommands:\n((?:  .*\n)+)", text, re.MULTILINE | re.IGNORECASE)
    return re.findall(r"^  (\w+)", listed[1], re.MULTILINE) if listed else []


def keys_in(message):
    """The keys that the program names when one is unknown; none: it has said something else."""
    named = re.search(r"unknown\b.*\bkeys of this section are:? ([\w ,]+)$", message.strip())
    return re.findall(r"\w+", named[1]) if named else []


# ---- the one against the other --------------------------------------------------------------------
def names_of(section):
    return {name for entry in section or [] for name in entry.names}


def compare(where, known, section, is_stale):
    """Complaints about a section: what it lacks of `known`, a name with its fixed values each, and what it has beyond
    it, of the names for which `is_stale` is true."""
    if section is None:
        return [f"{where}: there is no such section"]
    complaints = [f"{where}: {name} has no entry" for name in known if name not in names_of(section)]
    for entry in section:
        for name in set(entry.names) & set(known):
            complaints += [f"{where}: the entry of {name} does not name its value {value}"
                           for value in known[name] if value not in entry.bold]
    return complaints + [f"{where}: {name} is unknown to the program"
                         for name in sorted(names_of(section) - set(known)) if is_stale(name)]


def check_subcommand(name, help_text, page):
    return compare(f"culvert(8), CULVERT {name.upper()}", options_in(help_text) | words_in(help_text),
                   entries(page).get(f"CULVERT {name.upper()}"), lambda entry: entry.startswith("--"))


def check_table(table, message, page):
    keys = keys_in(message)
    if not keys:
        return [f"culvert.toml(5), {table}: no list of keys in: {message.strip()}"]
    return compare(f"culvert.toml(5), {table}", {key: [] for key in keys}, entries(page).get(table),
                   lambda entry: True)


def self_test():
    """Each of these pages lacks one thing, and the last ones nothing."""
    help_text = ("Options:\n  -h,--help   Print\n  --fabricated on|off   text\n  --json Excludes: --csv   text\n\n"
                 "Words:\n  [no]made  text\n  up|down   text\n  remote A|any   text\n\nExamples:\n  not a word\n")
    page = ("# CULVERT RUN\n\n*--fabricated* *on*|*off*\n\tText.\n\n*--json*\n\tText.\n\n*made*, *nomade*\n\tText.\n\n"
            "*up*, *down*\n\tText.\n\n*remote* _A_\n\tText, *any*.\n")
    message = "culvert: read f, line 1, key 'x': is unknown: the keys of this section are made up_to"
    toml = "# [device.NAME]\n\n*made* = flag\n\tText.\n\n*up_to* = flag\n\tText.\n"
    wrong = [(check_subcommand, help_text, page, changed) for changed in (
        ("--fabricated", "--other"), ("*off*", "off"), ("*nomade*", "nomade"), ("*down*", "*dawn*"), ("*any*", "any"),
        ("*remote*", "remote"), ("\tText", "Text"), ("CULVERT RUN", "RUN"), ("*--json*", "*--json*, *--gone*"))]
    wrong += [(check_table, message, toml, changed) for changed in (
        ("*up_to*", "up_to"), ("*up_to*", "*up*"), ("[device.NAME]", "[device]"), ("*made*", "*made*, *gone*"))]
    complaints = []
    for check, said, text, (before, after) in wrong:
        name = "run" if check is check_subcommand else "[device.NAME]"
        complaints += [f"self-test: found in a page that has all: {each}" for each in check(name, said, text)]
        if not check(name, said, text.replace(before, after)):
            complaints.append(f"self-test: {after} for {before} was not noticed")
    if not check_table("[device.NAME]", "culvert: another sentence", toml):
        complaints.append("self-test: a message without keys was not noticed")
    return complaints


# ---- the real pages -------------------------------------------------------------------------------
class Program:
    def __init__(self, path, folder):
        self.path, self.file = path, folder / "culvert.toml"

    def run(self, *arguments):
        return subprocess.run([self.path, *arguments], check=False, capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL)

    def read(self, toml):
        """What it says about a file in which something is wrong."""
        self.file.write_text(toml, encoding="utf-8")
        return self.run("run", "--config", self.file).stderr


def check_help(program, page):
    top = program.run("--help").stdout
    names = subcommands_in(top)
    complaints = [] if len(names) > 3 else [f"culvert --help lists no subcommands:\n{top}"]
    complaints += [f"culvert(8) does not have {option}" for option in [*EVERYWHERE, *options_in(top)]
                   if f"*{option}*" not in page]
    for name in names:
        asked = program.run(name, "--help")
        if asked.returncode == 0:
            complaints += check_subcommand(name, asked.stdout, page)
        elif name == "bench":
            print(f"not compared: culvert bench --help ({(asked.stderr or asked.stdout).strip()})")
        else:
            complaints.append(f"culvert {name} --help: exit status {asked.returncode}: {asked.stderr.strip()}")
    return complaints


def check_keys(program, page):
    kinds = set(re.findall(r"\[(\w+)\.", program.read(f"[{UNKNOWN}.d]\n")))
    complaints = [] if kinds == set(TABLES) else [f"kinds of sections: {kinds}, and this test knows {set(TABLES)}"]
    for tables in TABLES.values():
        for table, toml in tables.items():
            complaints += check_table(table, program.read(f"{toml}\n{UNKNOWN} = 1\n"), page)
    return complaints


def check_examples(program, where, page, toml_language):
    """The parser reads a file section by section, and words one by one: if it complains of what is behind an example,
    the example is right."""
    complaints, count = [], 0
    for language, text in code_blocks(page):
        if language == toml_language and re.match(r"\[+(device|ndp)\.", text) and "=" in text:
            said = program.read(f'{text}\n[ndp."~"]\n{UNKNOWN} = 1\n')  # the last one in the order of the parser
            count += 1
            complaints += [] if UNKNOWN in said else [f"{where}: {said.strip()}\nin the example\n{text}"]
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True) if line.startswith("culvert run ") else []
            if not words or "--config" in words:
                continue
            said = program.run(*words[1:], UNKNOWN).stderr
            count += 1
            complaints += [] if UNKNOWN in said else [f"{where}: {said.strip()}\nin the example\n{line}"]
    print(f"{where}: {count} examples")
    return complaints if count else complaints + [f"{where}: no example was found"]


def renderer():
    """The command that renders a page and warns about it; None: there is none."""
    if shutil.which("man"):
        return ["man", "--warnings", "-E", "UTF-8", "-Tutf8", "-l"]
    return ["groff", "-t", "-man", "-K", "utf8", "-Tutf8", "-ww"] if shutil.which("groff") else None


def check_rendering(folder, sources):
    complaints, command = [], renderer()
    if command is None:
        print("not rendered: there is neither man nor groff")
    for source in sources:
        made = subprocess.run(["scdoc"], input=source.read_bytes(), check=False, capture_output=True)
        if made.returncode != 0 or made.stderr:
            complaints.append(f"{source.name}: scdoc: {made.stderr.decode().strip()}")
            continue
        page = folder / source.stem
        page.write_bytes(made.stdout)
        if command is None:
            continue
        shown = subprocess.run([*command, page], check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                               env=os.environ | {"LC_ALL": "C.UTF-8", "MANWIDTH": "80"})
        if shown.returncode != 0 or shown.stderr or "SEE ALSO" not in re.sub(r"\x1b\[[0-9;]*m|.\x08", "", shown.stdout):
            complaints.append(f"{source.name}: {command[0]}: {shown.stderr.strip() or 'the page is not whole'}")
    return complaints


def main():
    if len(sys.argv) != 3:
        print(__doc__)
        return 1
    root = pathlib.Path(sys.argv[2])
    sources = [root / "tools/man/culvert.8.scd", root / "tools/man/culvert.toml.5.scd"]
    pages = [source.read_text(encoding="utf-8") for source in sources]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        program = Program(str(pathlib.Path(sys.argv[1]).resolve()), folder)
        complaints = self_test()
        complaints += check_help(program, pages[0]) + check_keys(program, pages[1])
        for source, page in zip(sources, pages):
            complaints += check_examples(program, source.name, page, "")
        readme = (root / "README.md").read_text(encoding="utf-8")
        complaints += check_examples(program, "README.md", readme, "toml")
        has_scdoc = shutil.which("scdoc") is not None
        complaints += check_rendering(folder, sources) if has_scdoc else []
    print("\n".join(complaints) or "the pages have all that the program knows")
    if not complaints and not has_scdoc:
        print("skipped: scdoc is not installed, so the pages were not rendered")
        return 77
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
