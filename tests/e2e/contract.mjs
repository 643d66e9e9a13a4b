// Validates messages against the schemas in docs/schemas, so that neither the pages nor the fakes
// can leave the contract unnoticed.

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
