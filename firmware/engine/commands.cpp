// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/commands.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "beacon/presence_proof.h"
#include "contract/json_text.h"
#include "core/hex.h"
#include "core/timekeeper.h"

namespace welcome::daemon {

using nlohmann::json;

namespace {

// A command that has nothing to say but that it was carried out.
Result<std::string> done(const Result<void>& stored) {
  if (!stored) return tl::unexpected(stored.error());
  return std::string();
}

Result<std::string> answer_of(const ErasureReceipt& receipt) {
  if (!receipt.bytes_gone) {
    return fail(ErrorCode::unavailable,
                "key and rows are gone, but a file still has a copy of the key: it is tried again");
  }
  return contract::dump(json{{"rows", receipt.rows}, {"bytes_gone", true}});
}

event::ExternalOutcome outcome_of(const contract::Command& command, const Now& now) {
  return {.customer = command.customer,
          .decision = command.decision,
          .outcome = command.outcome,
          .product = command.product,
          .value = static_cast<double>(command.value_hundredths) / 100.0,
          .at = command.at.value_or(now.wall)};
}

}  // namespace

void Commands::obey(const contract::Command& command, const Now& now) {
  answer(command, carry_out(command, now), now);
}

Result<std::string> Commands::carry_out(const contract::Command& command, const Now& now) {
  if (command.refused) return tl::unexpected(*command.refused);
  using Kind = contract::Command::Kind;
  // To be forgotten is never too late: whoever is erased twice was erased once, by the id.
  const bool ends = command.expires_at && command.kind != Kind::erase;
  if (ends && now.wall_trusted && now.wall > *command.expires_at + kClocksAgree) {
    return fail(ErrorCode::refused, "command: its time is over by the clock of this box");
  }
  switch (command.kind) {
    case Kind::erase:
      return erase(command, now);
    case Kind::export_data:
      return export_for_crm(command.customer, now);
    case Kind::diagnostics:
      return needs_.diagnostics();
    case Kind::outcome:
      return done(needs_.decide_and_store(outcome_of(command, now), now));
    case Kind::offered:
      return done(needs_.decide_and_store(
          event::OfferElsewhere{command.customer, command.campaign, command.variant,
                                command.decision, command.at.value_or(now.wall)},
          now));
    case Kind::presence:
      return presence(command, now);
    case Kind::take_back:
      return done(needs_.take_back(command.customer, command.events, command.reason, now));
    case Kind::config:
      return configure(command, now);
  }
  return fail(ErrorCode::internal, "unknown command");
}

// Of its configuration a box lets one thing be changed from afar: its password, which it makes
// itself and tells nobody.
Result<std::string> Commands::configure(const contract::Command& command, const Now& now) {
  if (command.settings != std::map<std::string, std::string>{{"uplink.password", "renew"}})
    return fail(ErrorCode::refused, "configuration is changed on the box: /etc/welcomed/conf.d");
  const auto hash = shared_.ports.renew_uplink_password();
  if (!hash) return tl::unexpected(hash.error());
  const auto noted = shared_.store.transaction([&](store::Tx& tx) {
    tx.audit().append(now, "config", "crm", {}, "a new password for the central broker");
  });
  if (!noted) {
    needs_.store_failed(noted.error());
    return tl::unexpected(noted.error());
  }
  return signer_.sign(
      contract::dump({{"account", contract::address_text(shared_.settings.box)}, {"hash", *hash}}));
}

void Commands::answer(const contract::Command& command, const Result<std::string>& what,
                      const Now& now) {
  contract::CommandResponse response;
  response.command = command.id;
  response.box = shared_.settings.box.box;
  response.ok = what.has_value();
  response.at = now.wall;
  if (what) {
    response.result = *what;
  } else {
    response.error = what.error().message;
  }
  auto message = contract::encode_command_response(shared_.settings.box, command, response);
  if (!delivery_.fits(contract::LinkName::uplink, message)) {
    response.ok = false;
    response.result.clear();
    response.error = "the answer is larger than what the broker takes: ask for it on the box";
    message = contract::encode_command_response(shared_.settings.box, command, response);
  }
  const auto told = shared_.store.transaction([&](store::Tx& tx) {
    const std::string ref = "answer " + command.id.str();
    tx.outbox().remove_ref(ref);  // to a command that was repeated meanwhile: one is enough
    delivery_.enqueue(tx, message, OutboxKind::response, ref, {}, {}, now);
  });
  if (!told) return needs_.store_failed(told.error());  // whoever asked asks again
  delivery_.pump(contract::LinkName::uplink, now);
}

Result<std::string> Commands::export_person(const CustomerId& customer, std::string_view by,
                                            const Now& now) {
  auto text = shared_.store.erasure().export_person(customer, now);
  if (!text) return text;
  const auto noted = shared_.store.transaction(
      [&](store::Tx& tx) { tx.audit().append(now, "export", by, customer, ""); });
  if (!noted) {
    needs_.store_failed(noted.error());
    return tl::unexpected(noted.error());
  }
  return text;
}

// As welcomectl gives it to the person, but for the numbers of her face: no template leaves the box
// by wire.
Result<std::string> Commands::export_for_crm(const CustomerId& customer, const Now& now) {
  auto text = export_person(customer, "crm", now);
  if (!text) return text;
  json all = json::parse(*text);
  for (json& face : all["face_templates"]) face.erase("template");
  return contract::dump(all);
}

// The app heard our EID and says so over its own line.
Result<std::string> Commands::presence(const contract::Command& command, const Now& now) {
  if (!shared_.settings.box_eid) {
    return fail(ErrorCode::refused, "this box does not advertise an EID (radio.advertise_eid)");
  }
  beacon::Eid eid{};
  if (!from_hex(command.eid, eid) || !beacon::proves_presence(*shared_.settings.box_eid, eid,
                                                              command.at.value_or(now.wall), now)) {
    ++shared_.counters.presence_refused;
    return fail(ErrorCode::refused, "the EID is not one that this box sent at that time");
  }
  IdentityClaim found;
  found.customer = command.customer;
  found.source = ClaimSource::app_report;
  found.fast = found.settled = Zone::door;
  found.at = now.mono;
  if (!needs_.claim(std::move(found), now)) {
    return fail(ErrorCode::unavailable, "the box decides nothing just now");
  }
  return std::string();
}

// The person is out of the hot path first, then off the disk, then the CRM hears of it.
Result<std::string> Commands::erase(const contract::Command& command, const Now& now) {
  if (const auto before = shared_.store.erasure().receipt(command.id); before && *before) {
    return erased_before(command, now);
  }
  needs_.decide(event::CustomerForgotten{command.customer}, now);
  needs_.erasing(command.customer);
  // Not before the CRM signed it, whatever our clock says, nor before the last time that it signed
  // for them: what was agreed to before then must not bring them back.
  Now when = now;
  if (command.expires_at)
    when.wall = std::max(when.wall, *command.expires_at - contract::kCommandLife);
  if (command.at) when.wall = std::max(when.wall, std::min(*command.at, when.wall + kClocksAgree));
  const auto receipt = shared_.store.erasure().erase(command.customer, command.id, when);
  if (!receipt) {
    needs_.store_failed(receipt.error());
    return tl::unexpected(receipt.error());
  }
  needs_.erased(command.customer, when);
  report_erasures(now);
  return answer_of(*receipt);
}

// A repeat: the CRM has no receipt that counts. The person is not erased once more, they may have
// come back.
Result<std::string> Commands::erased_before(const contract::Command& command, const Now& now) {
  scrub_again();
  const auto again = shared_.store.transaction(
      [&](store::Tx& tx) { tx.erasure().report_again(command.id, command.customer); });
  if (!again) needs_.store_failed(again.error());
  report_erasures(now);
  const auto receipt = shared_.store.erasure().receipt(command.id);
  if (!receipt) return tl::unexpected(receipt.error());
  if (!*receipt) return fail(ErrorCode::not_found, "the receipt is gone");
  return answer_of(**receipt);
}

void Commands::scrub_again() {
  if (const auto done = shared_.store.erasure().scrub_again(); !done)
    needs_.store_failed(done.error());
}

void Commands::report_erasures(const Now& now) {
  const auto receipts = shared_.store.erasure().unreported();
  if (!receipts) return needs_.store_failed(receipts.error());
  for (const auto& receipt : *receipts) {
    const auto done = shared_.store.transaction([&](store::Tx& tx) {
      auto message = contract::encode_event(
          shared_.settings.box,
          {MessageId(shared_.ids.next()), receipt.at, receipt.customer, receipt, {}}, &signer_);
      message.customer = {};  // the row must outlive what is erased
      tx.outbox().remove_ref(receipt.request.str());
      delivery_.enqueue(tx, message, OutboxKind::receipt, receipt.request.str(), {}, {}, now);
      tx.erasure().mark_reported(receipt.request);
    });
    if (!done) needs_.store_failed(done.error());
  }
  delivery_.pump(contract::LinkName::uplink, now);
}

}  // namespace welcome::daemon
