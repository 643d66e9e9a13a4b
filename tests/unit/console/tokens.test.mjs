// SPDX-License-Identifier: Apache-2.0
// Colours stand once, in console/design.tokens.json; the pages have no other, and what is written can be read.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { readTokens, tokensAsCss, tokensOf } from '../../../console/tokens.mjs';
import { kRoot } from '../../../harness/places.mjs';

const kConsole = path.join(kRoot, 'console');
const read = (file) => readFileSync(path.join(kConsole, file), 'utf8');
const files = (suffix) =>
  readdirSync(path.join(kConsole, 'src'), { recursive: true }).filter((f) => f.endsWith(suffix));

const kFunctions =
  /#[0-9a-f]{3,8}\b|\b(?:rgba?|hsla?|hwb|lab|lch|oklab|oklch|color|color-mix|light-dark)\(/gi;
// Of CSS Color 4; `transparent` and `currentColor` are none of their own.
const kNames = new Set(
  `aliceblue antiquewhite aqua aquamarine azure beige bisque black blanchedalmond blue blueviolet brown burlywood cadetblue
  chartreuse chocolate coral cornflowerblue cornsilk crimson cyan darkblue darkcyan darkgoldenrod darkgray darkgreen
  darkgrey darkkhaki darkmagenta darkolivegreen darkorange darkorchid darkred darksalmon darkseagreen darkslateblue
  darkslategray darkslategrey darkturquoise darkviolet deeppink deepskyblue dimgray dimgrey dodgerblue firebrick
  floralwhite forestgreen fuchsia gainsboro ghostwhite gold goldenrod gray green greenyellow grey honeydew hotpink
  indianred indigo ivory khaki lavender lavenderblush lawngreen lemonchiffon lightblue lightcoral lightcyan
  lightgoldenrodyellow lightgray lightgreen lightgrey lightpink lightsalmon lightseagreen lightskyblue lightslategray
  lightslategrey lightsteelblue lightyellow lime limegreen linen magenta maroon mediumaquamarine mediumblue mediumorchid
  mediumpurple mediumseagreen mediumslateblue mediumspringgreen mediumturquoise mediumvioletred midnightblue mintcream
  mistyrose moccasin navajowhite navy oldlace olive olivedrab orange orangered orchid palegoldenrod palegreen
  paleturquoise palevioletred papayawhip peachpuff peru pink plum powderblue purple rebeccapurple red rosybrown royalblue
  saddlebrown salmon sandybrown seagreen seashell sienna silver skyblue slateblue slategray slategrey snow springgreen
  steelblue tan teal thistle tomato turquoise violet wheat white whitesmoke yellow yellowgreen`.split(/\s+/),
);

// What a style sheet says for its properties, without selectors, comments and words in quotes.
const values = (css) =>
  [
    ...css
      .replace(/\/\*[\s\S]*?\*\//g, '')
      .replace(/'[^']*'|"[^"]*"/g, '')
      .matchAll(/[\w-]+\s*:\s*([^;{}]+)[;}]/g),
  ].map((match) => match[1]);
const coloursIn = (css) =>
  values(css).flatMap((value) => [
    ...(value.match(kFunctions) ?? []),
    ...value
      .replace(/var\([^)]*\)/g, '')
      .split(/[^\w-]+/)
      .filter((word) => kNames.has(word.toLowerCase())),
  ]);

const { light, dark, ...rest } = readTokens();
const of = (group) =>
  Object.fromEntries([...tokensOf(group)].map(([name, type, value]) => [name, { type, value }]));
const [byDay, byNight] = [of(light), of(dark)];

// WCAG 2.2, relative luminance and contrast ratio.
const luminance = ({ components }) =>
  components
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
function contrast(theme, one, other) {
  const [dim, bright] = [one, other].map((name) => luminance(theme[name].value)).sort((a, b) => a - b);
  return (bright + 0.05) / (dim + 0.05);
}

describe('the design tokens', () => {
  it('have the same names by day and by night', () => {
    assert.deepEqual(Object.keys(byNight), Object.keys(byDay));
    const names = [...tokensOf({ light, rest })].map(([name]) => name);
    assert.equal(new Set(names).size, names.length, 'two tokens of one name are one property');
  });

  it('say each colour the same in both of its forms', () => {
    const colours = [byDay, byNight].flatMap((theme) =>
      Object.values(theme).flatMap(({ type, value }) =>
        type === 'color' ? [value] : value.map((one) => one.color),
      ),
    );
    for (const { colorSpace, components, hex } of colours) {
      assert.equal(colorSpace, 'srgb');
      const bytes = components.map((one) =>
        Math.round(one * 255)
          .toString(16)
          .padStart(2, '0'),
      );
      assert.equal(`#${bytes.join('')}`, hex);
    }
    assert.ok(colours.length > 30);
  });

  for (const [name, theme] of Object.entries({ day: byDay, night: byNight })) {
    it(`can be read by ${name}`, () => {
      const pairs = [
        ...['paper', 'surface', 'sunken'].flatMap((ground) => [['ink', ground], ['ink-soft', ground]]),
        ...['warm', 'alert', 'calm'].map((word) => [word, `${word}-soft`]),
        ['brand-strong', 'brand-soft'],
        ['on-brand', 'brand'],
        ['on-brand', 'brand-strong'],
        ['paper', 'ink'],
        ['alert', 'surface'],
        ['calm', 'surface'],
      ]; // prettier-ignore
      for (const [text, ground] of pairs) {
        const ratio = contrast(theme, text, ground);
        assert.ok(ratio >= 4.5, `${text} on ${ground}: ${ratio.toFixed(2)}:1`);
      }
      for (const ground of ['paper', 'surface']) {
        const ratio = contrast(theme, 'line-strong', ground);
        assert.ok(ratio >= 3, `line-strong on ${ground}: ${ratio.toFixed(2)}:1`);
      }
    });
  }
});

describe('the pages', () => {
  it('have no colour of their own', () => {
    const sheets = files('.css');
    assert.ok(sheets.length >= 3);
    for (const sheet of sheets) assert.deepEqual(coloursIn(read(`src/${sheet}`)), [], sheet);
    // A code is black on white, whatever the page around it is like, or no till can read it.
    for (const part of files('.tsx').filter((file) => file !== 'shared/qr.tsx')) {
      assert.deepEqual(read(`src/${part}`).match(/#[0-9a-f]{3,8}\b(?=['"])/gi) ?? [], [], part);
    }
  });

  it('would be found to have one', () => {
    for (const value of [
      '#fff',
      '1px solid #1b635080',
      'rgb(0 0 0 / 5%)',
      'white',
      '1px solid Tomato',
      'oklch(1 0 0)',
    ])
      assert.equal(coloursIn(`a:hover { border: ${value}; }`).length, 1, value);
    for (const value of ['var(--red)', 'transparent', 'currentColor', "'red'", 'inherit'])
      assert.deepEqual(coloursIn(`a#fade { color: ${value} }`), [], value);
  });

  it('use no property that is not there', () => {
    const there = new Set([...tokensAsCss().matchAll(/--([\w-]+):/g)].map((match) => match[1]));
    const sources = [...files('.css'), ...files('.tsx')].map((file) => read(`src/${file}`));
    for (const source of sources)
      for (const [, name] of source.matchAll(/['"\s{;]--([\w-]+)['"]?\s*:/g)) there.add(name);
    for (const source of sources)
      for (const [, name] of source.matchAll(/var\(--([\w-]+)/g)) assert.ok(there.has(name), `--${name}`);
  });

  it('say the same colours to the browser and to the Home Screen', () => {
    const manifest = JSON.parse(read('public/phone/manifest.webmanifest'));
    assert.equal(manifest.theme_color, byDay.brand.value.hex);
    assert.equal(manifest.background_color, byDay.paper.value.hex);
    const told = ['phone/index.html', 'tablet/index.html'].flatMap((page) =>
      [...read(page).matchAll(/<meta name="theme-color" content="([^"]+)"/g)].map((match) => match[1]),
    );
    for (const colour of told)
      assert.ok([byDay, byNight].some((of) => Object.values(of).some((t) => t.value.hex === colour)));
    assert.ok(told.length > 0);
    assert.ok(read('src/shared/icon.svg').includes(byDay.brand.value.hex));
  });
});
