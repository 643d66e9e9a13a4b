// SPDX-License-Identifier: Apache-2.0
// Everything that is held on them, for people: the export as it is, nothing left out.

import type { ComponentChildren } from 'preact';
import { i18n } from '../shared/i18n';
import { record, time, type Json } from '../shared/read';
import { words } from './words';

export function Held({ data }: { data: Json }) {
  const t = words();
  return (
    <div class="held" data-held>
      {Object.entries(data)
        .filter(([, value]) => typeof value === 'object')
        .map(([name, value]) => (
          <details key={name} data-part={name}>
            <summary>
              {t.data[name] ?? plain(name)}
              {Array.isArray(value) && <span class="soft">{i18n.number(value.length)}</span>}
            </summary>
            <Value value={value} />
          </details>
        ))}
      <Value
        value={Object.fromEntries(Object.entries(data).filter(([, value]) => typeof value !== 'object'))}
      />
    </div>
  );
}

const plain = (name: string) => name.replaceAll('_', ' ');

function Value({ value }: { value: unknown }): ComponentChildren {
  if (Array.isArray(value)) {
    if (value.length === 0) return <p class="soft">{words().readNone}</p>;
    return (
      <ol>
        {value.map((one, i) => (
          <li key={i}>
            <Value value={one} />
          </li>
        ))}
      </ol>
    );
  }
  const members = record(value);
  if (!members) {
    const at = time(value);
    return <span dir="auto">{at === null ? String(value ?? '–') : i18n.moment(at)}</span>;
  }
  return (
    <dl>
      {Object.entries(members).map(([name, one]) => (
        <div key={name}>
          <dt>{plain(name)}</dt>
          <dd>
            <Value value={one} />
          </dd>
        </div>
      ))}
    </dl>
  );
}
