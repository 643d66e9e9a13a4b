// SPDX-License-Identifier: Apache-2.0
// The words that both pages share. Each page has its own beside it.

import type { ItemConsentsPurpose } from '../../contract';

const kPurposesEn = {
  proximity_offers: {
    title: 'Offers when I am near',
    does: 'Our box hears the sign that your phone or fob sends, and an offer can reach you as you pass or come in.',
    off: 'Off: your phone is as unknown to us as everybody else’s.',
  },
  face_recognition: {
    title: 'Recognise my face',
    does: 'A camera at the desk confirms that it is you. From a few frames the box makes a template; pictures are never kept.',
    off: 'Off: the template is erased within seconds. You get the same service without a face.',
  },
  preference_prompts: {
    title: 'Staff may know me',
    does: 'When you come in, staff see how to address you, what you like and where your last conversation ended.',
    off: 'Off: staff greet you as any guest.',
  },
  personalised_offers: {
    title: 'Offers made for me',
    does: 'What you liked and bought before decides which offer you get.',
    off: 'Off: you get the offers that everybody gets.',
  },
  visit_analytics: {
    title: 'Count my visits',
    does: 'Your visits go into the shop’s statistics, without your name.',
    off: 'Off: your visits are in no statistic.',
  },
} satisfies Record<ItemConsentsPurpose, { title: string; does: string; off: string }>;

export const en = {
  common: {
    signIn: 'Sign in',
    signOut: 'Sign out',
    account: 'Account',
    password: 'Password',
    cancel: 'Cancel',
    save: 'Save',
    undo: 'Undo',
    close: 'Close',
    refused: 'The account or the password is not right.',
    notSent: 'Not sent: there was no connection. Please try again.',
    language: 'Language',
    connecting: 'Connecting…',
    elsewhere:
      'This account is in use in another window or on another device. Only one can be connected at a time.',
    useHere: 'Use it here',
  },
  pledge: {
    title: 'What we promise',
    points: [
      'Nothing happens unless you switch it on. Each switch stands alone.',
      'We keep no pictures. Nobody is recognised or followed who has not agreed to it.',
      'We never guess your mood, age, gender or origin.',
      'Switching off works at once, and being forgotten is one tap away.',
    ],
  },
  purposes: kPurposesEn,
};

export type Words = typeof en;
