// What the tablet knows: the prompts of the guests who are here, the store's status, who uses the
// tablet. Everything comes from the box's broker; the page decides nothing itself.

import { i18n } from '../shared/i18n';
import { Link, newId, type LinkState } from '../shared/link';
import { integer, list, one, record, text, time, type Json } from '../shared/read';
import { load, save, type Account } from '../shared/session';
import { Store } from '../shared/store';
import { Enrolment } from './enrolment';

const kLevels = ['near', 'present', 'confirmed'] as const;
const kSigns = ['phone', 'fob', 'face', 'app'] as const;
const kZones = ['away', 'street', 'door', 'inside', 'desk'] as const;
const kStates = ['new', 'claimed', 'greeted', 'served', 'declined'] as const;
const kTroubles = ['crm_silent', 'clock_not_set', 'store'] as const;
const kFunctions = ['face', 'offers', 'prompts', 'surveys', 'all'] as const;

export interface Preference {
  key: string;
  text: string;
  detail: string;
}

export interface Prompt {
  visit: string;
  level: (typeof kLevels)[number];
  by: (typeof kSigns)[number][];
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
  zone: (typeof kZones)[number] | null;
  since: number | null;
  state: (typeof kStates)[number];
  claimedBy: string;
}

export interface Status {
  store: string;
  link: 'up' | 'down';
  inStore: number;
  paused: (typeof kFunctions)[number][];
  trouble: (typeof kTroubles)[number][];
  rehearsal: boolean;
}

export type ActionKind =
  | 'claim'
  | 'release'
  | 'greeted'
  | 'served'
  | 'declined'
  | 'not_this_person'
  | 'note'
  | 'preference';

export interface Action extends Json {
  id: string;
  kind: ActionKind;
}

export interface Toast {
  id: number;
  text: string;
  undo?: () => void;
}

const kPromptTopic = 'welcome/v1/floor/prompt/';
const kStatusTopic = 'welcome/v1/floor/status/';
const kStaffKey = 'welcome.staff';
const kKnownStaffKey = 'welcome.staff.known';
const kUndoMs = 5000; // harmful actions wait this long for second thoughts
const kToastMs = 4000;
const kClaimMs = 5000; // the box answers a claim at once, or not at all
const kActionExpiryS = 600;
const kSettleMs = 2000; // retained prompts have all come this long after subscribing

export function readPrompt(visit: string, json: Json): Prompt | null {
  const greet = record(json.greet);
  const level = one(json.level, kLevels);
  if (!greet || !level || json.visit !== visit) return null;
  const name = text(greet.name, 80);
  const conversation = record(json.last_conversation);
  return {
    visit,
    level,
    by: list(json.by, (sign) => one(sign, kSigns), 4),
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
    zone: one(json.zone, kZones),
    since: time(json.since),
    state: one(json.state, kStates) ?? 'new',
    claimedBy: text(json.claimed_by, 64),
  };
}

function readPreference(item: unknown): Preference | null {
  const json = record(item);
  const key = text(json?.key, 64);
  const words = text(json?.text, 160);
  return json && key && words ? { key, text: words, detail: text(json.detail, 160) } : null;
}

export function readStatus(json: Json): Status {
  return {
    store: text(json.store, 64),
    link: json.link === 'down' ? 'down' : 'up',
    inStore: Math.max(0, integer(json.in_store) ?? 0),
    paused: list(json.paused, (name) => one(name, kFunctions), 5),
    trouble: list(json.trouble, (name) => one(name, kTroubles), 3),
    rehearsal: json.rehearsal === true,
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
  staff = load<string>(sessionStorage, kStaffKey, isName) ?? '';
  knownStaff = load<string[]>(localStorage, kKnownStaffKey, Array.isArray)?.filter(isName) ?? [];
  toasts: Toast[] = [];
  announcement = '';
  claiming = new Set<string>();
  held = new Map<string, ActionKind>(); // visit → action that still can be undone
  drafts = new Map<string, { id: string; text: string }>(); // visit → note being written

  enrolment: Enrolment | null = null;

  #prompts = new Map<string, Prompt>();
  #statuses = new Map<string, Status>(); // by box
  #fresh = new Set<string>(); // visits heard of since the last subscription
  #expiry = new Map<string, number>();
  #claimTimers = new Map<string, number>();
  #link: Link | null = null;
  #toastId = 0;

  // In the order of arrival, so that no card moves under a finger.
  get prompts(): Prompt[] {
    return [...this.#prompts.values()].sort(
      (a, b) => (a.since ?? 0) - (b.since ?? 0) || a.visit.localeCompare(b.visit),
    );
  }

  signIn({ account, password }: Account) {
    this.#link?.end();
    this.#prompts.clear();
    this.#statuses.clear();
    this.status = null;
    this.linkState = 'connecting';
    this.#link = new Link({
      path: '/floor/mqtt',
      account,
      password,
      clientId: `${account}-${newId().slice(0, 8)}`,
      topics: [`${kPromptTopic}+`, `${kStatusTopic}+`],
      qos: 1,
      onState: (state) => this.#onState(state),
      onMessage: (topic, json, expiresInS) => this.#onMessage(topic, json, expiresInS),
      onSubscribed: () => this.#onSubscribed(),
    });
  }

  signOut() {
    this.#link?.end();
    this.#link = null;
    this.#prompts.clear();
    this.useStaff('');
  }

  useStaff(name: string) {
    this.staff = name.trim().slice(0, 64);
    save(sessionStorage, kStaffKey, this.staff || null);
    if (this.staff) {
      this.knownStaff = [this.staff, ...this.knownStaff.filter((known) => known !== this.staff)].slice(0, 6);
      save(localStorage, kKnownStaffKey, this.knownStaff);
    }
    this.changed();
  }

  isMine(prompt: Prompt): boolean {
    return prompt.claimedBy !== '' && prompt.claimedBy === this.staff;
  }

  claim(prompt: Prompt) {
    const { visit } = prompt;
    this.claiming.add(visit);
    this.#claimTimers.set(visit, window.setTimeout(() => this.#claimAnswered(visit), kClaimMs));
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
      this.changed();
    };
    const timer = window.setTimeout(() => {
      this.act(visit, { kind });
      settle();
    }, kUndoMs);
    const words = i18n.t.tablet.willSend;
    this.toast(kind === 'declined' ? words.declined(prompt.greeting) : words.not_this_person, kUndoMs, settle);
  }

  // True when the box's broker has it. A repeated attempt with the same id counts once.
  async act(visit: string, action: Json & { kind: ActionKind }): Promise<boolean> {
    try {
      await this.#link?.publish(
        `welcome/v1/floor/action/${visit}`,
        { v: 1, id: newId(), visit, staff: this.staff, at: new Date().toISOString(), ...action },
        kActionExpiryS,
      );
      return true;
    } catch {
      this.toast(i18n.t.common.notSent);
      return false;
    }
  }

  enrol() {
    this.enrolment = this.#link && new Enrolment(this.#link, this.staff);
    this.changed();
  }

  endEnrolment() {
    this.enrolment?.close();
    this.enrolment = null;
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
    if (state === 'lost') this.lostSince ??= Date.now();
    if (state === 'online') {
      this.lostSince = null;
      this.#fresh.clear();
    }
    this.linkState = state;
    this.changed();
  }

  // The broker now sends every prompt that is still true. A card whose visit ended while the line
  // was away gets no message: it goes when the others have come.
  #onSubscribed() {
    setTimeout(() => {
      if (this.linkState !== 'online') return;
      for (const visit of this.#prompts.keys()) if (!this.#fresh.has(visit)) this.#remove(visit);
      this.changed();
    }, kSettleMs);
  }

  #onMessage(topic: string, json: Json | null, expiresInS: number | null) {
    if (topic.startsWith(kStatusTopic)) {
      const box = topic.slice(kStatusTopic.length);
      if (json) this.#statuses.set(box, readStatus(json));
      else this.#statuses.delete(box);
      this.status = worst([...this.#statuses.values()]);
    } else if (topic.startsWith(kPromptTopic)) {
      const visit = topic.slice(kPromptTopic.length);
      const prompt = json && readPrompt(visit, json);
      this.#fresh.add(visit);
      if (prompt) this.#put(prompt, expiresInS);
      else if (!json) this.#remove(visit);
    } else if (topic === this.enrolment?.topic && json) {
      this.enrolment.onMessage(json);
    }
    this.changed();
  }

  #put(prompt: Prompt, expiresInS: number | null) {
    const { visit } = prompt;
    const before = this.#prompts.get(visit);
    if (!before) this.announcement = i18n.t.tablet.arrived(prompt.greeting);
    if (this.claiming.has(visit) && prompt.claimedBy) {
      if (!this.isMine(prompt)) this.toast(i18n.t.tablet.faster(prompt.claimedBy));
      this.#claimAnswered(visit);
    }
    this.#prompts.set(visit, prompt);
    // The broker counts the expiry down, so this needs no clock that agrees with the box's.
    clearTimeout(this.#expiry.get(visit));
    if (expiresInS !== null)
      this.#expiry.set(
        visit,
        window.setTimeout(() => (this.#remove(visit), this.changed()), Math.min(expiresInS * 1000, 2 ** 31 - 1)),
      );
  }

  #remove(visit: string) {
    clearTimeout(this.#expiry.get(visit));
    this.#expiry.delete(visit);
    this.#prompts.delete(visit);
    this.drafts.delete(visit);
    this.#claimAnswered(visit);
  }

  #claimAnswered(visit: string) {
    clearTimeout(this.#claimTimers.get(visit));
    this.#claimTimers.delete(visit);
    if (this.claiming.delete(visit)) this.changed();
  }
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
