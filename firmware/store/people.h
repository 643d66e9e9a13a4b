#pragma once
// People: what the box itself learnt about customers. Everything here is sealed under their key.

#include <cstdint>
#include <string>
#include <vector>

#include "firmware/core/ids.h"
#include "firmware/core/result.h"
#include "firmware/core/time.h"

namespace welcome::store {

class Context;

// A face template: what the recogniser gave to be kept, never comparable with another model's.
struct TemplateRow {
  TemplateId id;
  CustomerId customer;
  std::string model;
  WallTime created;
  std::vector<std::uint8_t> bytes;  // opaque here
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

  Result<void> add_template(const TemplateRow& row);
  Result<std::vector<TemplateRow>> templates() const;
  Result<std::vector<TemplateRow>> templates_of(const CustomerId& customer) const;
  Result<std::size_t> remove_templates(const CustomerId& customer);

  Result<void> add_desk_consent(const DeskConsentRow& row);
  Result<std::vector<DeskConsentRow>> desk_consents() const;  // oldest first
  Result<std::vector<DeskConsentRow>> desk_consents_of(const CustomerId& customer) const;
  Result<void> remove_desk_consent(const std::string& id);

 private:
  Context& context_;
};

}  // namespace welcome::store
