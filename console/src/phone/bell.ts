// SPDX-License-Identifier: Apache-2.0
// How a browser tells somebody something while the page is closed (Push API): the worker, the person's yes,
// and what the door wants to know to reach it.

import type { Json } from '../shared/read';
import { bytesOf, textOf } from './base64url';

// 'install': only once the page is on the Home Screen (iOS); 'denied': they said no to the browser.
export type BellState = 'no' | 'install' | 'denied' | 'ready';
export const kNoBellBecause = ['denied', 'failed', 'push-service-unknown'] as const;
export type NoBellBecause = (typeof kNoBellBecause)[number];

export interface Bell {
  state(): BellState;
  // Asks the person when nobody has. Rejects with a NoBellBecause as the error's message.
  ring(key: string): Promise<Json>;
  silence(): Promise<void>;
}

const there = 'serviceWorker' in navigator && 'PushManager' in globalThis && 'Notification' in globalThis;
const problem = (name: NoBellBecause) => new Error(name);

export const bell: Bell = {
  state() {
    // Only an iPhone or an iPad says whether a page stands alone.
    if (!there) return 'standalone' in navigator ? 'install' : 'no';
    return Notification.permission === 'denied' ? 'denied' : 'ready';
  },

  async ring(key) {
    if ((await Notification.requestPermission()) !== 'granted') throw problem('denied');
    const { pushManager } = await navigator.serviceWorker.ready;
    const known = await pushManager.getSubscription();
    // The company's key is another now: what the browser has is of no use.
    const kept = known?.options.applicationServerKey;
    if (known && (!kept || textOf(kept) !== key)) await known.unsubscribe();
    const subscription = await pushManager
      .subscribe({ userVisibleOnly: true, applicationServerKey: bytesOf(key) })
      .catch(() => {
        throw problem('failed');
      });
    const { endpoint, keys } = subscription.toJSON();
    return { endpoint, p256dh: keys?.p256dh, auth: keys?.auth };
  },

  async silence() {
    const { pushManager } = await navigator.serviceWorker.ready;
    await (await pushManager.getSubscription())?.unsubscribe();
  },
};
