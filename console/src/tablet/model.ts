// SPDX-License-Identifier: Apache-2.0
// What the tablet knows: the prompts of the guests who are here, the store's status, who uses the
// tablet. Everything comes from the box's broker; the page decides nothing itself.

import { kFloorRefusedCause, type FloorAction } from '../contract';
import { connect, NotTaken, type Connect, type LinkState, type PageLink } from '../shared/link';
import { stamp, type Draft } from '../shared/stamp';
import { Toasting } from '../shared/toasts';
import { one, text, type Json } from '../shared/read';
import type { Account } from '../shared/session';
import { Boxes } from './boxes';
import { Enrolment } from './enrolment';
import { Notes, type Note } from './notes';
import { Places } from './places';
import { isAllergy, readPrompt, readStatus, type Prompt, type Status } from './prompt';
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
const kSettleMs = 2000; // what the broker retains has come this long after subscribing
const kFreshMs = 120000; // an arrival that nobody looked at is new for so long

export class Tablet extends Toasting {
  linkState: LinkState = 'connecting';
  lostSince: number | null = null;
  staffing: Staffing | null = null; // while this tablet has an account
  announcement = '';
  claiming = new Map<string, number>(); // visit → timer
  held = new Map<string, Held>(); // visit → that it is not this person, which still can be undone
  waiting = new Waiting(); // what was done while the box was out of reach
  places = new Places();
  open: string | null = null; // the visit whose details are shown
  onArrival: (prompt: Prompt) => void = () => {};

  enrolment: Enrolment | null = null;

  #notes = new Notes();
  #sentUnder = new Map<string, string>(); // message → sign-in

  #prompts = new Map<string, Prompt>();
  #fresh = new Map<string, number>(); // visit → timer; new, and not yet looked at
  #boxes = new Boxes();
  #unheard = new Set<string>(); // visits with a card that this connection has not told of
  #settled = false; // what the broker retains has come
  #settling = 0;
  #expiry = new Map<string, number>();
  #connect: Connect;
  #link: PageLink | null = null;
  #account: Account | null = null;

  constructor(how: Connect = connect) {
    super();
    this.#connect = how;
  }

  changed() {
    this.places.update(this.#prompts.values(), (prompt) => this.isFresh(prompt));
    if (this.open && !this.promptOf(this.open)) this.open = null;
    super.changed();
  }

  // In the order of arrival.
  get prompts(): Prompt[] {
    return [...this.#prompts.values()].sort(
      (a, b) => (a.since ?? 0) - (b.since ?? 0) || a.visit.localeCompare(b.visit),
    );
  }

  // Null: gone, though the card may keep its place under a finger.
  promptOf(visit: string): Prompt | null {
    return this.#prompts.get(visit) ?? null;
  }

  get status(): Status | null {
    return this.#boxes.status;
  }

  // True once it is known that nobody is here, if nobody is shown.
  get knowsWhoIsHere(): boolean {
    return this.#settled || this.#boxes.anyToldAll;
  }

  // Arrived just now, and nobody has looked or gone.
  isFresh(prompt: Prompt): boolean {
    return this.#fresh.has(prompt.visit) && prompt.state === 'new' && prompt.leftAt === null;
  }

  get fresh(): Prompt[] {
    return this.prompts.filter((prompt) => this.isFresh(prompt)).reverse();
  }

  see(visit: string) {
    if (this.#forgetFresh(visit)) this.changed();
  }

  // While somebody is about to touch a card nothing moves.
  hold(held: boolean) {
    if (this.places.hold(held)) this.changed();
  }

  show(visit: string | null) {
    this.open = visit;
    if (visit) this.#forgetFresh(visit);
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
    this.#forgetEverybody();
    this.staffing?.forget();
    this.staffing = null;
    this.#cutOff();
    this.changed();
  }

  #forgetEverybody() {
    for (const visit of [...this.#prompts.keys()]) this.#remove(visit);
    this.#notes.clear();
    this.#boxes.clear();
    this.#settled = false;
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
  }

  // The line was away, and nobody has said since whether this guest is still here.
  isStale(prompt: Prompt): boolean {
    return this.#unheard.has(prompt.visit);
  }

  isMine(prompt: Prompt): boolean {
    return prompt.claimedBy !== '' && prompt.claimedBy === this.staff;
  }

  // One tap, and a while to take it back.
  tap(prompt: Prompt, kind: Tap) {
    const { visit } = prompt;
    this.#forgetFresh(visit);
    if (kind === 'claim') return this.#claim(visit);
    void this.act(visit, { kind });
    this.#did(prompt, kind);
  }

  #did(prompt: Prompt, kind: Tap) {
    const undo = kUndo[kind];
    this.toast(
      words().tablet.did[kind](this.called(prompt)),
      undo ? kUndoMs : undefined,
      undo ? () => this.tap(this.promptOf(prompt.visit) ?? prompt, undo) : undefined,
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
    clearTimeout(this.#settling);
    if (state === 'lost' || state === 'elsewhere') this.lostSince ??= Date.now();
    if (state === 'online') {
      this.lostSince = null;
      this.#unheard = new Set(this.#prompts.keys());
      this.#boxes.lineIsUp();
      this.#settled = false;
    }
    this.linkState = state;
    this.changed();
  }

  // The broker now sends what it retains. A card that nobody tells of goes when every box has told all.
  #onSubscribed() {
    this.staffing?.askAgain();
    void this.#sendWaiting();
    this.#settling = window.setTimeout(() => {
      this.#settled = true;
      this.#dropUnheard();
      this.changed();
    }, kSettleMs);
  }

  #dropUnheard() {
    if (!this.#settled || !this.#boxes.allTold) return;
    for (const visit of this.#unheard) this.#remove(visit);
  }

  #onMessage(topic: string, json: Json | null, expiresInS: number | null) {
    if (topic.startsWith(kStatusTopic)) {
      const box = topic.slice(kStatusTopic.length);
      if (json) this.#boxes.tell(box, readStatus(json));
      else this.#boxes.forget(box);
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
    if (under !== undefined && !mine) this.toast(words().tablet.notTaken);
    if (json.cause === 'too_many') this.toast(words().tablet.refusedBecause.too_many);
    this.staffing?.onRefused(json, mine);
    const cause = one(json.cause, kFloorRefusedCause);
    if (cause) this.enrolment?.onRefused(cause, text(json.re, 128));
  }

  #put(prompt: Prompt, expiresInS: number | null) {
    const { visit } = prompt;
    if (!this.#prompts.has(visit)) this.#arrived(prompt);
    if (this.claiming.has(visit) && prompt.claimedBy) {
      if (!this.isMine(prompt)) this.toast(words().tablet.faster(this.nameOf(prompt.claimedBy)));
      else this.#did(prompt, 'claim');
      this.#claimAnswered(visit);
    }
    if (prompt.state !== 'new' || prompt.leftAt !== null) this.#forgetFresh(visit);
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

  // Who was here before this tablet looked is no news.
  #arrived(prompt: Prompt) {
    if (prompt.state !== 'new' || prompt.leftAt !== null) return;
    if (!this.#settled && prompt.since !== null && Date.now() - prompt.since > kFreshMs) return;
    this.announcement = words().tablet.arrived(this.called(prompt));
    const over = () => this.see(prompt.visit);
    this.#fresh.set(prompt.visit, window.setTimeout(over, kFreshMs));
    this.onArrival(prompt);
  }

  #forgetFresh(visit: string): boolean {
    clearTimeout(this.#fresh.get(visit));
    return this.#fresh.delete(visit);
  }

  #remove(visit: string) {
    if (this.draft(visit).trim()) this.toast(words().tablet.draftGone);
    clearTimeout(this.#expiry.get(visit));
    this.#expiry.delete(visit);
    this.#forgetFresh(visit);
    this.#prompts.delete(visit);
    this.#unheard.delete(visit);
    this.#notes.forget(visit);
    this.#claimAnswered(visit);
  }

  #claimAnswered(visit: string) {
    clearTimeout(this.claiming.get(visit));
    if (this.claiming.delete(visit)) this.changed();
  }
}
