// SPDX-License-Identifier: Apache-2.0
// What a guest likes: still right, to be changed, or something new. Allergies are a class of their own, and warn.

import { useEffect, useRef, useState } from 'preact/hooks';
import { i18n } from '../shared/i18n';
import { Field, Icon, type IconName } from '../shared/parts';
import type { Prompt, Tablet } from './model';
import { isAllergy, type Preference } from './prompt';
import { words } from './words';

const kKinds = ['drink', 'food', 'seat', 'address', 'allergy', 'other'];

const kindOf = (key: string) => words().tablet.kinds[key] ?? key;

export function Likes({ tablet, prompt }: { tablet: Tablet; prompt: Prompt }) {
  const t = words().tablet;
  return (
    <section>
      <h3 class="label">{t.likes}</h3>
      {prompt.preferences.length === 0 && <p class="soft">{t.noLikes}</p>}
      <ul class="likes">
        {prompt.preferences.map((preference) => (
          <Like key={preference.key} tablet={tablet} prompt={prompt} preference={preference} />
        ))}
      </ul>
      <Add tablet={tablet} prompt={prompt} />
    </section>
  );
}

// How it is known, in the page's language.
function known(preference: Preference): string {
  const t = words().tablet;
  if (preference.confirmed === null) return i18n.language === 'en' ? preference.detail : '';
  const parts = [
    preference.source && t.fromSource(t.sources[preference.source] ?? preference.source),
    t.confirmedTimes(preference.confirmed),
    preference.lastConfirmed !== null && t.lastConfirmed(i18n.month(preference.lastConfirmed)),
  ];
  return parts.filter(Boolean).join(', ');
}

function Like(props: { tablet: Tablet; prompt: Prompt; preference: Preference }) {
  const { tablet, prompt, preference } = props;
  const [editing, setEditing] = useState(false);
  const [confirmed, setConfirmed] = useState('');
  const t = words().tablet;
  const done = confirmed === preference.text;

  const send = async (said: string, verdict: 'confirm' | 'change') => {
    if (!(await tablet.prefer(prompt.visit, preference.key, said, verdict))) return;
    setConfirmed(said);
    setEditing(false);
  };

  if (editing)
    return (
      <li>
        <OneLine
          label={t.changeTo}
          start={preference.text}
          onSave={(said) => void send(said, 'change')}
          onClose={() => setEditing(false)}
        />
      </li>
    );
  const button = (icon: IconName, said: string, act: () => void, over?: boolean) => (
    <button
      type="button"
      class="button quiet icon"
      title={said}
      aria-label={t.forGuest(said, tablet.called(prompt))}
      aria-disabled={over}
      onClick={() => !over && act()}
    >
      <Icon name={icon} />
    </button>
  );
  return (
    <li class={`like${isAllergy(preference) ? ' allergy' : ''}`}>
      {isAllergy(preference) && <Icon name="warn" />}
      <span class="like-words">
        <small class="soft">{kindOf(preference.key)}</small>
        <bdi>{preference.text}</bdi>
        <small class="soft">{done ? t.confirmedNow : known(preference)}</small>
      </span>
      {button('check', t.stillRight(preference.text), () => void send(preference.text, 'confirm'), done)}
      {button('pencil', t.change(preference.text), () => setEditing(true))}
    </li>
  );
}

function Add({ tablet, prompt }: { tablet: Tablet; prompt: Prompt }) {
  const [kind, setKind] = useState<string | null>(null); // '': not chosen yet
  const opener = useRef<HTMLButtonElement>(null);
  const opened = useRef(false);
  const t = words().tablet;
  useEffect(() => {
    if (kind === null && opened.current) opener.current?.focus();
    opened.current = kind !== null;
  }, [kind]);
  const known = new Set(prompt.preferences.map(({ key }) => key));
  if (kind === null)
    return (
      <button
        ref={opener}
        type="button"
        class="button"
        aria-label={t.forGuest(t.addPreference, tablet.called(prompt))}
        onClick={() => setKind('')}
      >
        <Icon name="plus" />
        {t.addPreference}
      </button>
    );
  return (
    <div class="adding">
      <div class="chips" role="group" aria-label={t.whatKind}>
        {kKinds
          .filter((name) => name === 'allergy' || name === 'other' || !known.has(name))
          .map((name) => (
            <button
              key={name}
              type="button"
              class={`button chip${name === 'allergy' ? ' danger' : ''}`}
              aria-pressed={kind === name}
              onClick={() => setKind(name)}
            >
              {t.kinds[name]}
            </button>
          ))}
      </div>
      {kind === '' ? (
        <button type="button" class="button quiet" onClick={() => setKind(null)}>
          {i18n.t.common.cancel}
        </button>
      ) : (
        <OneLine
          key={kind}
          label={`${t.kinds[kind]}: ${t.whichOne}`}
          start=""
          onSave={async (said) => {
            if (await tablet.prefer(prompt.visit, freeKey(kind, known), said, 'add')) setKind(null);
          }}
          onClose={() => setKind(null)}
        />
      )}
    </div>
  );
}

// Each allergy stands for itself: a second one does not take the first one's place.
function freeKey(kind: string, known: Set<string>): string {
  let key = kind;
  for (let n = 2; known.has(key); ++n) key = `${kind}_${n}`;
  return key;
}

function OneLine(props: { label: string; start: string; onSave(said: string): void; onClose(): void }) {
  const [value, setValue] = useState(props.start);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  return (
    <form
      class="like-edit"
      onSubmit={(event) => {
        event.preventDefault();
        if (value.trim()) props.onSave(value.trim());
      }}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.stopPropagation();
        props.onClose();
      }}
    >
      <Field label={props.label}>
        <input
          ref={input}
          name="preference"
          dir="auto"
          autocomplete="off"
          maxLength={160}
          value={value}
          onInput={(event) => setValue(event.currentTarget.value)}
        />
      </Field>
      <button class="button primary">{i18n.t.common.save}</button>
      <button type="button" class="button quiet" onClick={props.onClose}>
        {i18n.t.common.cancel}
      </button>
    </form>
  );
}
