// SPDX-License-Identifier: Apache-2.0
// The page's language: the saved choice, else the browser's, else English.

import { Store } from './store';
import { load, save } from './session';
import { ar } from './words/ar';
import { de } from './words/de';
import { en, type Words } from './words/en';
import { fr } from './words/fr';

export const kLanguages = { en: 'English', de: 'Deutsch', fr: 'Français', ar: 'العربية' } as const;
export type Language = keyof typeof kLanguages;

const kKey = 'welcome.language';
const kRightToLeft: readonly Language[] = ['ar'];
const kTables: Record<Language, Words> = { en, de, fr, ar };

class I18n extends Store {
  language: Language = 'en';

  constructor() {
    super();
    const wanted = load<string>(localStorage, kKey, isLanguage) ?? navigator.language.slice(0, 2);
    this.#set(isLanguage(wanted) ? wanted : 'en');
  }

  #set(language: Language) {
    this.language = language;
    document.documentElement.lang = language;
    document.documentElement.dir = kRightToLeft.includes(language) ? 'rtl' : 'ltr';
  }

  get t(): Words {
    return kTables[this.language];
  }

  use(language: Language) {
    this.#set(language);
    save(localStorage, kKey, language);
    this.changed();
  }

  clock(ms: number): string {
    const today = new Date(ms).toDateString() === new Date().toDateString();
    return this.#format(ms, today ? { timeStyle: 'short' } : { dateStyle: 'medium', timeStyle: 'short' });
  }

  // For a receipt: day and time, whatever the day.
  moment(ms: number): string {
    return this.#format(ms, { dateStyle: 'long', timeStyle: 'short' });
  }

  // Of an arrival: the time alone, whatever the day.
  time(ms: number): string {
    return this.#format(ms, { timeStyle: 'short' });
  }

  // Of something long ago the day, of today the time.
  day(ms: number): string {
    const today = new Date(ms).toDateString() === new Date().toDateString();
    return this.#format(ms, today ? { timeStyle: 'short' } : { dateStyle: 'long' });
  }

  // Of a month long ago: "May", "May 2025".
  month(ms: number): string {
    const thisYear = new Date(ms).getFullYear() === new Date().getFullYear();
    return this.#format(ms, thisYear ? { month: 'long' } : { month: 'long', year: 'numeric' });
  }

  number(value: number): string {
    return new Intl.NumberFormat(this.#locale).format(value);
  }

  #format(ms: number, options: Intl.DateTimeFormatOptions): string {
    return new Intl.DateTimeFormat(this.#locale, options).format(ms);
  }

  // The browser's own flavour of the language: 22:07 in Britain, 10:07 pm in America.
  get #locale(): string {
    return navigator.languages.find((locale) => locale.startsWith(this.language)) ?? this.language;
  }
}

function isLanguage(value: string): value is Language {
  return value in kTables;
}

export const i18n = new I18n();
