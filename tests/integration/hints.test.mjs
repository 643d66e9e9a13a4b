// SPDX-License-Identifier: Apache-2.0
// Whoever is told "welcomectl this" or "welcome-crm that" can type it: every command that a program, a page, an
// alert or a document names is one, with the options that stand behind it.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { kBin, kRoot } from '../../harness/places.mjs';

const run = (file, ...args) => execFileSync(file, args, { cwd: kRoot, encoding: 'utf8' });

// Verbs and options of a program, as its manual is made from them.
function table(program, ask) {
  const said = JSON.parse(run(path.join(kBin, program), ask));
  const words = (options) => options.flatMap(({ name, letter }) => [`--${name}`, letter && `-${letter}`]);
  const common = [...words(said.options), '--help', '--version'];
  const verbs = new Map(
    said.commands.map(({ name, options }) => [name, new Set([...common, ...words(options)])]),
  );
  const valued = new Set(words(said.options.filter(({ value }) => value)));
  return { verbs, common: new Set(common), valued };
}
const kTables = {
  welcomectl: table('welcomectl', '--describe-verbs'),
  'welcome-crm': table('welcome-crm', '--describe-commands'),
};

// What a file says to people: strings of C++ and of pages, each whole; of a document what is marked as typed.
function sayings(file) {
  const text = readFileSync(path.join(kRoot, file), 'utf8');
  if (/\.(cpp|h)$/.test(file)) {
    const code = text.replace(/(?<!["':])\/\/.*$/gm, '').replace(/(?<!\\)"\s*\n\s*"/g, '');
    return [...code.matchAll(/"((?:[^"\\\n]|\\.)*)"/g)].map(([, said]) => said);
  }
  if (file.endsWith('.md')) {
    const blocks = [...text.matchAll(/^(?: {4}|\t)(.*)$|^```\w*\n([\s\S]*?)^```/gm)].map(
      ([, line, block]) => line ?? block,
    );
    const marked = text.replace(/^```\w*\n[\s\S]*?^```/gm, '');
    return [...blocks, ...[...marked.matchAll(/`([^`]+)`/g)].map(([, said]) => said)];
  }
  return text.split('\n').filter((line) => !line.trim().startsWith('#'));
}

// "welcomectl clock trust --yes; …": program, words behind it, and options up to the end of the command.
function* commands(said) {
  const pattern = /(?<![\w/.-])(welcomectl|welcome-crm) +((?:[^\s;&|,()'"`]+ *)+)/g;
  for (const [, program, rest] of said
    .replaceAll('\\n', '\n')
    .replaceAll(/\\\n */g, '')
    .matchAll(pattern))
    yield { program, words: rest.trim().split(/\s+/) };
}

// Why it is none; nothing: it is one, or a sentence about the program.
function fault({ program, words }) {
  const { verbs, common, valued } = kTables[program];
  const rest = [...words];
  while (rest[0]?.startsWith('-')) if (valued.has(rest.shift())) rest.shift(); // options before the verb
  if (rest[0] === 'help') rest.shift();
  // The name of a user, a package or a unit; a place for any verb.
  if (rest[0] in kTables || /^[A-Z]+$/.test(rest[0])) return null;
  const plain = rest.map((word) => word.replace(/[.:?!…]+$/, ''));
  const two = plain.slice(0, 2).join(' ');
  const verb = [two, plain[0]].find((name) => verbs.has(name));
  if (!verb) {
    const first = [...verbs.keys()].some((name) => name.split(' ')[0] === plain[0]);
    const group = first && plain.length === 1; // "welcomectl radio" as a name of them all
    return !plain[0] || group || kSentence.test(plain[0]) ? null : `${program} ${two}: there is no such verb`;
  }
  const known = verbs.get(verb) ?? common;
  const options = words.filter((word) => /^--[a-z]/.test(word)).map((word) => word.match(/^--[a-z-]+/)[0]);
  const strange = options.find((option) => !known.has(option));
  return strange ? `${program} ${verb} has no ${strange}` : null;
}

// What follows a program that a sentence speaks of.
const kSentence = /^(\[|(and|asks|imports|speaks|to)$)/;

test('every command that anybody is told to type is one', () => {
  const files = run(
    'git',
    'ls-files',
    'firmware',
    'crm',
    'provision',
    'console/src',
    'packaging',
    'docs',
    '*.md',
  )
    .split('\n')
    .filter((file) => /\.(cpp|h|ts|tsx|yml|md)$/.test(file))
    .filter((file) => !/docs\/decisions|CHANGELOG|console\/src\/contract/.test(file));
  const faults = [];
  let count = 0;
  for (const file of files)
    for (const said of sayings(file))
      for (const command of commands(said)) {
        ++count;
        const why = fault(command);
        if (why) faults.push(`${file}: ${why}`);
      }
  assert.deepEqual([...new Set(faults)], []);
  assert.ok(count > 200, `${count} were looked at`);
});

test('a command that is none is found', () => {
  const of = (said) => [...commands(said)].map((command) => fault(command)).filter(Boolean);
  assert.deepEqual(of('set it: welcomectl clock turst'), []); // `clock` takes what follows as a sentence
  assert.deepEqual(of('see welcomectl doktor; welcome-crm bxoes list'), [
    'welcomectl doktor: there is no such verb',
    'welcome-crm bxoes list: there is no such verb',
  ]);
  assert.deepEqual(of('welcomectl clock trust --sure'), ['welcomectl clock trust has no --sure']);
  assert.deepEqual(of('ask: welcomectl tablet ad NAME'), ['welcomectl tablet ad: there is no such verb']);
  assert.deepEqual(of('welcomectl clock trust --yes && welcomectl -s /run/x status --json'), []);
});
