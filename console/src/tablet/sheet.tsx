// SPDX-License-Identifier: Apache-2.0
// All that is known of one guest, beside the floor: what not to forget first, then what to offer, what was said, and
// what to note.

import { useEffect, useRef, useState } from 'preact/hooks';
import { i18n } from '../shared/i18n';
import { Field, Icon } from '../shared/parts';
import { Likes } from './likes';
import type { Prompt, Tablet } from './model';
import { Next, Signs, standing, stateOf, type Standing } from './row';
import { words } from './words';

export function Sheet({ tablet, prompt }: { tablet: Tablet; prompt: Prompt }) {
  const heading = useRef<HTMLHeadingElement>(null);
  const t = words().tablet;
  const { visit } = prompt;
  useEffect(() => heading.current?.focus(), [visit]);
  const close = () => {
    tablet.show(null);
    document.querySelector<HTMLElement>(`.card[data-visit="${CSS.escape(visit)}"] .card-open`)?.focus();
  };
  const at = standing(tablet, prompt);
  const allergies = tablet.allergies(prompt);
  return (
    <section
      class="sheet"
      data-sheet={visit}
      aria-labelledby="sheet-title"
      onKeyDown={(event) => event.key === 'Escape' && close()}
    >
      <div class="sheet-top">
        <Sure prompt={prompt} />
        <button type="button" class="button quiet icon" aria-label={i18n.t.common.close} onClick={close}>
          <Icon name="close" />
        </button>
      </div>
      <div>
        <p class={`pill ${prompt.met === 'quietly' ? 'warm' : 'good'}`}>{t.met[prompt.met]}</p>
        <h2 id="sheet-title" ref={heading} tabIndex={-1}>
          <bdi>{tablet.called(prompt)}</bdi>
        </h2>
        <About prompt={prompt} />
      </div>
      {prompt.rehearsal && <p class="banner calm">{t.rehearsalCard}</p>}
      {allergies.length > 0 && (
        <p class="banner alert" data-warns="allergy">
          <Icon name="warn" />
          <span>
            {t.allergy}: <bdi>{allergies.join(', ')}</bdi>
          </span>
        </p>
      )}
      {prompt.leftAt !== null && prompt.expiresAt !== null && (
        <p class="banner">{t.leftHint(i18n.time(prompt.expiresAt))}</p>
      )}
      <p class="actions-state" role="status">
        {stateOf(tablet, prompt, at)}
      </p>
      <Actions tablet={tablet} prompt={prompt} at={at} />
      <Suggestion prompt={prompt} />
      {prompt.avoid.length > 0 && (
        <section class="avoid">
          <h3 class="label">{t.avoid}</h3>
          <ul>
            {prompt.avoid.map((item) => (
              <li key={item}>
                <Icon name="warn" />
                <bdi>{item}</bdi>
              </li>
            ))}
          </ul>
        </section>
      )}
      {prompt.lastConversation && (
        <section>
          <h3 class="label">{t.lastTime}</h3>
          <blockquote>
            <p>
              <bdi>{prompt.lastConversation.text}</bdi>
            </p>
            {prompt.lastConversation.at !== null && (
              <footer class="soft">{i18n.day(prompt.lastConversation.at)}</footer>
            )}
          </blockquote>
        </section>
      )}
      <Likes key={`likes-${visit}`} tablet={tablet} prompt={prompt} />
      <NoteBox key={`note-${visit}`} tablet={tablet} prompt={prompt} />
    </section>
  );
}

function Sure({ prompt }: { prompt: Prompt }) {
  const t = words().tablet;
  const tone = prompt.level === 'confirmed' ? 'good' : prompt.level === 'present' ? 'calm' : '';
  return (
    <p class="sure">
      <span class={`pill ${tone}`} data-level={prompt.level}>
        <Signs prompt={prompt} />
      </span>
      <span class="soft">
        {[
          t.level[prompt.level],
          prompt.zone && t.zone[prompt.zone],
          prompt.since !== null && t.since(i18n.time(prompt.since)),
        ]
          .filter(Boolean)
          .join(' · ')}
      </span>
    </p>
  );
}

function About({ prompt }: { prompt: Prompt }) {
  const t = words().tablet;
  const { points, nextReward } = prompt;
  return (
    <p class="who-more">
      {prompt.pronunciation && (
        <span class="say">
          <bdi>{t.say(prompt.pronunciation)}</bdi>
        </span>
      )}
      {prompt.greeting !== prompt.name && <bdi>{prompt.name}</bdi>}
      {prompt.tier && <bdi class="pill warm tier">{prompt.tier}</bdi>}
      {points !== null && (
        <span class="soft">
          {t.points(i18n.number(points))}
          {nextReward !== null && nextReward > points && ` · ${t.toReward(i18n.number(nextReward - points))}`}
        </span>
      )}
    </p>
  );
}

function Suggestion({ prompt }: { prompt: Prompt }) {
  const t = words().tablet;
  const { suggest } = prompt;
  const said = suggest
    ? suggest.kind === 'open'
      ? t.suggest.open
      : suggest.kind === 'points'
        ? t.suggest.points(i18n.number(suggest.points))
        : t.suggest[suggest.kind](suggest.value)
    : i18n.language === 'en'
      ? prompt.suggestion
      : '';
  if (!said) return null;
  return (
    <p class="suggestion">
      <Icon name="idea" />
      <span>
        <span class="label">{t.suggestion}</span> <bdi>{said}</bdi>
      </span>
    </p>
  );
}

function Actions({ tablet, prompt, at }: { tablet: Tablet; prompt: Prompt; at: Standing }) {
  const t = words().tablet;
  const who = tablet.called(prompt);
  const button = (said: string, act: () => void) => (
    <button
      type="button"
      class="button"
      aria-label={t.forGuest(said, who)}
      aria-disabled={at.waits}
      onClick={() => !at.waits && act()}
    >
      {said}
    </button>
  );
  if (prompt.leftAt !== null) return null;
  return (
    <div class="actions">
      <Next tablet={tablet} prompt={prompt} at={at} />
      {!at.closed &&
        at.mine &&
        prompt.state !== 'greeted' &&
        button(t.served, () => tablet.tap(prompt, 'served'))}
      {!at.closed && at.mine && button(t.release, () => tablet.tap(prompt, 'release'))}
      {!at.closed && !at.theirs && button(t.declined, () => tablet.tap(prompt, 'declined'))}
      {!tablet.held.has(prompt.visit) && button(t.notThisPerson, () => tablet.notThisPerson(prompt))}
    </div>
  );
}

function NoteBox({ tablet, prompt }: { tablet: Tablet; prompt: Prompt }) {
  const [sending, setSending] = useState(false);
  const area = useRef<HTMLTextAreaElement>(null);
  const t = words().tablet;
  const { visit } = prompt;
  const said = tablet.draft(visit);
  const put = (next: string) => tablet.setDraft(visit, next);
  return (
    <form
      class="note"
      onSubmit={async (event) => {
        event.preventDefault();
        setSending(true);
        await tablet.sendNote(visit);
        setSending(false);
        area.current?.focus();
      }}
    >
      <Field label={t.note} hint={t.noteHint}>
        <textarea
          ref={area}
          name="note"
          dir="auto"
          maxLength={2000}
          placeholder={t.notePlaceholder}
          value={said}
          onInput={(event) => put(event.currentTarget.value)}
        />
      </Field>
      <div class="chips">
        {t.noteChips.map((chip) => (
          <button
            key={chip}
            type="button"
            class="button chip"
            onClick={() => put(said.trim() ? `${said.trim()}. ${chip}` : chip)}
          >
            {chip}
          </button>
        ))}
      </div>
      <button
        class="button primary"
        aria-label={t.forGuest(i18n.t.common.save, tablet.called(prompt))}
        disabled={sending || !said.trim()}
      >
        {i18n.t.common.save}
      </button>
    </form>
  );
}
