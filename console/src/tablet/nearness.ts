// SPDX-License-Identifier: Apache-2.0
// Whether somebody is about to touch a list: a finger is on it or was just now, a pointer moves over it, or keys are
// used in it.

const kTouchMs = 1500;
const kPointerMs = 6000;
const kKeysMs = 8000;

export class Nearness {
  #until = 0;
  #down = false;
  #timer = 0;
  #near = false;
  #element: HTMLElement;
  #tell: (near: boolean) => void;
  #events: [string, (event: Event) => void][];

  constructor(element: HTMLElement, tell: (near: boolean) => void) {
    this.#element = element;
    this.#tell = tell;
    const pointer = (event: Event) =>
      this.#stay((event as PointerEvent).pointerType === 'mouse' ? kPointerMs : kTouchMs);
    const up = (event: Event) => ((this.#down = false), pointer(event));
    this.#events = [
      ['pointerdown', (event) => ((this.#down = true), pointer(event))],
      ['pointermove', pointer],
      ['pointerup', up],
      ['pointercancel', up],
      [
        'pointerleave',
        (event) => (event as PointerEvent).pointerType === 'mouse' && !this.#down && this.#leave(),
      ],
      ['keydown', () => this.#stay(kKeysMs)],
      ['focusout', (event) => !this.#holds((event as FocusEvent).relatedTarget) && this.#leave()],
    ];
    for (const [name, on] of this.#events) element.addEventListener(name, on, { passive: true });
  }

  end() {
    for (const [name, on] of this.#events) this.#element.removeEventListener(name, on);
    this.#down = false;
    this.#leave();
  }

  #holds(target: EventTarget | null): boolean {
    return target === null || this.#element.contains(target as Node);
  }

  #stay(ms: number) {
    this.#until = Math.max(this.#until, performance.now() + ms);
    if (!this.#near) this.#tell((this.#near = true));
    if (!this.#timer) this.#wait(ms);
  }

  #wait(ms: number) {
    this.#timer = window.setTimeout(() => {
      this.#timer = 0;
      const left = this.#until - performance.now();
      if (left > 0 || this.#down) this.#wait(Math.max(left, 200));
      else this.#leave();
    }, ms);
  }

  #leave() {
    clearTimeout(this.#timer);
    this.#timer = this.#until = 0;
    if (this.#near) this.#tell((this.#near = false));
  }
}
