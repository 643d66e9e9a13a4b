// SPDX-License-Identifier: Apache-2.0
// The page as an app: its shell is kept for when there is no line (worker.ts), and it can go to the home
// screen. Where the browser asks that itself, there is a button; an iPhone has none, and is told how.

import { useStore, Store } from '../shared/store';
import { words } from './words';

interface Asking extends Event {
  prompt(): Promise<unknown>;
}

class Install extends Store {
  asking: Asking | null = null;

  constructor() {
    super();
    addEventListener('beforeinstallprompt', (event) => {
      event.preventDefault(); // when they want it, and not when the browser does
      this.asking = event as Asking;
      this.changed();
    });
    addEventListener('appinstalled', () => this.done());
  }

  // On the home screen already, or opened from there.
  get there(): boolean {
    const { standalone } = navigator as { standalone?: boolean };
    return standalone === true || matchMedia('(display-mode: standalone)').matches;
  }
  get ios(): boolean {
    return 'standalone' in navigator;
  }
  done() {
    this.asking = null;
    this.changed();
  }
}

const install = new Install();

export function keepShell() {
  // Without one, as in a private window, the page works as long as there is a line.
  navigator.serviceWorker?.register('/phone/worker.js', { scope: '/phone/' }).catch(() => {});
}

export function InstallHint() {
  useStore(install);
  const t = words();
  if (install.there || (!install.asking && !install.ios)) return null;
  return (
    <section class="block" data-install>
      <p>{t.install}</p>
      {install.asking ? (
        <button
          type="button"
          class="button"
          onClick={() => install.asking?.prompt().then(() => install.done())}
        >
          {t.installNow}
        </button>
      ) : (
        <p class="soft">{t.installIos}</p>
      )}
    </section>
  );
}
