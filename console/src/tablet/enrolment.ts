// SPDX-License-Identifier: Apache-2.0
// Opt-in at the desk, as the tablet sees it: member → looking → check → choices → how → camera → done; and
// withdrawal: … check → ending → ended. Nothing is asked of the box before the guest agreed, and the camera starts only with the
// purpose face_recognition. The tablet never learns what somebody has agreed to.

import {
  kFloorEnrolCause,
  kFloorEnrolConfirmed,
  kFloorEnrolHint,
  kFloorEnrolKind,
  kFloorEnrolKnown,
  kItemConsentsPurpose as kPurposes,
  type FloorEnrol,
  type FloorEnrolConfirmed,
  type FloorEnrolHint,
  type FloorEnrolKnown,
  type FloorRefusedCause,
  type ItemConsentsPurpose as Purpose,
  type Unread,
} from '../contract';
import { i18n } from '../shared/i18n';
import type { PageLink } from '../shared/link';
import { newId, stamp, type Draft } from '../shared/stamp';
import { integer, one, text } from '../shared/read';
import { Store } from '../shared/store';
import { toTablet, type Session } from './staffing';
import { words } from './words';

export type Step =
  | 'member'
  | 'looking'
  | 'check'
  | 'choices'
  | 'how'
  | 'camera'
  | 'done'
  | 'ending'
  | 'ended'
  | 'failed';

// How the guest confirms what they agree to.
export type Confirm = NonNullable<FloorEnrol['confirm']>;

type TabletSays = Draft<Extract<FloorEnrol, { from: 'tablet' }>, 'session' | 'from'>;

const kNotice = { id: 'desk-enrolment', version: '1' };
const kAnswerMs = 15000; // without a word from the box it did not work

export class Enrolment extends Store {
  step: Step = 'member';
  customer = '';
  known: FloorEnrolKnown | null = null; // whether there is such a member
  name = ''; // of the member, to be checked with whoever stands there
  page = ''; // where they confirm on their phone
  by: Confirm['by'] = 'phone';
  confirmed: FloorEnrolConfirmed = 'waiting';
  refused: FloorRefusedCause | null = null; // why the box did not take how it is confirmed
  purposes: Partial<Record<Purpose, boolean>> = {};
  hint: FloorEnrolHint | null = null;
  views = 0;
  viewsNeeded = 0;
  reason = '';
  agreeing = false;
  endedAt = 0; // when the box had it; for the receipt
  readonly staff: string; // her name, for the receipt

  readonly topic: string; // what the box says
  #to: string;
  #signIn: string;
  #session = newId();
  #link: PageLink;
  #what: 'choices' | 'ending' = 'choices';
  #timer = 0;
  #asked = ''; // the message that was sent last

  constructor(link: PageLink, account: string, by: Session) {
    super();
    this.#link = link;
    this.staff = by.name;
    this.#signIn = by.signIn;
    this.topic = toTablet(account, `enrol/${this.#session}`);
    this.#to = `welcome/v1/floor/tablet/${account}/enrol/${this.#session}`;
    link.subscribe(this.topic);
  }

  // `what`: whether the member agrees to something, or withdraws.
  async chooseMember(customer: string, what: 'choices' | 'ending' = 'choices') {
    this.customer = customer.trim().slice(0, 128);
    this.#what = what;
    this.known = null;
    this.#go('looking');
    await this.#send({ kind: 'lookup', sign_in: this.#signIn, customer: this.customer });
  }

  // It is the member who stands there, or nobody can say.
  itIsThem() {
    this.#go(this.#what);
  }

  // It is not: another number.
  anotherNumber() {
    this.known = null;
    this.name = '';
    this.#go('member');
  }

  choose(purpose: Purpose, given: boolean) {
    this.purposes = { ...this.purposes, [purpose]: given };
    this.changed();
  }

  get chosen(): Purpose[] {
    return kPurposes.filter((purpose) => this.purposes[purpose]);
  }

  get anyChosen(): boolean {
    return this.chosen.length > 0;
  }

  chooseAll() {
    this.purposes = Object.fromEntries(kPurposes.map((purpose) => [purpose, true]));
    this.changed();
  }

  async withdraw() {
    await this.#say(false);
  }

  // After a failure: to where it can be asked for once more.
  async again() {
    if (this.known === null) await this.chooseMember(this.customer, this.#what);
    else if (this.#what === 'ending') this.#go('ending');
    else await this.startCamera();
  }

  get canTryAgain(): boolean {
    return this.known === null || this.#what === 'ending' || this.purposes.face_recognition === true;
  }

  async #say(given: boolean, confirm?: Confirm) {
    this.agreeing = true;
    this.refused = null;
    this.changed();
    const purposes = Object.fromEntries(this.chosen.map((purpose) => [purpose, given]));
    const notice = { ...kNotice, language: i18n.language };
    const draft = {
      kind: 'consent',
      sign_in: this.#signIn,
      customer: this.customer,
      purposes,
      notice,
    } as const;
    await this.#send(confirm ? { ...draft, confirm } : draft);
    this.agreeing = false;
    this.changed();
  }

  // The guest has read and ticked, and says how it is to be confirmed that it was them.
  agree() {
    this.#go('how');
  }

  backToChoices() {
    this.#go('choices');
  }

  // Nothing is taken for agreed before the box says so: a witness may have mistyped their PIN.
  async confirm(confirm: Confirm) {
    this.by = confirm.by;
    this.confirmed = 'waiting';
    await this.#say(true, confirm);
  }

  async startCamera() {
    this.views = 0;
    this.viewsNeeded = 0;
    this.hint = null;
    this.#go('camera');
    await this.#send({ kind: 'start', sign_in: this.#signIn, customer: this.customer });
  }

  // Ends it, from whatever step, and leaves nothing running on the box.
  close() {
    clearTimeout(this.#timer);
    if (this.step === 'camera' || this.agreeing)
      this.#link.publish(this.#to, this.#message({ kind: 'stop' })).catch(() => {});
    this.#link.unsubscribe(this.topic);
  }

  onMessage(json: Unread<FloorEnrol>) {
    if (json.from !== 'box') return;
    const kind = one(json.kind, kFloorEnrolKind);
    switch (kind) {
      case 'lookup':
      case 'start':
      case 'consent':
      case 'stop':
      case null:
        return; // what a tablet says
      case 'member':
        if (this.step !== 'looking') return;
        this.known = one(json.known, kFloorEnrolKnown);
        this.name = text(json.name, 80);
        this.page = text(json.page, 200);
        this.#go(this.known === 'no' ? 'member' : 'check');
        break;
      case 'confirmation':
        this.#onConfirmation(one(json.confirmed, kFloorEnrolConfirmed));
        break;
      case 'guide':
        if (this.step !== 'camera') return;
        this.hint = one(json.hint, kFloorEnrolHint);
        this.views = Math.max(0, integer(json.views) ?? 0);
        this.viewsNeeded = Math.max(1, integer(json.views_needed) ?? 1);
        this.#expectAnswer();
        this.changed();
        break;
      case 'done':
        this.endedAt = Date.now();
        this.#go(this.step === 'ending' ? 'ended' : 'done');
        break;
      case 'failed':
        this.#failed(json);
        break;
      default:
        kind satisfies never;
    }
  }

  // The first word comes when the box has written down what was agreed to; it counts until it is confirmed,
  // or taken back.
  #onConfirmation(confirmed: FloorEnrolConfirmed | null) {
    if (!confirmed || this.step === 'ending' || this.step === 'ended') return;
    this.confirmed = confirmed;
    if (confirmed !== 'waiting' && confirmed !== 'yes') this.#fail(words().enrol.takenBack[confirmed]);
    else if (this.step === 'how' && this.purposes.face_recognition) void this.startCamera();
    else this.changed();
  }

  // The box does not take how it is confirmed: a wrong PIN of the witness, say. `re`: which message.
  onRefused(cause: FloorRefusedCause, re: string) {
    if (this.step !== 'how' || re !== this.#asked) return;
    clearTimeout(this.#timer);
    this.refused = cause;
    this.changed();
  }

  #go(step: Step) {
    clearTimeout(this.#timer);
    this.step = step;
    this.changed();
  }

  #expectAnswer() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.#fail(words().enrol.noAnswer), kAnswerMs);
  }

  // In the guest's language where the box has a word for it.
  #failed(json: Unread<FloorEnrol>) {
    const cause = one(json.cause, kFloorEnrolCause);
    const { causes, noReason } = words().enrol;
    const said = i18n.language === 'en' ? text(json.reason, 200) : '';
    this.#fail(cause ? causes[cause] : said || noReason);
  }

  #fail(reason: string) {
    this.reason = reason;
    this.#go('failed');
  }

  async #send(draft: TabletSays) {
    try {
      const message = this.#message(draft);
      this.#asked = message.id;
      await this.#link.publish(this.#to, message);
      this.#expectAnswer();
    } catch {
      this.#fail(i18n.t.common.notSent);
    }
  }

  #message(draft: TabletSays): FloorEnrol {
    return { ...stamp(), session: this.#session, from: 'tablet', ...draft };
  }
}
