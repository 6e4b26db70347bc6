#include "cluster/control_messages.h"

#include <bit>
#include <initializer_list>
#include <optional>
#include <utility>
#include <vector>

#include "base/coding.h"
#include "protocol/reply_writer.h"

namespace cartwheel {
namespace {

// A frame under construction: the numbers of its first field, and the fields after it.
class Frame {
 public:
  explicit Frame(uint8_t type) { head_.push_back(static_cast<char>(type)); }

  Frame& Number(uint64_t value) {
    PutVarint(&head_, value);
    return *this;
  }
  Frame& Fixed(uint64_t value) {
    PutFixed64(&head_, value);
    return *this;
  }
  Frame& Add(const Ballot& ballot) { return Number(ballot.counter).Fixed(ballot.node); }

  std::string Finish(std::initializer_list<std::string_view> fields) const {
    std::vector<std::string_view> all = {head_};
    all.insert(all.end(), fields);
    std::string frame;
    WriteCommand(all, &frame);
    return frame;
  }

 private:
  std::string head_;
};

// A frame being read.
class Parts {
 public:
  explicit Parts(std::span<const std::string_view> fields)
      : head_(fields[0].substr(1)), fields_(fields) {}

  uint64_t Number() { return head_.Varint(); }
  uint64_t Fixed() { return head_.Fixed64(); }
  bool Flag() { return head_.Varint() != 0; }
  uint16_t Port() {
    const uint64_t port = head_.Varint();
    good_ = good_ && port <= UINT16_MAX;
    return static_cast<uint16_t>(port);
  }
  Ballot ReadBallot() {
    Ballot ballot;
    ballot.counter = Number();
    ballot.node = Fixed();
    return ballot;
  }
  std::string_view Field() {
    if (next_ < fields_.size()) return fields_[next_++];
    good_ = false;
    return {};
  }
  void Require(bool condition) { good_ = good_ && condition; }
  bool good() const { return good_ && head_.ok(); }

 private:
  Reader head_;
  std::span<const std::string_view> fields_;
  size_t next_ = 1;
  bool good_ = true;
};

std::string EncodeOne(const Digest& m) {
  return Frame(m.kType)
      .Fixed(m.ring)
      .Number(m.epoch)
      .Fixed(m.hash)
      .Number(m.response)
      .Fixed(m.parent)
      .Finish({});
}
void DecodeOne(Parts* in, Digest* m) {
  m->ring = in->Fixed();
  m->epoch = in->Number();
  m->hash = in->Fixed();
  m->response = in->Flag();
  m->parent = in->Fixed();
}

std::string EncodeOne(const StatePush& m) {
  return Frame(m.kType).Number(m.response).Number(m.acknowledge).Finish({m.state});
}
void DecodeOne(Parts* in, StatePush* m) {
  m->response = in->Flag();
  m->acknowledge = in->Flag();
  m->state = in->Field();
}

std::string EncodeOne(const StateAsk& m) { return Frame(m.kType).Number(m.response).Finish({}); }
void DecodeOne(Parts* in, StateAsk* m) { m->response = in->Flag(); }

std::string EncodeOne(const Prepare& m) {
  return Frame(m.kType).Fixed(m.name).Number(m.epoch).Add(m.ballot).Finish({});
}
void DecodeOne(Parts* in, Prepare* m) {
  m->name = in->Fixed();
  m->epoch = in->Number();
  m->ballot = in->ReadBallot();
}

std::string EncodeOne(const Promise& m) {
  return Frame(m.kType)
      .Fixed(m.name)
      .Number(m.epoch)
      .Add(m.ballot)
      .Number(m.granted)
      .Add(m.promised)
      .Add(m.accepted)
      .Number(m.clock)
      .Finish({m.value});
}
void DecodeOne(Parts* in, Promise* m) {
  m->name = in->Fixed();
  m->epoch = in->Number();
  m->ballot = in->ReadBallot();
  m->granted = in->Flag();
  m->promised = in->ReadBallot();
  m->accepted = in->ReadBallot();
  m->clock = in->Number();
  m->value = in->Field();
}

std::string EncodeOne(const Accept& m) {
  return Frame(m.kType).Fixed(m.name).Number(m.epoch).Add(m.ballot).Finish({m.value});
}
void DecodeOne(Parts* in, Accept* m) {
  m->name = in->Fixed();
  m->epoch = in->Number();
  m->ballot = in->ReadBallot();
  m->value = in->Field();
}

std::string EncodeOne(const Accepted& m) {
  return Frame(m.kType)
      .Fixed(m.name)
      .Number(m.epoch)
      .Add(m.ballot)
      .Number(m.granted)
      .Add(m.promised)
      .Finish({});
}
void DecodeOne(Parts* in, Accepted* m) {
  m->name = in->Fixed();
  m->epoch = in->Number();
  m->ballot = in->ReadBallot();
  m->granted = in->Flag();
  m->promised = in->ReadBallot();
}

std::string EncodeOne(const SeedProbe& m) {
  return Frame(m.kType)
      .Fixed(m.node)
      .Number(m.bus_port)
      .Fixed(m.ring)
      .Number(m.members)
      .Number(m.has_data)
      .Number(m.joining)
      .Fixed(m.replaces)
      .Finish({m.asked, m.host});
}
void DecodeOne(Parts* in, SeedProbe* m) {
  m->node = in->Fixed();
  m->bus_port = in->Port();
  m->ring = in->Fixed();
  m->members = in->Number();
  m->has_data = in->Flag();
  m->joining = in->Flag();
  m->replaces = in->Fixed();
  m->asked = in->Field();
  m->host = in->Field();
}

std::string EncodeOne(const SeedAnswer& m) {
  const ClusterSettings& settings = m.settings;
  return Frame(m.kType)
      .Fixed(m.ring)
      .Number(m.epoch)
      .Number(m.members)
      .Number(m.has_data)
      .Number(m.joining)
      .Number(m.candidate)
      .Number(settings.n)
      .Number(settings.r)
      .Number(settings.w)
      .Number(settings.partitions)
      .Number(static_cast<uint64_t>(settings.placement))
      .Number(static_cast<uint64_t>(settings.partitioner))
      .Number(settings.tokens)
      .Finish({m.asked, m.refusal});
}
void DecodeOne(Parts* in, SeedAnswer* m) {
  m->ring = in->Fixed();
  m->epoch = in->Number();
  m->members = in->Number();
  m->has_data = in->Flag();
  m->joining = in->Flag();
  m->candidate = in->Flag();
  m->settings.n = static_cast<uint8_t>(in->Number());
  m->settings.r = static_cast<uint8_t>(in->Number());
  m->settings.w = static_cast<uint8_t>(in->Number());
  m->settings.partitions = static_cast<uint32_t>(in->Number());
  m->settings.placement = static_cast<PlacementStrategy>(in->Number());
  m->settings.partitioner = static_cast<Partitioner>(in->Number());
  m->settings.tokens = static_cast<uint32_t>(in->Number());
  m->asked = in->Field();
  m->refusal = in->Field();
}

std::string EncodeOne(const JoinRequest& m) {
  std::string member;
  EncodeMember(m.member, &member);
  return Frame(m.kType).Fixed(m.ring).Fixed(m.replaces).Finish({member});
}
void DecodeOne(Parts* in, JoinRequest* m) {
  m->ring = in->Fixed();
  m->replaces = in->Fixed();
  Reader member(in->Field());
  Result<Member> decoded = DecodeMember(&member);
  in->Require(decoded.has_value());
  if (decoded) m->member = *std::move(decoded);
}

std::string EncodeOne(const JoinAnswer& m) {
  return Frame(m.kType).Number(static_cast<uint64_t>(m.status)).Finish({m.text, m.state});
}
void DecodeOne(Parts* in, JoinAnswer* m) {
  const uint64_t status = in->Number();
  in->Require(status <= static_cast<uint64_t>(JoinStatus::kOtherRing));
  m->status = static_cast<JoinStatus>(status);
  m->text = in->Field();
  m->state = in->Field();
}

std::string EncodeOne(const HearAsk& m) {
  return Frame(m.kType).Fixed(m.request).Finish({m.nodes});
}
void DecodeOne(Parts* in, HearAsk* m) {
  m->request = in->Fixed();
  m->nodes = in->Field();
}

std::string EncodeOne(const HearAnswer& m) {
  return Frame(m.kType).Fixed(m.request).Fixed(m.heard).Finish({});
}
void DecodeOne(Parts* in, HearAnswer* m) {
  m->request = in->Fixed();
  m->heard = in->Fixed();
}

// Reads the frame as the alternative whose type it has; nothing when none has it.
template <size_t kIndex = 0>
std::optional<ControlMessage> DecodeAs(uint8_t type, Parts* in) {
  if constexpr (kIndex == std::variant_size_v<ControlMessage>) {
    return std::nullopt;
  } else {
    using Message = std::variant_alternative_t<kIndex, ControlMessage>;
    if (type != Message::kType) return DecodeAs<kIndex + 1>(type, in);
    Message message;
    DecodeOne(in, &message);
    return message;
  }
}

}  // namespace

std::string EncodeControl(const ControlMessage& message) {
  return std::visit([](const auto& m) { return EncodeOne(m); }, message);
}

Result<ControlMessage> DecodeControl(std::span<const std::string_view> fields) {
  if (fields.empty() || fields[0].empty()) return Error(ErrorCode::kInvalid, "empty frame");
  Parts in(fields);
  std::optional<ControlMessage> message = DecodeAs(static_cast<uint8_t>(fields[0][0]), &in);
  if (!message) return Error(ErrorCode::kInvalid, "unknown control message");
  if (!in.good()) return Error(ErrorCode::kInvalid, "malformed control message");
  return *std::move(message);
}

}  // namespace cartwheel
