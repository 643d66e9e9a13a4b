// SPDX-License-Identifier: Apache-2.0
// What the boxes of the store have said of themselves, and which of them have told of everybody since the line came
// back. A broker may have been restarted, and know nothing before the boxes come back to it.

import { worst, type BoxStatus, type Status } from './prompt';

export class Boxes {
  #statuses = new Map<string, BoxStatus>();
  #untold = new Map<string, number>(); // box → time of its last status before this connection

  get status(): Status | null {
    return worst([...this.#statuses.values()]);
  }

  get anyToldAll(): boolean {
    return [...this.#statuses.values()].some(({ toldAll }) => toldAll);
  }

  get allTold(): boolean {
    return this.#untold.size === 0;
  }

  lineIsUp() {
    this.#untold = new Map([...this.#statuses].map(([box, { at }]) => [box, at]));
  }

  // An older word than the last one is what the broker kept while the box was away.
  tell(box: string, status: BoxStatus) {
    this.#statuses.set(box, status);
    if (status.toldAll && status.at >= (this.#untold.get(box) ?? 0)) this.#untold.delete(box);
  }

  forget(box: string) {
    this.#statuses.delete(box);
    this.#untold.delete(box);
  }

  clear() {
    this.#statuses.clear();
    this.#untold.clear();
  }
}
