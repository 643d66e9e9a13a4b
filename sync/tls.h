#pragma once
// Inside sync/ only.

namespace welcome::sync {

// From here on every TLS connection of this process is TLS 1.3 or none: the MQTT library has no
// switch for it. Throws if the TLS library refuses. Any thread.
void require_tls_1_3();

}  // namespace welcome::sync
