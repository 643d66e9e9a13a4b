// SPDX-License-Identifier: Apache-2.0
// What a lock screen says. Apart from the page's words, as the worker (worker.ts) has these alone.

import type { Language } from '../shared/i18n';
import { one } from '../shared/read';

interface NoticeWords {
  offer: string;
  survey: string;
  look: string;
}

const kWords: Record<Language, NoticeWords> = {
  en: {
    offer: 'There is an offer for you',
    survey: 'How was your visit?',
    look: 'Open the page to see it.',
  },
  de: {
    offer: 'Es gibt ein Angebot für Sie',
    survey: 'Wie war Ihr Besuch?',
    look: 'Öffnen Sie die Seite, um es zu sehen.',
  },
  fr: {
    offer: 'Une offre vous attend',
    survey: 'Comment s’est passée votre visite ?',
    look: 'Ouvrez la page pour la voir.',
  },
  ar: {
    offer: 'لديك عرض',
    survey: 'كيف كانت زيارتك؟',
    look: 'افتح الصفحة لتراه.',
  },
};

export function noticeWords(language: string): NoticeWords {
  return kWords[one(language, Object.keys(kWords) as Language[]) ?? 'en'];
}
