// SPDX-License-Identifier: Apache-2.0
// The floor of a shop for a test of the tablet: a stack of its own, pages, and a fake box that is there.

import { FakeBox } from './fakes.mjs';
import { Pages } from './pages.mjs';

export class Stage {
  static async start() {
    const stage = new Stage();
    try {
      stage.pages = await Pages.start();
      stage.box = await FakeBox.start(stage.pages.stack);
      await stage.box.status();
    } catch (error) {
      await stage.stop();
      throw error;
    }
    return stage;
  }

  async stop() {
    this.box?.stop();
    await this.pages?.stop();
  }

  // While a pointer is near, who goes keeps the place.
  async everybodyGoes(tablet) {
    for (const visit of [...this.box.prompts.keys()]) await this.box.endVisit(visit);
    await tablet.mouse.move(1, 1);
  }

  nobodyIsHere(tablet) {
    return tablet.getByText('Nobody to greet right now').waitFor();
  }
}

// Each button says whose it is: "Served: Mr Moreau".
export const named = (name) => ({ name: new RegExp(`^${name}: `) });
