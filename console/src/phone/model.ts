// SPDX-License-Identifier: Apache-2.0
// What the customer's phone knows: offers, choices, receipts. It is kept in this browser for the
// account that is signed in, and leaves it with a sign-out or with being forgotten. Requests wait
// here while there is no line: a withdrawal made in a tunnel is sent at its end.

import {
  kAppInboxKind,
  kAppInboxSurveyKind,
  kItemConsentsHistoryHow,
  kItemConsentsHistoryState,
  kItemConsentsPurpose as kPurposes,
  type AppInbox,
  type AppInboxSurveyKind,
  type AppRequest,
  type ItemConsents,
  type ItemConsentsHistoryHow,
  type ItemConsentsPurpose as Purpose,
  type Unread,
} from '../contract';
import { i18n } from '../shared/i18n';
import { connect, stamp, type Connect, type Draft, type LinkState, type PageLink } from '../shared/link';
import { integer, list, one, record, text, time, type Json } from '../shared/read';
import { load, save, type Account } from '../shared/session';
import { Store } from '../shared/store';
import type { ToastView } from '../shared/parts';

export interface Offer {
  id: string;
  decision: string;
  title: string;
  text: string;
  code: string;
  expiresAt: number;
  opened: boolean;
  redeemed: boolean;
}

export interface Survey {
  id: string;
  kind: AppInboxSurveyKind;
  question: string;
}

export interface Receipt {
  record: string;
  purpose: Purpose;
  notice: string;
  categories: string[];
  controller: string;
  storage: string;
  retentionDays: number | null;
  recipients: string[];
  withdrawHow: string;
  history: { given: boolean; at: number; how: ItemConsentsHistoryHow | null }[]; // newest first
}

type ConsentSet = Extract<AppRequest, { kind: 'consent.set' }>;
type Notice = Pick<ItemConsents['notice'], 'id' | 'version'>;

interface Kept {
  seen: string[]; // ids of messages, newest last: at-least-once delivery becomes exactly once
  offers: Offer[];
  surveys: Survey[];
  receipts: Receipt[];
  choices: Partial<Record<Purpose, boolean>> | null;
  notice: Notice;
  outbox: AppRequest[];
}

export const kScores = {
  nps: [0, 10],
  csat: [1, 5],
  ces: [1, 7],
} as const satisfies Record<AppInboxSurveyKind, readonly [number, number]>;

const kNothing: Kept = {
  seen: [],
  offers: [],
  surveys: [],
  receipts: [],
  choices: null,
  notice: { id: 'pledge', version: '1' },
  outbox: [],
};
const kSeenMax = 500;
// The newest: a sender that never stops fills no phone.
const kOffersMax = 50;
const kSurveysMax = 10;
const kReceiptsMax = 50;
const kToastMs = 4000;
const kExportMs = 60000; // after this, asking again is allowed
const kSessionS = 7 * 24 * 3600;

export function readReceipt(value: unknown): Receipt | null {
  const json: Unread<ItemConsents> | null = record(value);
  const purpose = one(json?.purpose, kPurposes);
  const id = text(json?.record_id, 128);
  if (!json || !purpose || !id) return null;
  const notice: Unread<Notice> | null = record(json.notice);
  const history = list(
    json.history,
    (item) => {
      const entry: Unread<ItemConsents['history'][number]> | null = record(item);
      const at = time(entry?.at);
      const state = one(entry?.state, kItemConsentsHistoryState);
      if (!entry || at === null || !state) return null;
      return { given: state === 'given', at, how: one(entry.how, kItemConsentsHistoryHow) };
    },
    1000,
  );
  return {
    record: id,
    purpose,
    notice: [text(notice?.id, 64), text(notice?.version, 32)].filter(Boolean).join(' · '),
    categories: list(json.data_categories, (item) => text(item, 64).replaceAll('_', ' ') || null),
    controller: text(json.controller, 120),
    storage: text(json.storage_location, 120),
    retentionDays: integer(json.retention_days),
    recipients: list(json.recipients, (item) => text(item, 120) || null),
    withdrawHow: text(json.withdraw_how, 200),
    // Ties go to the withdrawal.
    history: history.sort((a, b) => b.at - a.at || Number(a.given) - Number(b.given)),
  };
}

export function isGiven(receipt: Receipt): boolean {
  return receipt.history.length > 0 && receipt.history[0].given;
}

// `tenant/app-id:password` in the link, `tenant/app-id` in the form.
export function splitAccount(account: string): { tenant: string; user: string; app: string } | null {
  const match = /^([^/+#]{1,64})\/(app-([^/+#]{1,64}))$/.exec(account);
  return match && { tenant: match[1], user: match[2], app: match[3] };
}

export class Phone extends Store {
  linkState: LinkState = 'connecting';
  kept: Kept = structuredClone(kNothing);
  forgottenAt: number | null = null;
  exporting = false;
  toasts: ToastView[] = [];

  #account: Account | null = null;
  #key = '';
  #topic = '';
  #connect: Connect;
  #link: PageLink | null = null;
  #windows: BroadcastChannel | null = null;
  #flushing = false;
  #unanswered = new Map<Purpose, ConsentSet>(); // changes that no answer has confirmed yet
  #toastId = 0;

  constructor(how: Connect = connect) {
    super();
    this.#connect = how;
  }

  // False when the account does not look like one.
  signIn(account: Account): boolean {
    const parts = splitAccount(account.account);
    if (!parts) return false;
    this.#link?.end();
    this.#account = account;
    this.forgottenAt = null;
    this.#key = `welcome.phone.${account.account}`;
    this.#topic = `welcome/v1/${parts.tenant}/app/${parts.app}`;
    this.kept = {
      ...structuredClone(kNothing),
      ...load<Kept>(localStorage, this.#key, (kept) => Array.isArray(kept.offers)),
    };
    // The broker gives the session to whoever came last; the windows of this browser tell each other,
    // so that the older one does not fight for it.
    this.#windows ??= new BroadcastChannel('welcome.phone');
    this.#windows.onmessage = ({ data }) => data === this.#key && this.#rest();
    this.#windows.postMessage(this.#key);
    this.#unanswered.clear();
    for (const request of this.kept.outbox)
      if (request.kind === 'consent.set') this.#unanswered.set(request.purpose, request);
    this.#link = this.#connect({
      path: '/uplink/mqtt',
      account: parts.user,
      password: account.password,
      // The broker keeps the session: offers wait there while the page is closed.
      sessionExpiryS: kSessionS,
      topics: [`${this.#topic}/inbox`],
      qos: 1,
      onState: (state) => {
        this.linkState = state;
        this.changed();
      },
      onMessage: (_, json) => json && this.#onMessage(json),
      onSubscribed: () => {
        if (!this.kept.outbox.some(({ kind }) => kind === 'consents.get'))
          this.request({ kind: 'consents.get' });
        else this.#flush();
      },
    });
    return true;
  }

  signOut() {
    this.#link?.end();
    this.#link = null;
    save(localStorage, this.#key, null);
    this.#key = '';
    this.kept = structuredClone(kNothing);
  }

  takeOver() {
    if (this.#account) this.signIn(this.#account);
  }

  // What the customer wants: what was confirmed, with what is still on its way on top.
  wanted(purpose: Purpose): boolean {
    return this.pending(purpose)?.given ?? this.kept.choices?.[purpose] === true;
  }

  pending(purpose: Purpose): ConsentSet | undefined {
    return this.#unanswered.get(purpose);
  }

  choose(purpose: Purpose, given: boolean) {
    const { notice } = this.kept;
    const request: ConsentSet = {
      ...stamp(),
      kind: 'consent.set',
      purpose,
      given,
      notice: { id: notice.id, version: notice.version, language: i18n.language },
    };
    this.#unanswered.set(purpose, request);
    this.#queue(request);
  }

  open(offer: Offer) {
    if (!offer.opened) this.request({ kind: 'offer.opened', decision: offer.decision });
    offer.opened = true;
    this.#keep();
  }

  redeem(offer: Offer) {
    if (!offer.redeemed) this.request({ kind: 'offer.redeemed', decision: offer.decision });
    offer.redeemed = true;
    this.#keep();
  }

  clearEarlier(offers: Offer[]) {
    this.kept.offers = this.kept.offers.filter((offer) => !offers.includes(offer));
    this.#keep();
  }

  answer(survey: Survey, score: number, words: string) {
    this.request({
      kind: 'survey.answer',
      survey: survey.id,
      survey_kind: survey.kind,
      score,
      ...(words ? { text: words } : {}),
    });
    this.skip(survey);
    this.toast(i18n.t.phone.surveyThanks);
  }

  skip(survey: Survey) {
    this.kept.surveys = this.kept.surveys.filter((one) => one !== survey);
    this.#keep();
  }

  export() {
    this.exporting = true;
    setTimeout(() => {
      this.exporting = false;
      this.changed();
    }, kExportMs);
    this.request({ kind: 'export' });
  }

  forget() {
    this.request({ kind: 'forget' });
    this.toast(i18n.t.phone.forgetSent);
  }

  request(draft: Draft<AppRequest>) {
    this.#queue({ ...stamp(), ...draft });
  }

  toast(words: string) {
    const id = ++this.#toastId;
    this.toasts = [...this.toasts, { id, text: words }].slice(-3);
    setTimeout(() => {
      this.toasts = this.toasts.filter((toast) => toast.id !== id);
      this.changed();
    }, kToastMs);
    this.changed();
  }

  #rest() {
    this.#link?.end();
    this.#link = null;
    this.linkState = 'elsewhere';
    this.changed();
  }

  #queue(request: AppRequest) {
    this.kept.outbox.push(request);
    this.#keep();
    this.#flush();
  }

  // In order, one after the other; what the broker has leaves the list.
  async #flush() {
    if (this.#flushing) return;
    this.#flushing = true;
    try {
      for (let next = this.kept.outbox[0]; next; next = this.kept.outbox[0]) {
        if (!this.#link) return;
        await this.#link.publish(`${this.#topic}/request`, next);
        this.kept.outbox = this.kept.outbox.filter((request) => request !== next);
        this.#keep();
      }
    } catch {
      // The next connection goes on here.
    } finally {
      this.#flushing = false;
    }
  }

  #onMessage(json: Unread<AppInbox>) {
    const id = text(json.id, 128);
    if (!id || this.kept.seen.includes(id)) return;
    this.kept.seen = [...this.kept.seen, id].slice(-kSeenMax);
    const kind = one(json.kind, kAppInboxKind);
    switch (kind) {
      case null:
        return; // of a newer contract
      case 'offer':
        this.#onOffer(id, json);
        break;
      case 'survey':
        this.#onSurvey(json);
        break;
      case 'consents':
        this.#onChoices(json);
        break;
      case 'receipt':
        this.#onReceipt(json);
        break;
      case 'export':
        this.exporting = false;
        download(record(json.data) ?? {});
        this.toast(i18n.t.phone.exportReady);
        break;
      case 'forgotten':
        this.#onForgotten(json);
        return;
      default:
        kind satisfies never;
    }
    this.#keep();
  }

  #onOffer(id: string, json: Unread<AppInbox>) {
    const offer: Offer = {
      id,
      decision: text(json.decision, 128),
      title: text(json.title, 160),
      text: text(json.text, 1000),
      code: text(json.code, 64),
      expiresAt: time(json.expires_at) ?? 0,
      opened: false,
      redeemed: false,
    };
    if (!offer.decision || this.kept.offers.some(({ decision }) => decision === offer.decision)) return;
    this.kept.offers = [offer, ...this.kept.offers].slice(0, kOffersMax);
  }

  #onSurvey(json: Unread<AppInbox>) {
    const id = text(json.survey, 128);
    const kind = one(json.survey_kind, kAppInboxSurveyKind);
    const question = text(json.question, 300);
    if (id && kind && question && !this.kept.surveys.some((survey) => survey.id === id))
      this.kept.surveys = [...this.kept.surveys, { id, kind, question }].slice(-kSurveysMax);
  }

  #onChoices(json: Unread<AppInbox>) {
    const purposes = record(json.purposes) ?? {};
    const choices: Kept['choices'] = {};
    for (const purpose of kPurposes) choices[purpose] = purposes[purpose] === true;
    this.kept.choices = choices;
    const notice: Unread<Notice> | null = record(json.notice);
    const id = text(notice?.id, 128);
    const version = text(notice?.version, 32);
    if (id && version) this.kept.notice = { id, version };
    // An answer that was on its way before the last change does not take that change back.
    for (const [purpose, request] of this.#unanswered)
      if (choices[purpose] === request.given) this.#unanswered.delete(purpose);
  }

  #onReceipt(json: Unread<AppInbox>) {
    const receipt = readReceipt(json.record);
    if (!receipt) return;
    const others = this.kept.receipts.filter((old) => old.record !== receipt.record);
    this.kept.receipts = [receipt, ...others].slice(0, kReceiptsMax);
    if (this.kept.choices) this.kept.choices[receipt.purpose] = isGiven(receipt);
    if (this.pending(receipt.purpose)?.given === isGiven(receipt)) this.#unanswered.delete(receipt.purpose);
  }

  #onForgotten(json: Unread<AppInbox>) {
    this.#link?.end();
    this.#link = null;
    save(localStorage, this.#key, null);
    this.#key = '';
    this.kept = structuredClone(kNothing);
    this.forgottenAt = time(json.at) ?? Date.now();
    this.changed();
  }

  #keep() {
    save(localStorage, this.#key, this.kept);
    this.changed();
  }
}

function download(data: Json) {
  const link = document.createElement('a');
  const file = new Blob([JSON.stringify(data, null, 2)], { type: 'application/json' });
  link.href = URL.createObjectURL(file);
  link.download = 'my-welcome-data.json';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
