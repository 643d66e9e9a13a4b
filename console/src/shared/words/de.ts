// SPDX-License-Identifier: Apache-2.0
// The words that both pages share, in German.

import type { Words } from './en';

export const de: Words = {
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
