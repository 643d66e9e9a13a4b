// Opt-in at the desk, as the tablet sees it: member → choices → camera → done. Nothing is asked of the
// box before the guest agreed, and the camera starts only with the purpose face_recognition.

import { i18n } from '../shared/i18n';
import { newId, type Link } from '../shared/link';
import { integer, one, text, type Json } from '../shared/read';
import { Store } from '../shared/store';
import type { Purpose } from '../shared/texts';

const kHints = [
  'look_here',
  'closer',
  'further',
  'turn_left',
  'turn_right',
  'more_light',
  'hold_still',
  'one_person',
  'uncover',
  'less_light',
] as const;

export type Step = 'member' | 'choices' | 'camera' | 'done' | 'failed';

const kNotice = { id: 'desk-enrolment', version: '1' };
const kAnswerMs = 15000; // without a word from the box it did not work

export class Enrolment extends Store {
  step: Step = 'member';
  customer = '';
  purposes: Partial<Record<Purpose, boolean>> = {};
  hint: (typeof kHints)[number] | null = null;
  views = 0;
  viewsNeeded = 0;
  reason = '';
  agreeing = false;

  readonly topic: string;
  #session = newId();
  #link: Link;
  #staff: string;
  #timer = 0;

  constructor(link: Link, staff: string) {
    super();
    this.#link = link;
    this.#staff = staff;
    this.topic = `welcome/v1/floor/enrol/${this.#session}`;
    link.subscribe(this.topic);
  }

  chooseMember(customer: string) {
    this.customer = customer.trim().slice(0, 128);
    this.#go('choices');
  }

  choose(purpose: Purpose, given: boolean) {
    this.purposes = { ...this.purposes, [purpose]: given };
    this.changed();
  }

  get anyChosen(): boolean {
    return Object.values(this.purposes).some(Boolean);
  }

  async agree() {
    this.agreeing = true;
    this.changed();
    const purposes = Object.fromEntries(Object.entries(this.purposes).filter(([, given]) => given));
    const notice = { ...kNotice, language: i18n.language };
    await this.#send({ kind: 'consent', staff: this.#staff, customer: this.customer, purposes, notice });
    this.agreeing = false;
    if (this.step === 'choices' && this.purposes.face_recognition) await this.startCamera();
    else this.changed();
  }

  async startCamera() {
    this.views = 0;
    this.viewsNeeded = 0;
    this.hint = null;
    this.#go('camera');
    await this.#send({ kind: 'start', staff: this.#staff, customer: this.customer });
  }

  // Ends it, from whatever step, and leaves nothing running on the box.
  close() {
    clearTimeout(this.#timer);
    if (this.step === 'camera' || this.agreeing) this.#link.publish(this.topic, this.#message({ kind: 'stop' })).catch(() => {});
    this.#link.unsubscribe(this.topic);
  }

  onMessage(json: Json) {
    if (json.from !== 'box') return;
    switch (json.kind) {
      case 'guide':
        if (this.step !== 'camera') return;
        this.hint = one(json.hint, kHints);
        this.views = Math.max(0, integer(json.views) ?? 0);
        this.viewsNeeded = Math.max(1, integer(json.views_needed) ?? 1);
        this.#expectAnswer();
        this.changed();
        break;
      case 'done':
        this.#go('done');
        break;
      case 'failed':
        this.reason = text(json.reason, 200);
        this.#go('failed');
        break;
    }
  }

  #go(step: Step) {
    clearTimeout(this.#timer);
    this.step = step;
    this.changed();
  }

  #expectAnswer() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.#fail(i18n.t.enrol.noAnswer), kAnswerMs);
  }

  #fail(reason: string) {
    this.reason = reason;
    this.#go('failed');
  }

  async #send(json: Json) {
    try {
      await this.#link.publish(this.topic, this.#message(json));
      this.#expectAnswer();
    } catch {
      this.#fail(i18n.t.common.notSent);
    }
  }

  #message(json: Json): Json {
    return { v: 1, id: newId(), session: this.#session, from: 'tablet', at: new Date().toISOString(), ...json };
  }
}
