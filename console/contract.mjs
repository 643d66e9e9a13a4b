// SPDX-License-Identifier: Apache-2.0
// Writes src/contract.ts: the words and messages of docs/schemas that the pages read and send, so
// that a word of the contract that a page does not know is an error of the compiler.
//
// contract.mjs          writes it
// contract.mjs --check  says whether it is what the schemas say

import { readFileSync, writeFileSync } from 'node:fs';

const kSchemas = [
  'door.request',
  'floor.action',
  'floor.enrol',
  'floor.manage',
  'floor.managed',
  'floor.prompt',
  'floor.refused',
  'floor.session',
  'floor.sign_in',
  'floor.staff',
  'floor.status',
  'item.consents',
];
const kOutput = new URL('src/contract.ts', import.meta.url);
const kHead = `// SPDX-License-Identifier: Apache-2.0
// Made by console/contract.mjs from docs/schemas; \`npm run contract\` makes it again.

// What came from outside has these names, and any value.
export type Unread<T> = { readonly [K in T extends unknown ? keyof T : never]?: unknown };
`;

const capitals = (name) => name.replace(/(?:^|[._])([a-z])/g, (_, letter) => letter.toUpperCase());
const quoted = (value) => (typeof value === 'string' ? `'${value}'` : String(value));

class Writer {
  #schema;
  #words = [];

  constructor(schema) {
    this.#schema = schema;
  }

  write(name) {
    const type = capitals(name);
    const { oneOf } = this.#schema;
    const fields = this.#fields(this.#schema, type, '  ');
    const message = oneOf
      ? `interface ${type}Fields ${fields}\n\nexport type ${type} =${oneOf.map((branch) => this.#branch(branch, type)).join('')};\n`
      : `export interface ${type} ${fields}\n`;
    return [`// ${this.#schema.title}\n`, ...this.#words, message].join('\n');
  }

  // What the kind of a message says about its other fields.
  #branch({ properties, required = [] }, type) {
    const fixed = Object.entries(properties).map(([name, node]) => `${name}: ${this.#type(node)}`);
    const needed = required.map((name) => `'${name}'`).join(' | ');
    const rest = needed && ` & Required<Pick<${type}Fields, ${needed}>>`;
    return `\n  | (${type}Fields & { ${fixed.join('; ')} }${rest})`;
  }

  #fields({ properties, required = [] }, path, indent) {
    const lines = Object.entries(properties).map(([name, node]) => {
      const optional = required.includes(name) ? '' : '?';
      return `${indent}${name}${optional}: ${this.#type(node, path + capitals(name), indent)};`;
    });
    return `{\n${lines.join('\n')}\n${indent.slice(2)}}`;
  }

  #type(node, path, indent = '') {
    if (node.$ref) return this.#type(this.#resolve(node.$ref), path, indent);
    if ('const' in node) return quoted(node.const);
    if (node.enum) return path ? this.#word(node.enum, path) : node.enum.map(quoted).join(' | ');
    if (Array.isArray(node.type))
      return node.type.map((type) => this.#type({ ...node, type }, path, indent)).join(' | ');
    switch (node.type) {
      case 'integer':
      case 'number':
        return 'number';
      case 'string':
      case 'boolean':
      case 'null':
        return node.type;
      case 'array':
        return `${this.#type(node.items, path, indent)}[]`;
      case 'object':
        if (node.properties) return this.#fields(node, path, `${indent}  `);
        return `Record<string, ${node.additionalProperties ? this.#type(node.additionalProperties, path) : 'unknown'}>`;
    }
    throw new Error(`${path}: no TypeScript for ${JSON.stringify(node)}`);
  }

  #word(words, path) {
    const list = `export const k${path} = [${words.map(quoted).join(', ')}] as const;`;
    this.#words.push(`${list}\nexport type ${path} = (typeof k${path})[number];\n`);
    return path;
  }

  #resolve(reference) {
    return reference
      .replace(/^#\//, '')
      .split('/')
      .reduce((node, part) => node[part], this.#schema);
  }
}

function contract() {
  const messages = kSchemas.map((name) => {
    const file = new URL(`../docs/schemas/${name}.json`, import.meta.url);
    return new Writer(JSON.parse(readFileSync(file, 'utf8'))).write(name);
  });
  return [kHead, ...messages].join('\n');
}

if (process.argv.includes('--check')) {
  if (readFileSync(kOutput, 'utf8') !== contract()) {
    process.stdout.write('console/src/contract.ts is not what docs/schemas say: npm run contract\n');
    process.exit(1);
  }
} else {
  writeFileSync(kOutput, contract());
}
