// SPDX-License-Identifier: Apache-2.0
// What the customer's phone knows: offers, choices, receipts, devices, all of it as the CRM has it now. This
// browser keeps what is still to be said, so that a withdrawal made in a tunnel is sent at its end, and,
// after being forgotten, the way to ask how far that is.

import {
  kItemConsentsPurpose as kPurposes,
  type DoorRequestMet,
  type ItemConsentsPurpose as Purpose,
  type Unread,
} from '../contract';
import { door, type Answer, type Ask, type Door, type Stream } from '../shared/door';
import { i18n } from '../shared/i18n';
import { list, record, text, time, type Json } from '../shared/read';
import { load, save } from '../shared/session';
import { stamp } from '../shared/stamp';
import { Toasting } from '../shared/toasts';
import { bell as browserBell, type Bell } from './bell';
import { readCode, type LinkCode } from './code';
import { changesOf, saidOfMet } from './details';
import { Keyring } from './keyring';
import { keys as browserKeys, type Keys } from './keys';
import {
  readDeskConsent,
  readDetails,
  readDevice,
  readErasure,
  readMet,
  readOffer,
  readPasskey,
  readPush,
  readReceipt,
  readStanding,
  readSurvey,
  type DeskConsent,
  type Details,
  type DeviceView,
  type Erasure,
  type Met,
  type Notice,
  type Offer,
  type PasskeyView,
  type PushView,
  type Receipt,
  type Standing,
  type Survey,
} from './shown';
import { Telling } from './telling';
import { words } from './words';

// What is still to be said, in order.
interface Queued {
  id: string;
  path: string;
  body: Json;
}

// What this browser keeps while somebody is signed in.
interface Kept {
  device: string;
  outbox: Queued[];
  choices: Partial<Record<Purpose, boolean>> | null;
  notice: Notice;
}

// 'starting': nobody knows yet; 'out': signed out; 'other': the link is somebody else's than who is signed in.
export type Stage = 'starting' | 'out' | 'other' | 'in' | 'erasure';
export type Line = 'connecting' | 'online' | 'lost';

const kKept = 'welcome.phone';
const kErasure = 'welcome.phone.erasure';
const kOffersMax = 50;
const kSurveysMax = 10;
const kDeskConsentsMax = 10;
const kAgainMs = 5000;
const kOfMe = ['consents', 'devices', 'passkeys', 'profile'];

export class Phone extends Toasting {
  stage: Stage = 'starting';
  line: Line = 'connecting';
  linkProblem = ''; // why a link did not open
  stepUp = false; // what was asked for wants a passkey or a fresh link
  name = '';
  offers: Offer[] = [];
  surveys: Survey[] = [];
  receipts: Receipt[] = [];
  devices: DeviceView[] = [];
  passkeys: PasskeyView[] = [];
  push: PushView | null = null;
  keyring: Keyring;
  telling: Telling; // while the page is closed
  deskConsents: DeskConsent[] = [];
  deskCode: { code: string; expiresAt: number } | null = null; // to be said at a desk
  choices: Partial<Record<Purpose, boolean>> | null = null;
  notice: Notice = { id: 'pledge', version: '1' };
  met: Met | null = null; // as the CRM has it
  details: Details | null = null;
  standing: Standing | null = null;
  erasure: Erasure | null = null;
  exporting = false;
  read: Json | null = null; // everything that is held on them, while it is shown
  link: LinkCode | null = null; // for another device, while it is shown
  outbox: Queued[] = [];

  #door: Door;
  #stream: Stream | null = null;
  #flushing = false;
  #device = ''; // that is signed in here
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
    const status = load<string>(localStorage, kErasure, (value) => typeof value === 'string');
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

  // What the customer wants: what was confirmed, with what is still on its way on top.
  wanted(purpose: Purpose): boolean {
    const pending = this.pending(purpose);
    return pending ? pending.body.given === true : this.choices?.[purpose] === true;
  }
  pending(purpose: Purpose): Queued | undefined {
    const mine = ({ path, body }: Queued) => path === '/v1/consents' && body.purpose === purpose;
    return this.outbox.filter(mine).pop();
  }

  choose(purpose: Purpose, given: boolean) {
    const { id, version } = this.notice;
    this.#queue('/v1/consents', { purpose, given, notice: { id, version, language: i18n.language } });
  }

  meet(said: DoorRequestMet) {
    this.#queue('/v1/met', { met: said });
    if (this.met) this.met = saidOfMet(this.met, said);
    this.toast(this.#saved(words().met.saved));
  }

  change(next: Details) {
    if (!this.details) return;
    const details = changesOf(this.details, next);
    this.details = next;
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
    const answer = await this.#try('POST', `/v1/desk-consents/${encodeURIComponent(asked.id)}`, {
      confirmed,
    });
    if (answer?.status === 204) {
      this.toast(confirmed ? words().deskConfirmed : words().deskRefused);
    } else if (answer?.status === 404) {
      this.toast(words().deskOver);
    } else return this.#refused(answer);
    this.deskConsents = this.deskConsents.filter(({ id }) => id !== asked.id);
    this.changed();
    await this.#fetchMe();
  }

  async askDeskCode() {
    const answer = await this.#try('POST', '/v1/desk-code');
    const code = /^\d{6}$/.exec(text(answer?.body.code, 6))?.[0];
    const expiresAt = time(answer?.body.expires_at);
    if (answer?.status !== 200 || !code || expiresAt === null) return this.#refused(answer);
    this.deskCode = { code, expiresAt };
    this.changed();
    setTimeout(
      () => {
        if (this.deskCode?.code === code) this.deskCode = null;
        this.changed();
      },
      Math.max(expiresAt - Date.now(), 0),
    );
  }

  open(offer: Offer) {
    if (!offer.opened) this.#queue(`/v1/offers/${encodeURIComponent(offer.decision)}/opened`, {});
    offer.opened = true;
    this.changed();
  }
  dismiss(offer: Offer) {
    this.#queue(`/v1/offers/${encodeURIComponent(offer.decision)}/dismissed`, {});
    this.offers = this.offers.filter((one) => one !== offer);
    this.toast(words().dismissed);
  }
  redeem(offer: Offer) {
    if (!offer.redeemed) this.#queue(`/v1/offers/${encodeURIComponent(offer.decision)}/redeemed`, {});
    offer.redeemed = true;
    this.changed();
  }

  answer(survey: Survey, score: number, said: string) {
    this.#queue(`/v1/surveys/${encodeURIComponent(survey.id)}/answer`, {
      survey_kind: survey.kind,
      score,
      ...(said ? { text: said } : {}),
    });
    this.#without(survey);
    this.toast(words().surveyThanks);
  }
  skip(survey: Survey) {
    this.#queue(`/v1/surveys/${encodeURIComponent(survey.id)}/dismiss`, {});
    this.#without(survey);
  }

  async revoke(device: DeviceView) {
    await this.#try('DELETE', `/v1/devices/${encodeURIComponent(device.id)}`);
    await this.#fetchMe();
  }

  // ---- passkeys ----

  async addPasskey(): Promise<void> {
    const answer = await this.keyring.create(this.name || words().title, deviceName());
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
    await this.#told(await this.telling.start(this.push?.key ?? '', shows));
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
    const answer = await this.#try('POST', '/v1/link');
    if (answer?.status !== 200) return this.#refused(answer, () => this.another());
    this.stepUp = false;
    this.take('/v1/link', answer.body);
  }
  closeLink() {
    this.link = null;
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
    const answer = await this.#try('POST', '/v1/export');
    if (answer?.status !== 200) return this.#refused(answer, () => this.show());
    this.stepUp = false;
    this.read = answer.body;
    this.changed();
  }
  hide() {
    this.read = null;
    this.changed();
  }

  async forget(): Promise<void> {
    const answer = await this.#try('POST', '/v1/forget');
    const token = text(answer?.body.token, 100);
    if (answer?.status !== 202 || !token) return this.#refused(answer, () => this.forget());
    this.#leave();
    this.erasure = readErasure(record(answer.body.erasure) ?? {});
    save(localStorage, kErasure, token);
    await this.#follow(token);
  }

  // They have read that it is done.
  endErasure() {
    save(localStorage, kErasure, null);
    this.erasure = null;
    this.#leave();
  }

  // ---- in and out ----

  async #enter() {
    const answer = await this.#fetchMe();
    if (!answer) {
      if (this.stage === 'starting') this.#restore();
      return this.#later(() => this.#enter());
    }
    if (answer.status !== 200) return;
    const here = this.devices.find(({ here }) => here)?.id ?? '';
    if (this.stage === 'starting' || this.stage === 'out') this.outbox = savedFor(here)?.outbox ?? [];
    // What was kept for a device that this is not any more is not sent.
    if (this.#device && this.#device !== here) this.outbox = [];
    this.#device = here;
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
    const kept = savedFor();
    if (!kept) return;
    this.#device = kept.device;
    this.outbox = kept.outbox;
    this.choices = kept.choices;
    this.notice = kept.notice;
    this.stage = 'in';
  }

  #leave() {
    this.#stream?.end();
    this.#stream = null;
    this.#drop();
    this.#become('out');
  }

  #drop() {
    save(localStorage, kKept, null);
    this.#device = '';
    this.name = '';
    this.outbox = [];
    this.offers = [];
    this.surveys = [];
    this.receipts = [];
    this.devices = [];
    this.passkeys = [];
    this.keyring.problem = '';
    this.push = null;
    this.telling.problem = '';
    this.#again = null;
    this.deskConsents = [];
    this.deskCode = null;
    this.choices = null;
    this.met = null;
    this.details = null;
    this.standing = null;
    this.read = null;
    this.link = null;
    this.stepUp = false;
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
    const answer = await this.#try('GET', '/v1/me');
    if (answer?.status === 200) this.take('/v1/me', answer.body);
    else if (answer?.status === 401 && this.stage !== 'erasure') this.#leave();
    return answer?.status === 200 || answer?.status === 401 ? answer : null;
  }

  // What the door says of this path.
  take(path: string, json: Json) {
    if (path === '/v1/me') this.#onMe(json);
    else if (path === '/v1/offers') this.#onOffers(json);
    else if (path === '/v1/link') this.link = readCode(json);
    else this.erasure = readErasure(json);
    this.changed();
  }

  #onMe(json: Json) {
    this.name = text(json.name, 120);
    this.#onPurposes(json.purposes);
    this.met = this.outbox
      .filter(({ path }) => path === '/v1/met')
      .reduce((met, { body }) => saidOfMet(met, body.met as DoorRequestMet), readMet(json));
    this.standing = readStanding(json);
    if (!this.outbox.some(({ path }) => path === '/v1/details')) this.details = readDetails(json);
    this.receipts = list(json.consents, readReceipt);
    this.devices = list(json.devices, readDevice);
    this.passkeys = list(json.passkeys, readPasskey);
    this.push = readPush(json.push);
    this.deskConsents = list(json.desk_consents, readDeskConsent, kDeskConsentsMax);
    const notice: Unread<Notice> | null = record(json.notice);
    const id = text(notice?.id, 128);
    const version = text(notice?.version, 32);
    if (id && version) this.notice = { id, version };
    if (this.stage === 'in') this.#keep();
  }

  #onPurposes(json: unknown) {
    const purposes = record(json) ?? {};
    this.choices = {};
    for (const purpose of kPurposes) this.choices[purpose] = purposes[purpose] === true;
  }

  async #fetchOffers() {
    const answer = await this.#try('GET', '/v1/offers');
    if (answer?.status === 200) this.take('/v1/offers', answer.body);
  }

  // What was tapped and is still on its way stays tapped.
  #onOffers(json: Json) {
    const said = (offer: Offer, what: string) =>
      this.outbox.some(({ path }) => path === `/v1/offers/${encodeURIComponent(offer.decision)}/${what}`);
    this.offers = list(json.offers, readOffer, kOffersMax).filter((offer) => !said(offer, 'dismissed'));
    for (const offer of this.offers) {
      offer.opened ||= said(offer, 'opened');
      offer.redeemed ||= said(offer, 'redeemed');
    }
    this.surveys = list(json.surveys, readSurvey, kSurveysMax).filter(
      ({ id }) => !this.outbox.some(({ path }) => path.startsWith(`/v1/surveys/${encodeURIComponent(id)}/`)),
    );
  }

  #without(survey: Survey) {
    this.surveys = this.surveys.filter((one) => one !== survey);
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
    this.outbox.push({ id, path, body: { id, at, ...body } });
    this.#keep();
    void this.#flush();
  }

  // In order, one after the other. The door does what has an id once, so it may be asked again.
  async #flush() {
    if (this.#flushing) return;
    this.#flushing = true;
    for (let next = this.outbox[0]; next && this.stage === 'in'; next = this.outbox[0]) {
      const answer = await this.#try('POST', next.path, next.body);
      if (!answer || answer.status === 429 || answer.status >= 500) {
        setTimeout(() => this.#flush(), kAgainMs);
        break;
      }
      if (answer.status === 401) {
        this.#leave();
        break;
      }
      this.outbox = this.outbox.filter((one) => one !== next);
      this.#onSaid(answer);
      this.#keep();
    }
    this.#flushing = false;
  }

  #onSaid({ status, body }: Answer) {
    const receipt = status === 200 ? readReceipt(body.consent) : null;
    if (!receipt) return;
    this.#onPurposes(body.purposes);
    this.receipts = [receipt, ...this.receipts.filter(({ record }) => record !== receipt.record)];
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

  // For this device alone: on a device of somebody else it is not sent.
  #keep() {
    const { outbox, choices, notice } = this;
    save(localStorage, kKept, { device: this.#device, outbox, choices, notice } satisfies Kept);
    this.changed();
  }
}

function savedFor(device?: string): Kept | null {
  const valid = (kept: Kept) => Array.isArray(kept.outbox) && !!kept.device;
  const kept = load<Kept>(localStorage, kKept, valid);
  return kept && (device === undefined || kept.device === device) ? kept : null;
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
