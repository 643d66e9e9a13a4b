// SPDX-License-Identifier: Apache-2.0
// A box asks for its invitation (docs/openapi.yaml).

#include "crm/door/answers.h"
#include "crm/door/ask.h"
#include "crm/invitations.h"

namespace welcome::crm {

// Whatever is wrong with it, there is one answer: nobody learns which codes there are.
Response Door::provision_box(const Ask& ask) {
  if (!links_.take(ask.request.address, ask.now.mono)) return tried_too_often();
  const provision::ProvisionRequest request{ask.text("invitation"), ask.text("box_key"),
                                            ask.text("proof"), ask.text("box_proof")};
  for (const std::string* part :
       {&request.invitation, &request.box_key, &request.proof, &request.box_proof}) {
    if (part->empty()) return malformed();
  }
  Transaction transaction(db_);
  const auto sealed = Invitations(crm_).answer(request, ask.now.wall);
  transaction.commit();
  if (!sealed) {
    return problem(403, "not-invited", "There is no such invitation, or not any more");
  }
  db_.announce();
  return ok({{"sealed", *sealed}});
}

}  // namespace welcome::crm
