// Rates: commands and bytes of the last whole second or more, for INFO's instantaneous_... fields.
#pragma once

#include <cstdint>

namespace cartwheel {

struct Rates {
  // A second.
  uint64_t commands = 0;
  uint64_t input_bytes = 0;
  uint64_t output_bytes = 0;

  // The totals at a time, in mono_us; called about once a second. RESETSTAT may have reset them.
  void Note(int64_t now_us, uint64_t total_commands, uint64_t total_input, uint64_t total_output) {
    const int64_t us = now_us - at_us_;
    const auto rate = [us](uint64_t total, uint64_t before) {
      if (us <= 0 || total < before) return uint64_t{0};
      return (total - before) * 1'000'000 / static_cast<uint64_t>(us);
    };
    commands = rate(total_commands, commands_);
    input_bytes = rate(total_input, input_);
    output_bytes = rate(total_output, output_);
    at_us_ = now_us;
    commands_ = total_commands;
    input_ = total_input;
    output_ = total_output;
  }

 private:
  int64_t at_us_ = 0;
  uint64_t commands_ = 0;
  uint64_t input_ = 0;
  uint64_t output_ = 0;
};

}  // namespace cartwheel
