#pragma once
// What comes up: events of boxes and requests of apps. First written down, each exactly once by
// its id; then acted on, each exactly once, whatever is cut in between.
//
// What cannot be acted on is set aside with a note; the rest goes on.
//
// take_*() inside the caller's Transaction (so that a batch is one commit; acknowledge the MQTT
// messages after it). work() makes its own. One thread. Never logs what a message says.

#include <cstdint>
#include <functional>
#include <string>

#include "contract/contract.h"
#include "core/time.h"
#include "crm/crm.h"

namespace welcome::crm {

class Intake {
 public:
  explicit Intake(Crm& crm) : crm_(crm), db_(crm.database()) {}

  // `payload` is the CloudEvent as it came. False: it was here already.
  bool take_event(const contract::BoxAddress& box, const contract::EventMessage& event,
                  const std::string& payload, WallTime now);
  bool take_request(const contract::AppRequest& request, const std::string& payload, WallTime now);

  // Acts on what was written down and not yet acted on, in order. Returns how many.
  int work(WallTime now);

  std::uint64_t receipts_refused() const { return receipts_refused_; }

 private:
  struct Entry;
  std::optional<Entry> next(const char* sql);
  std::string attempt(std::string (Intake::*act)(const Entry&, WallTime), const Entry& entry,
                      WallTime now);
  bool work_waits();
  // The next one, inside a transaction; false: none is left.
  bool work_event(WallTime now);
  bool work_request(WallTime now);
  std::string act_on_event(const Entry& entry, WallTime now);
  std::string act_on_request(const Entry& entry, WallTime now);
  std::string offer(const Entry& entry, const json& data, WallTime now);
  std::string survey(const Entry& entry, const json& data, WallTime now);
  std::string held_out(const Entry& entry, const json& data);
  std::string visit(const Entry& entry, const json& data);
  std::string staff_action(const Entry& entry, const json& data);
  std::string consent_changed(const Entry& entry, const json& data, WallTime now);
  std::string erasure_receipt(const Entry& entry, const json& data, WallTime now);
  std::string change_consent(ConsentChange change, const json& said, const std::string& app,
                             const std::string& answer_id, WallTime now);
  void tell_boxes(const std::string& store, const std::string& but,
                  const contract::Command& command, WallTime now);
  bool outcome(const Entry& entry, const std::string& customer, const json& body, WallTime now);
  void send_consents(const std::string& app, const std::string& customer, const std::string& id,
                     WallTime now);

  Crm& crm_;
  Database& db_;
  std::uint64_t receipts_refused_ = 0;
};

}  // namespace welcome::crm
