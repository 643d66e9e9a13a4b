// SPDX-License-Identifier: Apache-2.0
#include "firmware/store/people.h"

#include <charconv>

#include "core/hex.h"
#include "firmware/store/context.h"

namespace welcome::store {

namespace {

std::vector<TemplateRow> read_templates(Context& context, Statement s) {
  std::vector<TemplateRow> rows;
  while (s.step()) {
    TemplateRow row;
    row.id = TemplateId(std::string(s.text(0)));
    row.model = s.text(2);
    row.created = s.time(3);
    const auto plain = context.unseal(s.int64(1), label_of("template", row.id.str()), s.blob(4));
    auto fields = plain ? unpack(*plain, 5) : std::nullopt;
    // Of versions that aged none, and that kept no count.
    if (plain && !fields) fields = unpack(*plain, 4);
    if (plain && !fields) fields = unpack(*plain, 3);
    // The model is sealed too: values must never be compared with another model's.
    if (!fields || (*fields)[1] != row.model) continue;
    row.customer = CustomerId(std::string((*fields)[0]));
    row.bytes.assign((*fields)[2].begin(), (*fields)[2].end());
    if (fields->size() >= 4) {
      const std::string_view count = (*fields)[3];
      std::from_chars(count.data(), count.data() + count.size(), row.refuted);
    }
    if (fields->size() == 5 && !(*fields)[4].empty()) {
      const std::string_view time = (*fields)[4];
      std::int64_t ms = 0;
      std::from_chars(time.data(), time.data() + time.size(), ms);
      row.aged = WallTime(std::chrono::milliseconds(ms));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<TemplateRow> templates_about(Context& context, const CustomerId& customer) {
  const auto id = context.id_of(customer);
  return read_templates(context,
                        context.db.query("SELECT id, customer, model, created, sealed FROM template"
                                         " WHERE customer = ? ORDER BY created, rowid",
                                         id));
}

template <class Owner>
std::string seal_template(Context& context, const Owner& owner, const TemplateRow& row) {
  const std::string_view bytes(reinterpret_cast<const char*>(row.bytes.data()), row.bytes.size());
  return context.sealer.seal(
      *owner.key, label_of("template", row.id.str()),
      pack({row.customer.str(), row.model, bytes, std::to_string(row.refuted),
            row.aged ? std::to_string(row.aged->time_since_epoch().count()) : ""}));
}

std::vector<DeskConsentRow> read_consents(Context& context, Statement s) {
  std::vector<DeskConsentRow> rows;
  while (s.step()) {
    DeskConsentRow row;
    row.id = s.text(0);
    row.at = s.time(2);
    const auto plain = context.unseal(s.int64(1), label_of("desk_consent", row.id), s.blob(3));
    const auto fields = plain ? unpack(*plain, 2) : std::nullopt;
    if (!fields) continue;
    row.customer = CustomerId(std::string((*fields)[0]));
    row.record = (*fields)[1];
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

People::People(Context& context) : context_(context) {}

void People::Writer::add_template(const TemplateRow& row) {
  context_.db.part([&] {
    const auto owner = context_.owner_of(row.customer);
    const std::string sealed = seal_template(context_, owner, row);
    context_.db.run(
        "INSERT INTO template (id, customer, model, created, sealed) VALUES (?, ?, ?, ?, ?)",
        row.id.str(), owner.id, row.model, row.created, Blob{sealed});
  });
}

Result<std::vector<TemplateRow>> People::templates() const {
  return context_.db.read([&] {
    return read_templates(
        context_, context_.db.query("SELECT id, customer, model, created, sealed FROM template"
                                    " ORDER BY created, rowid"));
  });
}

Result<std::vector<TemplateRow>> People::templates_of(const CustomerId& customer) const {
  return context_.db.read([&] { return templates_about(context_, customer); });
}

std::size_t People::Writer::remove_templates(const CustomerId& customer) {
  return context_.db.part([&] {
    const auto id = context_.id_of(customer);
    return static_cast<std::size_t>(context_.db.run("DELETE FROM template WHERE customer = ?", id));
  });
}

void People::Writer::remove_aged(const CustomerId& customer) {
  context_.db.part([&] {
    for (const TemplateRow& row : templates_about(context_, customer)) {
      if (row.aged) context_.db.run("DELETE FROM template WHERE id = ?", row.id.str());
    }
  });
}

void People::Writer::refute_templates(const CustomerId& customer) {
  context_.db.part([&] {
    for (TemplateRow row : templates_about(context_, customer)) {
      ++row.refuted;
      context_.db.run("UPDATE template SET sealed = ? WHERE id = ?",
                      Blob{seal_template(context_, context_.owner_of(customer), row)},
                      row.id.str());
    }
  });
}

void People::Writer::add_desk_consent(const DeskConsentRow& row) {
  context_.db.part([&] {
    const auto owner = context_.owner_of(row.customer);
    const std::string sealed = context_.sealer.seal(*owner.key, label_of("desk_consent", row.id),
                                                    pack({row.customer.str(), row.record}));
    context_.db.run(
        "INSERT INTO desk_consent (id, customer, at, sealed) VALUES (?, ?, ?, ?) ON CONFLICT DO "
        "NOTHING",
        row.id, owner.id, row.at, Blob{sealed});
  });
}

Result<std::vector<DeskConsentRow>> People::desk_consents() const {
  return context_.db.read([&] {
    return read_consents(context_,
                         context_.db.query("SELECT id, customer, at, sealed FROM desk_consent"
                                           " ORDER BY at, rowid"));
  });
}

Result<std::vector<DeskConsentRow>> People::desk_consents_of(const CustomerId& customer) const {
  return context_.db.read([&] {
    const auto id = context_.id_of(customer);
    return read_consents(context_,
                         context_.db.query("SELECT id, customer, at, sealed FROM desk_consent"
                                           " WHERE customer = ? ORDER BY at, rowid",
                                           id));
  });
}

void People::Writer::remove_desk_consent(const std::string& id) {
  context_.db.part([&] {
    context_.db.run("DELETE FROM desk_consent WHERE id = ?", id);
    context_.keys_to_collect = true;
  });
}

void People::Writer::note_withdrawal(const CustomerId& customer, Purpose purpose, WallTime at) {
  context_.db.part([&] {
    const CustomerHash hash = context_.sealer.hash(customer);
    context_.db.run(
        "INSERT INTO withdrawal (hash, purpose, at) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET at "
        "= excluded.at"
        " WHERE excluded.at > at",
        Blob{view(hash)}, purpose, at);
  });
}

Result<std::optional<WallTime>> People::withdrawn_at(const CustomerId& customer,
                                                     Purpose purpose) const {
  return context_.db.read([&]() -> std::optional<WallTime> {
    const CustomerHash hash = context_.sealer.hash(customer);
    auto s = context_.db.query("SELECT at FROM withdrawal WHERE hash = ? AND purpose = ?",
                               Blob{view(hash)}, purpose);
    return s.step() ? std::optional(s.time(0)) : std::nullopt;
  });
}

Result<People::Withdrawals> People::withdrawals() const {
  return context_.db.read([&] {
    Withdrawals all;
    auto s = context_.db.query("SELECT hash, purpose, at FROM withdrawal");
    while (s.step()) {
      all.emplace(std::pair(to_hex(s.blob(0)), static_cast<Purpose>(s.int64(1))), s.time(2));
    }
    return all;
  });
}

}  // namespace welcome::store
