// SPDX-License-Identifier: Apache-2.0
// Campaigns and policy change.

#include <algorithm>

#include "core/hash.h"
#include "core/pipeline_impl.h"

namespace welcome {

bool Pipeline::Impl::accept(Campaign campaign) {
  const CampaignId id = campaign.id;
  const auto refuse = [&](const Error& error) {
    out_->refused.push_back("campaign " + plain_text(id.str(), 64) + ": " + error.message);
    return false;
  };
  if (auto ok = check_protected(campaign, policy_); !ok) return refuse(ok.error());
  auto compiled = compile(std::move(campaign));
  if (!compiled) return refuse(compiled.error());
  campaigns_[id] = std::make_unique<CompiledCampaign>(std::move(*compiled));
  return true;
}

void Pipeline::Impl::rebuild_specs() {
  std::map<std::uint64_t, TriggerSpec> by_key;
  for (const auto& [id, c] : campaigns_) {
    const Trigger& t = c->campaign.trigger;
    auto [it, fresh] = by_key.try_emplace(
        c->trigger_key, TriggerSpec{t.on, c->trigger_zone, t.dwell, c->trigger_key, {}});
    it->second.campaigns.push_back(c.get());
  }
  ++specs_version_;
  specs_.clear();
  for (auto& [key, spec] : by_key) {
    std::stable_sort(spec.campaigns.begin(), spec.campaigns.end(),
                     [](auto* a, auto* b) { return a->campaign.priority > b->campaign.priority; });
    specs_.push_back(std::move(spec));
  }
}

void Pipeline::Impl::on(const event::CampaignsReplaced& e) {
  std::set<CampaignId> named;
  for (const Campaign& c : e.campaigns) {
    named.insert(c.id);
    accept(c);  // if refused, the last good one of this id stays
  }
  std::erase_if(campaigns_, [&](const auto& c) { return !named.contains(c.first); });
  std::set<CampaignId> known;
  for (const auto& [id, used] : budget_used_) known.insert(id);
  for (const CampaignId& id : learner_.campaigns()) known.insert(id);
  for (const CampaignId& id : known) {
    if (!named.contains(id)) forget_rows(id);
  }
  rebuild_specs();
}

// What was spent and learnt goes with its campaign.
void Pipeline::Impl::forget_rows(const CampaignId& campaign) {
  if (learner_.forget(campaign)) {
    store_row(store_key::of(store_key::kLearner, campaign.str()), std::nullopt);
  }
  if (budget_used_.erase(campaign) > 0) {
    store_row(store_key::of(store_key::kBudget, campaign.str()), std::nullopt);
  }
}

void Pipeline::Impl::on(const event::CampaignPut& e) {
  if (accept(e.campaign)) rebuild_specs();
}

void Pipeline::Impl::on(const event::CampaignRemoved& e) {
  forget_rows(e.campaign);
  if (campaigns_.erase(e.campaign) > 0) rebuild_specs();
}

void Pipeline::Impl::on(const event::PolicyReplaced& e) {
  Policy next = e.policy.value_or(Policy{});
  if (auto ok = validate(next); !ok) {
    out_->refused.push_back("policy: " + ok.error().message);
    return;
  }
  if (next.time_zone != policy_.time_zone) clock_ = *StoreClock::open(next.time_zone);
  policy_ = std::move(next);
  has_policy_ = e.policy.has_value();
  local_ = clock_.local(now_.wall);
  limit_silence();
  out_->loadable_changed = true;
  bool removed = false;
  for (auto it = campaigns_.begin(); it != campaigns_.end();) {
    const auto ok = check_protected(it->second->campaign, policy_);
    if (ok) {
      ++it;
      continue;
    }
    out_->refused.push_back("campaign " + plain_text(it->first.str(), 64) + ": " +
                            ok.error().message);
    it = campaigns_.erase(it);
    removed = true;
  }
  if (removed) rebuild_specs();
  reassess_everybody();
}

}  // namespace welcome
