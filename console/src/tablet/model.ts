// SPDX-License-Identifier: Apache-2.0
// What the tablet does: it shows who is here (guests.ts) to who uses it (staffing.ts), and says what they do to the
// box. Everything comes from the box's broker; the page decides nothing itself.

import { kFloorRefusedCause, type FloorAction } from '../contract';
import { connect, NotTaken, type Connect, type LinkState, type PageLink } from '../shared/link';
import { stamp, type Draft } from '../shared/stamp';
import { Toasting } from '../shared/toasts';
import { one, text, type Json } from '../shared/read';
import type { Account } from '../shared/session';
import { Enrolment } from './enrolment';
import { Guests } from './guests';
import { Managing } from './managing';
import { Notes, type Note } from './notes';
import { Places } from './places';
import { isAllergy, type Prompt } from './prompt';
import { kStaffTopic, Staffing, toTablet, type Person } from './staffing';
import { Waiting } from './waiting';
import { words } from './words';

export type { Prompt } from './prompt';

// What is done with one tap, and what takes it back.
type Tap = 'claim' | 'release' | 'greeted' | 'served' | 'declined' | 'reopen';
const kUndo: Record<Tap, Tap | null> = {
  claim: 'release',
  release: 'claim',
  greeted: 'reopen',
  served: 'reopen',
  declined: 'reopen',
  reopen: null,
};

interface Held {
  send(): void; // now
  drop(): void; // takes it back
}

const kPromptTopic = 'welcome/v1/floor/prompt/';
const kStatusTopic = 'welcome/v1/floor/status/';
const kRemembered = 100; // under which sign-in the last messages went
const kThinkAgainMs = 5000; // "not this person" waits this long for second thoughts
const kUndoMs = 10000;
const kClaimMs = 5000; // the box answers a claim at once, or not at all
const kActionExpiryS = 600;

export class Tablet extends Toasting {
  linkState: LinkState = 'connecting';
  lostSince: number | null = null;
  staffing: Staffing | null = null; // while this tablet has an account
  announcement = '';
  claiming = new Map<string, number>(); // visit → timer
  held = new Map<string, Held>(); // visit → that it is not this person, which still can be undone
  waiting = new Waiting(); // what was done while the box was out of reach
  guests: Guests;
  places = new Places();
  open: string | null = null; // the visit whose details are shown
  onArrival: (prompt: Prompt) => void = () => {};

  enrolment: Enrolment | null = null;
  managing: Managing | null = null;

  #notes = new Notes();
  #sentUnder = new Map<string, string>(); // message → sign-in

  #connect: Connect;
  #link: PageLink | null = null;
  #account: Account | null = null;

  constructor(how: Connect = connect) {
    super();
    this.#connect = how;
    this.guests = new Guests({
      arrived: (prompt) => this.#arrived(prompt),
      gone: (visit) => this.#gone(visit),
      changed: () => this.changed(),
    });
  }

  changed() {
    this.places.update(this.guests.all, (prompt) => this.guests.isFresh(prompt));
    if (this.open && !this.guests.of(this.open)) this.open = null;
    super.changed();
  }

  // While somebody is about to touch a card nothing moves.
  hold(held: boolean) {
    if (this.places.hold(held)) this.changed();
  }

  show(visit: string | null) {
    this.open = visit;
    if (visit) this.guests.look(visit);
    this.changed();
  }

  // Of who is signed in; '' = nobody.
  get staff(): string {
    return this.staffing?.session?.staff ?? '';
  }

  get drafts(): Map<string, Note> {
    return this.#notes.of(this.staff);
  }

  nameOf(staff: string): string {
    return this.staffing?.nameOf(staff) ?? staff;
  }

  // How a guest is called on this page.
  called(prompt: Prompt): string {
    const said = prompt.met === 'by_name' ? prompt.greeting : '';
    return said || prompt.name || words().tablet.aMember;
  }

  signIn({ account, password }: Account) {
    this.#account = { account, password };
    this.#link?.end();
    this.staffing?.forget();
    this.#cutOff();
    this.#forgetEverybody();
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
        toTablet(account, 'managed'),
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
    this.staffing.listen(() => {
      if (!this.staffing?.open) this.endManaging();
      this.changed();
    });
  }

  // Back from another screen that used this account.
  takeOver() {
    if (this.#account) this.signIn(this.#account);
  }

  signOut() {
    this.#link?.end();
    this.#link = null;
    this.#account = null;
    this.#forgetEverybody();
    this.staffing?.forget();
    this.staffing = null;
    this.#cutOff();
    this.changed();
  }

  #forgetEverybody() {
    this.guests.clear();
    this.#notes.clear();
    this.places.hold(false);
    this.open = null;
  }

  // Who leaves has tapped it, and will not undo it any more.
  #sendHeld() {
    for (const { send } of [...this.held.values()]) send();
  }

  // The session is over: nothing that waits may go in somebody else's name.
  #cutOff() {
    for (const { drop } of [...this.held.values()]) drop();
    if (this.waiting.drop() > 0) this.toast(words().tablet.notTaken);
    this.open = null;
    this.endEnrolment();
    this.endManaging();
  }

  isMine(prompt: Prompt): boolean {
    return prompt.claimedBy !== '' && prompt.claimedBy === this.staff;
  }

  // One tap, and a while to take it back.
  tap(prompt: Prompt, kind: Tap) {
    const { visit } = prompt;
    this.guests.look(visit);
    if (kind === 'claim') return this.#claim(visit);
    void this.act(visit, { kind });
    this.#did(prompt, kind);
  }

  #did(prompt: Prompt, kind: Tap) {
    const undo = kUndo[kind];
    this.toast(
      words().tablet.did[kind](this.called(prompt)),
      undo ? kUndoMs : undefined,
      undo ? () => this.tap(this.guests.of(prompt.visit) ?? prompt, undo) : undefined,
    );
  }

  // Who was faster is told when the box has said so.
  #claim(visit: string) {
    const late = window.setTimeout(() => this.#claimAnswered(visit), kClaimMs);
    this.claiming.set(visit, late);
    void this.act(visit, { kind: 'claim' });
    if (this.linkState !== 'online') this.#claimAnswered(visit);
    this.changed();
  }

  // Sends after a while, unless the toast's button takes it back.
  notThisPerson(prompt: Prompt) {
    const { visit } = prompt;
    if (this.held.has(visit)) return;
    if (this.open === visit) this.open = null;
    const drop = () => {
      clearTimeout(timer);
      this.held.delete(visit);
      this.changed();
    };
    const send = () => {
      void this.act(visit, { kind: 'not_this_person' });
      drop();
    };
    const timer = window.setTimeout(send, kThinkAgainMs);
    this.held.set(visit, { send, drop });
    this.toast(words().tablet.willGo, kThinkAgainMs, drop);
  }

  // True when the box's broker has it, or it waits for the line. A repeated attempt with the same id counts once.
  async act(visit: string, draft: Draft<FloorAction, 'visit' | 'sign_in'>): Promise<boolean> {
    const session = this.staffing?.session;
    if (!session || !this.#account) return false;
    const action: FloorAction = { ...stamp(), visit, sign_in: session.signIn, ...draft };
    const first = this.waiting.actions.length === 0;
    if (first && (await this.#send(action))) return true;
    const kept = this.waiting.add(action);
    if (!kept) this.toast(words().tablet.tooLate);
    this.changed();
    return kept;
  }

  async #send(action: FloorAction): Promise<boolean> {
    this.#sentUnder.set(action.id, action.sign_in);
    for (const old of [...this.#sentUnder.keys()].slice(0, -kRemembered)) this.#sentUnder.delete(old);
    if (!this.#link || !this.#account) return false;
    try {
      const topic = `welcome/v1/floor/tablet/${this.#account.account}/action/${action.visit}`;
      await this.#link.publish(topic, action, kActionExpiryS);
      return true;
    } catch (error) {
      if (!(error instanceof NotTaken)) return false;
      this.toast(words().tablet.notTaken); // it never will be
      return true;
    }
  }

  async #sendWaiting() {
    const late = await this.waiting.go((action) => this.#send(action));
    if (late > 0) this.toast(words().tablet.tooLate);
    this.changed();
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
    this.open = null;
    this.changed();
  }

  endEnrolment() {
    const ending = this.enrolment;
    this.enrolment = null;
    ending?.close();
    this.changed();
  }

  // Only for whose role it is; every box looks that up itself.
  manage(role: Managing['role']) {
    const session = this.staffing?.session;
    const may = this.staffing?.open && session?.roles.includes(role);
    if (!this.#link || !this.#account || !session || !may) return;
    this.managing?.close();
    this.managing = new Managing(this.#link, this.#account.account, session, role);
    this.open = null;
    this.changed();
  }

  endManaging() {
    if (!this.managing) return;
    this.managing.close();
    this.managing = null;
    this.changed();
  }

  draft(visit: string): string {
    return this.drafts.get(visit)?.text ?? '';
  }

  setDraft(visit: string, said: string) {
    this.#notes.put(this.staff, visit, said);
    this.changed();
  }

  async sendNote(visit: string): Promise<boolean> {
    const draft = this.drafts.get(visit);
    const said = draft?.text.trim();
    if (!draft || !said) return false;
    if (!(await this.act(visit, { kind: 'note', id: draft.id, text: said }))) return false;
    if (this.drafts.get(visit) === draft) this.drafts.delete(visit);
    this.toast(words().tablet.noted);
    return true;
  }

  async prefer(visit: string, key: string, value: string, verdict: 'confirm' | 'change' | 'add') {
    const preference = { key, value, verdict: verdict === 'confirm' ? verdict : ('change' as const) };
    if (!(await this.act(visit, { kind: 'preference', preference }))) return false;
    const t = words().tablet;
    const said = { confirm: t.confirmedPreference, change: t.changedPreference, add: t.addedPreference };
    this.toast(said[verdict](value));
    return true;
  }

  allergies(prompt: Prompt): string[] {
    return prompt.preferences.filter(isAllergy).map((one) => one.text);
  }

  #onState(state: LinkState) {
    if (state === 'lost' || state === 'elsewhere') this.lostSince ??= Date.now();
    if (state === 'online') this.lostSince = null;
    this.guests.onLine(state === 'online');
    this.linkState = state;
    this.changed();
  }

  #onSubscribed() {
    this.staffing?.askAgain();
    void this.#sendWaiting();
    this.guests.onSubscribed();
  }

  #onMessage(topic: string, json: Json | null, expiresInS: number | null) {
    if (topic.startsWith(kStatusTopic)) {
      this.guests.onStatus(topic.slice(kStatusTopic.length), json);
    } else if (topic.startsWith(kPromptTopic)) {
      const prompt = this.guests.onPrompt(topic.slice(kPromptTopic.length), json, expiresInS);
      if (prompt) this.#onClaimed(prompt);
    } else if (topic.startsWith(kStaffTopic)) {
      this.staffing?.onStaff(topic.slice(kStaffTopic.length), json);
    } else if (json && topic === toTablet(this.#account?.account ?? '', 'session')) {
      this.staffing?.onSession(json);
    } else if (json && topic === toTablet(this.#account?.account ?? '', 'refused')) {
      this.#onRefused(json);
    } else if (json && topic === toTablet(this.#account?.account ?? '', 'managed')) {
      this.managing?.onMessage(json);
    } else if (topic === this.enrolment?.topic && json) {
      this.enrolment.onMessage(json);
    }
    this.changed();
  }

  #onRefused(json: Json) {
    const under = this.#sentUnder.get(text(json.re, 128));
    const mine = under === undefined || under === this.staffing?.session?.signIn;
    if (under !== undefined && !mine) this.toast(words().tablet.notTaken);
    if (json.cause === 'too_many') this.toast(words().tablet.refusedBecause.too_many);
    this.staffing?.onRefused(json, mine);
    const cause = one(json.cause, kFloorRefusedCause);
    if (cause) this.enrolment?.onRefused(cause, text(json.re, 128));
    if (cause) this.managing?.onRefused(cause, text(json.re, 128));
  }

  #arrived(prompt: Prompt) {
    this.announcement = words().tablet.arrived(this.called(prompt));
    this.onArrival(prompt);
  }

  #gone(visit: string) {
    if (this.draft(visit).trim()) this.toast(words().tablet.draftGone);
    this.#notes.forget(visit);
    this.#claimAnswered(visit);
  }

  #onClaimed(prompt: Prompt) {
    if (!this.claiming.has(prompt.visit) || !prompt.claimedBy) return;
    if (this.isMine(prompt)) this.#did(prompt, 'claim');
    else this.toast(words().tablet.faster(this.nameOf(prompt.claimedBy)));
    this.#claimAnswered(prompt.visit);
  }

  #claimAnswered(visit: string) {
    clearTimeout(this.claiming.get(visit));
    if (this.claiming.delete(visit)) this.changed();
  }
}
