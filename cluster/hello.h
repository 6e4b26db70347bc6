// Hello: how two nodes introduce themselves before the first message on a bus connection.
//
//   acceptor -> dialler   Challenge   a nonce
//   dialler  -> acceptor  Hello       who it is, its own nonce, its proof over both nonces
//   acceptor -> dialler   Hello       who it is, its proof over both nonces
//
// A proof is an HMAC of the cluster's secret over the nonces, the role and the sender's identity,
// so that it cannot be replayed, reflected or moved to another node; it is empty when no secret is
// set. The bus is authenticated by it, not encrypted. An acceptor that refuses a dialler still
// shows its hello (without a proof), so that both sides can say why. Pure functions; nonces come
// from the caller.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "cluster/types.h"

namespace cartwheel {

inline constexpr uint64_t kBusVersion = 1;
inline constexpr uint64_t kOldestBusVersion = 1;  // that this node still speaks
inline constexpr size_t kNonceBytes = 32;

struct Challenge {
  static constexpr uint8_t kType = 1;
  std::string nonce;
};

struct Hello {
  static constexpr uint8_t kType = 2;
  uint64_t bus_version = kBusVersion;
  NodeId node = 0;
  uint64_t ring_id = 0;       // 0: no ring yet
  int64_t started_at_ms = 0;  // wall clock
  std::string cluster_name;
  std::string nonce;  // the dialler's; an acceptor repeats its challenge
  std::string proof;
};

enum class HelloRole : uint8_t { kDialler = 0, kAcceptor = 1 };

std::string Encode(const Challenge& challenge);
std::string Encode(const Hello& hello);
Result<Challenge> DecodeChallenge(std::span<const std::string_view> fields);
Result<Hello> DecodeHello(std::span<const std::string_view> fields);

// The proof that `hello` must carry when its sender has `role`; `peer_nonce` is the other side's.
std::string ProofOf(std::string_view secret, HelloRole role, const Hello& hello,
                    std::string_view peer_nonce);

// Whether the peer that sent `theirs` in `role` may talk to us; the error is the reason, for the
// log. `our_nonce` is what we sent, `secret` and `cluster_name` are ours.
Result<void> CheckHello(const Hello& theirs, HelloRole role, std::string_view our_nonce,
                        std::string_view cluster_name, std::string_view secret);

// The version that both speak.
inline uint64_t CommonVersion(const Hello& theirs) {
  return theirs.bus_version < kBusVersion ? theirs.bus_version : kBusVersion;
}

}  // namespace cartwheel
