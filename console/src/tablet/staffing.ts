// SPDX-License-Identifier: Apache-2.0
// Who uses this tablet: the staff of the store, signing in with a PIN, lock and sign-out. The box decides
// all of it; what the page adds is that it locks without being asked when nobody touches it.

import {
  kFloorRefusedCause,
  kFloorSessionRoles,
  kFloorSessionState,
  kFloorSessionWhy,
  type FloorRefused,
  type FloorRefusedCause,
  type FloorSession,
  type FloorSessionRoles,
  type FloorSessionWhy,
  type FloorSignIn,
  type FloorStaff,
  type Unread,
} from '../contract';
import type { PageLink } from '../shared/link';
import { integer, list, one, record, text } from '../shared/read';
import { newId, stamp, type Draft } from '../shared/stamp';
import { Store } from '../shared/store';

export interface Person {
  id: string;
  name: string;
  pin: boolean; // can sign in
}

export interface Session {
  signIn: string;
  staff: string;
  name: string;
  roles: FloorSessionRoles[];
  locked: boolean;
}

export interface Refusal {
  cause: FloorRefusedCause | 'no_answer' | 'not_sent';
  triesLeft: number | null;
  retryAt: number | null; // ms since 1970
}

export const kStaffTopic = 'welcome/v1/floor/staff/';
const kAnswerMs = 15000; // a small box takes a second or two for a PIN
const kActiveEveryMs = 60000;
const kLockAfterS = 600; // until a box says otherwise

function readPerson(item: unknown): Person | null {
  const json: Unread<FloorStaff['staff'][number]> | null = record(item);
  const id = text(json?.id, 64);
  return json && id ? { id, name: text(json.name, 80) || id, pin: json.pin === true } : null;
}

export class Staffing extends Store {
  session: Session | null = null;
  chosen: Person | null = null; // whose PIN is asked for
  asking = false; // the box looks at a PIN
  refusal: Refusal | null = null;
  elsewhere = false; // the tablet is locked, and somebody else wants it
  ended: FloorSessionWhy | null = null; // why the last session ended, when it was not by hand
  heard = false; // some box has said who works here

  #lists = new Map<string, Person[]>(); // by box
  #link: PageLink;
  #base: string;
  #lockAfterS = kLockAfterS;
  #touched = Date.now();
  #saidActive = 0;
  #idle = 0;
  #answer = 0;
  #asked = { id: '', staff: '' }; // the sign-in that waits for an answer
  // Called before this person is gone by their own will or by idling: what waits still goes in their name.
  #beforeLeaving: () => void;
  #cutOff: () => void;

  constructor(link: PageLink, account: string, on: { beforeLeaving(): void; cutOff(): void }) {
    super();
    this.#link = link;
    this.#base = `welcome/v1/floor/tablet/${account}/session`;
    this.#beforeLeaving = on.beforeLeaving;
    this.#cutOff = on.cutOff;
  }

  // Everybody whom some box of the store knows, by name.
  get people(): Person[] {
    const all = new Map<string, Person>();
    for (const people of this.#lists.values()) for (const person of people) all.set(person.id, person);
    return [...all.values()].sort((a, b) => a.name.localeCompare(b.name) || a.id.localeCompare(b.id));
  }

  nameOf(id: string): string {
    return this.people.find((person) => person.id === id)?.name ?? id;
  }

  // Somebody is signed in and the tablet is not locked.
  get open(): boolean {
    return this.session !== null && !this.session.locked;
  }

  choose(person: Person) {
    this.chosen = person;
    this.elsewhere = false;
    this.refusal = null;
    this.changed();
  }

  showNames() {
    this.chosen = this.refusal = null;
    this.elsewhere = true;
    this.changed();
  }

  async signIn(pin: string) {
    const staff = this.chosen?.id ?? this.session?.staff;
    if (!staff || this.asking) return;
    this.#asked = { id: newId(), staff };
    this.asking = true;
    this.refusal = null;
    this.changed();
    clearTimeout(this.#answer);
    this.#answer = window.setTimeout(() => this.#refused('no_answer'), kAnswerMs);
    if (!(await this.#say({ kind: 'sign_in', staff, pin, id: this.#asked.id }))) this.#refused('not_sent');
  }

  async signOut() {
    if (!this.session) return;
    this.#beforeLeaving();
    const { signIn } = this.session;
    this.#leave(null);
    await this.#say({ kind: 'sign_out', sign_in: signIn });
  }

  // Nobody touched the tablet for a while, or somebody else wants it: the PIN again.
  lock() {
    if (!this.session || this.session.locked) return;
    this.#beforeLeaving();
    this.session = { ...this.session, locked: true };
    this.chosen = this.refusal = null;
    this.elsewhere = false;
    this.changed();
    void this.#say({ kind: 'lock', sign_in: this.session.signIn });
  }

  touched() {
    if (!this.open) return;
    this.#touched = Date.now();
    if (this.#touched - this.#saidActive >= kActiveEveryMs) this.#sayActive();
  }

  // The line is up again: does the session still hold?
  askAgain() {
    if (this.session) this.#sayActive();
  }

  forget() {
    clearTimeout(this.#idle);
    clearTimeout(this.#answer);
    this.session = this.chosen = this.refusal = null;
    this.asking = false;
  }

  onStaff(box: string, json: Unread<FloorStaff> | null) {
    if (json) this.#lists.set(box, list(json.staff, readPerson, 500));
    else this.#lists.delete(box);
    this.heard = this.#lists.size > 0;
    this.changed();
  }

  onSession(json: Unread<FloorSession>) {
    const signIn = text(json.sign_in, 128);
    const staff = text(json.staff, 64);
    const state = one(json.state, kFloorSessionState);
    if (!signIn || !staff || !state) return;
    if (state === 'over') {
      if (this.session?.signIn === signIn) this.#leave(one(json.why, kFloorSessionWhy) ?? 'signed_out');
      return;
    }
    this.#lockAfterS = Math.max(1, integer(json.lock_after_s) ?? kLockAfterS);
    const same = this.session?.signIn === signIn;
    // A word from before this page locked itself does not open it; the right PIN does.
    const answers = state === 'on' && this.asking && this.#asked.staff === staff;
    const opens = state === 'on' && (!same || !this.session?.locked || answers);
    if (!same && this.session) this.#cutOff();
    if (answers) this.#answered();
    const roles = list(json.roles, (role) => one(role, kFloorSessionRoles), 8);
    this.session = { signIn, staff, name: text(json.name, 80) || staff, roles, locked: !opens };
    this.ended = null;
    if (opens) {
      this.chosen = null;
      this.#touched = Date.now();
      this.#watchIdle();
    }
    this.changed();
  }

  // `mine`: it answers something that was said under the session that is on.
  onRefused(json: Unread<FloorRefused>, mine: boolean) {
    const cause = one(json.cause, kFloorRefusedCause);
    if (!cause) return;
    // Too much at once is told without saying what it was.
    if (this.asking && (json.re === this.#asked.id || cause === 'too_many')) {
      const wait = integer(json.retry_after_s);
      this.#refused(cause, integer(json.tries_left), wait === null ? null : Date.now() + wait * 1000);
    } else if (mine && cause === 'not_signed_in' && this.session) {
      this.#leave('time');
    } else if (mine && cause === 'locked' && this.session && !this.session.locked) {
      this.session = { ...this.session, locked: true };
      this.changed();
    }
  }

  #answered() {
    clearTimeout(this.#answer);
    this.asking = false;
    this.refusal = null;
  }

  #refused(cause: Refusal['cause'], triesLeft: number | null = null, retryAt: number | null = null) {
    if (!this.asking) return;
    this.#answered();
    this.refusal = { cause, triesLeft, retryAt };
    this.changed();
  }

  #leave(why: FloorSessionWhy | null) {
    clearTimeout(this.#idle);
    this.session = this.chosen = null;
    this.ended = why === 'signed_out' ? null : why;
    this.#cutOff();
    this.changed();
  }

  #watchIdle() {
    clearTimeout(this.#idle);
    const left = this.#touched + this.#lockAfterS * 1000 - Date.now();
    if (left <= 0) this.lock();
    else this.#idle = window.setTimeout(() => this.open && this.#watchIdle(), left);
  }

  #sayActive() {
    this.#saidActive = Date.now();
    if (this.session) void this.#say({ kind: 'active', sign_in: this.session.signIn });
  }

  async #say(draft: Draft<FloorSignIn>): Promise<boolean> {
    try {
      await this.#link.publish(this.#base, { ...stamp(), ...draft }, 30);
      return true;
    } catch {
      return false;
    }
  }
}

// What a tablet is told alone.
export const toTablet = (account: string, what: string) => `welcome/v1/floor/to/${account}/${what}`;
