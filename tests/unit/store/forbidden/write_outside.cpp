// SPDX-License-Identifier: Apache-2.0
// Must not compile with any of the definitions below, and must without.

#include "firmware/store/store.h"

using namespace welcome;

#ifdef WRITE_BESIDE
void beside(store::Store& store, const store::OutboxRow& row) { store.outbox().enqueue(row); }
#endif

#ifdef MAKE_A_TX
void made(store::Context& context) { store::Tx tx(context); }
#endif

#ifdef KEEP_A_WRITER
store::Outbox::Writer kept(store::Tx& tx) { return tx.outbox(); }
#endif

#ifdef FORGET_THE_RESULT
void forgotten(store::Store& store, const store::OutboxRow& row) {
  store.transaction([&](store::Tx& tx) { tx.outbox().enqueue(row); });
}
#endif

Result<void> written(store::Store& store, const store::OutboxRow& row) {
  return store.transaction([&](store::Tx& tx) { tx.outbox().enqueue(row); });
}
