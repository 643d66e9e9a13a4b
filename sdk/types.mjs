// SPDX-License-Identifier: Apache-2.0
// Writes sdk/ts/door_types.ts: what each request of docs/openapi.yaml takes and answers, so that what the door
// does not know is an error of the compiler of whoever builds an app.
//
// types.mjs          writes it
// types.mjs --check  says whether it is what the document says

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const kDocs = new URL('../docs/', import.meta.url);
const kOutput = new URL('ts/door_types.ts', import.meta.url);
const kYaml = 'import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)';
const kDocument = JSON.parse(
  execFileSync('/usr/bin/python3', ['-c', kYaml, fileURLToPath(new URL('openapi.yaml', kDocs))]),
);
const kHead = `// SPDX-License-Identifier: Apache-2.0
// Made by sdk/types.mjs from docs/openapi.yaml; \`node sdk/types.mjs\` makes it again.
`;
// A box's, which is no app.
const kNotOurs = '/v1/provision';

const capitals = (name) => name.replace(/(?:^|[._-])([a-z])/g, (_, letter) => letter.toUpperCase());
const place = (node, pointer) => pointer.split('/').reduce((at, name) => (name ? at[name] : at), node);
const named = (name) => (/^\w+$/.test(name) ? name : `'${name}'`);

// A schema as a type. `root` is the file in which its own references (#/…) lead somewhere.
function type(node, root, indent = '') {
  if (node.$ref) {
    const [file, pointer] = node.$ref.split('#');
    if (file) {
      const schema = JSON.parse(readFileSync(new URL(file, kDocs), 'utf8'));
      return type(place(schema, pointer ?? ''), schema, indent);
    }
    const [, component] = pointer.match(/^\/components\/schemas\/(\w+)$/) ?? [];
    return component ? capitals(component) : type(place(root, pointer), root, indent);
  }
  if ('const' in node) return JSON.stringify(node.const).replaceAll('"', "'");
  if (node.enum) return node.enum.map((word) => `'${word}'`).join(' | ');
  if (Array.isArray(node.type)) return node.type.map((one) => type({ type: one }, root, indent)).join(' | ');
  switch (node.type) {
    case 'integer':
    case 'number':
      return 'number';
    case 'string':
    case 'boolean':
    case 'null':
      return node.type;
    case 'array': {
      const item = type(node.items, root, indent);
      return item.includes(' | ') && !item.startsWith('{') ? `(${item})[]` : `${item}[]`;
    }
    case 'object':
      return object(node, root, indent);
  }
  throw new Error(`no TypeScript for ${JSON.stringify(node)}`);
}

function object({ properties, required = [], additionalProperties }, root, indent) {
  if (!properties) {
    const value = additionalProperties?.type ? type(additionalProperties, root) : 'unknown';
    const names = required.map((name) => `'${name}'`).join(' | ') || 'string';
    return `Record<${names}, ${value}>`;
  }
  const lines = Object.entries(properties).map(([name, node]) => {
    const optional = required.includes(name) ? '' : '?';
    const note = node.description ? `${indent}  /** ${node.description.trim()} */\n` : '';
    return `${note}${indent}  ${named(name)}${optional}: ${type(node, root, `${indent}  `)};\n`;
  });
  return `{\n${lines.join('')}${indent}}`;
}

function component([name, node]) {
  const made = type(node, kDocument);
  const note = node.description ? `/** ${node.description} */\n` : '';
  return made.startsWith('{') && !made.endsWith('[]')
    ? `${note}export interface ${capitals(name)} ${made}\n`
    : `${note}export type ${capitals(name)} = ${made};\n`;
}

const json = (node) => node?.content?.['application/json']?.schema;

function route(path, verb, operation) {
  const asked = operation.requestBody?.$ref
    ? place(kDocument, operation.requestBody.$ref.slice(1))
    : operation.requestBody;
  const good = Object.entries(operation.responses).find(([status]) => status < 400)[1];
  const body = json(asked) ? type(json(asked), kDocument, '    ') : 'undefined';
  const answer = json(good) ? type(json(good), kDocument, '    ') : 'null';
  return (
    `  /** ${operation.summary} */\n  '${verb.toUpperCase()} ${path}': {\n` +
    `    body: ${body};\n    answer: ${answer};\n  };\n`
  );
}

function written() {
  const routes = Object.entries(kDocument.paths)
    .filter(([path]) => path !== kNotOurs)
    .flatMap(([path, { parameters, ...verbs }]) =>
      Object.entries(verbs)
        .filter(([, operation]) => !operation.responses['200']?.content?.['text/event-stream'])
        .map(([verb, operation]) => route(path, verb, operation)),
    );
  const parts = Object.entries(kDocument.components.schemas).map(component);
  return [kHead, ...parts, `export interface Routes {\n${routes.join('')}}\n`].join('\n');
}

if (process.argv.includes('--check')) {
  if (readFileSync(kOutput, 'utf8') !== written()) {
    process.stdout.write('sdk/ts/door_types.ts is not what docs/openapi.yaml says: node sdk/types.mjs\n');
    process.exit(1);
  }
} else {
  writeFileSync(kOutput, written());
}
