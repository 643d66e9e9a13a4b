// SPDX-License-Identifier: Apache-2.0
// How an arrival is noticed by somebody who does not look: a soft sound, a number at the page's title and icon, and a
// screen that stays awake.

import { load, save } from '../shared/session';
import { Store } from '../shared/store';

const kKey = 'welcome.sound';
const kTones = [659.25, 880]; // Hz: E5, A5
const kToneS = 0.16;
const kLoudness = 0.12;
const kEveryMs = 3000; // a bus full of guests is one sound

export class Alert extends Store {
  sound = load<{ on: boolean }>(localStorage, kKey, () => true)?.on ?? true;
  #context: AudioContext | null = null;
  #played = 0;
  #told: number | null = null; // at the icon
  #awake: WakeLockSentinel | null = null;
  #wanted = false;
  #asking = false;

  setSound(on: boolean) {
    this.sound = on;
    save(localStorage, kKey, { on });
    if (on) this.#play();
    this.changed();
  }

  arrival() {
    if (this.sound && performance.now() - this.#played >= kEveryMs) this.#play();
  }

  // Browsers let a page sound once it was touched; before, nothing is heard and nothing breaks.
  #play() {
    try {
      this.#context ??= new AudioContext();
    } catch {
      return; // no sound on this device
    }
    const { currentTime, destination, state } = this.#context;
    if (state === 'suspended') void this.#context.resume();
    this.#played = performance.now();
    kTones.forEach((hertz, i) => {
      const tone = this.#context!.createOscillator();
      const volume = this.#context!.createGain();
      const from = currentTime + i * kToneS;
      tone.frequency.value = hertz;
      volume.gain.setValueAtTime(0, from);
      volume.gain.linearRampToValueAtTime(kLoudness, from + 0.02);
      volume.gain.exponentialRampToValueAtTime(0.0001, from + 2 * kToneS);
      tone.connect(volume).connect(destination);
      tone.start(from);
      tone.stop(from + 2 * kToneS);
    });
  }

  count(n: number, title: string) {
    const titled = n > 0 ? `(${n}) ${title}` : title;
    if (document.title !== titled) document.title = titled;
    if (n === this.#told) return;
    this.#told = n;
    const { setAppBadge, clearAppBadge } = navigator as Partial<Navigator>;
    const told = n > 0 ? setAppBadge?.call(navigator, n) : clearAppBadge?.call(navigator);
    told?.catch(() => {}); // a page that is not installed has no icon
  }

  // While somebody is signed in and the page is to be seen.
  keepAwake(wanted: boolean) {
    if (wanted && !this.#wanted) document.addEventListener('visibilitychange', this.#lock);
    if (!wanted) document.removeEventListener('visibilitychange', this.#lock);
    this.#wanted = wanted;
    if (wanted) return void this.#lock();
    this.#sleep(this.#awake);
    this.#awake = null;
  }

  #sleep(lock: WakeLockSentinel | null) {
    void lock?.release().catch(() => {});
  }

  // One at a time: what is not kept is let go, also when the browser answers after they have signed out.
  #lock = async () => {
    if (!this.#wanted || this.#asking || document.visibilityState !== 'visible') return;
    if (this.#awake?.released === false) return;
    this.#asking = true;
    try {
      const lock = (await navigator.wakeLock?.request('screen')) ?? null;
      if (this.#wanted) this.#awake = lock;
      else this.#sleep(lock);
    } catch {
      // The battery is low, or the page is not on HTTPS: the tablet's own setting then counts.
    } finally {
      this.#asking = false;
    }
  };
}
