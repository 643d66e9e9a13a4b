// SPDX-License-Identifier: Apache-2.0
// What a lock screen says, and how the page asks whether it may. Apart from the page's other words, as the
// worker (worker.ts) has these alone.

import type { Language } from '../shared/i18n';

export const kNoticeWords = {
  en: {
    offer: 'There is an offer for you',
    survey: 'How was your visit?',
    look: 'Open the page to see it.',
    title: 'While this page is closed',
    hint: 'This device can tell you that there is an offer, or a question after a visit. Whoever sees its lock screen sees that too.',
    on: 'Tell me on this device',
    off: 'Tell me no more',
    isOn: 'This device is told.',
    shows: 'The lock screen may show what it says',
    denied:
      'Your browser does not let this page tell you anything. Its settings for this page can change that.',
    install:
      'On an iPhone or iPad: add this page to the Home Screen (Share, then Add to Home Screen) and open it there. Only then may it tell you anything.',
    failed: 'That did not work. Please try again later.',
    unknown: 'This browser’s way of telling you is not known to us.',
  },
  de: {
    offer: 'Es gibt ein Angebot für Sie',
    survey: 'Wie war Ihr Besuch?',
    look: 'Öffnen Sie die Seite, um es zu sehen.',
    title: 'Wenn diese Seite geschlossen ist',
    hint: 'Dieses Gerät kann Ihnen sagen, dass es ein Angebot gibt oder eine Frage nach einem Besuch. Wer den Sperrbildschirm sieht, sieht auch das.',
    on: 'Auf diesem Gerät Bescheid sagen',
    off: 'Nicht mehr Bescheid sagen',
    isOn: 'Dieses Gerät bekommt Bescheid.',
    shows: 'Der Sperrbildschirm darf zeigen, was darin steht',
    denied:
      'Ihr Browser lässt diese Seite nicht Bescheid sagen. Das lässt sich in seinen Einstellungen für diese Seite ändern.',
    install:
      'Auf iPhone und iPad: Legen Sie diese Seite auf den Home-Bildschirm (Teilen, dann Zum Home-Bildschirm) und öffnen Sie sie dort. Erst dann kann sie Bescheid sagen.',
    failed: 'Das hat nicht geklappt. Bitte versuchen Sie es später noch einmal.',
    unknown: 'Den Weg, auf dem dieser Browser Bescheid bekommt, kennen wir nicht.',
  },
  fr: {
    offer: 'Une offre vous attend',
    survey: 'Comment s’est passée votre visite ?',
    look: 'Ouvrez la page pour la voir.',
    title: 'Quand cette page est fermée',
    hint: 'Cet appareil peut vous dire qu’il y a une offre, ou une question après une visite. Qui voit son écran verrouillé le voit aussi.',
    on: 'Me prévenir sur cet appareil',
    off: 'Ne plus me prévenir',
    isOn: 'Cet appareil est prévenu.',
    shows: 'L’écran verrouillé peut montrer ce qui est écrit',
    denied:
      'Votre navigateur ne laisse pas cette page vous prévenir. Ses réglages pour cette page permettent de le changer.',
    install:
      'Sur iPhone et iPad : ajoutez cette page à l’écran d’accueil (Partager, puis Sur l’écran d’accueil) et ouvrez-la de là. Alors seulement elle peut vous prévenir.',
    failed: 'Cela n’a pas marché. Réessayez plus tard.',
    unknown: 'Nous ne connaissons pas le moyen par lequel ce navigateur est prévenu.',
  },
  ar: {
    offer: 'لديك عرض',
    survey: 'كيف كانت زيارتك؟',
    look: 'افتح الصفحة لتراه.',
    title: 'عندما تكون هذه الصفحة مغلقة',
    hint: 'يستطيع هذا الجهاز أن يخبرك بوجود عرض، أو بسؤال بعد زيارة. ومن يرى شاشة القفل يرى ذلك أيضًا.',
    on: 'أخبرني على هذا الجهاز',
    off: 'لا تخبرني بعد الآن',
    isOn: 'هذا الجهاز يُخبَر.',
    shows: 'يجوز لشاشة القفل أن تعرض النص',
    denied: 'متصفحك لا يسمح لهذه الصفحة بأن تخبرك بشيء. يمكن تغيير ذلك في إعداداته لهذه الصفحة.',
    install:
      'على iPhone وiPad: أضف هذه الصفحة إلى الشاشة الرئيسية (مشاركة، ثم إضافة إلى الشاشة الرئيسية) وافتحها من هناك. عندها فقط يمكنها أن تخبرك.',
    failed: 'لم ينجح ذلك. حاول مرة أخرى لاحقًا.',
    unknown: 'لا نعرف الطريقة التي يُخبَر بها هذا المتصفح.',
  },
} as const satisfies Record<Language, Record<string, string>>;

export type NoticeWords = { [key in keyof (typeof kNoticeWords)['en']]: string };

export function noticeWords(language: string): NoticeWords {
  return language in kNoticeWords ? kNoticeWords[language as keyof typeof kNoticeWords] : kNoticeWords.en;
}
