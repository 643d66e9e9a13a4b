// SPDX-License-Identifier: Apache-2.0
// Where each guest's card is: newest first, by zone, who was looked after and who has left apart. While a finger
// or a pointer is near, or keys are used, nothing moves: who comes is told of beside, who goes keeps the place.

import type { Prompt } from './prompt';

export const kGroups = ['fresh', 'desk', 'door', 'inside', 'outside'] as const;
export type Group = (typeof kGroups)[number];

export interface Layout {
  groups: Map<Group, string[]>; // visits; those with somebody in them, in this order
  served: string[];
  gone: string[];
}

const kNewest = (a: Prompt, b: Prompt) => (b.since ?? 0) - (a.since ?? 0) || a.visit.localeCompare(b.visit);

export const isClosed = ({ state }: Prompt) => state === 'served' || state === 'declined';

function groupOf(prompt: Prompt, fresh: boolean): Group {
  if (fresh) return 'fresh';
  switch (prompt.zone) {
    case 'desk':
    case 'door':
    case 'inside':
      return prompt.zone;
    default:
      return 'outside';
  }
}

export function arrange(prompts: Iterable<Prompt>, isFresh: (prompt: Prompt) => boolean): Layout {
  const layout: Layout = { groups: new Map(), served: [], gone: [] };
  const groups = new Map<Group, string[]>(kGroups.map((name) => [name, []]));
  for (const prompt of [...prompts].sort(kNewest)) {
    if (prompt.leftAt !== null) layout.gone.push(prompt.visit);
    else if (isClosed(prompt)) layout.served.push(prompt.visit);
    else groups.get(groupOf(prompt, isFresh(prompt)))!.push(prompt.visit);
  }
  for (const [name, visits] of groups) if (visits.length > 0) layout.groups.set(name, visits);
  return layout;
}

export class Places {
  layout: Layout = { groups: new Map(), served: [], gone: [] };
  waiting: string[] = []; // who came while nothing may move, newest first
  #held = false;

  get held(): boolean {
    return this.#held;
  }

  // Whether that changed anything.
  hold(held: boolean): boolean {
    const changes = this.#held !== held;
    this.#held = held;
    return changes;
  }

  update(prompts: Iterable<Prompt>, isFresh: (prompt: Prompt) => boolean) {
    const now = arrange(prompts, isFresh);
    if (!this.#held) {
      this.layout = now;
      this.waiting = [];
      return;
    }
    const placed = new Set(all(this.layout));
    this.waiting = all(now).filter((visit) => !placed.has(visit) && !now.gone.includes(visit));
  }
}

export function all({ groups, served, gone }: Layout): string[] {
  return [...[...groups.values()].flat(), ...served, ...gone];
}
