// SPDX-License-Identifier: Apache-2.0
// Loaded into each file of tests (`./dev test`): one that waits in vain, or that leaves something open, fails
// and says what it waits for, in place of holding up all that come after it. Old versions of node have no
// option for that.

const kMinutes = 10;

if (process.env.NODE_TEST_CONTEXT) {
  delete process.env.NODE_OPTIONS; // the programs that a test starts are none of ours
  setTimeout(() => {
    const open = process.getActiveResourcesInfo().join(', ');
    console.error(`${process.argv[1]}: not at its end after ${kMinutes} minutes; still open: ${open}`);
    process.exit(1);
  }, kMinutes * 60e3).unref();
}
