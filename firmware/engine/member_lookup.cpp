// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/member_lookup.h"

#include <utility>
#include <vector>

#include "contract/items.h"
#include "firmware/engine/convert.h"

namespace welcome::daemon {

namespace {

Member said(const contract::Found& found) {
  using Answer = contract::Found::Answer;
  switch (found.answer) {
    case Answer::known:
      return {Member::Known::yes, found.name, found.page};
    case Answer::too_often:
      return {Member::Known::too_often, "", ""};
    case Answer::unknown:
      break;
  }
  return {Member::Known::no, "", ""};
}

}  // namespace

void MemberLookup::ask(const CustomerId& customer, const Now& now, Done done) {
  contract::Lookup lookup{MessageId(shared_.ids.next()), customer, now.wall};
  const bool sent = delivery_.side(contract::LinkName::uplink).up &&
                    shared_.ports.publish(contract::encode_lookup(shared_.settings.box, lookup),
                                          kNoRow, contract::kLookupLife);
  if (!sent) return done(known_here(customer), now);
  asked_.insert_or_assign(std::move(lookup.id), Asked{customer, now.mono, std::move(done)});
}

void MemberLookup::hear(const contract::Found& found, const Now& now) {
  const auto asked = asked_.extract(found.id);
  if (asked) asked.mapped().done(said(found), now);
}

void MemberLookup::end_late(const Now& now) {
  std::vector<Asked> late;
  std::erase_if(asked_, [&](auto& one) {
    if (now.mono - one.second.since < kPatience) return false;
    late.push_back(std::move(one.second));
    return true;
  });
  for (const Asked& one : late) one.done(known_here(one.customer), now);
}

// Whoever is known here may be unknown to the CRM since a moment ago, and it will say so.
Member MemberLookup::known_here(const CustomerId& customer) const {
  Member out;
  const auto profile = shared_.store.replica().find(store::Collection::profiles, customer.str());
  if (!profile) return out;
  const auto item = contract::decode_item(contract::Collection::profiles, profile->body);
  if (!item) return out;
  out.known = Member::Known::yes;
  out.name = std::get<Profile>(*item).name;
  return out;
}

}  // namespace welcome::daemon
