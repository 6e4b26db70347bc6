#include "tests/simulation/network.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>

namespace cartwheel::sim {
namespace {

class NetworkTest : public testing::Test {
 protected:
  NetworkTest()
      : network_(3, 1, &events_, &hits_,
                 {.stands_still =
                      [this](int node) {
                        return now_us_ < still_until_us_.at(static_cast<size_t>(node));
                      },
                  .opening = [this](int) { return opening_; }}) {
    for (int i = 0; i < 3; ++i) network_.NodeUp(i);
  }

  void Send(int from, int to, std::string frame, bool response = false) {
    network_.Send(now_us_, from, to, response, std::move(frame));
  }

  // Plays everything; what arrived, in order, as "from>to:frame", links as "1+2" and "1-2".
  std::string Play(int64_t until_us = INT64_MAX) {
    std::string seen;
    while (!events_.empty() && events_.next_us() <= until_us) {
      const Event event = events_.Pop();
      now_us_ = event.time_us;
      std::optional<LinkEvent> link;
      if (event.kind == EventKind::kDial) link = network_.Dialled(now_us_, event);
      if (event.kind == EventKind::kReset) link = network_.Reset(event);
      if (link) {
        seen += std::to_string(link->dialer) + (link->up ? "+" : "-") + std::to_string(link->peer) +
                " ";
      }
      if (event.kind != EventKind::kDeliver) continue;
      const auto delivery = network_.Delivered(event);
      if (!delivery) continue;
      seen += std::to_string(delivery->from) + ">" + std::to_string(delivery->to) + ":" +
              delivery->frame + " ";
    }
    return seen;
  }

  EventQueue events_;
  FaultHits hits_;
  std::array<int64_t, 3> still_until_us_{};
  std::string opening_;
  Network network_;
  int64_t now_us_ = 0;
};

TEST_F(NetworkTest, MessagesOfAConnectionArriveInOrder) {
  std::string expected = "0+1 ";
  for (int i = 0; i < 50; ++i) {
    Send(0, 1, std::to_string(i));
    expected += "0>1:" + std::to_string(i) + " ";
  }
  EXPECT_EQ(Play(), expected);
}

TEST_F(NetworkTest, AConnectionIsOpenedOnceBothEndsRun) {
  opening_ = "hello";
  still_until_us_[1] = 1'500'000;
  Send(0, 1, "waiting");
  EXPECT_EQ(Play(1'400'000), "");
  EXPECT_EQ(Play(), "0+1 0>1:hello 0>1:waiting ");
  still_until_us_[2] = now_us_ + 3'000'000;
  Send(0, 2, "lost");
  EXPECT_EQ(Play(), "0-2 ");
}

TEST_F(NetworkTest, AResponseNeedsTheConnectionOfItsRequest) {
  Send(1, 0, "early", true);
  EXPECT_EQ(Play(), "");
  Send(0, 1, "request");
  EXPECT_EQ(Play(), "0+1 0>1:request ");
  Send(1, 0, "response", true);
  EXPECT_EQ(Play(), "1>0:response ");
}

TEST_F(NetworkTest, ACutLosesWhatIsSentAndIsNoticedLater) {
  Send(0, 1, "a");
  EXPECT_EQ(Play(), "0+1 0>1:a ");
  network_.Cut(0, 1, FaultKind::kOneWayCut);
  Send(0, 1, "b");
  network_.Mend(0, 1);
  Send(0, 1, "c");  // the connection has a hole: nothing comes after it
  EXPECT_EQ(Play(), "0-1 ");
  Send(0, 1, "d");
  EXPECT_EQ(Play(), "0+1 0>1:d ");
  EXPECT_EQ(hits_.Of(FaultKind::kOneWayCut), 2U);
}

TEST_F(NetworkTest, NobodyDialsThroughACut) {
  network_.Cut(1, 0, FaultKind::kTwoWayCut);
  Send(0, 1, "a");
  EXPECT_EQ(Play(), "0-1 ");
  network_.Cut(1, 0, FaultKind::kOneWayCut, /*dials_pass=*/true);
  Send(0, 1, "b");
  EXPECT_EQ(Play(), "0+1 0>1:b ");
}

TEST_F(NetworkTest, ADeadNodeLosesItsConnectionsAndRefusesNewOnes) {
  Send(0, 1, "a");
  EXPECT_EQ(Play(), "0+1 0>1:a ");
  network_.NodeDown(now_us_, 1);
  Send(0, 1, "b");
  EXPECT_EQ(Play(), "0-1 ");
  Send(0, 1, "c");
  EXPECT_EQ(Play(), "0-1 ");
  network_.NodeUp(1);
  Send(0, 1, "d");
  EXPECT_EQ(Play(), "0+1 0>1:d ");
}

TEST_F(NetworkTest, AHalfOpenConnectionSwallowsBothWaysUntilNoticed) {
  Send(0, 1, "a");
  Play();
  network_.HalfOpen(now_us_, 0, 1, 5'000'000);
  Send(0, 1, "b");
  Send(1, 0, "c", true);
  EXPECT_EQ(Play(now_us_ + 4'900'000), "");
  EXPECT_EQ(Play(), "0-1 ");
  EXPECT_EQ(hits_.Of(FaultKind::kHalfOpen), 2U);
}

TEST_F(NetworkTest, AClogHoldsBackAndReleasesAll) {
  Send(0, 1, "a");
  Play();
  const int64_t release_us = now_us_ + 1'000'000;
  network_.Clog(0, 1, release_us);
  for (int i = 0; i < 20; ++i) Send(0, 1, std::to_string(i));
  EXPECT_EQ(Play(release_us - 1), "");
  const std::string seen = Play();
  EXPECT_EQ(std::count(seen.begin(), seen.end(), ':'), 20);
}

TEST_F(NetworkTest, LossAndDuplicatesComeAsOftenAsTheWeatherSays) {
  Send(0, 1, "a");
  Play();
  network_.weather().loss_ppm = 300'000;
  network_.weather().duplicate_ppm = 100'000;
  for (int i = 0; i < 1000; ++i) Send(0, 1, "x");
  const std::string seen = Play();
  const auto arrived = std::count(seen.begin(), seen.end(), ':');
  EXPECT_NEAR(static_cast<double>(hits_.Of(FaultKind::kLoss)), 300, 60);
  EXPECT_EQ(static_cast<uint64_t>(arrived),
            1000 - hits_.Of(FaultKind::kLoss) + hits_.Of(FaultKind::kDuplicate));
}

}  // namespace
}  // namespace cartwheel::sim
