// SPDX-License-Identifier: Apache-2.0
// What a box has proved, and what it has not: the numbers and the refusals of the C++ tests.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import { load, read, vectors } from './load.mjs';

const { canonical, isSignedBy, provesRetired, whyNoProof } = await load('sdk/ts/index.ts');
const all = vectors('proofs');
const key = all.public_key;
const other = Buffer.from(
  generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }).x,
  'base64url',
).toString('base64');

describe('the canonical form', () => {
  for (const { test, json, canonical: wanted } of all.canonical.vectors) {
    it(`${test}: ${json}`, () => {
      assert.ok(read(all.canonical.of).includes(test));
      if (wanted === null) assert.throws(() => canonical(JSON.parse(json)), RangeError);
      else assert.equal(canonical(JSON.parse(json)), wanted);
    });
  }

  it('refuses half of a character, what is too deep, and what is no JSON', () => {
    assert.throws(() => canonical('\ud800'), RangeError);
    assert.throws(() => canonical('\udc00x'), RangeError);
    assert.throws(() => canonical({ a: undefined }), TypeError);
    let deep = [];
    for (let i = 0; i < 40; ++i) deep = [deep];
    assert.throws(() => canonical(deep), RangeError);
  });
});

describe('a signature', () => {
  it('is that of the C++ test', async () => {
    const { of, test, vectors: list } = all.signed;
    for (const object of list) {
      assert.ok(read(of).split(`${test})`)[1].includes(object.sig.value));
      assert.ok(read(of).includes(key));
      assert.equal(await isSignedBy(object, key), true);
      assert.equal(await isSignedBy({ ...object, seq: 4 }, key), false);
      assert.equal(await isSignedBy(object, other), false);
    }
  });

  it('is none where there is no signature, or no key', async () => {
    const [object] = all.signed.vectors;
    for (const sig of [undefined, null, 'x', {}, { key: 'k1' }, { key: 'k1', value: 'AAAA' }, { value: 2 }]) {
      assert.equal(await isSignedBy({ ...object, sig }, key), false, JSON.stringify(sig));
    }
    for (const bad of ['', 'x', `${key}AA`, 'A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMQ==']) {
      assert.equal(await isSignedBy(object, bad), false, bad);
    }
    assert.equal(await isSignedBy({ ...object, share: 0.5 }, key), false);
  });
});

describe('a receipt of an erasure', () => {
  const [receipt] = all.receipt.vectors;
  const asked = { command: 'cmd-1', box: 'box-1', customer: 'c-paul', key };

  it('is of the example of the protocol', () => {
    const { data } = JSON.parse(read('docs/examples/event.erasure.receipt.json'));
    assert.deepEqual({ ...receipt, sig: undefined }, { ...data, sig: undefined });
  });

  it('proves what was asked, also as the CRM keeps it', async () => {
    assert.equal(await whyNoProof(receipt, asked), null);
    const { customer, ...kept } = receipt;
    assert.equal(await whyNoProof(kept, asked), null);
    assert.equal(customer, 'c-paul');
  });

  // ReceiptTest.WhatTheBoxsKeyDidNotSignDoesNotCountAndSaysWhy, in the same words.
  it('proves nothing else, and says why', async () => {
    const why = (changes, of = {}) => whyNoProof({ ...receipt, ...changes }, { ...asked, ...of });
    assert.equal(await why({ sig: undefined }), 'it is not signed');
    assert.equal(await why({}, { key: other }), 'its signature is wrong');
    assert.equal(await why({ sig: { ...receipt.sig, key: 'box-2' } }), 'its signature is wrong');
    assert.equal(await why({}, { customer: 'c-mia' }), 'its signature is wrong');
    assert.equal(await why({ erased: { visits: 4 } }), 'its signature is wrong');
    assert.equal(await why({ at: '2026-05-05T08:15:30.250Z' }), 'its signature is wrong');
    assert.equal(await why({ bytes_gone: undefined }), 'its signature is wrong');
    assert.equal(await why({}, { box: 'box-2' }), "it is another box's");
    assert.equal(await why({}, { command: 'cmd-2' }), 'it answers another command');
    const said = read('crm/erasures.cpp');
    for (const words of ["it is another box's", 'it is not signed', 'its signature is wrong'])
      assert.ok(said.includes(words), words);
  });

  // ReceiptTest.ABoxIsTickedOffWhenTheBytesAreGoneAndNotBefore.
  it('proves nothing before the bytes are gone', async () => {
    const [left] = all.receipt_of_bytes_left.vectors;
    assert.equal(await whyNoProof(left, asked), 'the bytes are not gone yet');
    const [old] = all.receipt_without_bytes_gone.vectors;
    const why = 'it does not say that the bytes are gone: the box is older than 0.2.0';
    assert.equal(await whyNoProof(old, asked), why);
  });
});

describe('a box that was retired', () => {
  const [said] = all.retired.vectors;
  it('has proved it for its own address, with its own key', async () => {
    const address = 'demo/aroma-1/box-1';
    assert.equal(await provesRetired(said, address, key), true);
    assert.equal(await provesRetired(said, 'demo/aroma-1/box-2', key), false);
    assert.equal(await provesRetired(said, address, other), false);
    assert.equal(await provesRetired({ ...said, at: '2026-05-05T08:15:30.250Z' }, address, key), false);
    assert.equal(await provesRetired({ retires: said.retires, at: said.at }, address, key), false);
  });
});
