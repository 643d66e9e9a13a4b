// SPDX-License-Identifier: Apache-2.0
// Who is here, as the boxes of the store tell it over the broker: a prompt for each, until a box says that they have
// gone or the prompt is over; who of them has just arrived; and who nobody has told of since the line came back.

import type { Json } from '../shared/read';
import { Boxes } from './boxes';
import { readPrompt, readStatus, type Prompt, type Status } from './prompt';

const kSettleMs = 2000; // what the broker retains has come this long after subscribing
const kFreshMs = 120000; // an arrival that nobody looked at is new for so long

// What comes of it. `changed`: by itself, as time passes; what is told here changes it anyhow.
export interface Hears {
  arrived(prompt: Prompt): void;
  gone(visit: string): void;
  changed(): void;
}

export class Guests {
  #prompts = new Map<string, Prompt>();
  #fresh = new Map<string, number>(); // visit → timer; new, and not yet looked at
  #expiry = new Map<string, number>();
  #boxes = new Boxes();
  #unheard = new Set<string>(); // visits with a prompt that this connection has not told of
  #settled = false; // what the broker retains has come
  #settling = 0;
  #hears: Hears;

  constructor(hears: Hears) {
    this.#hears = hears;
  }

  // In the order of arrival.
  get all(): Prompt[] {
    return [...this.#prompts.values()].sort(
      (a, b) => (a.since ?? 0) - (b.since ?? 0) || a.visit.localeCompare(b.visit),
    );
  }

  // Null: gone, though the card may keep its place under a finger.
  of(visit: string): Prompt | null {
    return this.#prompts.get(visit) ?? null;
  }

  get status(): Status | null {
    return this.#boxes.status;
  }

  // True once it is known that nobody is here, if nobody is shown.
  get known(): boolean {
    return this.#settled || this.#boxes.anyToldAll;
  }

  // Arrived just now, and nobody has looked or gone.
  isFresh(prompt: Prompt): boolean {
    return this.#fresh.has(prompt.visit) && prompt.state === 'new' && prompt.leftAt === null;
  }

  get fresh(): Prompt[] {
    return this.all.filter((prompt) => this.isFresh(prompt)).reverse();
  }

  // Somebody looked, or it was long ago. Whether that changed anything.
  look(visit: string): boolean {
    clearTimeout(this.#fresh.get(visit));
    return this.#fresh.delete(visit);
  }

  // The line was away, and nobody has said since whether this guest is still here.
  isStale(prompt: Prompt): boolean {
    return this.#unheard.has(prompt.visit);
  }

  clear() {
    for (const visit of [...this.#prompts.keys()]) this.#remove(visit);
    this.#boxes.clear();
    this.#settled = false;
  }

  // ---- what is told ----

  onLine(online: boolean) {
    clearTimeout(this.#settling);
    if (!online) return;
    this.#unheard = new Set(this.#prompts.keys());
    this.#boxes.lineIsUp();
    this.#settled = false;
  }

  // The broker now sends what it retains. A card that nobody tells of goes when every box has told all.
  onSubscribed() {
    this.#settling = window.setTimeout(() => {
      this.#settled = true;
      this.#dropUnheard();
      this.#hears.changed();
    }, kSettleMs);
  }

  onStatus(box: string, json: Json | null) {
    if (json) this.#boxes.tell(box, readStatus(json));
    else this.#boxes.forget(box);
    this.#dropUnheard();
  }

  // Null: they have gone. Answers the prompt, if it is one.
  onPrompt(visit: string, json: Json | null, expiresInS: number | null): Prompt | null {
    const prompt = json && readPrompt(visit, json);
    this.#unheard.delete(visit);
    if (prompt) this.#put(prompt, expiresInS);
    else if (!json) this.#remove(visit);
    return prompt;
  }

  #put(prompt: Prompt, expiresInS: number | null) {
    const { visit } = prompt;
    if (!this.#prompts.has(visit)) this.#arrived(prompt);
    if (prompt.state !== 'new' || prompt.leftAt !== null) this.look(visit);
    this.#prompts.set(visit, prompt);
    // The broker counts the expiry down, so this needs no clock that agrees with the box's.
    clearTimeout(this.#expiry.get(visit));
    if (expiresInS === null) return;
    const over = () => (this.#remove(visit), this.#hears.changed());
    this.#expiry.set(visit, window.setTimeout(over, Math.min(expiresInS * 1000, 2 ** 31 - 1)));
  }

  // Who was here before this tablet looked is no news.
  #arrived(prompt: Prompt) {
    if (prompt.state !== 'new' || prompt.leftAt !== null) return;
    if (!this.#settled && prompt.since !== null && Date.now() - prompt.since > kFreshMs) return;
    const over = () => {
      if (this.look(prompt.visit)) this.#hears.changed();
    };
    this.#fresh.set(prompt.visit, window.setTimeout(over, kFreshMs));
    this.#hears.arrived(prompt);
  }

  #dropUnheard() {
    if (!this.#settled || !this.#boxes.allTold) return;
    for (const visit of this.#unheard) this.#remove(visit);
  }

  #remove(visit: string) {
    clearTimeout(this.#expiry.get(visit));
    this.#expiry.delete(visit);
    this.look(visit);
    this.#prompts.delete(visit);
    this.#unheard.delete(visit);
    this.#hears.gone(visit);
  }
}
