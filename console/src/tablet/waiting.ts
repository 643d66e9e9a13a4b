// SPDX-License-Identifier: Apache-2.0
// What staff did while the box was out of reach: waits in order, and goes once. A message that was sent without an
// answer goes again with the same id, and counts once at the box.

import type { FloorAction } from '../contract';

const kMostActions = 200;
// A claim says "I go now"; the rest says what was.
const kWaitsMs = 600e3;
const kClaimWaitsMs = 60e3;

export class Waiting {
  actions: FloorAction[] = [];
  #since = new Map<string, number>(); // by id
  #going = false;

  // False: so much was never done by hand.
  add(action: FloorAction): boolean {
    if (this.actions.length >= kMostActions) return false;
    this.actions.push(action);
    this.#since.set(action.id, Date.now());
    return true;
  }

  of(visit: string): FloorAction[] {
    return this.actions.filter((action) => action.visit === visit);
  }

  #done(id: string) {
    this.#since.delete(id);
    this.actions = this.actions.filter((action) => action.id !== id);
  }

  #isLate({ id, kind }: FloorAction): boolean {
    return Date.now() - (this.#since.get(id) ?? 0) > (kind === 'claim' ? kClaimWaitsMs : kWaitsMs);
  }

  // Sends until one cannot go. Returns how many were too old.
  async go(send: (action: FloorAction) => Promise<boolean>): Promise<number> {
    if (this.#going) return 0;
    this.#going = true;
    let late = 0;
    try {
      while (this.actions.length > 0) {
        const [first] = this.actions;
        if (this.#isLate(first)) ++late;
        else if (!(await send(first))) break;
        this.#done(first.id);
      }
    } finally {
      this.#going = false;
    }
    return late;
  }

  drop(): number {
    this.#since.clear();
    return this.actions.splice(0).length;
  }
}
