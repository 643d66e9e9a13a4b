// SPDX-License-Identifier: Apache-2.0
// A model that components listen to. They are drawn again after changed().

import { useEffect, useReducer } from 'preact/hooks';

export class Store {
  #listeners = new Set<() => void>();

  changed() {
    for (const listener of this.#listeners) listener();
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

export function useStore<T extends Store>(store: T): T {
  const [, redraw] = useReducer((count: number, _: void) => count + 1, 0);
  useEffect(() => store.listen(() => redraw()), [store]);
  return store;
}
