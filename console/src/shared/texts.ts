// SPDX-License-Identifier: Apache-2.0
// The words that both pages share, in English and German; texts.fr.ts and texts.ar.ts have them in two more languages.
// Each page's own are beside it.

import type { ItemConsentsPurpose } from '../contract';

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

export type Texts = typeof en;

export const de: Texts = {
  common: {
    signIn: 'Anmelden',
    signOut: 'Abmelden',
    account: 'Konto',
    password: 'Passwort',
    cancel: 'Abbrechen',
    save: 'Speichern',
    undo: 'Rückgängig',
    close: 'Schließen',
    refused: 'Konto oder Passwort stimmt nicht.',
    notSent: 'Nicht gesendet: Die Verbindung war weg. Bitte noch einmal versuchen.',
    language: 'Sprache',
    connecting: 'Verbindung wird aufgebaut …',
    elsewhere:
      'Dieses Konto wird in einem anderen Fenster oder auf einem anderen Gerät benutzt. Nur eines kann verbunden sein.',
    useHere: 'Hier benutzen',
  },
  pledge: {
    title: 'Was wir versprechen',
    points: [
      'Nichts geschieht, was Sie nicht eingeschaltet haben. Jeder Schalter gilt für sich.',
      'Wir behalten keine Bilder. Wer nicht zugestimmt hat, wird weder erkannt noch verfolgt.',
      'Wir raten nie Stimmung, Alter, Geschlecht oder Herkunft.',
      'Ausschalten wirkt sofort, und vergessen werden ist ein Tipp.',
    ],
  },
  purposes: {
    proximity_offers: {
      title: 'Angebote in der Nähe',
      does: 'Unsere Box hört das Zeichen Ihres Telefons oder Anhängers, und ein Angebot kann Sie im Vorbeigehen oder beim Eintreten erreichen.',
      off: 'Aus: Ihr Telefon ist uns so unbekannt wie jedes andere.',
    },
    face_recognition: {
      title: 'Mein Gesicht erkennen',
      does: 'Eine Kamera am Tresen bestätigt, dass Sie es sind. Aus wenigen Bildern entsteht eine Vorlage; Bilder werden nie behalten.',
      off: 'Aus: Die Vorlage ist in Sekunden gelöscht. Der Service bleibt derselbe.',
    },
    preference_prompts: {
      title: 'Das Team darf mich kennen',
      does: 'Wenn Sie kommen, sieht das Team Ihre Anrede, was Sie mögen und wo das letzte Gespräch endete.',
      off: 'Aus: Sie werden begrüßt wie jeder Gast.',
    },
    personalised_offers: {
      title: 'Angebote für mich',
      does: 'Was Sie mochten und kauften, bestimmt, welches Angebot Sie bekommen.',
      off: 'Aus: Sie bekommen die Angebote, die alle bekommen.',
    },
    visit_analytics: {
      title: 'Meine Besuche zählen',
      does: 'Ihre Besuche gehen ohne Ihren Namen in die Statistik des Ladens ein.',
      off: 'Aus: Ihre Besuche stehen in keiner Statistik.',
    },
  },
};
