// SPDX-License-Identifier: Apache-2.0
// What the customer's phone does: it asks the door for what the CRM has of who is signed in (customer.ts), and says
// what they say. What is still to be said is kept (kept.ts), so that a withdrawal made in a tunnel is sent at its end.

import type { DoorRequestMet, ItemConsentsPurpose as Purpose } from '../contract';
import { door, type Answer, type Ask, type Door, type Stream } from '../shared/door';
import { i18n } from '../shared/i18n';
import { record, text, time, type Json } from '../shared/read';
import { stamp } from '../shared/stamp';
import { Toasting } from '../shared/toasts';
import { bell as browserBell, type Bell } from './bell';
import { readCode } from './code';
import { Customer, offerPath, surveyPath } from './customer';
import { changesOf, saidOfMet } from './details';
import { keep, keepErasure, kept, keptErasure } from './kept';
import { Keyring } from './keyring';
import { keys as browserKeys, type Keys } from './keys';
import {
  readErasure,
  type DeskConsent,
  type Details,
  type DeviceView,
  type Erasure,
  type Offer,
  type PasskeyView,
  type Survey,
} from './shown';
import { Telling } from './telling';
import { words } from './words';

// 'starting': nobody knows yet; 'out': signed out; 'other': the link is somebody else's than who is signed in.
export type Stage = 'starting' | 'out' | 'other' | 'in' | 'erasure';
export type Line = 'connecting' | 'online' | 'lost';

const kAgainMs = 5000;
const kOfMe = ['consents', 'devices', 'passkeys', 'profile'];

export class Phone extends Toasting {
  stage: Stage = 'starting';
  line: Line = 'connecting';
  linkProblem = ''; // why a link did not open
  stepUp = false; // what was asked for wants a passkey or a fresh link
  customer = new Customer();
  keyring: Keyring;
  telling: Telling; // while the page is closed
  erasure: Erasure | null = null;
  exporting = false;

  #door: Door;
  #stream: Stream | null = null;
  #flushing = false;
  #link = ''; // that waits for a yes
  #again: (() => unknown) | null = null; // what was asked for when that was not enough
  #status = ''; // token of the erasure

  constructor(how: Door = door, keys: Keys = browserKeys, bell: Bell = browserBell) {
    super();
    this.#door = how;
    const ask: Ask = (...asked) => this.#try(...asked);
    const changed = () => this.changed();
    this.keyring = new Keyring(keys, ask, changed);
    this.telling = new Telling(bell, ask, changed);
  }

  // With what the page's address says behind the #, if anything.
  async start(fragment: string) {
    const [, what, token] = /^#(link|status)=([\w-]{20,100})$/.exec(fragment) ?? [];
    if (what === 'link') return this.openLink(token);
    if (what === 'status') return this.#follow(token);
    const status = keptErasure();
    if (status) return this.#follow(status);
    await this.#enter();
  }

  async openLink(token: string, replace = false) {
    this.#link = token;
    const answer = await this.#try('POST', '/v1/session', {
      link: token,
      device: deviceName(),
      ...(replace ? { replace } : {}),
    });
    if (!answer) return this.#later(() => this.openLink(token, replace));
    this.linkProblem = answer.problem;
    if (answer.problem === 'another-customer') return this.#become('other');
    this.#link = '';
    if (replace) this.#drop();
    // A link that does not open is no reason to leave who is signed in.
    await this.#enter();
  }

  // The link is somebody else's: yes or no.
  replace() {
    return this.openLink(this.#link, true);
  }
  keep() {
    this.#link = '';
    this.linkProblem = '';
    return this.#enter();
  }

  async signOut() {
    const answer = await this.#try('DELETE', '/v1/session');
    if (answer?.status === 204) this.#leave();
    else this.#refused(answer);
  }

  choose(purpose: Purpose, given: boolean) {
    const { id, version } = this.customer.notice;
    this.#queue('/v1/consents', { purpose, given, notice: { id, version, language: i18n.language } });
  }

  meet(said: DoorRequestMet) {
    this.#queue('/v1/met', { met: said });
    const { customer } = this;
    if (customer.met) customer.met = saidOfMet(customer.met, said);
    this.toast(this.#saved(words().met.saved));
  }

  change(next: Details) {
    const { customer } = this;
    if (!customer.details) return;
    const details = changesOf(customer.details, next);
    customer.details = next;
    if (Object.keys(details).length > 0) this.#queue('/v1/details', { details });
    this.toast(this.#saved(words().details.saved));
  }

  // Without a line it is only kept.
  #saved(said: string): string {
    return this.line === 'online' ? said : words().waitingForLine;
  }

  complain(what: string) {
    this.#queue('/v1/complaints', what ? { text: what } : {});
    this.toast(this.#saved(words().complain.sent));
  }

  // Not kept for later: whoever has no line now cannot know what is still asked.
  async answerDesk(asked: DeskConsent, confirmed: boolean) {
    const { customer } = this;
    const answer = await this.#try('POST', `/v1/desk-consents/${encodeURIComponent(asked.id)}`, {
      confirmed,
    });
    if (answer?.status === 204) {
      this.toast(confirmed ? words().deskConfirmed : words().deskRefused);
    } else if (answer?.status === 404) {
      this.toast(words().deskOver);
    } else return this.#refused(answer);
    customer.deskConsents = customer.deskConsents.filter(({ id }) => id !== asked.id);
    this.changed();
    await this.#fetchMe();
  }

  async askDeskCode() {
    const { customer } = this;
    const answer = await this.#try('POST', '/v1/desk-code');
    const code = /^\d{6}$/.exec(text(answer?.body.code, 6))?.[0];
    const expiresAt = time(answer?.body.expires_at);
    if (answer?.status !== 200 || !code || expiresAt === null) return this.#refused(answer);
    customer.deskCode = { code, expiresAt };
    this.changed();
    setTimeout(
      () => {
        if (customer.deskCode?.code === code) customer.deskCode = null;
        this.changed();
      },
      Math.max(expiresAt - Date.now(), 0),
    );
  }

  open(offer: Offer) {
    if (!offer.opened) this.#queue(offerPath(offer, 'opened'), {});
    offer.opened = true;
    this.changed();
  }
  dismiss(offer: Offer) {
    this.#queue(offerPath(offer, 'dismissed'), {});
    const { customer } = this;
    customer.offers = customer.offers.filter((one) => one !== offer);
    this.toast(words().dismissed);
  }
  redeem(offer: Offer) {
    if (!offer.redeemed) this.#queue(offerPath(offer, 'redeemed'), {});
    offer.redeemed = true;
    this.changed();
  }

  answer(survey: Survey, score: number, said: string) {
    this.#queue(surveyPath(survey, 'answer'), {
      survey_kind: survey.kind,
      score,
      ...(said ? { text: said } : {}),
    });
    this.#without(survey);
    this.toast(words().surveyThanks);
  }
  skip(survey: Survey) {
    this.#queue(surveyPath(survey, 'dismiss'), {});
    this.#without(survey);
  }

  async revoke(device: DeviceView) {
    await this.#try('DELETE', `/v1/devices/${encodeURIComponent(device.id)}`);
    await this.#fetchMe();
  }

  // ---- passkeys ----

  async addPasskey(): Promise<void> {
    const answer = await this.keyring.create(this.customer.name || words().title, deviceName());
    if (answer?.status !== 204) return this.#refused(answer, () => this.addPasskey());
    this.stepUp = false;
    this.toast(words().passkeyAdded);
    await this.#fetchMe();
  }

  async removePasskey({ id }: PasskeyView) {
    const answer = await this.#try('DELETE', `/v1/passkeys/${encodeURIComponent(id)}`);
    if (answer?.status !== 204 && answer?.status !== 404) return this.#refused(answer);
    this.keyring.problem = '';
    await this.#fetchMe();
  }

  // Then what was asked for is done.
  async confirmByPasskey() {
    const answer = await this.keyring.confirm();
    if (answer?.status !== 204) return this.#refused(answer);
    const again = this.#again;
    this.#again = null;
    this.stepUp = false;
    this.changed();
    await again?.();
  }

  async enterByPasskey() {
    const answer = await this.keyring.enter(deviceName());
    if (answer?.status !== 204) return this.#refused(answer);
    this.linkProblem = '';
    await this.#enter();
  }

  // ---- while the page is closed ----

  async tellMe(shows: boolean) {
    await this.#told(await this.telling.start(this.customer.push?.key ?? '', shows));
  }
  async tellMeNoMore() {
    await this.#told(await this.telling.stop());
  }
  async #told(hadLine: boolean) {
    if (!hadLine) this.#refused(null);
    await this.#fetchMe();
    this.changed();
  }

  // A link for another device. Once one has opened it, it opens nothing any more and is not shown.
  async another(): Promise<void> {
    const { customer } = this;
    const answer = await this.#try('POST', '/v1/link');
    if (answer?.status !== 200) return this.#refused(answer, () => this.another());
    this.stepUp = false;
    this.take('/v1/link', answer.body, customer);
  }
  closeLink() {
    this.customer.link = null;
    this.changed();
  }

  async export(): Promise<void> {
    this.exporting = true;
    this.changed();
    const answer = await this.#try('POST', '/v1/export');
    this.exporting = false;
    if (answer?.status === 200) {
      this.stepUp = false;
      download(answer.body);
      this.toast(words().exportReady);
    } else this.#refused(answer, () => this.export());
  }

  // The same, to be read here.
  async show(): Promise<void> {
    const { customer } = this;
    const answer = await this.#try('POST', '/v1/export');
    if (answer?.status !== 200) return this.#refused(answer, () => this.show());
    this.stepUp = false;
    customer.read = answer.body;
    this.changed();
  }
  hide() {
    this.customer.read = null;
    this.changed();
  }

  async forget(): Promise<void> {
    const answer = await this.#try('POST', '/v1/forget');
    const token = text(answer?.body.token, 100);
    if (answer?.status !== 202 || !token) return this.#refused(answer, () => this.forget());
    this.#leave();
    this.erasure = readErasure(record(answer.body.erasure) ?? {});
    keepErasure(token);
    await this.#follow(token);
  }

  // They have read that it is done.
  endErasure() {
    keepErasure(null);
    this.erasure = null;
    this.#leave();
  }

  // ---- in and out ----

  async #enter() {
    const { customer } = this;
    const answer = await this.#fetchMe();
    if (!answer) {
      if (this.stage === 'starting') this.#restore();
      return this.#later(() => this.#enter());
    }
    if (answer.status !== 200 || customer !== this.customer) return;
    const here = customer.devices.find(({ here }) => here)?.id ?? '';
    if (this.stage === 'starting' || this.stage === 'out') customer.outbox = kept(here)?.outbox ?? [];
    // What was kept for a device that this is not any more is not sent.
    if (customer.device && customer.device !== here) customer.outbox = [];
    customer.device = here;
    this.stepUp = false;
    this.#again = null;
    this.keyring.problem = '';
    this.line = 'online';
    this.#keep();
    this.#become('in');
    this.#stream ??= this.#door.listen('/v1/events', (name) => this.#onEvent(name));
  }

  // Without a line: the choices as they were, for who wants to take one back.
  #restore() {
    const before = kept();
    if (!before) return;
    const { device, outbox, choices, notice } = before;
    Object.assign(this.customer, { device, outbox, choices, notice });
    this.stage = 'in';
  }

  // What the door refuses to one who was here before is no reason for who is here now.
  #leave(customer = this.customer) {
    if (customer !== this.customer) return;
    this.#stream?.end();
    this.#stream = null;
    this.#drop();
    this.#become('out');
  }

  #drop() {
    keep(null);
    this.customer = new Customer();
    this.#again = null;
    this.stepUp = false;
    this.keyring.problem = '';
    this.telling.problem = '';
  }

  #become(stage: Stage) {
    this.stage = stage;
    this.changed();
  }

  #later(what: () => void) {
    this.line = 'lost';
    this.changed();
    setTimeout(what, kAgainMs);
  }

  // ---- what changes ----

  async #onEvent(name: string) {
    if (name === 'open') {
      this.line = 'online';
      await Promise.all([this.#fetchMe(), this.#fetchOffers()]);
      return this.#flush();
    }
    if (name === 'lost') {
      this.line = 'lost';
      return this.changed();
    }
    // What a purpose allowed goes with it.
    if (name === 'offers' || name === 'consents') void this.#fetchOffers();
    if (kOfMe.includes(name)) void this.#fetchMe();
    if (name === 'devices') this.closeLink();
    if (name === 'offers' || kOfMe.includes(name)) return;
    // It ended for good, or nobody knows why: who is signed in says so.
    this.#stream?.end();
    this.#stream = null;
    if (name === 'refused') return this.#later(() => this.#enter());
    await this.#enter();
  }

  async #fetchMe(): Promise<Answer | null> {
    const { customer } = this;
    const answer = await this.#try('GET', '/v1/me');
    if (answer?.status === 200) this.take('/v1/me', answer.body, customer);
    else if (answer?.status === 401 && this.stage !== 'erasure') this.#leave(customer);
    return answer?.status === 200 || answer?.status === 401 ? answer : null;
  }

  // What the door says of this path, and of whom it was asked.
  take(path: string, json: Json, customer = this.customer) {
    if (path === '/v1/me') customer.onMe(json);
    else if (path === '/v1/offers') customer.onOffers(json);
    else if (path === '/v1/link') customer.link = readCode(json);
    else this.erasure = readErasure(json);
    if (path === '/v1/me' && this.stage === 'in') keep(this.customer);
    this.changed();
  }

  async #fetchOffers() {
    const { customer } = this;
    const answer = await this.#try('GET', '/v1/offers');
    if (answer?.status === 200) this.take('/v1/offers', answer.body, customer);
  }

  #without(survey: Survey) {
    const { customer } = this;
    customer.surveys = customer.surveys.filter((one) => one !== survey);
    this.changed();
  }

  // ---- an erasure ----

  async #follow(token: string) {
    this.#status = token;
    this.#stream?.end();
    this.#become('erasure');
    this.#stream = this.#door.listen(`/v1/erasures/${token}/events`, (name) => {
      if (name === 'lost') this.line = 'lost';
      if (name === 'open') this.line = 'online';
      void this.#fetchErasure();
    });
    await this.#fetchErasure();
  }

  async #fetchErasure() {
    const answer = await this.#try('GET', `/v1/erasures/${this.#status}`);
    if (answer?.status === 200) this.take(`/v1/erasures/${this.#status}`, answer.body);
    if (answer?.status === 404) this.endErasure();
    if (this.erasure?.doneAt) {
      this.#stream?.end();
      this.#stream = null;
    }
    this.changed();
  }

  // ---- what is said ----

  #queue(path: string, body: Json) {
    const { id, at } = stamp();
    this.customer.outbox.push({ id, path, body: { id, at, ...body } });
    this.#keep();
    void this.#flush();
  }

  // In order, one after the other. The door does what has an id once, so it may be asked again.
  async #flush() {
    if (this.#flushing) return;
    this.#flushing = true;
    while (this.stage === 'in' && this.customer.outbox.length > 0) {
      const { customer } = this;
      const [next] = customer.outbox;
      const answer = await this.#try('POST', next.path, next.body);
      if (!answer || answer.status === 429 || answer.status >= 500) {
        setTimeout(() => this.#flush(), kAgainMs);
        break;
      }
      if (answer.status === 401) {
        this.#leave(customer);
        continue;
      }
      customer.onSaid(next, answer);
      this.#keep();
    }
    this.#flushing = false;
  }

  // `again`: what was asked for.
  #refused(answer: Answer | null, again: (() => unknown) | null = null) {
    if (answer?.problem === 'step-up-needed') {
      this.stepUp = true;
      this.keyring.problem = '';
      this.#again = again;
    } else if (this.keyring.refused(answer?.problem)) {
      if (answer?.problem === 'passkey-unknown' && this.stage === 'in') void this.#fetchMe();
    } else if (answer?.status === 401) this.#leave();
    else this.toast(words().notNow);
    this.changed();
  }

  async #try(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<Answer | null> {
    try {
      return await this.#door.ask(method, path, body);
    } catch {
      this.line = 'lost';
      this.changed();
      return null;
    }
  }

  #keep() {
    keep(this.customer);
    this.changed();
  }
}

// What its owner knows it by, and no more.
function deviceName(): string {
  const found = /iPhone|iPad|Android|Windows|Macintosh|CrOS|Linux/.exec(navigator.userAgent ?? '');
  return found ? found[0].replace('Macintosh', 'Mac').replace('CrOS', 'Chromebook') : '';
}

function download(data: Json) {
  const link = document.createElement('a');
  const file = new Blob([JSON.stringify(data, null, 2)], { type: 'application/json' });
  link.href = URL.createObjectURL(file);
  link.download = 'my-welcome-data.json';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
