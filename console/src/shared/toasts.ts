// SPDX-License-Identifier: Apache-2.0
// A model that says what it did, for a while, and how to take it back.

import { Store } from './store';

export interface Toast {
  id: number;
  text: string;
  undo?: () => void;
}

const kToastMs = 4000;
const kMostToasts = 3;

export class Toasting extends Store {
  toasts: Toast[] = [];
  #last = 0;

  toast(said: string, forMs = kToastMs, undo?: () => void) {
    const id = ++this.#last;
    const close = () => {
      this.toasts = this.toasts.filter((toast) => toast.id !== id);
      this.changed();
    };
    const undoAndClose = undo && (() => (close(), undo()));
    this.toasts = [...this.toasts, { id, text: said, undo: undoAndClose }].slice(-kMostToasts);
    setTimeout(close, forMs);
    this.changed();
  }
}
