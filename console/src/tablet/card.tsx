// SPDX-License-Identifier: Apache-2.0
// One guest: how to greet, what they like, what to do next. Every word that came over MQTT is set as
// text.

import { useState } from 'preact/hooks';
import { i18n } from '../shared/i18n';
import { Icon } from '../shared/parts';
import type { Preference, Prompt, Tablet } from './model';

export function Card({ tablet, prompt }: { tablet: Tablet; prompt: Prompt }) {
  const t = i18n.t.tablet;
  const mine = tablet.isMine(prompt);
  const theirs = prompt.claimedBy !== '' && !mine;
  const closed = prompt.state === 'served' || prompt.state === 'declined' || tablet.held.has(prompt.visit);
  const kind = closed ? ' closed' : mine ? ' mine' : theirs ? ' theirs' : '';
  return (
    <li class={`card appear${kind}`} data-visit={prompt.visit} data-state={prompt.state}>
      <Top prompt={prompt} />
      {tablet.isStale(prompt) && (
        <p class="stale soft" role="status">
          {t.stale}
        </p>
      )}
      <div class="who">
        {prompt.headline && <p class="headline">{prompt.headline}</p>}
        <h2>{prompt.greeting}</h2>
        <p class="who-more">
          {prompt.pronunciation && <span class="say">{t.say(prompt.pronunciation)}</span>}
          {prompt.greeting !== prompt.name && <span>{prompt.name}</span>}
          {prompt.tier && <span class="pill warm">{prompt.tier}</span>}
          {prompt.points !== null && (
            <span class="soft">
              {t.points(i18n.number(prompt.points))}
              {prompt.nextReward !== null &&
                prompt.nextReward > prompt.points &&
                ` · ${t.toReward(i18n.number(prompt.nextReward - prompt.points))}`}
            </span>
          )}
        </p>
      </div>
      {prompt.suggestion && (
        <p class="suggestion">
          <Icon name="idea" />
          <span>
            <span class="label">{t.suggestion}</span> {prompt.suggestion}
          </span>
        </p>
      )}
      <div class="known">
        <section>
          <h3 class="label">{t.likes}</h3>
          {prompt.preferences.length === 0 && <p class="soft">{t.noLikes}</p>}
          <ul class="likes">
            {prompt.preferences.map((preference) => (
              <Like key={preference.key} tablet={tablet} visit={prompt.visit} preference={preference} />
            ))}
          </ul>
        </section>
        {(prompt.lastConversation || prompt.avoid.length > 0) && (
          <section>
            {prompt.lastConversation && (
              <>
                <h3 class="label">{t.lastTime}</h3>
                <blockquote>
                  {prompt.lastConversation.text}
                  {prompt.lastConversation.at !== null && (
                    <footer class="soft">{i18n.day(prompt.lastConversation.at)}</footer>
                  )}
                </blockquote>
              </>
            )}
            {prompt.avoid.length > 0 && (
              <div class="avoid">
                <h3 class="label">{t.avoid}</h3>
                <ul>
                  {prompt.avoid.map((item) => (
                    <li key={item}>
                      <Icon name="warn" />
                      {item}
                    </li>
                  ))}
                </ul>
              </div>
            )}
          </section>
        )}
      </div>
      <Actions tablet={tablet} prompt={prompt} mine={mine} theirs={theirs} closed={closed} />
    </li>
  );
}

function Top({ prompt }: { prompt: Prompt }) {
  const t = i18n.t.tablet;
  const by = prompt.by.map((sign) => t.by[sign]).join(' + ');
  const tone = prompt.level === 'confirmed' ? 'good' : prompt.level === 'present' ? 'calm' : '';
  return (
    <p class="card-top">
      <span class={`pill ${tone}`} title={t.level[prompt.level]} data-level={prompt.level}>
        {prompt.by.map((sign) => (
          <Icon key={sign} name={sign} />
        ))}
        {by || t.level[prompt.level]}
      </span>
      <span class="soft">
        {prompt.zone && t.zone[prompt.zone]}
        {prompt.zone && prompt.since !== null && ' · '}
        {prompt.since !== null && t.since(i18n.time(prompt.since))}
      </span>
    </p>
  );
}

function Like(props: { tablet: Tablet; visit: string; preference: Preference }) {
  const { tablet, visit, preference } = props;
  const [editing, setEditing] = useState(false);
  const [value, setValue] = useState('');
  const [confirmed, setConfirmed] = useState('');
  const t = i18n.t.tablet;

  const send = async (words: string, verdict: 'confirm' | 'change') => {
    const preferenceSaid = { key: preference.key, value: words, verdict };
    if (!(await tablet.act(visit, { kind: 'preference', preference: preferenceSaid }))) return;
    setConfirmed(words);
    setEditing(false);
    tablet.toast(verdict === 'confirm' ? t.confirmedPreference(words) : t.changedPreference(words));
  };

  if (editing)
    return (
      <li>
        <form
          class="like-edit"
          onSubmit={(event) => {
            event.preventDefault();
            if (value.trim()) send(value.trim(), 'change');
          }}
        >
          <label class="field">
            <span class="label">{t.changeTo}</span>
            <input
              name="preference"
              autocomplete="off"
              maxLength={160}
              value={value}
              ref={(input) => input?.focus()}
              onInput={(event) => setValue(event.currentTarget.value)}
              onKeyDown={(event) => event.key === 'Escape' && setEditing(false)}
            />
          </label>
          <button class="button primary">{i18n.t.common.save}</button>
          <button type="button" class="button quiet" onClick={() => setEditing(false)}>
            {i18n.t.common.cancel}
          </button>
        </form>
      </li>
    );
  return (
    <li class="like">
      <span class="like-words">
        {preference.text}
        <small class="soft">{confirmed === preference.text ? t.confirmedNow : preference.detail}</small>
      </span>
      <button
        type="button"
        class="button quiet icon"
        title={t.stillRight(preference.text)}
        aria-label={t.stillRight(preference.text)}
        disabled={confirmed === preference.text}
        onClick={() => send(preference.text, 'confirm')}
      >
        <Icon name="check" />
      </button>
      <button
        type="button"
        class="button quiet icon"
        title={t.change(preference.text)}
        aria-label={t.change(preference.text)}
        onClick={() => {
          setValue(preference.text);
          setEditing(true);
        }}
      >
        <Icon name="pencil" />
      </button>
    </li>
  );
}

function Actions(props: { tablet: Tablet; prompt: Prompt; mine: boolean; theirs: boolean; closed: boolean }) {
  const { tablet, prompt, mine, theirs, closed } = props;
  const [noting, setNoting] = useState(false);
  const t = i18n.t.tablet;
  const { visit } = prompt;
  const offline = tablet.linkState !== 'online';
  const claiming = tablet.claiming.has(visit);
  const act = (kind: 'release' | 'greeted' | 'served') => () => void tablet.act(visit, { kind });

  if (noting) return <Note tablet={tablet} visit={visit} onClose={() => setNoting(false)} />;
  return (
    <div class="actions">
      <p class="actions-state" role="status">
        {prompt.state === 'served'
          ? prompt.claimedBy
            ? t.stateServedBy(tablet.nameOf(prompt.claimedBy))
            : t.stateServed
          : prompt.state === 'declined'
            ? t.stateDeclined
            : mine
              ? t.yours
              : theirs
                ? t.theirs(tablet.nameOf(prompt.claimedBy))
                : ''}
      </p>
      {!closed && !prompt.claimedBy && (
        <button
          type="button"
          class="button primary wide"
          disabled={offline || claiming}
          onClick={() => tablet.claim(prompt)}
        >
          {claiming ? t.claiming : t.claim}
        </button>
      )}
      {!closed && mine && (
        <>
          {prompt.state !== 'greeted' && (
            <button type="button" class="button" disabled={offline} onClick={act('greeted')}>
              {t.greeted}
            </button>
          )}
          <button type="button" class="button primary" disabled={offline} onClick={act('served')}>
            {t.served}
          </button>
          <button type="button" class="button quiet" disabled={offline} onClick={act('release')}>
            {t.release}
          </button>
        </>
      )}
      <button type="button" class="button" onClick={() => setNoting(true)}>
        <Icon name="note" />
        {t.note}
      </button>
      <div class="actions-more">
        {!closed && !theirs && (
          <button
            type="button"
            class="button quiet"
            disabled={offline}
            onClick={() => tablet.actUnlessUndone(prompt, 'declined')}
          >
            {t.declined}
          </button>
        )}
        <button
          type="button"
          class="button quiet"
          disabled={offline || tablet.held.has(visit)}
          onClick={() => tablet.actUnlessUndone(prompt, 'not_this_person')}
        >
          {t.notThisPerson}
        </button>
      </div>
    </div>
  );
}

function Note({ tablet, visit, onClose }: { tablet: Tablet; visit: string; onClose(): void }) {
  const [words, setWords] = useState(tablet.draft(visit));
  const [sending, setSending] = useState(false);
  const t = i18n.t.tablet;
  return (
    <form
      class="note"
      onSubmit={async (event) => {
        event.preventDefault();
        setSending(true);
        if (await tablet.sendNote(visit)) onClose();
        else setSending(false);
      }}
    >
      <label class="field">
        <span class="label">{t.note}</span>
        <textarea
          name="note"
          maxLength={2000}
          placeholder={t.notePlaceholder}
          value={words}
          ref={(area) => area && !area.dataset.seen && ((area.dataset.seen = '1'), area.focus())}
          onInput={(event) => {
            setWords(event.currentTarget.value);
            tablet.setDraft(visit, event.currentTarget.value);
          }}
        />
        <small>{t.noteHint}</small>
      </label>
      <div class="actions">
        <button class="button primary" disabled={sending || !words.trim() || tablet.linkState !== 'online'}>
          {i18n.t.common.save}
        </button>
        <button type="button" class="button quiet" onClick={onClose}>
          {i18n.t.common.cancel}
        </button>
      </div>
    </form>
  );
}
