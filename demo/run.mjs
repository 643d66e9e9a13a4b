// SPDX-License-Identifier: Apache-2.0
// ./dev demo: plays the story of a shop and shows it.

import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Story, kPin, kStorySeconds } from './story.mjs';

const kHelp = `Usage: ./dev demo [OPTIONS]

Starts two brokers, nginx, the reference CRM and welcomed on loopback, plays the story of a shop,
and tells what happens. Ctrl-C stops everything it started.

  --once        play the story without a person, check it, print one line of JSON and end
  --speed N     story seconds per second (default 1; 4 with --once)
  --port N      port of the pages (default: a free one)
  --seed N      another day with the same story (default 1)
  --keep        leave the run directory behind and say where it is
  --help        print this

Exit codes: 0 the story came out right, 1 it did not, 2 wrong usage.
`;

function options() {
  try {
    const { values } = parseArgs({
      options: {
        once: { type: 'boolean', default: false },
        speed: { type: 'string' },
        port: { type: 'string' },
        seed: { type: 'string', default: '1' },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    values.speed = Number(values.speed ?? (values.once ? 4 : 1));
    if (!(values.speed >= 0.1 && values.speed <= 20)) throw new Error('--speed is 0.1 to 20');
    if (values.port !== undefined && !(Number(values.port) > 0 && Number(values.port) < 65536))
      throw new Error('--port is 1 to 65535');
    if (!/^\d+$/.test(values.seed)) throw new Error('--seed is a whole number');
    return values;
  } catch (error) {
    process.stderr.write(`demo: ${error.message}; see ./dev demo --help\n`);
    process.exit(2);
  }
}

const wanted = options();
if (wanted.help) {
  process.stdout.write(kHelp);
  process.exit(0);
}
const say = (line) => process.stderr.write(`${line}\n`);
const dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-demo-'));
const story = new Story({
  dir,
  host: 'localhost', // of a number no browser makes a passkey
  speed: wanted.speed,
  seed: Number(wanted.seed),
  say,
  ...(wanted.port ? { ports: { web: Number(wanted.port) } } : {}),
});

let ending = false;
async function end(code) {
  if (ending) return;
  ending = true;
  await story.stop();
  if (wanted.keep) say(`the run directory stays: ${dir}`);
  else rmSync(dir, { recursive: true, force: true });
  process.exit(code);
}
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => end(130));

try {
  say('starting two brokers, the pages, the CRM and the box …');
  await story.prepare();
  say('');
  say(`  tablet page   ${story.stack.tabletLink('tablet-1')}`);
  say(`                sign in as Eva or Tom with the PIN ${kPin}`);
  say(`  phone page    ${await story.link('c-paul')}`);
  say('');
  say(`the story takes ${Math.round(kStorySeconds / wanted.speed)} s`);
  const result = await story.play();
  const complaints = story.complaints(result);
  say('');
  for (const complaint of complaints) say(`demo: ${complaint}`);
  if (wanted.once) {
    process.stdout.write(`${JSON.stringify(result)}\n`);
    await end(complaints.length === 0 ? 0 : 1);
  } else {
    say(complaints.length === 0 ? 'The story came out right.' : 'The story did not come out right.');
    say('Everything still runs: look at the pages, and press Ctrl-C to end.');
  }
} catch (error) {
  say(`demo: ${error.message}`);
  await end(1);
}
