// SPDX-License-Identifier: Apache-2.0
// What is known of them, to be changed.

import { useState } from 'preact/hooks';
import { Field } from '../shared/parts';
import type { Phone } from './model';
import type { Details } from './shown';
import { words } from './words';

// The languages that the company's words may be in; theirs is among them, whatever it is.
const kMessages = {
  en: 'English',
  de: 'Deutsch',
  fr: 'Français',
  ar: 'العربية',
  it: 'Italiano',
  es: 'Español',
};

export function Profile({ phone }: { phone: Phone }) {
  const t = words().details;
  const [draft, setDraft] = useState<Details | null>(null);
  const [like, setLike] = useState({ key: '', value: '' });
  const shown = draft ?? phone.customer.details;
  if (!shown) return null;
  const set = (change: Partial<Details>) => setDraft({ ...shown, ...change });
  const without = (key: string) => shown.likes.filter((one) => one.key !== key);
  const added = { key: like.key.trim(), value: like.value.trim() };
  const languages: Record<string, string> = { ...kMessages };
  if (shown.language && !languages[shown.language]) languages[shown.language] = shown.language;
  return (
    <form
      class="block details"
      onSubmit={(event) => {
        event.preventDefault();
        // What was typed and not added is meant, too.
        const likes = added.key && added.value ? [...without(added.key), added] : shown.likes;
        phone.change({ ...shown, likes });
        setDraft(null);
        setLike({ key: '', value: '' });
      }}
    >
      <h2>{t.title}</h2>
      <dl>
        <div>
          <dt>{t.name}</dt>
          <dd>{phone.customer.name}</dd>
        </div>
      </dl>
      <p class="soft">{t.hint}</p>
      {(['greeting', 'pronunciation'] as const).map((name) => (
        <Field key={name} label={t[name]}>
          <input
            name={name}
            maxLength={100}
            value={shown[name]}
            onInput={(event) => set({ [name]: event.currentTarget.value })}
          />
        </Field>
      ))}
      <Field label={t.language}>
        <select
          name="language"
          value={shown.language}
          onChange={(event) => set({ language: event.currentTarget.value })}
        >
          {!shown.language && <option value=""></option>}
          {Object.entries(languages).map(([tag, name]) => (
            <option key={tag} value={tag} lang={tag}>
              {name}
            </option>
          ))}
        </select>
      </Field>
      <h3>{t.likes}</h3>
      <ul class="devices" data-likes>
        {shown.likes.map(({ key, value }) => (
          <li key={key}>
            <span dir="auto">
              {value}
              <small class="soft">{key}</small>
            </span>
            <button
              type="button"
              class="button"
              aria-label={t.likeRemove(value)}
              onClick={() => set({ likes: without(key) })}
            >
              {words().remove}
            </button>
          </li>
        ))}
      </ul>
      <div class="pair">
        <Field label={t.likeKey}>
          <input
            name="like-key"
            maxLength={60}
            value={like.key}
            onInput={(event) => setLike({ ...like, key: event.currentTarget.value })}
          />
        </Field>
        <Field label={t.likeValue}>
          <input
            name="like-value"
            maxLength={200}
            value={like.value}
            onInput={(event) => setLike({ ...like, value: event.currentTarget.value })}
          />
        </Field>
      </div>
      <button class="button primary">{t.save}</button>
    </form>
  );
}
