// SPDX-License-Identifier: Apache-2.0
// Notes that are not sent yet, of each member of staff and each guest.

import { newId } from '../shared/stamp';

export interface Note {
  id: string; // of the message that it becomes
  text: string;
}

export class Notes {
  #drafts = new Map<string, Map<string, Note>>(); // staff → visit → note

  of(staff: string): Map<string, Note> {
    const theirs = this.#drafts.get(staff) ?? new Map<string, Note>();
    this.#drafts.set(staff, theirs);
    return theirs;
  }

  put(staff: string, visit: string, text: string) {
    const drafts = this.of(staff);
    const id = drafts.get(visit)?.id ?? newId();
    if (text) drafts.set(visit, { id, text });
    else drafts.delete(visit);
  }

  forget(visit: string) {
    for (const notes of this.#drafts.values()) notes.delete(visit);
  }

  clear() {
    this.#drafts.clear();
  }
}
