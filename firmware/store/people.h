// SPDX-License-Identifier: Apache-2.0
#pragma once
// People: what the box itself learnt about customers. Everything here is sealed under their key.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/ids.h"
#include "core/purpose.h"
#include "core/result.h"
#include "core/time.h"

namespace welcome::store {

class Context;

// A face template: what the recogniser gave to be kept, never comparable with another model's.
struct TemplateRow {
  TemplateId id;
  CustomerId customer;
  std::string model;
  WallTime created;
  std::vector<std::uint8_t> bytes;  // opaque here
  int refuted = 0;                  // how often staff said "not this person"
  std::optional<WallTime> aged{};   // when it followed her looks; nothing: as enrolled
};

// A consent given or withdrawn at this box; holds at once and until the CRM's record has it.
struct DeskConsentRow {
  std::string id;  // of the change; repeats are ignored
  CustomerId customer;
  WallTime at;
  std::string record;  // JSON, TS 27560 record
};

class People {
 public:
  explicit People(Context& context);

  Result<std::vector<TemplateRow>> templates() const;
  Result<std::vector<TemplateRow>> templates_of(const CustomerId& customer) const;

  Result<std::vector<DeskConsentRow>> desk_consents() const;  // oldest first
  Result<std::vector<DeskConsentRow>> desk_consents_of(const CustomerId& customer) const;

  // The newest withdrawal of each person and purpose, kept by keyed hash when the CRM's record is
  // gone: a grant that is not newer is an old one come again.
  Result<std::optional<WallTime>> withdrawn_at(const CustomerId& customer, Purpose purpose) const;
  // All of them, by (Audit::subject_of(), purpose).
  using Withdrawals = std::map<std::pair<std::string, Purpose>, WallTime>;
  Result<Withdrawals> withdrawals() const;

  // Part of a transaction (tx.h).
  class Writer {
   public:
    void add_template(const TemplateRow& row);
    // Returns the rows removed.
    std::size_t remove_templates(const CustomerId& customer);
    // Those that are not as enrolled.
    void remove_aged(const CustomerId& customer);
    // Counts one more "not this person" against each template of theirs, until they enrol again.
    void refute_templates(const CustomerId& customer);
    void add_desk_consent(const DeskConsentRow& row);
    void remove_desk_consent(const std::string& id);
    void note_withdrawal(const CustomerId& customer, Purpose purpose, WallTime at);

   private:
    friend class Tx;
    explicit Writer(Context& context) : context_(context) {}
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    Context& context_;
  };

 private:
  Context& context_;
};

}  // namespace welcome::store
