// SPDX-License-Identifier: Apache-2.0
// The contract of docs/schemas and docs/examples: what the fakes send comes from the examples, and
// every message is held against its schema, so that neither side can leave it unnoticed.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import Ajv from 'ajv';

const ajv = new Ajv({ strict: false, allErrors: true });
const checks = new Map();

export function assertFits(schema, message) {
  if (!checks.has(schema)) {
    const file = new URL(`../../docs/schemas/${schema}.json`, import.meta.url);
    checks.set(schema, ajv.compile(JSON.parse(readFileSync(file, 'utf8'))));
  }
  const check = checks.get(schema);
  assert.ok(check(message), `${schema}: ${ajv.errorsText(check.errors)} in ${JSON.stringify(message)}`);
}

// The published example NAME; each call gives a copy of its own.
export function example(name) {
  const file = new URL(`../../docs/examples/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8'));
}
