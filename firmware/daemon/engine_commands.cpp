// The part of the Engine that obeys the CRM's commands.

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>
#include <type_traits>
#include <utility>

#include "beacon/presence_proof.h"
#include "core/hex.h"
#include "firmware/daemon/engine.h"
#include "firmware/daemon/outbox_kinds.h"

namespace welcome::daemon {

using nlohmann::json;

void Engine::on_command(const contract::Command& command, const Now& now) {
  heard_from_crm(now);
  Result<std::string> answer = fail(ErrorCode::internal, "unknown command");
  switch (command.kind) {
    case contract::Command::Kind::erase:
      answer = erase(command, now);
      break;
    case contract::Command::Kind::export_data:
      answer = export_for_crm(command.customer, now);
      (void)store_.audit().append(now, "export", "crm", command.customer, "");
      break;
    case contract::Command::Kind::diagnostics:
      answer = status(now).dump();
      break;
    case contract::Command::Kind::outcome:
      decide(event::ExternalOutcome{.customer = command.customer,
                                    .decision = command.decision,
                                    .outcome = command.outcome,
                                    .product = command.product,
                                    .value = static_cast<double>(command.value_hundredths) / 100.0,
                                    .at = command.at.value_or(now.wall)},
             now);
      answer = std::string();
      break;
    case contract::Command::Kind::offered:
      decide(event::OfferElsewhere{command.customer, command.campaign, command.variant,
                                   command.decision, command.at.value_or(now.wall)},
             now);
      answer = std::string();
      break;
    case contract::Command::Kind::presence:
      answer = presence(command, now);
      break;
    case contract::Command::Kind::config:
      answer =
          fail(ErrorCode::refused, "configuration is changed on the box: /etc/welcomed/conf.d");
      break;
  }
  if (command.response_topic.empty()) return;
  contract::CommandResponse response;
  response.command = command.id;
  response.box = settings_.box.box;
  response.ok = answer.has_value();
  response.at = now.wall;
  if (answer) {
    response.result = *answer;
  } else {
    response.error = answer.error().message;
  }
  enqueue(contract::encode_command_response(settings_.box, command, response), kind::kAnswer, {},
          {}, {}, now);
  pump(contract::LinkName::uplink, now);
}

// As welcomectl gives it to the person, but for the numbers of her face: no template leaves the box
// by wire.
Result<std::string> Engine::export_for_crm(const CustomerId& customer, const Now& now) {
  auto text = store_.erasure().export_person(customer, now);
  if (!text) return text;
  json all = json::parse(*text);
  for (json& face : all["face_templates"]) face.erase("template");
  return all.dump();
}

// The app heard our EID and says so over its own line.
Result<std::string> Engine::presence(const contract::Command& command, const Now& now) {
  if (!settings_.box_eid) {
    return fail(ErrorCode::refused, "this box does not advertise an EID (radio.advertise_eid)");
  }
  beacon::Eid eid{};
  if (!from_hex(command.eid, eid) ||
      !beacon::proves_presence(*settings_.box_eid, eid, command.at.value_or(now.wall), now)) {
    ++counters_.presence_refused;
    return fail(ErrorCode::refused, "the EID is not one that this box sent at that time");
  }
  IdentityClaim claim;
  claim.customer = command.customer;
  claim.source = ClaimSource::app_report;
  claim.fast = claim.settled = Zone::door;
  claim.at = now.mono;
  decide(event::Claim{std::move(claim)}, now);
  return std::string();
}

// The person is out of the hot path first, then off the disk, then the CRM hears of it.
Result<std::string> Engine::erase(const contract::Command& command, const Now& now) {
  const auto answer = [](const store::ErasureReceipt& receipt) {
    return json{{"rows", receipt.rows}, {"bytes_gone", receipt.bytes_gone}}.dump();
  };
  // A repeat: the CRM has no receipt. The person is not erased anew, she may have come back.
  if (const auto before = store_.erasure().receipt(command.id.str()); before && *before) {
    const auto again = store_.erasure().report_again(command.id.str(), command.customer);
    if (!again) store_failed(again.error());
    report_erasures(now);
    return answer(**before);
  }
  decide(event::CustomerForgotten{command.customer}, now);
  profiles_.erase(command.customer);
  const auto receipt =
      store_.erasure().erase(command.customer, command.id.str(), settings_.box.box, now);
  if (!receipt) {
    store_failed(receipt.error());
    return tl::unexpected(receipt.error());
  }
  refresh_identities(std::vector{command.customer}, now);
  refresh_gallery(now);
  report_erasures(now);
  return answer(*receipt);
}

// Also at start: the power may have gone between an erasure and its report.
void Engine::report_erasures(const Now& now) {
  const auto receipts = store_.erasure().unreported();
  if (!receipts) return store_failed(receipts.error());
  for (const auto& receipt : *receipts) {
    const auto done = store_.transaction([&] {
      contract::ErasureReceipt news{MessageId(receipt.request), receipt.customer, receipt.rows,
                                    receipt.at};
      auto message = contract::encode_event(
          settings_.box,
          {MessageId(ids_.next()), receipt.at, receipt.customer, std::move(news), {}}, &signer_);
      message.customer = {};  // the row must outlive what is erased
      (void)store_.outbox().remove_ref(receipt.request);
      enqueue(message, kind::kReceipt, receipt.request, {}, {}, now);
      (void)store_.erasure().mark_reported(receipt.request);
    });
    if (!done) store_failed(done.error());
  }
  pump(contract::LinkName::uplink, now);
}

}  // namespace welcome::daemon
