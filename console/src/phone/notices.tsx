// SPDX-License-Identifier: Apache-2.0
// Whether this device is told something while the page is closed, and what its lock screen shows.

import type { Phone } from './model';
import { words } from './words';

export function Notices({ phone }: { phone: Phone }) {
  const { push } = phone.customer;
  const { state, problem, asking } = phone.telling;
  if (!push || state === 'no') return null;
  const t = words().notices;
  return (
    <section class="block" data-notices={push.on ? 'on' : state}>
      <h2>{t.title}</h2>
      <p class="soft">{t.hint}</p>
      {!push.on && state === 'install' && <p>{t.install}</p>}
      {!push.on && state === 'denied' && <p>{t.denied}</p>}
      {push.on && <p role="status">{t.isOn}</p>}
      {problem && problem !== 'denied' && (
        <p role="alert" data-bell-problem={problem}>
          {problem === 'failed' ? t.failed : t.unknown}
        </p>
      )}
      {push.on && (
        <label class="ticked">
          <span>{t.shows}</span>
          <input
            type="checkbox"
            role="switch"
            class="switch"
            checked={push.shows}
            disabled={asking}
            onChange={(event) => phone.tellMe(event.currentTarget.checked)}
          />
        </label>
      )}
      {(push.on || state === 'ready') && (
        <button
          type="button"
          class="button"
          disabled={asking}
          onClick={() => (push.on ? phone.tellMeNoMore() : phone.tellMe(false))}
        >
          {push.on ? t.off : t.on}
        </button>
      )}
    </section>
  );
}
