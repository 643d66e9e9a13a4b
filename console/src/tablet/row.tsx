// SPDX-License-Identifier: Apache-2.0
// One guest on the floor: who it is, how sure, and the one thing to do next. Every word that came over MQTT is set as
// text, with a direction of its own.

import { Component } from 'preact';
import { i18n } from '../shared/i18n';
import { Icon } from '../shared/parts';
import type { Prompt, Tablet } from './model';
import { isClosed } from './places';
import { words } from './words';

export interface Standing {
  mine: boolean;
  theirs: string; // who else is with the guest
  closed: boolean;
  waits: boolean; // something done here has not reached the box
  claiming: boolean;
  stale: boolean;
  fresh: boolean;
  drafted: boolean;
}

export function standing(tablet: Tablet, prompt: Prompt): Standing {
  const mine = tablet.isMine(prompt);
  return {
    mine,
    theirs: prompt.claimedBy && !mine ? tablet.nameOf(prompt.claimedBy) : '',
    closed: isClosed(prompt) || prompt.leftAt !== null,
    waits: tablet.waiting.of(prompt.visit).length > 0,
    claiming: tablet.claiming.has(prompt.visit),
    stale: tablet.guests.isStale(prompt),
    fresh: tablet.guests.isFresh(prompt),
    drafted: tablet.draft(prompt.visit).trim() !== '',
  };
}

interface RowProps {
  tablet: Tablet;
  prompt: Prompt;
  at: Standing;
  open: boolean;
  language: string;
}

// Fifty of them are on a page, and each message changes one.
export class Row extends Component<RowProps> {
  shouldComponentUpdate(next: RowProps) {
    const { prompt, open, language, at } = this.props;
    const same = (Object.keys(at) as (keyof Standing)[]).every((name) => at[name] === next.at[name]);
    return !same || prompt !== next.prompt || open !== next.open || language !== next.language;
  }

  render({ tablet, prompt, at, open }: RowProps) {
    const t = words().tablet;
    const who = tablet.called(prompt);
    const allergies = tablet.allergies(prompt);
    const kind = at.closed ? ' closed' : at.mine ? ' mine' : at.theirs ? ' theirs' : '';
    return (
      <li
        class={`card${kind}${at.fresh ? ' fresh' : ''}${open ? ' open' : ''}`}
        data-visit={prompt.visit}
        data-state={prompt.state}
      >
        <button
          type="button"
          class="card-open"
          aria-label={t.details(who)}
          aria-expanded={open}
          onClick={() => tablet.show(open ? null : prompt.visit)}
        />
        <div class="card-words">
          <div class="card-top">
            <h3 class="card-name">
              <bdi>{who}</bdi>
            </h3>
            <span class={`pill ${prompt.met === 'quietly' ? 'warm' : 'good'}`}>{t.met[prompt.met]}</span>
          </div>
          <p class="card-about">
            <Marks prompt={prompt} />
          </p>
          {allergies.length > 0 && (
            <p class="card-warns">
              <Icon name="warn" />
              <span>
                {t.allergy}: <bdi>{allergies.join(', ')}</bdi>
              </span>
            </p>
          )}
          <p class="card-state" role="status">
            {stateOf(tablet, prompt, at)}
          </p>
          {at.drafted && <p class="card-state">{t.draftWaits}</p>}
        </div>
        <Next tablet={tablet} prompt={prompt} at={at} />
      </li>
    );
  }
}

// Beside the name, shortly: how to meet, by what noticed, since when, and that it is not real.
function Marks({ prompt }: { prompt: Prompt }) {
  const t = words().tablet;
  const time =
    prompt.leftAt !== null
      ? t.leftAt(i18n.time(prompt.leftAt))
      : prompt.since !== null && t.since(i18n.time(prompt.since));
  return (
    <>
      {prompt.rehearsal && <span class="pill calm">{t.rehearsalCard}</span>}
      <span class="marks" title={t.level[prompt.level]} data-level={prompt.level}>
        <Signs prompt={prompt} />
      </span>
      {time && <span>{time}</span>}
      {prompt.tier && <bdi class="tier">{prompt.tier}</bdi>}
    </>
  );
}

// What noticed the guest; without any, how sure it is.
export function Signs({ prompt }: { prompt: Prompt }) {
  const t = words().tablet;
  return (
    <>
      {prompt.by.map((sign) => (
        <Icon key={sign} name={sign} />
      ))}
      {prompt.by.map((sign) => t.by[sign]).join(' + ') || t.level[prompt.level]}
    </>
  );
}

export function stateOf(tablet: Tablet, prompt: Prompt, at: Standing): string {
  const t = words().tablet;
  if (at.stale) return t.stale;
  if (at.waits) return t.waitsHere;
  if (prompt.state === 'served')
    return prompt.claimedBy ? t.stateServedBy(tablet.nameOf(prompt.claimedBy)) : t.stateServed;
  if (prompt.state === 'declined') return t.stateDeclined;
  if (prompt.leftAt !== null) return t.left;
  if (at.mine) return t.yours;
  return at.theirs ? t.theirs(at.theirs) : '';
}

// One button for one guest, whatever it says next: the focus stays where it is.
export function Next({ tablet, prompt, at }: { tablet: Tablet; prompt: Prompt; at: Standing }) {
  const t = words().tablet;
  if (prompt.leftAt !== null || (at.theirs && !at.closed)) return null;
  const [kind, said] = at.closed
    ? (['reopen', t.reopen] as const)
    : !at.mine
      ? (['claim', at.claiming ? t.claiming : t.claim] as const)
      : prompt.state === 'greeted'
        ? (['served', t.served] as const)
        : (['greeted', t.greeted] as const);
  return (
    <button
      type="button"
      class={`button next ${at.closed ? 'quiet' : 'primary'}`}
      aria-label={t.forGuest(said, tablet.called(prompt))}
      aria-disabled={at.claiming || at.waits}
      data-next={kind}
      onClick={() => !at.claiming && !at.waits && tablet.tap(prompt, kind)}
    >
      {said}
    </button>
  );
}

// Somebody left while a finger was near: the place stays, and nothing of them.
export function Gone({ visit }: { visit: string }) {
  return (
    <li class="card ghost" data-gone={visit}>
      <p class="soft">{words().tablet.left}</p>
    </li>
  );
}
