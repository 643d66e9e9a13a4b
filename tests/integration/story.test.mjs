// SPDX-License-Identifier: Apache-2.0
// The story of the shop on the real programs: it comes out right, also when the box is killed in
// the middle; and nobody who did not ask for it leaves a trace on the box.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { Story } from '../../demo/story.mjs';

const kSpeed = 4;

async function withStory(t, play) {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-story-'));
  const story = new Story({ dir, speed: kSpeed, pages: null, say: (line) => t.diagnostic(line) });
  try {
    await story.prepare();
    await play(story);
  } finally {
    await story.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

function files(dir) {
  return readdirSync(dir).flatMap((name) => {
    const file = path.join(dir, name);
    return statSync(file).isDirectory() ? files(file) : statSync(file).isFile() ? [file] : [];
  });
}

// Every address in the capture: members' phones use random ones too, so none may be on the box.
function addresses(story) {
  const lines = execFileSync(
    story.program('welcome-eval'),
    ['adverts', path.join(story.dir, 'shop.btsnoop')],
    {
      maxBuffer: 1 << 28,
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  const found = new Set();
  for (const line of lines.toString().split('\n'))
    if (line.includes('"addr"')) found.add(JSON.parse(line).addr);
  return [...found];
}

function traces(bytes, address) {
  const raw = Buffer.from(address.replaceAll(':', ''), 'hex');
  const text = address.toLowerCase();
  return [
    ['bytes', raw],
    ['bytes, on air', Buffer.from(raw).reverse()],
    ['text', Buffer.from(text)],
    ['text', Buffer.from(text.toUpperCase())],
    ['hex', Buffer.from(text.replaceAll(':', ''))],
  ]
    .filter(([, needle]) => bytes.includes(needle))
    .map(([how]) => how);
}

// A face embedding is a unit vector of 512 or 192 numbers; nothing else on a disk looks like one.
function embeddings(bytes) {
  let found = 0;
  for (let shift = 0; shift < 4; ++shift) {
    const count = Math.floor((bytes.length - shift) / 4);
    const squares = new Float64Array(count + 1);
    let bad = -1; // the last value that no embedding has
    for (let i = 0; i < count; ++i) {
      const value = bytes.readFloatLE(shift + 4 * i);
      const good = Number.isFinite(value) && Math.abs(value) < 0.9 && (value === 0 || Math.abs(value) > 1e-9);
      if (!good) bad = i;
      squares[i + 1] = squares[i] + (good ? value * value : 0);
      for (const size of [192, 512]) {
        if (i + 1 < size || i - bad < size) continue;
        if (Math.abs(squares[i + 1] - squares[i + 1 - size] - 1) < 1e-3) ++found;
      }
    }
  }
  return found;
}

const kPictures = [
  ['JPEG', Buffer.from([0xff, 0xd8, 0xff, 0xe0])],
  ['JPEG', Buffer.from([0xff, 0xd8, 0xff, 0xdb])],
  ['PNG', Buffer.from('\x89PNG\r\n', 'latin1')],
  ['MP4', Buffer.from('ftypisom')],
];

test('the search for traces finds what is planted', () => {
  const vector = new Float32Array(512).fill(1 / Math.sqrt(512));
  const planted = Buffer.concat([Buffer.alloc(1001), Buffer.from(vector.buffer), Buffer.alloc(999)]);
  assert.ok(embeddings(planted) > 0);
  assert.equal(embeddings(Buffer.alloc(8000)), 0);
  assert.deepEqual(traces(Buffer.from('x aa:bb:cc:dd:ee:01 y'), 'aa:bb:cc:dd:ee:01'), ['text']);
});

test('the story comes out right, and strangers leave no trace', async (t) => {
  await withStory(t, async (story) => {
    const result = await story.play();
    assert.deepEqual(story.complaints(result), []);
    assert.ok(result.latency_ms_p95 < 2000, 'an offer is on its way within two seconds');

    // While the daemon runs, so that the write-ahead log is there too; its log counts as well.
    const box = [...files(path.join(story.dir, 'welcomed')), path.join(story.dir, 'welcomed.log')].filter(
      (file) => !file.includes('/credentials/') && !file.endsWith('.conf'),
    );
    assert.ok(box.some((file) => file.endsWith('welcomed.db')));
    assert.ok(box.some((file) => file.endsWith('.log')));
    const known = addresses(story);
    assert.ok(known.length > 30, 'the capture has a few dozen devices');
    for (const file of box) {
      const bytes = readFileSync(file);
      const name = path.basename(file);
      for (const address of known) {
        assert.deepEqual(traces(bytes, address), [], `an address of the capture is in ${name}`);
      }
      assert.equal(embeddings(bytes), 0, `a face embedding is legible in ${name}`);
      for (const [kind, magic] of kPictures) assert.ok(!bytes.includes(magic), `a ${kind} is in ${name}`);
      for (const word of ['Moreau', 'Okafor', 'Lindt', 'sparkling', 'Ethiopian', '5b1e0f7a9c3d4826']) {
        assert.ok(!bytes.includes(Buffer.from(word)), `personal data is legible in ${name}`);
      }
    }
  });
});

test('killed in the middle, the box loses nothing and repeats nothing', async (t) => {
  await withStory(t, async (story) => {
    const playing = story.play();
    for (const second of [16, 65, 120]) {
      await story.at(second);
      await story.daemon.kill();
      story.daemon = await story.startDaemon({ replay: true });
    }
    const result = await playing;
    assert.equal(result.messages_lost, 0);
    assert.equal(result.messages_duplicated, 0);
    assert.equal(story.inbox.paul.filter((m) => m.kind === 'offer').length, 1);
    assert.ok(story.prompts.some((p) => p.greet.name.startsWith('Paul') && p.by.includes('face')));
  });
});

test('a broker that is away is waited for, and nothing is lost', async (t) => {
  await withStory(t, async (story) => {
    const playing = story.play();
    await story.at(12);
    await story.stack.program('mosquitto-central').stop();
    await story.at(40);
    await story.stack.startBroker('uplink');
    const result = await playing;
    assert.equal(result.messages_lost, 0);
    assert.equal(result.messages_duplicated, 0);
  });
});
