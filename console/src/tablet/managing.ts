// SPDX-License-Identifier: Apache-2.0
// What whoever leads the shop asks of its boxes, and what each answers. Whether they may, every box looks up itself.

import {
  kFloorManagedLightsLamp,
  kFloorManagedLightsLight,
  kFloorManagedSignalBy,
  kFloorManagedSignalZone,
  kFloorManageFunction,
  kFloorManageReason,
  type FloorManage,
  type FloorManaged,
  type FloorManagedLightsLamp,
  type FloorManagedLightsLight,
  type FloorManagedSignalBy,
  type FloorManagedSignalZone,
  type FloorManageFunction,
  type FloorManageReason,
  type FloorRefusedCause,
  type Unread,
} from '../contract';
import type { PageLink } from '../shared/link';
import { integer, list, one, record, text, time, type Json } from '../shared/read';
import { newId, stamp, type Draft } from '../shared/stamp';
import { Store } from '../shared/store';
import type { Session } from './staffing';

export interface Pause {
  function: FloorManageFunction;
  here: { staff: string; reason: FloorManageReason; since: number | null } | null; // null: head office's
}
export interface Experiment {
  campaign: string;
  name: string;
  variants: string[];
  holdout: number; // percent who are offered nothing, to compare with
}
export interface SignedIn {
  tablet: string;
  staff: string;
  since: number | null;
  locked: boolean;
}
const kCounts = [
  'arrivals',
  'greeted',
  'greeted_at_once',
  'served',
  'offers',
  'opened',
  'redeemed',
  'surveys',
] as const;
export type Count = (typeof kCounts)[number];
export interface Today {
  since: number | null;
  counts: Record<Count, number>;
  whyNot: Map<string, number>;
  experiments: Experiment[];
  signedIn: SignedIn[];
  paused: Pause[];
  rehearsal: boolean;
}

export interface Light {
  light: FloorManagedLightsLight;
  lamp: FloorManagedLightsLamp;
  what: string;
  toDo: string;
}
// Somebody who is heard just now; nobody knows who.
export interface Signal {
  by: FloorManagedSignalBy;
  bars: number;
  zone: FloorManagedSignalZone;
}

// How often is asked while the page is open.
const kAgainMs = { lead: 15000, technician: 5000 };
const kWalkMs = 1000;
const kAnswerMs = 8000;

const count = (value: unknown) => Math.max(0, integer(value) ?? 0);

type Said = NonNullable<FloorManaged['today']>;

function readToday(json: Unread<Said>): Today {
  return {
    since: time(json.since),
    counts: Object.fromEntries(kCounts.map((name) => [name, count(json[name])])) as Record<Count, number>,
    whyNot: new Map(
      Object.entries(record(json.why_not) ?? {})
        .slice(0, 50)
        .map(([reason, n]) => [text(reason, 40), count(n)]),
    ),
    experiments: list(json.experiments, readExperiment),
    signedIn: list(json.signed_in, readSignedIn, 200),
    paused: list(json.paused, readPause),
    rehearsal: json.rehearsal === true,
  };
}

function readLight(item: unknown): Light | null {
  const json: Unread<NonNullable<FloorManaged['lights']>[number]> | null = record(item);
  const light = one(json?.light, kFloorManagedLightsLight);
  const lamp = one(json?.lamp, kFloorManagedLightsLamp);
  return json && light && lamp
    ? { light, lamp, what: text(json.what, 200), toDo: text(json.to_do, 300) }
    : null;
}

function readSignal(item: unknown): Signal | null {
  const json: Unread<NonNullable<FloorManaged['signal']>[number]> | null = record(item);
  const by = one(json?.by, kFloorManagedSignalBy);
  const zone = one(json?.zone, kFloorManagedSignalZone);
  if (!json || !by || !zone) return null;
  return { by, zone, bars: Math.min(4, Math.max(1, integer(json.bars) ?? 1)) };
}

function readExperiment(item: unknown): Experiment | null {
  const json: Unread<Said['experiments'][number]> | null = record(item);
  const campaign = text(json?.campaign, 128);
  if (!json || !campaign) return null;
  const holdout = typeof json.holdout_percent === 'number' ? json.holdout_percent : 0;
  return {
    campaign,
    name: text(json.name, 120) || campaign,
    variants: list(json.variants, (name) => text(name, 60) || null),
    holdout: Math.round(Math.min(100, Math.max(0, holdout))),
  };
}

function readSignedIn(item: unknown): SignedIn | null {
  const json: Unread<Said['signed_in'][number]> | null = record(item);
  const tablet = text(json?.tablet, 64);
  const staff = text(json?.staff, 64);
  return json && tablet && staff
    ? { tablet, staff, since: time(json.since), locked: json.locked === true }
    : null;
}

function readPause(item: unknown): Pause | null {
  const json: Unread<Said['paused'][number]> | null = record(item);
  const named = one(json?.function, kFloorManageFunction);
  if (!json || !named) return null;
  const here = record(json.here);
  const reason = one(here?.reason, kFloorManageReason) ?? 'other';
  return {
    function: named,
    here: here && { staff: text(here.staff, 64), reason, since: time(here.since) },
  };
}

const byKey = <T>(items: T[], key: (item: T) => string) => [
  ...new Map(items.map((item) => [key(item), item])).values(),
];

// All boxes of the store as one: what each counted is added up, and what holds at one holds.
export function total(days: Today[]): Today | null {
  if (days.length === 0) return null;
  const whyNot = new Map<string, number>();
  for (const day of days)
    for (const [reason, n] of day.whyNot) whyNot.set(reason, (whyNot.get(reason) ?? 0) + n);
  return {
    since: Math.max(...days.map(({ since }) => since ?? 0)) || null,
    counts: Object.fromEntries(
      kCounts.map((name) => [name, days.reduce((sum, day) => sum + day.counts[name], 0)]),
    ) as Record<Count, number>,
    whyNot: new Map([...whyNot].sort(([, a], [, b]) => b - a)),
    experiments: byKey(
      days.flatMap(({ experiments }) => experiments),
      ({ campaign }) => campaign,
    ),
    signedIn: byKey(
      days.flatMap(({ signedIn }) => signedIn),
      ({ tablet }) => tablet,
    ),
    paused: byKey(
      days.flatMap(({ paused }) => paused),
      (pause) => `${pause.function} ${pause.here !== null}`,
    ),
    rehearsal: days.some(({ rehearsal }) => rehearsal),
  };
}

export class Managing extends Store {
  asked: FloorManage['kind'] | null = null; // what waits for an answer; looking is none
  refusal: FloorRefusedCause | 'no_answer' | 'not_sent' | null = null;

  lights = new Map<string, Light[]>(); // by box
  signals = new Map<string, Signal[]>(); // by box; while somebody walks
  walking = false;

  #days = new Map<string, Today>(); // by box
  #link: PageLink;
  #topic: string;
  #session: Session;
  #ids = new Set<string>();
  #again = 0;
  #late = 0;
  #step = 0;

  readonly role: 'lead' | 'technician';

  constructor(link: PageLink, account: string, session: Session, role: Managing['role']) {
    super();
    this.#link = link;
    this.#topic = `welcome/v1/floor/tablet/${account}/manage`;
    this.#session = session;
    this.role = role;
    this.look();
  }

  get today(): Today | null {
    return total([...this.#days.values()]);
  }

  // Which have answered.
  get boxes(): string[] {
    return [...new Set([...this.#days.keys(), ...this.lights.keys()])].sort();
  }

  look() {
    clearTimeout(this.#again);
    this.#again = window.setTimeout(() => this.look(), kAgainMs[this.role]);
    void this.#say({ kind: this.role === 'lead' ? 'today' : 'lights' });
  }

  // Somebody walks through the shop with a phone or a fob, and looks at the bars.
  walk(on: boolean) {
    clearTimeout(this.#step);
    this.walking = on;
    this.signals.clear();
    if (on) this.#listen();
    this.changed();
  }

  #listen() {
    clearTimeout(this.#step);
    this.#step = window.setTimeout(() => this.#listen(), kWalkMs);
    void this.#say({ kind: 'signal' });
  }

  restart(box: string) {
    void this.#ask({ kind: 'restart', box });
  }

  pause(what: FloorManageFunction, reason: FloorManageReason) {
    void this.#ask({ kind: 'pause', function: what, reason });
  }

  resume(what: FloorManageFunction) {
    void this.#ask({ kind: 'resume', function: what });
  }

  // One box invents the guests; whichever does ends it.
  rehearse(on: boolean) {
    const [box] = this.boxes;
    void this.#ask(on ? { kind: 'rehearsal_start', box } : { kind: 'rehearsal_stop' });
  }

  close() {
    clearTimeout(this.#again);
    clearTimeout(this.#late);
    clearTimeout(this.#step);
  }

  onMessage(json: Unread<FloorManaged>) {
    const box = text(json.box, 64);
    const today = record(json.today);
    if (!box || !this.#ids.has(text(json.re, 128))) return;
    if (today) this.#days.set(box, readToday(today));
    if (json.kind === 'lights') this.lights.set(box, list(json.lights, readLight, 9));
    if (json.kind === 'signal' && this.walking) this.signals.set(box, list(json.signal, readSignal));
    if (json.kind === this.asked) this.#answered(null);
    this.changed();
  }

  onRefused(cause: FloorRefusedCause, re: string) {
    if (this.#ids.has(re)) this.#answered(cause);
  }

  #answered(refusal: Managing['refusal']) {
    clearTimeout(this.#late);
    this.asked = null;
    this.refusal = refusal;
    this.changed();
  }

  async #ask(draft: Draft<FloorManage, 'sign_in'>) {
    if (this.asked) return;
    this.asked = draft.kind;
    this.refusal = null;
    clearTimeout(this.#late);
    this.#late = window.setTimeout(() => this.#answered('no_answer'), kAnswerMs);
    this.changed();
    if (!(await this.#say(draft))) this.#answered('not_sent');
  }

  async #say(draft: Draft<FloorManage, 'sign_in'>): Promise<boolean> {
    const message = { ...stamp(), ...draft, id: newId(), sign_in: this.#session.signIn };
    this.#ids.add(message.id);
    for (const old of [...this.#ids].slice(0, -20)) this.#ids.delete(old);
    try {
      await this.#link.publish(this.#topic, message as unknown as Json, 15);
      return true;
    } catch {
      return false;
    }
  }
}
