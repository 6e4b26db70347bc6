#include "cluster/hello.h"

#include <gtest/gtest.h>

#include "protocol/request_parser.h"

namespace cartwheel {
namespace {

// What the other side reads: the fields live in the parser's buffer, so they are copied out.
class Wire {
 public:
  explicit Wire(const std::string& frame) : parser_(ParserLimits{}) {
    const std::span<char> space = parser_.Prepare();
    EXPECT_GE(space.size(), frame.size());
    std::copy(frame.begin(), frame.end(), space.begin());
    parser_.Commit(frame.size());
    EXPECT_EQ(parser_.Next(), RequestParser::Outcome::kCommand);
  }
  std::span<const std::string_view> fields() const { return parser_.arguments(); }

 private:
  RequestParser parser_;
};

std::string Nonce(char fill) { return std::string(kNonceBytes, fill); }

Hello SomeHello() {
  Hello hello;
  hello.node = 0xfedcba9876543210;
  hello.ring_id = 77;
  hello.started_at_ms = 1700000000000;
  hello.cluster_name = "carts";
  hello.nonce = Nonce('d');
  return hello;
}

Hello ProvenHello(std::string_view secret, HelloRole role, std::string_view peer_nonce) {
  Hello hello = SomeHello();
  hello.proof = ProofOf(secret, role, hello, peer_nonce);
  return hello;
}

TEST(HelloTest, ComesOutAsItWentIn) {
  const Hello sent = ProvenHello("secret", HelloRole::kDialler, Nonce('a'));
  const Wire wire(Encode(sent));
  const Result<Hello> read = DecodeHello(wire.fields());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->bus_version, kBusVersion);
  EXPECT_EQ(read->node, sent.node);
  EXPECT_EQ(read->ring_id, sent.ring_id);
  EXPECT_EQ(read->started_at_ms, sent.started_at_ms);
  EXPECT_EQ(read->cluster_name, sent.cluster_name);
  EXPECT_EQ(read->nonce, sent.nonce);
  EXPECT_EQ(read->proof, sent.proof);
  EXPECT_EQ(read->proof.size(), 32u);

  const Wire challenge(Encode(Challenge{Nonce('c')}));
  ASSERT_TRUE(DecodeChallenge(challenge.fields()));
  EXPECT_EQ(DecodeChallenge(challenge.fields())->nonce, Nonce('c'));
}

TEST(HelloTest, LaterFieldsOfANewerVersionAreIgnored) {
  const Wire wire(Encode(SomeHello()));
  std::vector<std::string_view> fields(wire.fields().begin(), wire.fields().end());
  const std::string longer_head = std::string(fields[0]) + "\x05";
  fields[0] = longer_head;
  fields.push_back("something new");
  EXPECT_TRUE(DecodeHello(fields));
}

TEST(HelloTest, MalformedBytesAreRefused) {
  const Wire wire(Encode(SomeHello()));
  const std::vector<std::string_view> good(wire.fields().begin(), wire.fields().end());
  for (size_t count = 0; count < good.size(); ++count) {
    EXPECT_FALSE(DecodeHello(std::span(good).first(count)));
  }
  for (size_t length = 0; length < good[0].size(); ++length) {
    std::vector<std::string_view> bad = good;
    bad[0] = good[0].substr(0, length);
    EXPECT_FALSE(DecodeHello(bad)) << length;
  }
  std::vector<std::string_view> bad = good;
  bad[2] = "short";
  EXPECT_FALSE(DecodeHello(bad));
  Hello nobody = SomeHello();
  nobody.node = 0;
  EXPECT_FALSE(DecodeHello(Wire(Encode(nobody)).fields()));
  EXPECT_FALSE(DecodeChallenge(good));
  EXPECT_FALSE(DecodeHello(Wire(Encode(Challenge{Nonce('c')})).fields()));
}

TEST(HelloTest, TheSameNameAndSecretMayTalk) {
  const Hello theirs = ProvenHello("secret", HelloRole::kDialler, Nonce('a'));
  EXPECT_TRUE(CheckHello(theirs, HelloRole::kDialler, Nonce('a'), "carts", "secret"));
  const Hello open = ProvenHello("", HelloRole::kAcceptor, Nonce('a'));
  EXPECT_TRUE(CheckHello(open, HelloRole::kAcceptor, Nonce('a'), "carts", ""));
}

TEST(HelloTest, AnotherNameSecretOrVersionIsRefusedWithItsReason) {
  const auto reason = [](const Hello& theirs, std::string_view name, std::string_view secret) {
    const Result<void> checked = CheckHello(theirs, HelloRole::kDialler, Nonce('a'), name, secret);
    return checked ? std::string("accepted") : checked.error().message;
  };
  const Hello with = ProvenHello("secret", HelloRole::kDialler, Nonce('a'));
  const Hello without = ProvenHello("", HelloRole::kDialler, Nonce('a'));
  EXPECT_EQ(reason(with, "other", "secret"), "its cluster is 'carts', ours is 'other'");
  EXPECT_EQ(reason(with, "carts", "another"), "its cluster-secret is another one or none");
  EXPECT_EQ(reason(without, "carts", "secret"), "its cluster-secret is another one or none");
  EXPECT_EQ(reason(with, "carts", ""), "it has a cluster-secret, this node has none");
  Hello old = without;
  old.bus_version = 0;
  EXPECT_EQ(reason(old, "carts", ""), "it speaks bus version 0, the oldest known here is 1");
}

TEST(HelloTest, AProofIsGoodForOneConnectionRoleAndNodeOnly) {
  const Hello good = ProvenHello("secret", HelloRole::kDialler, Nonce('a'));
  const auto accepted = [](const Hello& hello, HelloRole role, const std::string& nonce) {
    return CheckHello(hello, role, nonce, "carts", "secret").has_value();
  };
  ASSERT_TRUE(accepted(good, HelloRole::kDialler, Nonce('a')));
  EXPECT_FALSE(accepted(good, HelloRole::kDialler, Nonce('b')));   // replayed
  EXPECT_FALSE(accepted(good, HelloRole::kAcceptor, Nonce('a')));  // reflected
  Hello moved = good;
  moved.node ^= 1;
  EXPECT_FALSE(accepted(moved, HelloRole::kDialler, Nonce('a')));
  moved = good;
  moved.ring_id ^= 1;
  EXPECT_FALSE(accepted(moved, HelloRole::kDialler, Nonce('a')));
  moved = good;
  moved.nonce = Nonce('e');
  EXPECT_FALSE(accepted(moved, HelloRole::kDialler, Nonce('a')));
}

TEST(HelloTest, ANameFromAStrangerIsShownShortAndPrintable) {
  Hello rude = SomeHello();
  rude.cluster_name = "a\nb" + std::string(200, 'x');
  const Result<void> checked = CheckHello(rude, HelloRole::kDialler, Nonce('a'), "carts", "");
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().message,
            "its cluster is 'a?b" + std::string(61, 'x') + "', ours is 'carts'");
}

}  // namespace
}  // namespace cartwheel
