// SPDX-License-Identifier: Apache-2.0
// What the tablet knows: the prompts of the guests who are here, the store's status, who uses the
// tablet. Everything comes from the box's broker; the page decides nothing itself.

import {
  kFloorPromptBy,
  kFloorPromptLevel,
  kFloorPromptState,
  kFloorPromptZone,
  kFloorRefusedCause,
  kFloorStatusLink,
  kFloorStatusPaused,
  kFloorStatusTrouble,
  type FloorAction,
  type FloorActionKind,
  type FloorPrompt,
  type FloorPromptBy,
  type FloorPromptLevel,
  type FloorPromptState,
  type FloorPromptZone,
  type FloorStatus,
  type FloorStatusLink,
  type FloorStatusPaused,
  type FloorStatusTrouble,
  type Unread,
} from '../contract';
import { i18n } from '../shared/i18n';
import { connect, type Connect, type LinkState, type PageLink } from '../shared/link';
import { newId, stamp, type Draft } from '../shared/stamp';
import { integer, list, one, record, text, time, type Json } from '../shared/read';
import type { Account } from '../shared/session';
import { Store } from '../shared/store';
import { Enrolment } from './enrolment';
import { kStaffTopic, Staffing, toTablet, type Person } from './staffing';

export interface Preference {
  key: string;
  text: string;
  detail: string;
}

export interface Prompt {
  visit: string;
  level: FloorPromptLevel;
  by: FloorPromptBy[];
  name: string;
  greeting: string;
  pronunciation: string;
  tier: string;
  points: number | null;
  nextReward: number | null; // points at which the next reward comes
  headline: string;
  preferences: Preference[];
  lastConversation: { text: string; at: number | null } | null;
  suggestion: string;
  avoid: string[];
  zone: FloorPromptZone | null;
  since: number | null;
  state: FloorPromptState;
  claimedBy: string;
}

export interface Status {
  store: string;
  link: FloorStatusLink;
  inStore: number;
  paused: FloorStatusPaused[];
  trouble: FloorStatusTrouble[];
  rehearsal: boolean;
}

export interface BoxStatus extends Status {
  toldAll: boolean; // every prompt of this box has been published since it met the broker
  at: number;
}

export interface Toast {
  id: number;
  text: string;
  undo?: () => void;
}

const kPromptTopic = 'welcome/v1/floor/prompt/';
const kStatusTopic = 'welcome/v1/floor/status/';
const kRemembered = 100; // under which sign-in the last messages went
const kUndoMs = 5000; // harmful actions wait this long for second thoughts
const kToastMs = 4000;
const kClaimMs = 5000; // the box answers a claim at once, or not at all
const kActionExpiryS = 600;
const kSettleMs = 2000; // what the broker retains has come this long after subscribing

export function readPrompt(visit: string, json: Unread<FloorPrompt>): Prompt | null {
  const greet: Unread<FloorPrompt['greet']> | null = record(json.greet);
  const level = one(json.level, kFloorPromptLevel);
  if (!greet || !level || json.visit !== visit) return null;
  const name = text(greet.name, 80);
  const conversation: Unread<NonNullable<FloorPrompt['last_conversation']>> | null = record(
    json.last_conversation,
  );
  return {
    visit,
    level,
    by: list(json.by, (sign) => one(sign, kFloorPromptBy)),
    name,
    greeting: text(greet.greeting, 80) || name,
    pronunciation: text(greet.pronunciation, 80),
    tier: text(json.tier, 32),
    points: integer(json.points),
    nextReward: integer(json.next_reward_points),
    headline: text(json.headline, 160),
    preferences: list(json.preferences, readPreference, 12),
    lastConversation: conversation && { text: text(conversation.text, 600), at: time(conversation.at) },
    suggestion: text(json.suggestion, 300),
    avoid: list(json.avoid, (item) => text(item, 120) || null, 8),
    zone: one(json.zone, kFloorPromptZone),
    since: time(json.since),
    state: one(json.state, kFloorPromptState) ?? 'new',
    claimedBy: text(json.claimed_by, 64),
  };
}

function readPreference(item: unknown): Preference | null {
  const json: Unread<FloorPrompt['preferences'][number]> | null = record(item);
  const key = text(json?.key, 64);
  const words = text(json?.text, 160);
  return json && key && words ? { key, text: words, detail: text(json.detail, 160) } : null;
}

export function readStatus(json: Unread<FloorStatus>): BoxStatus {
  return {
    store: text(json.store, 64),
    link: one(json.link, kFloorStatusLink) ?? 'up',
    inStore: Math.max(0, integer(json.in_store) ?? 0),
    paused: list(json.paused, (name) => one(name, kFloorStatusPaused)),
    trouble: list(json.trouble, (name) => one(name, kFloorStatusTrouble)),
    rehearsal: json.rehearsal === true,
    toldAll: json.told_all !== false, // a box that does not say is taken at its retained word
    at: time(json.at) ?? 0,
  };
}

// Several boxes of one store, each with a state of its own: what is wrong with one is wrong. All count
// the same guests, as far as each hears them.
export function worst(all: Status[]): Status | null {
  const [first] = all;
  if (!first) return null;
  const union = <T>(of: (status: Status) => T[]) => [...new Set(all.flatMap(of))];
  return {
    store: first.store,
    link: all.some((status) => status.link === 'down') ? 'down' : 'up',
    inStore: Math.max(...all.map((status) => status.inStore)),
    paused: union((status) => status.paused),
    trouble: union((status) => status.trouble),
    rehearsal: all.some((status) => status.rehearsal),
  };
}

export class Tablet extends Store {
  linkState: LinkState = 'connecting';
  lostSince: number | null = null;
  status: Status | null = null;
  staffing: Staffing | null = null; // while this tablet has an account
  toasts: Toast[] = [];
  announcement = '';
  claiming = new Set<string>();
  held = new Map<string, FloorActionKind>(); // visit → action that still can be undone

  enrolment: Enrolment | null = null;

  #drafts = new Map<string, Map<string, { id: string; text: string }>>(); // staff → visit → note
  #fire = new Map<string, () => void>(); // visit → sends what is held, now
  #dropHeld = new Map<string, () => void>(); // visit → takes it back
  #sentUnder = new Map<string, string>(); // message → sign-in

  #prompts = new Map<string, Prompt>();
  #statuses = new Map<string, BoxStatus>(); // by box
  #unheard = new Set<string>(); // visits with a card that this connection has not told of
  #untold = new Map<string, number>(); // box → time of its last status before this connection
  #settled = true; // what the broker retains has come
  #settling = 0;
  #expiry = new Map<string, number>();
  #claimTimers = new Map<string, number>();
  #connect: Connect;
  #link: PageLink | null = null;
  #account: Account | null = null;
  #toastId = 0;

  constructor(how: Connect = connect) {
    super();
    this.#connect = how;
  }

  // In the order of arrival, so that no card moves under a finger.
  get prompts(): Prompt[] {
    return [...this.#prompts.values()].sort(
      (a, b) => (a.since ?? 0) - (b.since ?? 0) || a.visit.localeCompare(b.visit),
    );
  }

  // Of who is signed in; '' = nobody.
  get staff(): string {
    return this.staffing?.session?.staff ?? '';
  }

  get drafts(): Map<string, { id: string; text: string }> {
    const mine = this.#drafts.get(this.staff) ?? new Map<string, { id: string; text: string }>();
    this.#drafts.set(this.staff, mine);
    return mine;
  }

  nameOf(staff: string): string {
    return this.staffing?.nameOf(staff) ?? staff;
  }

  signIn({ account, password }: Account) {
    this.#account = { account, password };
    this.#link?.end();
    this.staffing?.forget();
    this.#cutOff();
    this.#prompts.clear();
    this.#statuses.clear();
    this.status = null;
    this.linkState = 'connecting';
    this.#link = this.#connect({
      path: '/floor/mqtt',
      account,
      password,
      topics: [
        `${kPromptTopic}+`,
        `${kStatusTopic}+`,
        `${kStaffTopic}+`,
        toTablet(account, 'session'),
        toTablet(account, 'refused'),
      ],
      qos: 1,
      onState: (state) => this.#onState(state),
      onMessage: (topic, json, expiresInS) => this.#onMessage(topic, json, expiresInS),
      onSubscribed: () => this.#onSubscribed(),
    });
    this.staffing = new Staffing(this.#link, account, {
      beforeLeaving: () => this.#sendHeld(),
      cutOff: () => this.#cutOff(),
    });
    this.staffing.listen(() => this.changed());
  }

  // Back from another screen that used this account.
  takeOver() {
    if (this.#account) this.signIn(this.#account);
  }

  signOut() {
    this.#link?.end();
    this.#link = null;
    this.#account = null;
    this.#prompts.clear();
    this.#statuses.clear();
    this.staffing?.forget();
    this.staffing = null;
    this.#cutOff();
    this.changed();
  }

  // Who leaves has tapped it, and will not undo it any more.
  #sendHeld() {
    for (const fire of [...this.#fire.values()]) fire();
  }

  // The session is over: nothing that waits may go in somebody else's name.
  #cutOff() {
    for (const drop of [...this.#dropHeld.values()]) drop();
    this.endEnrolment();
  }

  // The line was away, and nobody has said since whether this guest is still here.
  isStale(prompt: Prompt): boolean {
    return this.#unheard.has(prompt.visit);
  }

  isMine(prompt: Prompt): boolean {
    return prompt.claimedBy !== '' && prompt.claimedBy === this.staff;
  }

  claim(prompt: Prompt) {
    const { visit } = prompt;
    this.claiming.add(visit);
    this.#claimTimers.set(
      visit,
      window.setTimeout(() => this.#claimAnswered(visit), kClaimMs),
    );
    this.changed();
    this.act(visit, { kind: 'claim' }).then((sent) => sent || this.#claimAnswered(visit));
  }

  // Sends after a while, unless the toast's button takes it back.
  actUnlessUndone(prompt: Prompt, kind: 'declined' | 'not_this_person') {
    const { visit } = prompt;
    if (this.held.has(visit)) return;
    this.held.set(visit, kind);
    const settle = () => {
      clearTimeout(timer);
      this.held.delete(visit);
      this.#fire.delete(visit);
      this.#dropHeld.delete(visit);
      this.changed();
    };
    const fire = () => {
      this.act(visit, { kind });
      settle();
    };
    const timer = window.setTimeout(fire, kUndoMs);
    this.#fire.set(visit, fire);
    this.#dropHeld.set(visit, settle);
    const words = i18n.t.tablet.willSend;
    this.toast(
      kind === 'declined' ? words.declined(prompt.greeting) : words.not_this_person,
      kUndoMs,
      settle,
    );
  }

  // True when the box's broker has it. A repeated attempt with the same id counts once.
  async act(visit: string, draft: Draft<FloorAction, 'visit' | 'sign_in'>): Promise<boolean> {
    const session = this.staffing?.session;
    if (!session || !this.#account) return false;
    const action: FloorAction = { ...stamp(), visit, sign_in: session.signIn, ...draft };
    this.#sentUnder.set(action.id, session.signIn);
    for (const old of [...this.#sentUnder.keys()].slice(0, -kRemembered)) this.#sentUnder.delete(old);
    try {
      const topic = `welcome/v1/floor/tablet/${this.#account.account}/action/${visit}`;
      await this.#link?.publish(topic, action, kActionExpiryS);
      return true;
    } catch {
      this.toast(i18n.t.common.notSent);
      return false;
    }
  }

  // Who else of the store may have seen what a guest agreed to.
  get witnesses(): Person[] {
    const mine = this.staffing?.session?.staff;
    return (this.staffing?.people ?? []).filter((person) => person.pin && person.id !== mine);
  }

  enrol() {
    const session = this.staffing?.session;
    this.enrolment =
      this.#link && this.#account && session
        ? new Enrolment(this.#link, this.#account.account, session)
        : null;
    this.changed();
  }

  endEnrolment() {
    const ending = this.enrolment;
    this.enrolment = null;
    ending?.close();
    this.changed();
  }

  draft(visit: string): string {
    return this.drafts.get(visit)?.text ?? '';
  }

  setDraft(visit: string, words: string) {
    const id = this.drafts.get(visit)?.id ?? newId();
    this.drafts.set(visit, { id, text: words });
  }

  async sendNote(visit: string): Promise<boolean> {
    const draft = this.drafts.get(visit);
    const words = draft?.text.trim();
    if (!draft || !words) return false;
    if (!(await this.act(visit, { kind: 'note', id: draft.id, text: words }))) return false;
    this.drafts.delete(visit);
    this.toast(i18n.t.tablet.noted);
    return true;
  }

  toast(words: string, forMs = kToastMs, undo?: () => void) {
    const id = ++this.#toastId;
    const close = () => {
      this.toasts = this.toasts.filter((toast) => toast.id !== id);
      this.changed();
    };
    const undoAndClose = undo && (() => (undo(), close()));
    this.toasts = [...this.toasts, { id, text: words, undo: undoAndClose }].slice(-3);
    setTimeout(close, forMs);
    this.changed();
  }

  #onState(state: LinkState) {
    clearTimeout(this.#settling);
    if (state === 'lost' || state === 'elsewhere') this.lostSince ??= Date.now();
    if (state === 'online') {
      this.lostSince = null;
      this.#unheard = new Set(this.#prompts.keys());
      this.#untold = new Map([...this.#statuses].map(([box, { at }]) => [box, at]));
      this.#settled = false;
    }
    this.linkState = state;
    this.changed();
  }

  // The broker now sends what it retains; but it may have been restarted, and know nothing before
  // the boxes come back to it. A card that nobody tells of goes when every box has told all.
  #onSubscribed() {
    this.staffing?.askAgain();
    this.#settling = window.setTimeout(() => {
      this.#settled = true;
      this.#dropUnheard();
      this.changed();
    }, kSettleMs);
  }

  #dropUnheard() {
    if (!this.#settled || this.#untold.size > 0) return;
    for (const visit of this.#unheard) this.#remove(visit);
  }

  #onMessage(topic: string, json: Json | null, expiresInS: number | null) {
    if (topic.startsWith(kStatusTopic)) {
      const box = topic.slice(kStatusTopic.length);
      if (json) this.#onStatus(box, readStatus(json));
      else this.#forgetBox(box);
      this.status = worst([...this.#statuses.values()]);
      this.#dropUnheard();
    } else if (topic.startsWith(kPromptTopic)) {
      const visit = topic.slice(kPromptTopic.length);
      const prompt = json && readPrompt(visit, json);
      this.#unheard.delete(visit);
      if (prompt) this.#put(prompt, expiresInS);
      else if (!json) this.#remove(visit);
    } else if (topic.startsWith(kStaffTopic)) {
      this.staffing?.onStaff(topic.slice(kStaffTopic.length), json);
    } else if (json && topic === toTablet(this.#account?.account ?? '', 'session')) {
      this.staffing?.onSession(json);
    } else if (json && topic === toTablet(this.#account?.account ?? '', 'refused')) {
      this.#onRefused(json);
    } else if (topic === this.enrolment?.topic && json) {
      this.enrolment.onMessage(json);
    }
    this.changed();
  }

  #onRefused(json: Json) {
    const under = this.#sentUnder.get(text(json.re, 128));
    const mine = under === undefined || under === this.staffing?.session?.signIn;
    if (under !== undefined && !mine) this.toast(i18n.t.tablet.notTaken);
    if (json.cause === 'too_many') this.toast(i18n.t.tablet.refusedBecause.too_many);
    this.staffing?.onRefused(json, mine);
    const cause = one(json.cause, kFloorRefusedCause);
    if (cause) this.enrolment?.onRefused(cause, text(json.re, 128));
  }

  // An older word than the last one is what the broker kept while the box was away.
  #onStatus(box: string, status: BoxStatus) {
    this.#statuses.set(box, status);
    if (status.toldAll && status.at >= (this.#untold.get(box) ?? 0)) this.#untold.delete(box);
  }

  #forgetBox(box: string) {
    this.#statuses.delete(box);
    this.#untold.delete(box);
  }

  #put(prompt: Prompt, expiresInS: number | null) {
    const { visit } = prompt;
    const before = this.#prompts.get(visit);
    if (!before) this.announcement = i18n.t.tablet.arrived(prompt.greeting);
    if (this.claiming.has(visit) && prompt.claimedBy) {
      if (!this.isMine(prompt)) this.toast(i18n.t.tablet.faster(this.nameOf(prompt.claimedBy)));
      this.#claimAnswered(visit);
    }
    this.#prompts.set(visit, prompt);
    // The broker counts the expiry down, so this needs no clock that agrees with the box's.
    clearTimeout(this.#expiry.get(visit));
    if (expiresInS !== null)
      this.#expiry.set(
        visit,
        window.setTimeout(
          () => (this.#remove(visit), this.changed()),
          Math.min(expiresInS * 1000, 2 ** 31 - 1),
        ),
      );
  }

  #remove(visit: string) {
    clearTimeout(this.#expiry.get(visit));
    this.#expiry.delete(visit);
    this.#prompts.delete(visit);
    this.#unheard.delete(visit);
    for (const notes of this.#drafts.values()) notes.delete(visit);
    this.#claimAnswered(visit);
  }

  #claimAnswered(visit: string) {
    clearTimeout(this.#claimTimers.get(visit));
    this.#claimTimers.delete(visit);
    if (this.claiming.delete(visit)) this.changed();
  }
}
