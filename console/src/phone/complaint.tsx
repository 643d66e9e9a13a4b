// SPDX-License-Identifier: Apache-2.0
// Something was not right: a word to head office.

import { useState } from 'preact/hooks';
import { Field } from '../shared/parts';
import type { Phone } from './model';
import { words } from './words';

export function Complaint({ phone }: { phone: Phone }) {
  const [said, setSaid] = useState('');
  const [open, setOpen] = useState(false);
  const t = words().complain;
  return (
    <details
      class="block complaint"
      open={open}
      onToggle={(event) => setOpen((event.currentTarget as HTMLDetailsElement).open)}
    >
      <summary>{t.title}</summary>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          phone.complain(said.trim());
          setSaid('');
          setOpen(false);
        }}
      >
        <p class="soft">{t.hint}</p>
        <Field label={t.words}>
          <textarea
            name="complaint"
            maxLength={2000}
            value={said}
            onInput={(event) => setSaid(event.currentTarget.value)}
          />
        </Field>
        <button class="button primary" disabled={!said.trim()}>
          {t.send}
        </button>
      </form>
    </details>
  );
}
