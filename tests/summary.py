#!/usr/bin/env python3
"""The end of tools/check: which tests failed or were skipped, and why, and one last line.

usage: summary.py FOLDER SECONDS, where FOLDER has a RUN.junit.xml of ctest for each run, and in
gtest-RUN/ what the GoogleTest programs among them said case by case, which counts instead of the
program. Stages that failed before there was a test are lines of FOLDER/failed-stages.
"""
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


def skip_reason(text):
    """The line in which a skipped test says why."""
    lines = [line.strip() for line in (text or "").splitlines() if line.strip()]
    saying = [line for line in lines if "skip" in line.lower()]
    return (saying or lines or ["it gave no reason"])[-1]


def failure_reason(text):
    """The lines in which a failed test says what was wrong; its last ones if none looks so."""
    lines = [line.strip() for line in (text or "").splitlines() if line.strip()]
    saying = [line for line in lines if re.match(r"FAIL |[\w.]*(Failure|Error|Expired|Exception)\b.*: |==\d+==ERROR|"
                                                 r"SUMMARY: |WARNING: ThreadSanitizer", line)]
    return "".join(f"\n      {line[:400]}" for line in (saying or lines)[-8:])


def gtest_cases(report):
    """(name, outcome, reason) for each case of one GoogleTest program."""
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        skipped = case.find("skipped")
        if case.find("failure") is not None:
            yield name, FAILED, failure_reason(case.find("failure").get("message"))
        elif skipped is not None:
            yield name, SKIPPED, skip_reason(skipped.get("message", "").partition("\n")[2])
        elif case.get("status") == "run":
            yield name, PASSED, ""


def cases_of(folder, run):
    """(name, outcome, reason) for each test of one ctest run."""
    for case in ElementTree.parse(folder / f"{run}.junit.xml").getroot().iter("testcase"):
        name, skipped = case.get("name"), case.find("skipped")
        report = folder / f"gtest-{run}" / f"{name.removeprefix('unit_')}_tests.xml"
        if case.get("status") == "run" and report.is_file():
            yield from ((f"{name}: {inner}", *rest) for inner, *rest in gtest_cases(report))
        elif case.get("status") == "run":
            yield name, PASSED, ""
        elif case.get("status") == "notrun" and skipped is not None and (
                "SKIP" in skipped.get("message", "")):
            yield name, SKIPPED, skip_reason(case.findtext("system-out"))
        elif report.is_file() and any(o == FAILED for _, o, _ in gtest_cases(report)):
            yield from ((f"{name}: {inner}", *rest) for inner, *rest in gtest_cases(report))
        else:
            yield name, FAILED, failure_reason(case.findtext("system-out"))


def main():
    folder, seconds = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    results = [(run, *case) for run in sorted(path.name.removesuffix(".junit.xml")
                                              for path in folder.glob("*.junit.xml"))
               for case in cases_of(folder, run)]
    stages = folder / "failed-stages"
    if stages.exists():
        results += [(stage, "the whole stage", FAILED, said) for stage, _, said in
                    (line.partition("\t") for line in stages.read_text().splitlines())]
    for outcome in (SKIPPED, FAILED):
        chosen = [result for result in results if result[2] == outcome]
        if chosen:
            print(f"\n{outcome}:")
        for run, name, _, reason in chosen:
            print(f"  {run}: {name}{': ' + reason if reason else ''}")
    count = {outcome: sum(1 for result in results if result[2] == outcome)
             for outcome in (PASSED, FAILED, SKIPPED)}
    print(f"\n{seconds // 60} min {seconds % 60} s, logs in {folder}")
    print(", ".join(f"{number} {outcome}" for outcome, number in count.items()), flush=True)
    return 1 if count[FAILED] or not count[PASSED] else 0


if __name__ == "__main__":
    sys.exit(main())
