#include "cluster/hello.h"

#include <array>

#include "base/coding.h"
#include "base/hash.h"
#include "protocol/reply_writer.h"

namespace cartwheel {
namespace {

// Names come from strangers: the log shows no more of them, and nothing unprintable.
constexpr size_t kMaxNameBytes = 255;

std::string Printable(std::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, 64)) shown += c >= ' ' && c <= '~' ? c : '?';
  return shown;
}

// As fast for a wrong proof as for a right one, wherever they differ.
bool SameBytes(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned>(static_cast<uint8_t>(a[i]) ^ static_cast<uint8_t>(b[i]));
  }
  return difference == 0;
}

tl::unexpected<Status> Refuse(std::string why) {
  return Error(ErrorCode::kInvalid, std::move(why));
}

}  // namespace

std::string Encode(const Challenge& challenge) {
  const char type = static_cast<char>(Challenge::kType);
  std::string frame;
  WriteCommand(std::array<std::string_view, 2>{std::string_view(&type, 1), challenge.nonce},
               &frame);
  return frame;
}

std::string Encode(const Hello& hello) {
  std::string head(1, static_cast<char>(Hello::kType));
  PutVarint(&head, hello.bus_version);
  PutVarint(&head, hello.node);
  PutVarint(&head, hello.ring_id);
  PutVarint(&head, static_cast<uint64_t>(hello.started_at_ms));
  std::string frame;
  WriteCommand(std::array<std::string_view, 4>{head, hello.cluster_name, hello.nonce, hello.proof},
               &frame);
  return frame;
}

Result<Challenge> DecodeChallenge(std::span<const std::string_view> fields) {
  if (fields.size() < 2 || fields[0].empty() || fields[0][0] != char{Challenge::kType} ||
      fields[1].size() != kNonceBytes) {
    return Refuse("it does not begin with a challenge");
  }
  return Challenge{std::string(fields[1])};
}

Result<Hello> DecodeHello(std::span<const std::string_view> fields) {
  if (fields.size() < 4) return Refuse("it does not say hello");
  Reader head(fields[0]);
  if (head.Byte() != Hello::kType) return Refuse("it does not say hello");
  Hello hello;
  hello.bus_version = head.Varint();
  hello.node = head.Varint();
  hello.ring_id = head.Varint();
  hello.started_at_ms = static_cast<int64_t>(head.Varint());
  if (!head.ok() || hello.node == 0 || fields[1].size() > kMaxNameBytes ||
      fields[2].size() != kNonceBytes) {
    return Refuse("its hello is malformed");
  }
  hello.cluster_name = fields[1];
  hello.nonce = fields[2];
  hello.proof = fields[3];
  return hello;
}

std::string ProofOf(std::string_view secret, HelloRole role, const Hello& hello,
                    std::string_view peer_nonce) {
  if (secret.empty()) return {};
  std::string said(1, static_cast<char>(role));
  PutBytes(&said, hello.nonce);
  PutBytes(&said, peer_nonce);
  PutVarint(&said, hello.bus_version);
  PutFixed64(&said, hello.node);
  PutFixed64(&said, hello.ring_id);
  PutBytes(&said, hello.cluster_name);
  return HmacSha256(secret, said);
}

Result<void> CheckHello(const Hello& theirs, HelloRole role, std::string_view our_nonce,
                        std::string_view cluster_name, std::string_view secret) {
  if (theirs.bus_version < kOldestBusVersion) {
    return Refuse("it speaks bus version " + std::to_string(theirs.bus_version) +
                  ", the oldest known here is " + std::to_string(kOldestBusVersion));
  }
  if (theirs.cluster_name != cluster_name) {
    return Refuse("its cluster is '" + Printable(theirs.cluster_name) + "', ours is '" +
                  Printable(cluster_name) + "'");
  }
  if (!SameBytes(theirs.proof, ProofOf(secret, role, theirs, our_nonce))) {
    return Refuse(secret.empty() ? "it has a cluster-secret, this node has none"
                                 : "its cluster-secret is another one or none");
  }
  return {};
}

}  // namespace cartwheel
