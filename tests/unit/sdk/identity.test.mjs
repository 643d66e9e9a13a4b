// SPDX-License-Identifier: Apache-2.0
// What a phone of the SDK advertises is what a box looks for: the numbers that C++ comes to, and an AES of
// another library.

import assert from 'node:assert/strict';
import { createCipheriv, randomBytes, randomInt } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { load, read, vectors } from './load.mjs';

const { boxEid, eddystoneEid, keyFromHex, moving, onAir, rotatingUuid } = await load('sdk/ts/index.ts');
const all = vectors('identity');
const kPublished = path.join(process.env.WELCOME_DATA ?? '/nowhere', 'ble/vectors/eddystone_eid.json');

// docs/ble.md, "Rotating service UUID", once more.
function rotated(key, k, clock, salt) {
  const aes = (by, block) => {
    const cipher = createCipheriv('aes-128-ecb', by, null).setAutoPadding(false);
    return Buffer.concat([cipher.update(block), cipher.final()]);
  };
  const first = Buffer.alloc(16);
  first[11] = salt;
  first.writeUInt16BE(Math.floor(clock / 65536), 14);
  const second = Buffer.alloc(16);
  second[11] = k;
  second.writeUInt32BE(Number((BigInt(clock) >> BigInt(k)) << BigInt(k)), 12);
  return aes(aes(key, first), second);
}

describe('a rotating identity', () => {
  it('is that of the C++ test', async () => {
    const { of, test, vectors: list } = all.rotating_uuid;
    const [, source] = read(of).split(`${test})`);
    for (const { key, exponent, clock, uuid } of list) {
      assert.ok(source.includes(uuid.replaceAll('-', '')), `${uuid} is not what ${test} says`);
      assert.ok(read('docs/ble.md').includes(`| ${exponent} | ${clock} |`));
      assert.equal(await rotatingUuid(keyFromHex(key), exponent, clock), uuid);
    }
    assert.equal(list.length, 10);
  });

  it('flips one bit while the phone moves', () => {
    for (const { uuid, moving: moves } of all.moving.vectors) {
      assert.ok(read(all.moving.of).includes(moves));
      assert.equal(moving(uuid), moves);
      assert.equal(moving(moves), uuid);
    }
  });

  it('is the EID of the published numbers', async () => {
    for (const { key, exponent, clock, eid } of all.eddystone_eid.vectors) {
      assert.equal(await eddystoneEid(keyFromHex(key), exponent, clock), eid);
    }
  });

  it('is every EID that the C++ test looks at', { skip: !existsSync(kPublished) && 'no data' }, async () => {
    const { vectors: published, computed_here: computed } = JSON.parse(readFileSync(kPublished, 'utf8'));
    const whole = [...published, ...computed].filter((v) => v.identity_key);
    for (const { identity_key, k, beacon_time, eid } of whole) {
      assert.equal(await eddystoneEid(keyFromHex(identity_key), k, beacon_time), eid);
    }
    for (const { key, clock } of all.eddystone_eid.vectors) {
      assert.ok(whole.some((v) => v.identity_key === key && v.beacon_time === clock));
    }
    assert.ok(whole.length > 20);
  });

  it('is what another AES comes to, whatever the key and the clock', async () => {
    for (let i = 0; i < 300; ++i) {
      const [key, k, clock] = [randomBytes(16), randomInt(16), randomInt(2 ** 32)];
      const eid = rotated(key, k, clock, 0xff).toString('hex', 0, 8);
      assert.equal(await eddystoneEid(key, k, clock), eid);
      const uuid = rotated(key, k, clock, 0xfe);
      uuid[6] = (uuid[6] & 0x0f) | 0x80;
      uuid[8] = (uuid[8] & 0x3f) | 0x80;
      assert.equal((await rotatingUuid(key, k, clock)).replaceAll('-', ''), uuid.toString('hex'));
    }
  });

  it('is on air until its window ends, and not a moment longer', async () => {
    const clockZero = new Date('2026-01-01T00:00:00Z');
    const identity = { key: keyFromHex('000102030405060708090a0b0c0d0e0f'), exponent: 7, clockZero };
    const at = (seconds) => new Date(clockZero.getTime() + seconds * 1000);
    const { uuid, until } = await onAir(identity, at(127.999));
    assert.equal(uuid, '515f3e19-34a6-805b-a830-372bfdd9aecc');
    assert.deepEqual(until, at(128));
    assert.equal((await onAir(identity, until)).uuid, '7eb3ea68-5b95-87c4-8567-1236e4fc6887');
    assert.deepEqual((await onAir(identity, until)).until, at(256));
  });

  it('refuses what no box could know', async () => {
    const key = new Uint8Array(16);
    for (const [bad, k, clock] of [
      [new Uint8Array(15), 7, 0],
      [key, 16, 0],
      [key, -1, 0],
      [key, 7.5, 0],
      [key, 7, -1],
      [key, 7, 2 ** 32],
      [key, 7, NaN],
    ]) {
      await assert.rejects(rotatingUuid(bad, k, clock), RangeError);
    }
    for (const text of ['', '00', 'g'.repeat(32), '0'.repeat(34)])
      assert.throws(() => keyFromHex(text), RangeError);
    // A phone whose clock stands before the key was made.
    await assert.rejects(onAir({ key, exponent: 7, clockZero: new Date(2e12) }, new Date(1e12)), RangeError);
  });

  it("reads a box's EID, and nothing else", () => {
    const frame = Uint8Array.from([0x30, 0xee, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert.equal(boxEid(frame), '0102030405060708');
    assert.equal(boxEid(frame.subarray(0, 9)), null);
    assert.equal(boxEid(Uint8Array.from([0x00, ...frame.subarray(1)])), null);
    assert.equal(boxEid(new Uint8Array()), null);
  });
});
