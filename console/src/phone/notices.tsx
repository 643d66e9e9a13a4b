// SPDX-License-Identifier: Apache-2.0
// Whether this device is told something while the page is closed, and what its lock screen shows.

import { i18n } from '../shared/i18n';
import type { Phone } from './model';
import { noticeWords } from './notice-words';

export function Notices({ phone }: { phone: Phone }) {
  const { push } = phone;
  const state = phone.bell.state();
  if (!push || state === 'no') return null;
  const words = noticeWords(i18n.language);
  return (
    <section class="block" data-notices={push.on ? 'on' : state}>
      <h2>{words.title}</h2>
      <p class="soft">{words.hint}</p>
      {!push.on && state === 'install' && <p>{words.install}</p>}
      {!push.on && state === 'denied' && <p>{words.denied}</p>}
      {push.on && <p role="status">{words.isOn}</p>}
      {phone.bellProblem && phone.bellProblem !== 'denied' && (
        <p role="alert" data-bell-problem={phone.bellProblem}>
          {phone.bellProblem === 'failed' ? words.failed : words.unknown}
        </p>
      )}
      {push.on && (
        <label class="ticked">
          <span>{words.shows}</span>
          <input
            type="checkbox"
            role="switch"
            class="switch"
            checked={push.shows}
            disabled={phone.askingBell}
            onChange={(event) => phone.tellMe(event.currentTarget.checked)}
          />
        </label>
      )}
      {(push.on || state === 'ready') && (
        <button
          type="button"
          class="button"
          disabled={phone.askingBell}
          onClick={() => (push.on ? phone.tellMeNoMore() : phone.tellMe(false))}
        >
          {push.on ? words.off : words.on}
        </button>
      )}
    </section>
  );
}
