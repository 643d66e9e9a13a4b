// SPDX-License-Identifier: Apache-2.0
// Parts that both pages use.

import type { ComponentChildren } from 'preact';
import type { FloorPromptBy, ItemConsentsPurpose as Purpose } from '../contract';
import { i18n, kLanguages, type Language } from './i18n';
import { useStore } from './store';
import type { Toast } from './toasts';

const kIcons = {
  phone: 'M8 3h8a1 1 0 0 1 1 1v16a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zM11 18h2',
  face: 'M4 8V5a1 1 0 0 1 1-1h3M16 4h3a1 1 0 0 1 1 1v3M20 16v3a1 1 0 0 1-1 1h-3M8 20H5a1 1 0 0 1-1-1v-3M9 10v.5M15 10v.5M9 15c1.7 1.4 4.3 1.4 6 0',
  beacon: 'M14.5 9.5m-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0M11 13l-7 7M6 18l2 2',
  app: 'M5 5h5v5H5zM14 5h5v5h-5zM5 14h5v5H5zM14 14h5v5h-5z',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  close: 'M6 6l12 12M18 6L6 18',
  search: 'M10.5 10.5m-6 0a6 6 0 1 0 12 0a6 6 0 1 0-12 0M15 15l5 5',
  sound: 'M4 10v4h3l5 4V6L7 10zM15.500 9a4 4 0 0 1 0 6M18 6.500a8 8 0 0 1 0 11',
  mute: 'M4 10v4h3l5 4V6L7 10zM16 10l4 4M20 10l-4 4',
  out: 'M14 4h5v16h-5M4 12h11M8 8l-4 4 4 4',
  plus: 'M12 5v14M5 12h14',
  pencil: 'M4 20l1-4L16 5l3 3L8 19zM14 7l3 3',
  note: 'M5 4h14v11l-5 5H5zM14 20v-5h5M8.5 9h7M8.5 12.5h4',
  warn: 'M12 4l9 16H3zM12 10v4M12 17v.2',
  person: 'M12 8m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0M4.5 20c1-4 4-6 7.500-6s6.500 2 7.500 6',
  idea: 'M9 18h6M10 21h4M8.500 14.500A6 6 0 1 1 15.500 14.500V16h-7z',
  speech: 'M4 5h16v11H11l-4 4v-4H4z',
  away: 'M4 10c4.500-4 11.500-4 16 0M7.500 13.500c2.700-2.200 6.300-2.200 9 0M12 17.500v.2M4 4l16 16',
  pause: 'M8 5v14M16 5v14',
  gift: 'M4 11h16v9H4zM3 7h18v4H3zM12 7v13M12 7c-2-4-6-3-5 0M12 7c2-4 6-3 5 0',
  sliders:
    'M4 7h9M17 7h3M15 7m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0M4 17h3M11 17h9M9 17m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0',
  file: 'M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6',
  heart:
    'M12 20C5 15 3 11.500 4 8.500 5 5.500 9.500 5 12 8.500 14.500 5 19 5.500 20 8.500c1 3-1 6.500-8 11.500z',
} satisfies Record<FloorPromptBy, string> & Record<string, string>;

const kOffered = Object.keys(kLanguages) as Language[];

export type IconName = keyof typeof kIcons;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon-svg" viewBox="0 0 24 24" aria-hidden="true">
      <path d={kIcons[name]} />
    </svg>
  );
}

// `menu`: as small as it gets, for a bar.
export function Languages({ menu }: { menu?: boolean }) {
  useStore(i18n);
  if (menu)
    return (
      <select
        class="language-menu"
        aria-label={i18n.t.common.language}
        value={i18n.language}
        onChange={(event) => i18n.use(event.currentTarget.value as Language)}
      >
        {kOffered.map((language) => (
          <option key={language} value={language} lang={language}>
            {kLanguages[language]}
          </option>
        ))}
      </select>
    );
  return (
    <div class="language" role="group" aria-label={i18n.t.common.language}>
      {kOffered.map((language) => (
        <button
          key={language}
          type="button"
          class="button quiet"
          lang={language}
          aria-pressed={i18n.language === language}
          aria-label={kLanguages[language]}
          onClick={() => i18n.use(language)}
        >
          {language.toUpperCase()}
        </button>
      ))}
    </div>
  );
}

export function Field(props: { label: string; hint?: string; children: ComponentChildren }) {
  return (
    <label class="field">
      <span class="label">{props.label}</span>
      {props.children}
      {props.hint && <small>{props.hint}</small>}
    </label>
  );
}

export function Pledge() {
  const { title, points } = i18n.t.pledge;
  return (
    <section class="pledge">
      <h2>{title}</h2>
      <ul>
        {points.map((point) => (
          <li key={point}>
            <Icon name="check" />
            <span>{point}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

// A purpose with its switch and what it does, and what a page adds: beside the title, to the words, and below.
export function PurposeRow(props: {
  purpose: Purpose;
  given: boolean;
  disabled: boolean;
  beside?: ComponentChildren;
  more?: ComponentChildren;
  children?: ComponentChildren;
  onChange(given: boolean): void;
}) {
  const { purpose } = props;
  const said = i18n.t.purposes[purpose];
  return (
    <li class="purpose">
      <label>
        <span class="purpose-title">
          {said.title}
          {props.beside}
        </span>
        <input
          type="checkbox"
          role="switch"
          class="switch"
          name={purpose}
          aria-describedby={`about-${purpose}`}
          disabled={props.disabled}
          checked={props.given}
          onChange={(event) => props.onChange(event.currentTarget.checked)}
        />
      </label>
      <div id={`about-${purpose}`} class="purpose-about">
        <p>{said.does}</p>
        <p class="soft">{said.off}</p>
        {props.more}
      </div>
      {props.children}
    </li>
  );
}

export function Toasts({ toasts }: { toasts: Toast[] }) {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.map((toast) => (
        <div key={toast.id} class="toast appear">
          <span>{toast.text}</span>
          {toast.undo && (
            <button type="button" class="button" onClick={toast.undo}>
              {i18n.t.common.undo}
            </button>
          )}
        </div>
      ))}
    </div>
  );
}
