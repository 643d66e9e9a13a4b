// SPDX-License-Identifier: Apache-2.0
// The floor: everybody who is here, by where they are, the newest first. Nothing moves while somebody is about to
// touch it.

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { i18n } from '../shared/i18n';
import { Icon } from '../shared/parts';
import type { Prompt, Tablet } from './model';
import { Nearness } from './nearness';
import { all } from './places';
import { Gone, Row, standing } from './row';
import { words } from './words';

const kMeantMs = 400; // a finger on its way does not see what changes
const kSearchFrom = 6; // guests; fewer are seen at a glance

export function Floor({ tablet }: { tablet: Tablet }) {
  const list = useRef<HTMLDivElement>(null);
  const [query, setQuery] = useState('');
  const t = words().tablet;
  const { layout } = tablet.places;
  const placed = all(layout);
  const shown = placed.filter((visit) => !tablet.held.has(visit));

  useEffect(() => {
    const near = new Nearness(list.current!, (held) => tablet.hold(held));
    return () => near.end();
  }, [tablet, shown.length === 0]);
  useKeptFocus(list);
  const newest = tablet.guests.fresh[0]?.visit;
  useEffect(() => {
    // Nobody is at the tablet: who comes is to be seen from afar.
    if (newest && !tablet.places.held && !tablet.open) scrollTo({ top: 0 });
  }, [newest, tablet.places.held]);
  const swallow = useSwallowed(list, placed.join());

  if (shown.length === 0)
    return (
      <div ref={list}>
        <Nobody tablet={tablet} />
      </div>
    );
  const wanted = query.trim().toLowerCase();
  const fits = (visit: string) => {
    if (tablet.held.has(visit)) return false;
    const prompt = tablet.guests.of(visit);
    return !wanted || (prompt !== null && text(prompt).includes(wanted));
  };
  const groups = [...layout.groups]
    .map(([name, visits]) => [name, visits.filter(fits)] as const)
    .filter(([, visits]) => visits.length > 0);
  const served = layout.served.filter(fits);
  const gone = layout.gone.filter(fits);
  return (
    <div class="floor" ref={list} onKeyDown={stepThroughCards} onClickCapture={swallow}>
      {shown.length >= kSearchFrom && (
        <label class="search">
          <Icon name="search" />
          <input
            type="search"
            name="search"
            autocomplete="off"
            spellcheck={false}
            placeholder={t.search}
            aria-label={t.search}
            value={query}
            onInput={(event) => setQuery(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === 'Escape') setQuery('');
              const only = shown.filter(fits);
              if (event.key === 'Enter' && only.length === 1) tablet.show(only[0]);
            }}
          />
        </label>
      )}
      {wanted && !shown.some(fits) && <p role="status">{t.searchNone}</p>}
      {groups.map(([name, visits]) => (
        <section key={name} class={`group group-${name}`} data-group={name} aria-labelledby={`group-${name}`}>
          <h2 id={`group-${name}`}>
            {t.groups[name]} <span class="soft">{i18n.number(visits.length)}</span>
          </h2>
          <Guests tablet={tablet} visits={visits} />
        </section>
      ))}
      {served.length > 0 && (
        <details class="folded" data-group="served" open={wanted ? true : undefined}>
          <summary>{t.servedOnes(served.length)}</summary>
          <Guests tablet={tablet} visits={served} />
        </details>
      )}
      {gone.length > 0 && (
        <details class="folded" data-group="gone" open={wanted ? true : undefined}>
          <summary>{t.goneOnes(gone.length)}</summary>
          <Guests tablet={tablet} visits={gone} />
        </details>
      )}
      <Unseen tablet={tablet} list={list} />
    </div>
  );
}

function Guests({ tablet, visits }: { tablet: Tablet; visits: string[] }) {
  return (
    <ul class="cards">
      {visits.map((visit) => {
        const prompt = tablet.guests.of(visit);
        return prompt ? (
          <Row
            key={visit}
            tablet={tablet}
            prompt={prompt}
            at={standing(tablet, prompt)}
            open={tablet.open === visit}
            language={i18n.language}
          />
        ) : (
          <Gone key={visit} visit={visit} />
        );
      })}
    </ul>
  );
}

// Who came while nothing may move, or is above what is to be seen: told of beside, so that it moves nothing.
function Unseen({ tablet, list }: { tablet: Tablet; list: { current: HTMLElement | null } }) {
  const [away, setAway] = useState(false);
  useEffect(() => {
    const look = () => setAway(scrollY > 80);
    addEventListener('scroll', look, { passive: true });
    return () => removeEventListener('scroll', look);
  }, []);
  const t = words().tablet;
  const newest: Prompt[] = away
    ? tablet.guests.fresh
    : tablet.places.waiting.flatMap((visit) => tablet.guests.of(visit) ?? []);
  const [first] = newest;
  if (!first) return null;
  return (
    <div class="unseen">
      <button
        type="button"
        class="button primary"
        onClick={() => {
          tablet.hold(false);
          scrollTo({ top: 0 });
          requestAnimationFrame(() => list.current?.querySelector<HTMLElement>('.card-open')?.focus());
        }}
      >
        <span class="dot" />
        {t.fresh(newest.length)} · <bdi>{tablet.called(first)}</bdi>
      </button>
    </div>
  );
}

function Nobody({ tablet }: { tablet: Tablet }) {
  const t = words().tablet;
  const away = tablet.linkState === 'lost' || tablet.linkState === 'elsewhere';
  if (!away && !tablet.guests.known)
    return (
      <div class="nobody" data-floor="loading" role="status">
        <div class="skeleton" />
        <div class="skeleton" />
        <p class="soft">{t.loading}</p>
      </div>
    );
  return (
    <div class="nobody" data-floor={away ? 'away' : 'nobody'}>
      {away ? (
        <Icon name="away" />
      ) : (
        <svg viewBox="0 0 160 110" aria-hidden="true">
          <path class="door" d="M46 96V22a6 6 0 0 1 6-6h56a6 6 0 0 1 6 6v74" />
          <path class="leaf" d="M46 97V17l40 13v67z" />
          <path class="floor-line" d="M16 97h128" />
          <circle class="knob" cx="79" cy="64" r="2.600" />
        </svg>
      )}
      <h2>{away ? t.noBoxTitle : t.nobody}</h2>
      <p class="soft">{away ? t.noBoxHint : t.nobodyHint}</p>
    </div>
  );
}

const text = ({ name, greeting, tier }: Prompt) => `${name} ${greeting} ${tier}`.toLowerCase();

// Arrow keys go from card to card.
function stepThroughCards(event: KeyboardEvent) {
  const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
  const target = event.target as HTMLElement;
  if (!step || !target.closest('.card')) return;
  const cards = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>('.card-open')];
  const at = cards.indexOf(target.closest('.card')!.querySelector('.card-open')!);
  cards[at + step]?.focus();
  event.preventDefault();
}

// A tap that was meant for the card that stood there a moment ago is nobody's.
function useSwallowed(list: { current: HTMLElement | null }, order: string) {
  const stood = useRef<{ before: Map<string, DOMRect>; now: Map<string, DOMRect>; since: number }>();
  stood.current ??= { before: new Map(), now: new Map(), since: -Infinity };
  useLayoutEffect(() => {
    const cards = list.current?.querySelectorAll<HTMLElement>('.card[data-visit]') ?? [];
    const places = [...cards].map((card): [string, DOMRect] => {
      const { x, y, width, height } = card.getBoundingClientRect();
      return [card.dataset.visit!, new DOMRect(x + scrollX, y + scrollY, width, height)];
    });
    stood.current = { before: stood.current!.now, now: new Map(places), since: performance.now() };
  }, [order]);
  return (event: MouseEvent) => {
    const { before, since } = stood.current!;
    const visit = (event.target as HTMLElement).closest<HTMLElement>('.card')?.dataset.visit;
    if (!visit || event.detail === 0 || performance.now() - since > kMeantMs) return;
    const [x, y] = [event.clientX + scrollX, event.clientY + scrollY];
    for (const [other, place] of before)
      if (other !== visit && x >= place.left && x < place.right && y >= place.top && y < place.bottom)
        return event.stopPropagation();
  };
}

// A card that moves takes the focus along; one that goes leaves it with the next one, not with the page.
function useKeptFocus(list: { current: HTMLElement | null }) {
  const last = useRef<{ visit: string; kind: string; at: number } | null>(null);
  useEffect(() => {
    const remember = (event: FocusEvent) => {
      const target = event.target as HTMLElement;
      const card = target.closest<HTMLElement>('.card[data-visit]');
      const cards = [...(list.current?.querySelectorAll('.card') ?? [])];
      last.current = card && {
        visit: card.dataset.visit!,
        kind: target.classList.contains('next') ? '.next' : '.card-open',
        at: cards.indexOf(card),
      };
    };
    document.addEventListener('focusin', remember);
    return () => document.removeEventListener('focusin', remember);
  }, []);
  useLayoutEffect(() => {
    const was = last.current;
    if (!was || document.activeElement !== document.body) return;
    const same = list.current?.querySelector<HTMLElement>(`.card[data-visit="${CSS.escape(was.visit)}"]`);
    const cards = [...(list.current?.querySelectorAll<HTMLElement>('.card[data-visit]') ?? [])];
    const next = same?.checkVisibility() ? same : cards[Math.min(was.at, cards.length - 1)];
    const target =
      next?.querySelector<HTMLElement>(was.kind) ?? next?.querySelector<HTMLElement>('.card-open');
    target?.focus({ preventScroll: true });
  });
}
