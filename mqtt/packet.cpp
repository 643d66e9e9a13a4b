// SPDX-License-Identifier: Apache-2.0
#include "mqtt/packet.h"

namespace welcome::mqtt {
namespace {

enum Type : std::uint8_t {
  connect = 1,
  connack = 2,
  publish = 3,
  puback = 4,
  subscribe = 8,
  suback = 9,
  pingreq = 12,
  pingresp = 13,
  disconnect = 14,
};

// Properties, MQTT 5.0 table 2-4.
enum Property : std::uint8_t {
  payload_format = 0x01,
  message_expiry = 0x02,
  content_type = 0x03,
  response_topic = 0x08,
  correlation_data = 0x09,
  subscription_id = 0x0B,
  session_expiry = 0x11,
  assigned_client_id = 0x12,
  server_keep_alive = 0x13,
  authentication_method = 0x15,
  authentication_data = 0x16,
  response_information = 0x1A,
  server_reference = 0x1C,
  reason_string = 0x1F,
  receive_maximum = 0x21,
  topic_alias_maximum = 0x22,
  topic_alias = 0x23,
  maximum_qos = 0x24,
  retain_available = 0x25,
  user_property = 0x26,
  maximum_packet_size = 0x27,
  wildcard_available = 0x28,
  subscription_id_available = 0x29,
  shared_available = 0x2A,
};

class Writer {
 public:
  void byte(unsigned value) { out_.push_back(static_cast<char>(value)); }
  void u16(unsigned value) {
    byte(value >> 8U);
    byte(value & 0xFFU);
  }
  void u32(std::uint32_t value) {
    u16(value >> 16U);
    u16(value & 0xFFFFU);
  }
  void varint(std::size_t value) {
    do {
      const auto low = static_cast<unsigned>(value & 0x7FU);
      value >>= 7U;
      byte(low | (value != 0 ? 0x80U : 0U));
    } while (value != 0);
  }
  void text(std::string_view value) {
    u16(static_cast<unsigned>(value.size()));
    out_ += value;
  }
  void raw(std::string_view value) { out_ += value; }
  const std::string& str() const { return out_; }

 private:
  std::string out_;
};

std::string frame(Type type, unsigned flags, const Writer& body) {
  Writer out;
  out.byte(static_cast<unsigned>(type) << 4U | flags);
  out.varint(body.str().size());
  out.raw(body.str());
  return out.str();
}

void properties(Writer& out, const Writer& inside) {
  out.varint(inside.str().size());
  out.raw(inside.str());
}

// Reads forward; after the first thing that is not there everything is zero and ok() is false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  bool empty() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

  unsigned byte() {
    const std::string_view b = take(1);
    return b.empty() ? 0 : static_cast<unsigned char>(b[0]);
  }
  unsigned u16() {
    const unsigned high = byte();
    return high << 8U | byte();
  }
  std::uint32_t u32() {
    const std::uint32_t high = u16();
    return high << 16U | u16();
  }
  std::size_t varint() {
    std::size_t value = 0;
    for (unsigned shift = 0; shift < 28; shift += 7) {
      const unsigned b = byte();
      value |= static_cast<std::size_t>(b & 0x7FU) << shift;
      if ((b & 0x80U) == 0) return value;
    }
    ok_ = false;
    return 0;
  }
  std::string_view text() { return take(u16()); }
  std::string_view take(std::size_t count) {
    if (!ok_ || count > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view out = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return out;
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

// Calls `use` for each property that it wants and skips the others; an unknown one has no known
// length, so it breaks the packet.
template <class Use>
bool read_properties(Reader& in, Use use) {
  Reader inside(in.take(in.varint()));
  while (in.ok() && inside.ok() && !inside.empty()) {
    const auto id = static_cast<Property>(inside.byte());
    if (use(id, inside)) continue;
    switch (id) {
      case payload_format:
      case maximum_qos:
      case retain_available:
      case wildcard_available:
      case subscription_id_available:
      case shared_available:
        inside.byte();
        break;
      case server_keep_alive:
      case receive_maximum:
      case topic_alias_maximum:
      case topic_alias:
        inside.u16();
        break;
      case message_expiry:
      case session_expiry:
      case maximum_packet_size:
        inside.u32();
        break;
      case subscription_id:
        inside.varint();
        break;
      case content_type:
      case response_topic:
      case correlation_data:
      case assigned_client_id:
      case authentication_method:
      case authentication_data:
      case response_information:
      case server_reference:
      case reason_string:
        inside.text();
        break;
      case user_property:
        inside.text();
        inside.text();
        break;
      default:
        return false;
    }
  }
  return in.ok() && inside.ok();
}

constexpr auto kIgnoreAll = [](Property, Reader&) { return false; };

Result<Packet> broken(const char* what) {
  return fail(ErrorCode::malformed, std::string("the broker sent a broken ") + what);
}

Result<Packet> read_connack(Reader in) {
  Connack out;
  out.session_present = (in.byte() & 1U) != 0;
  out.reason = static_cast<std::uint8_t>(in.byte());
  const bool good = read_properties(in, [&](Property id, Reader& value) {
    if (id == receive_maximum) {
      out.receive_maximum = static_cast<std::uint16_t>(value.u16());
    } else if (id == server_keep_alive) {
      out.keep_alive_s = static_cast<std::uint16_t>(value.u16());
    } else if (id == maximum_packet_size) {
      out.maximum_packet_size = value.u32();
    } else if (id == maximum_qos) {
      out.maximum_qos = static_cast<int>(value.byte());
    } else if (id == retain_available) {
      out.retain_available = value.byte() != 0;
    } else {
      return false;
    }
    return true;
  });
  if (!good || out.receive_maximum == 0) return broken("CONNACK");
  return out;
}

Result<Packet> read_publish(unsigned flags, Reader in) {
  Publish out;
  out.duplicate = (flags & 8U) != 0;
  out.qos = static_cast<int>(flags >> 1U & 3U);
  out.retain = (flags & 1U) != 0;
  out.topic = in.text();
  if (out.qos > 0) out.id = static_cast<std::uint16_t>(in.u16());
  bool alias = false;
  const bool good = read_properties(in, [&](Property id, Reader& value) {
    switch (id) {
      case message_expiry:
        out.expiry_s = value.u32();
        return true;
      case content_type:
        out.content_type = value.text();
        return true;
      case response_topic:
        out.response_topic = value.text();
        return true;
      case correlation_data:
        out.correlation = value.text();
        return true;
      case topic_alias:
        alias = true;
        return false;
      default:
        return false;
    }
  });
  // Neither QoS 2 nor topic aliases were offered to the broker.
  if (!good || alias || out.qos > 1 || out.topic.empty() || (out.qos == 1 && out.id == 0)) {
    return broken("PUBLISH");
  }
  out.payload = in.rest();
  return out;
}

Result<Packet> read_puback(Reader in) {
  Puback out;
  out.id = static_cast<std::uint16_t>(in.u16());
  if (in.ok() && !in.empty()) out.reason = static_cast<std::uint8_t>(in.byte());
  if (!in.ok() || (!in.empty() && !read_properties(in, kIgnoreAll))) return broken("PUBACK");
  return out;
}

Result<Packet> read_suback(Reader in) {
  Suback out;
  out.id = static_cast<std::uint16_t>(in.u16());
  if (!read_properties(in, kIgnoreAll)) return broken("SUBACK");
  while (!in.empty()) out.reasons.push_back(static_cast<std::uint8_t>(in.byte()));
  return out;
}

Result<Packet> read_disconnect(Reader in) {
  Disconnect out;
  if (!in.empty()) out.reason = static_cast<std::uint8_t>(in.byte());
  if (!in.empty() && !read_properties(in, kIgnoreAll)) return broken("DISCONNECT");
  return out;
}

Result<Packet> read(unsigned header, std::string_view body) {
  switch (header >> 4U) {
    case connack:
      return read_connack(Reader(body));
    case publish:
      return read_publish(header & 15U, Reader(body));
    case puback:
      return read_puback(Reader(body));
    case suback:
      return read_suback(Reader(body));
    case pingresp:
      return Pingresp{};
    case disconnect:
      return read_disconnect(Reader(body));
    default:
      return broken("packet");
  }
}

}  // namespace

std::string reason_text(std::uint8_t reason) {
  switch (reason) {
    case kUnspecified:
      return "unspecified error";
    case 0x81:
      return "malformed packet";
    case 0x82:
      return "protocol error";
    case 0x83:
      return "implementation specific error";
    case 0x84:
      return "protocol version not supported";
    case 0x85:
      return "client id not accepted";
    case kBadPassword:
      return "bad user name or password";
    case kNotAuthorised:
      return "not authorised";
    case 0x88:
      return "server unavailable";
    case kServerBusy:
      return "server busy";
    case 0x8A:
      return "banned";
    case 0x8B:
      return "server shutting down";
    case 0x8D:
      return "keep-alive timeout";
    case kSessionTakenOver:
      return "session taken over: another program connects with the same client id";
    case 0x8F:
      return "topic filter invalid";
    case 0x90:
      return "topic name invalid";
    case 0x93:
      return "receive maximum exceeded";
    case kPacketTooLarge:
      return "packet too large";
    case 0x96:
      return "message rate too high";
    case kQuotaExceeded:
      return "quota exceeded";
    case 0x98:
      return "closed by an administrator";
    case 0x99:
      return "payload format invalid";
    case kRetainNotSupported:
      return "retain not supported";
    case kQosNotSupported:
      return "QoS not supported";
    case 0x9C:
      return "use another server";
    case 0x9D:
      return "server moved";
    case 0x9F:
      return "connection rate exceeded";
    default:
      return "reason " + std::to_string(reason);
  }
}

namespace {

// What PUBLISH and the will of CONNECT have in common.
void message_properties(Writer& out, const Publish& packet) {
  if (!packet.content_type.empty() && !packet.payload.empty()) {
    out.byte(payload_format);
    out.byte(1);
    out.byte(content_type);
    out.text(packet.content_type);
  }
  if (packet.expiry_s) {
    out.byte(message_expiry);
    out.u32(*packet.expiry_s);
  }
  if (!packet.response_topic.empty()) {
    out.byte(response_topic);
    out.text(packet.response_topic);
  }
  if (!packet.correlation.empty()) {
    out.byte(correlation_data);
    out.text(packet.correlation);
  }
}

}  // namespace

std::string encode(const Connect& packet) {
  Writer inside;
  if (packet.session_expiry_s != 0) {
    inside.byte(session_expiry);
    inside.u32(packet.session_expiry_s);
  }
  inside.byte(receive_maximum);
  inside.u16(packet.receive_maximum);
  if (packet.maximum_packet_size != 0) {
    inside.byte(maximum_packet_size);
    inside.u32(packet.maximum_packet_size);
  }
  unsigned flags = (packet.clean_start ? 0x02U : 0U) | (packet.user.empty() ? 0U : 0xC0U);
  if (packet.will) {
    flags |= 0x04U | static_cast<unsigned>(packet.will->qos) << 3U;
    if (packet.will->retain) flags |= 0x20U;
  }
  Writer body;
  body.text("MQTT");
  body.byte(5);
  body.byte(flags);
  body.u16(packet.keep_alive_s);
  properties(body, inside);
  body.text(packet.client_id);
  if (packet.will) {
    Writer of_will;
    message_properties(of_will, *packet.will);
    properties(body, of_will);
    body.text(packet.will->topic);
    body.text(packet.will->payload);
  }
  if (!packet.user.empty()) {
    body.text(packet.user);
    body.text(packet.password);
  }
  return frame(connect, 0, body);
}

std::string encode(const Publish& packet) {
  Writer inside;
  message_properties(inside, packet);
  Writer body;
  body.text(packet.topic);
  if (packet.qos > 0) body.u16(packet.id);
  properties(body, inside);
  body.raw(packet.payload);
  return frame(publish,
               (packet.duplicate ? 8U : 0U) | static_cast<unsigned>(packet.qos) << 1U |
                   (packet.retain ? 1U : 0U),
               body);
}

std::string encode(const Puback& packet) {
  Writer body;
  body.u16(packet.id);
  if (packet.reason != 0) body.byte(packet.reason);
  return frame(puback, 0, body);
}

std::string encode_subscribe(std::uint16_t id, const std::vector<Subscription>& filters) {
  Writer body;
  body.u16(id);
  body.varint(0);
  for (const Subscription& one : filters) {
    body.text(one.filter);
    body.byte(1U | (one.no_local ? 4U : 0U));
  }
  return frame(subscribe, 2, body);
}

std::string encode_pingreq() { return frame(pingreq, 0, Writer()); }

std::string encode(const Disconnect& packet) {
  Writer body;
  body.byte(packet.reason);
  return frame(disconnect, 0, body);
}

Result<std::optional<Taken>> take(std::string_view buffer, std::size_t max_packet) {
  std::size_t length = 0;
  std::size_t at = 1;
  for (unsigned shift = 0;; shift += 7, ++at) {
    if (shift > 21) return fail(ErrorCode::malformed, "the broker sent a broken length");
    if (at >= buffer.size()) return std::nullopt;
    const auto byte = static_cast<unsigned char>(buffer[at]);
    length |= static_cast<std::size_t>(byte & 0x7FU) << shift;
    if ((byte & 0x80U) == 0) break;
  }
  ++at;
  if (length > max_packet) return fail(ErrorCode::malformed, "the broker sent a packet too large");
  if (buffer.size() < at + length) return std::nullopt;
  auto packet = read(static_cast<unsigned char>(buffer[0]), buffer.substr(at, length));
  if (!packet) return tl::unexpected(packet.error());
  return Taken{std::move(*packet), at + length};
}

}  // namespace welcome::mqtt
