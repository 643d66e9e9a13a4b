#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Manual pages and the shell's completion, made of what the programs say of themselves.

usage: manual.py BIN OUT [RUNNER…]     RUNNER: what runs a program of BIN (qemu of a cross build)

Writes OUT/man/NAME.SECTION and OUT/completion/NAME.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import time

SEE = {
    "welcomed.8": ["welcomectl(8)", "welcomed.conf(5)"],
    "welcomed.conf.5": ["welcomed(8)", "welcomectl(8)"],
    "welcomectl.8": ["welcomed(8)", "welcomed.conf(5)"],
    "welcome-crm.8": ["welcomed(8)"],
    "welcome-eval.1": ["welcomed(8)"],
}
FILES = {
    "welcomed.8": [
        ("/etc/welcomed/welcomed.conf, /etc/welcomed/conf.d/*.conf", "what it is told: welcomed.conf(5)"),
        ("/etc/credstore, /etc/credstore.encrypted", "its secrets, as systemd hands them over"),
        ("/var/lib/welcomed", "what it keeps, sealed"),
        ("/run/welcomed/control.sock", "where welcomectl asks it"),
        ("/usr/share/doc/welcomed/technician.md", "how to set a box up, and what to do when it is not well"),
    ],
    "welcome-crm.8": [
        ("/etc/welcome-crm/serve.conf", "the words of the service"),
        ("/var/lib/welcome-crm", "its database, and the keys that it signs with"),
    ],
}
CTL_EXIT = "0 done, 1 refused or failed, 2 wrong usage, 3 welcomed is away or does not answer."
CRM_EXIT = "0 done, 1 no (not found, refused, still open), 2 wrong usage, 3 the database or a file failed."


def roff(text):
    """Text that troff takes as it is."""
    text = text.replace("\\", r"\e").replace("-", r"\-").replace("…", "...").replace("·", r"\(bu")
    return "\n".join(r"\&" + line if line[:1] in ".'" else line for line in text.split("\n"))


def item(head, body):
    return f".TP\n{head}\n{roff(body)}\n"


class Page:
    def __init__(self, name, section, what, version):
        self.file = f"{name}.{section}"
        date = time.strftime("%Y-%m-%d", time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))))
        self.text = (f'.TH {name.upper()} {section} {date} "welcomed {version}" "welcomed"\n'
                     f".SH NAME\n{roff(name)} \\- {roff(what)}\n")

    def section(self, title, body):
        self.text += f".SH {title}\n{body.rstrip()}\n"

    def write(self, out):
        if files := FILES.get(self.file):
            self.section("FILES", "".join(item(rf"\fI{roff(path)}\fR", what) for path, what in files))
        self.section("SEE ALSO", ", ".join(rf"\fB{roff(s[:-3])}\fR({s[-2]})" for s in SEE[self.file]))
        (out / "man" / self.file).write_text(self.text, encoding="utf-8")


def option(one):
    head = r"\fB" + roff("--" + one["name"]) + r"\fR"
    if one["letter"]:
        head += r", \fB" + roff("-" + one["letter"]) + r"\fR"
    if one["value"]:
        head += rf" \fI{roff(one['value'])}\fR"
    return item(head, one["what"])


def command_page(known, version, exit_codes, asks):
    """Of a program with a table of commands."""
    name = known["program"]
    page = Page(name, 8, known["what"], version)
    page.section("SYNOPSIS", rf"\fB{roff(name)}\fR [\fIOPTIONS\fR] \fICOMMAND\fR")
    page.section("DESCRIPTION", roff(asks))
    body = ""
    for one in known["commands"]:
        body += item(rf"\fB{roff(one['name'])}\fR" + (rf" \fI{roff(one['operands'])}\fR" if one["operands"] else ""),
                     one["what"])
        if one["options"]:
            body += ".RS\n" + "".join(option(o) for o in one["options"]) + ".RE\n"
    page.section("COMMANDS", body)
    page.section("OPTIONS", "Everywhere:\n" + "".join(option(o) for o in known["options"]))
    page.section("EXIT STATUS", roff(exit_codes))
    return page


def daemon_pages(help_text, version):
    """welcomed.8 and welcomed.conf.5 of `welcomed --help`: options, then sections of keys."""
    options, keys, tail = [], [], ""
    section = None
    for line in help_text.split("\n"):
        if match := re.fullmatch(r"\[(.+)\]", line):
            section = match.group(1)
            keys.append((section, []))
        elif match := re.fullmatch(r"  (\S.*)", line):
            (options if section is None else keys[-1][1]).append([match.group(1), ""])
        elif match := re.fullmatch(r"      (\S.*)", line):
            last = (options if section is None else keys[-1][1])[-1]
            last[1] = (last[1] + " " + match.group(1)).strip()
        elif section and line:
            tail += line + "\n"
    daemon = Page("welcomed", 8, "greets the customers who asked for it", version)
    daemon.section("SYNOPSIS", r"\fBwelcomed\fR [\fB\-\-config\fR \fIFILE\fR] [\fB\-\-\fISECTION.KEY\fR=\fIVALUE\fR ...]")
    daemon.section("DESCRIPTION", roff(
        "The daemon of a box in a shop: it hears the phones and sees the faces of customers who asked for it, and "
        "tells their wishes to the staff. Nobody else is recognised, stored, sent or logged.\n"
        "systemd runs it as welcomed.service."))
    daemon.section("OPTIONS", "".join(item(rf"\fB{roff(head)}\fR", body) for head, body in options))
    daemon.section("NOTES", roff(tail))
    conf = Page("welcomed.conf", 5, "what a box is told", version)
    conf.section("DESCRIPTION", roff(
        "Sections in brackets, and in each a KEY = VALUE a line; # begins a comment at the start of a line. Files in "
        "conf.d beside it come later and win.\n'welcomectl config check' names every line that is wrong."))
    for name, some in keys:
        body = ""
        for head, what in some:
            key, _, otherwise = head.partition(" = ")
            body += item(rf"\fB{roff(key)}\fR", what + ("." if otherwise == "none" else f". Default: {otherwise}"))
        conf.section(roff(f"[{name}]"), body)
    return daemon, conf


def list_page(name, help_text, version):
    """welcome-eval: usage lines, each with what it does below."""
    page = Page(name, 1, "judges a site, a model or a change by numbers", version)
    page.section("SYNOPSIS", rf"\fB{roff(name)}\fR \fICOMMAND\fR [\fIARGUMENTS\fR]")
    rows = re.findall(rf"^  {name} (.+)\n      (.+)$", help_text, re.MULTILINE)
    page.section("COMMANDS", "".join(item(rf"\fB{roff(head)}\fR", what) for head, what in rows))
    return page


COMPLETION = """\
# bash completion of {name}; made by packaging/manual.py
_{function}()
{{
  local cur prev words cword commands options word command=
  _init_completion || return
  commands='{commands}'
  options='{options}'
  local -a typed=()
  local i
  for ((i = 1; i < cword; i++)); do
    word=${{words[i]}}
    case $word in
      {with_value}) ((i++)) ;;
      -*) ;;
      *) typed+=("$word") ;;
    esac
  done
  case $prev in
    {with_value})
      _filedir
      return
      ;;
  esac
  case "${{typed[*]:0:2}}" in
{options_of}
  esac
  if [[ $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
  elif ((${{#typed[@]}} == 0)); then
    mapfile -t COMPREPLY < <(compgen -W "$(sed 's/ .*//' <<<"$commands" | sort -u)" -- "$cur")
  elif ((${{#typed[@]}} == 1)); then
    mapfile -t COMPREPLY < <(compgen -W "$(sed -n "s/^${{typed[0]}} //p" <<<"$commands")" -- "$cur")
    ((${{#COMPREPLY[@]}})) || _filedir
  else
    _filedir
  fi
}} &&
  complete -F _{function} {name}
"""


def completion(known):
    commands = [one["name"] for one in known["commands"]]
    everything = known["options"] + [o for one in known["commands"] for o in one["options"]]
    with_value = sorted({"--" + o["name"] for o in everything if o["value"]} |
                        {"-" + o["letter"] for o in everything if o["value"] and o["letter"]})
    cases = ""
    for one in sorted(known["commands"], key=lambda c: -len(c["name"])):
        if one["options"]:
            its = " ".join("--" + o["name"] for o in one["options"])
            pattern = f"'{one['name']}'" if " " in one["name"] else f"'{one['name']}' | '{one['name']} '*"
            cases += f"    {pattern}) options+=' {its}' ;;\n"
    return COMPLETION.format(
        name=known["program"], function=known["program"].replace("-", "_"),
        commands="\n".join(commands), options=" ".join("--" + o["name"] for o in known["options"]),
        with_value=" | ".join(with_value), options_of=cases.rstrip() or "    *) ;;")


def main():
    programs, out = map(pathlib.Path, sys.argv[1:3])
    runner = sys.argv[3:]
    for folder in ("man", "completion"):
        (out / folder).mkdir(parents=True, exist_ok=True)

    def says(name, *words):
        return subprocess.run([*runner, programs / name, *words], check=True, capture_output=True, text=True).stdout

    version = says("welcomed", "--version").split()[-1]
    ctl = json.loads(says("welcomectl", "--describe-verbs"))
    crm = json.loads(says("welcome-crm", "--describe-commands"))
    pages = [
        *daemon_pages(says("welcomed", "--help"), version),
        command_page(ctl, version, CTL_EXIT,
                     "The technician's tool. It asks the daemon over its control socket: root may, and the group welcomed."),
        command_page(crm, version, CRM_EXIT,
                     "The reference CRM of boxes with welcomed(8). Commands work beside a running serve, which passes on "
                     "what they change at once."),
        list_page("welcome-eval", says("welcome-eval", "--help"), version),
    ]
    for page in pages:
        page.write(out)
    for known in (ctl, crm):
        (out / "completion" / known["program"]).write_text(completion(known), encoding="utf-8")


main()
