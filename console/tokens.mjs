// SPDX-License-Identifier: Apache-2.0
// The custom properties of the pages' style sheets, made of design.tokens.json (Design Tokens Format Module 2025.10)
// when the pages are built: `import 'virtual:tokens.css'`.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const kFile = fileURLToPath(new URL('design.tokens.json', import.meta.url));

const dimension = ({ value, unit }) => (value === 0 ? '0' : `${value}${unit}`);
const color = ({ components, alpha = 1, hex }) =>
  alpha === 1
    ? hex
    : `rgb(${components.map((one) => Math.round(one * 255)).join(' ')} / ${Math.round(alpha * 100)}%)`;
const shadow = ({ color: of, offsetX, offsetY, blur, spread }) =>
  `${[offsetX, offsetY, blur, spread].map(dimension).join(' ')} ${color(of)}`;
const kWritten = {
  color,
  dimension,
  fontFamily: (names) => names.map((name) => (/^[\w-]+$/.test(name) ? name : `'${name}'`)).join(', '),
  shadow: (layers) => layers.map(shadow).join(', '),
};

// Each token of a group, with the type that it has or that it inherits: [name, type, value].
export function* tokensOf(group, name = '', inherited = '') {
  const type = group.$type ?? inherited;
  if ('$value' in group) yield [name, type, group.$value];
  for (const [word, part] of Object.entries(group)) {
    if (!word.startsWith('$')) yield* tokensOf(part, word, type);
  }
}

export const readTokens = () => JSON.parse(readFileSync(kFile, 'utf8'));

export function tokensAsCss({ light, dark, ...rest } = readTokens()) {
  const properties = (group) =>
    [...tokensOf(group)].map(([name, type, value]) => `--${name}: ${kWritten[type](value)};\n`).join('');
  return (
    `:root {\n${properties(light)}${properties(rest)}}\n` +
    `@media (prefers-color-scheme: dark) {\n:root {\n${properties(dark)}}\n}\n`
  );
}

const kImported = 'virtual:tokens.css';
const kResolved = '/__tokens.css';

// For Vite; `vite` in its watching mode builds again when the file changes.
export const tokens = () => ({
  name: 'tokens',
  resolveId: (id) => (id === kImported ? kResolved : null),
  load(id) {
    if (id !== kResolved) return null;
    this.addWatchFile(kFile);
    return tokensAsCss();
  },
});
