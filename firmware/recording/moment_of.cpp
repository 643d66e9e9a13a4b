// SPDX-License-Identifier: Apache-2.0
#include "firmware/recording/moment_of.h"

#include <string>
#include <utility>

namespace welcome::recording {

namespace {

Consent consent_of(const ConsentRecord& record) {
  const ConsentStanding s = standing(record);
  return {record.purpose, s.given_at, s.withdrawn_at, s.expires_at};
}

class Describe {
 public:
  Describe(std::string_view item, const std::optional<Sealed>& sealed, const Cast& cast)
      : item_(item), sealed_(sealed), cast_(cast) {}

  using Said = std::optional<Happened>;

  Said operator()(const event::Claim& e) const {
    const IdentityClaim& c = e.claim;
    return of(c.customer, [&](Who who) {
      return happened::Claim{who, c.source, c.fast, c.settled, c.similarity, c.track, c.doubted};
    });
  }
  Said operator()(const event::Staff& e) const {
    const StaffAction& a = e.action;
    return happened::Staff{a.id,   a.visit,         staff_alias(a.staff.str()),
                           a.kind, !a.text.empty(), a.verdict == StaffAction::Verdict::change,
                           a.at,   sealed_};
  }
  Said operator()(const event::CampaignPut&) const {
    return happened::CampaignPut{{std::string(item_)}};
  }
  Said operator()(const event::CampaignRemoved& e) const {
    return happened::CampaignGone{e.campaign};
  }
  Said operator()(const event::CampaignsReplaced&) const {
    return std::nullopt;  // at start only, before a file begins
  }
  Said operator()(const event::PolicyReplaced&) const {
    if (item_.empty()) return happened::PolicyPut{};
    return happened::PolicyPut{ItemText{std::string(item_)}};
  }
  Said operator()(const event::ConsentChanged& e) const {
    happened::ConsentsChanged changed;
    for (const ConsentRecord& r : e.records) {
      const auto who = cast_.who(r.customer);
      if (!who) continue;
      changed.records.push_back({*who, consent_of(r)});
    }
    return changed.records.empty() ? Said() : Said(std::move(changed));
  }
  Said operator()(const event::ConsentRemoved& e) const {
    return of(e.customer, [&](Who who) {
      happened::ConsentGone gone{who, e.purpose};
      if (e.instead) gone.instead = consent_of(*e.instead);
      return gone;
    });
  }
  Said operator()(const event::CustomerForgotten& e) const {
    return of(e.customer, [](Who who) { return happened::Forgotten{who}; });
  }
  Said operator()(const event::CrmHeard& e) const { return happened::Heard{e.at}; }
  Said operator()(const event::PauseChanged& e) const {
    return happened::Paused{e.function, e.paused};
  }
  Said operator()(const event::ProfileChanged& e) const {
    return of(e.customer, [&](Who who) {
      return happened::ProfileChanged{who, sealed_.value_or(Sealed{})};
    });
  }
  Said operator()(const event::DecisionSent& e) const { return happened::Sent{e.decision}; }
  Said operator()(const event::DecisionExpired& e) const { return happened::Expired{e.decision}; }
  Said operator()(const event::OfferElsewhere& e) const {
    return of(e.customer, [&](Who who) {
      return happened::Elsewhere{who, e.decision, e.campaign, e.variant, e.at};
    });
  }
  Said operator()(const event::OfferTold& e) const {
    const StoreOffer& o = e.offer;
    return happened::Told{
        o.decision, cast_.salted(o.whom), o.campaign, o.at, o.expires_at, o.sent, e.own, e.kept};
  }
  Said operator()(const event::OfferTakenBack& e) const { return happened::TakenBack{e.decision}; }
  Said operator()(const event::ExternalOutcome& e) const {
    return of(e.customer, [&](Who who) {
      return happened::CameOf{who, e.decision, e.outcome, e.product, e.value, e.at};
    });
  }
  Said operator()(const event::Tick&) const { return happened::Tick{}; }

 private:
  template <class Make>
  Said of(const CustomerId& customer, Make make) const {
    const auto who = cast_.who(customer);
    return who ? Said(make(*who)) : std::nullopt;
  }

  std::string_view item_;
  const std::optional<Sealed>& sealed_;
  const Cast& cast_;
};

}  // namespace

std::optional<Happened> happened_of(const Event& event, std::string_view item,
                                    const std::optional<Sealed>& sealed, const Cast& cast) {
  return std::visit(Describe(item, sealed, cast), event);
}

std::vector<Decided> decided_of(const Effects& effects, const Cast& cast) {
  std::vector<Decided> all;
  for (const Decision& d : effects.decisions) {
    const auto who = cast.who(d.customer);
    if (who) all.push_back({d.id, d.kind, d.reason, *who, d.campaign, d.variant, d.survey});
  }
  return all;
}

}  // namespace welcome::recording
